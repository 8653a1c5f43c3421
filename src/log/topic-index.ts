import type { LoggedBlock } from './log.ts'

/** One entry per topic and so many bytes of journal at most. */
export const strideBytes = 256 * 1024

interface Entries {
  /** The first offset of the topic's first block in a frame … */
  readonly offsets: number[]
  /** … the frame's journal position … */
  readonly positions: number[]
  /** … and the tick that makes it visible. */
  readonly ticks: number[]
}

export interface Stretch {
  /** Frames that hold the topic start from here … */
  readonly from: number
  /** … to before here; beyond it there are none before the next stretch. */
  readonly to: number
  readonly tick: number
}

/** A sparse index from a topic's offsets to journal positions: it is rebuilt by every recovery, never stored. */
export class TopicIndex {
  readonly #topics = new Map<number, Entries>()

  /** Notes the blocks of a frame, in the journal's order. */
  addBlocks(blocks: readonly LoggedBlock[], position: number, tick: number): void {
    let last = -1
    for (const { topic, firstOffset } of blocks) {
      if (topic !== last) this.#add(topic, firstOffset, position, tick)
      last = topic
    }
  }

  #add(topic: number, offset: number, position: number, tick: number): void {
    let entries = this.#topics.get(topic)
    if (entries === undefined) {
      entries = { offsets: [], positions: [], ticks: [] }
      this.#topics.set(topic, entries)
    }
    const { offsets, positions, ticks } = entries
    if (positions.length > 0 && position < positions[positions.length - 1] + strideBytes) return
    offsets.push(offset)
    positions.push(position)
    ticks.push(tick)
  }

  /**
   * Forgets what lies below a position that is the end of a tick.
   * @param tick the one that goes on from there
   * @param offsets each topic's next offset there
   */
  cut(position: number, tick: number, offsets: ReadonlyMap<number, number>): void {
    for (const [topic, { offsets: firsts, positions, ticks }] of this.#topics) {
      const from = positions.findIndex((each) => each >= position)
      const kept = from < 0 ? positions.length : from
      if (kept === 0) continue
      // The entry before may have stood for frames on both sides. Others may be at work with the lists as they are.
      this.#topics.set(topic, {
        offsets: [offsets.get(topic) ?? 0, ...firsts.slice(kept)],
        positions: [position, ...positions.slice(kept)],
        ticks: [tick, ...ticks.slice(kept)],
      })
    }
  }

  /** The index as it is, whatever is cut from now on; blocks that are added may be in it. */
  kept(): TopicIndex {
    const kept = new TopicIndex()
    for (const [topic, entries] of this.#topics) kept.#topics.set(topic, entries)
    return kept
  }

  /** The stretches of journal that hold a topic from an offset on, in order. */
  *stretches(topic: number, fromOffset: number): Generator<Stretch> {
    const entries = this.#topics.get(topic)
    if (entries === undefined) return
    const { offsets, positions, ticks } = entries
    let low = 0
    for (let high = offsets.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (offsets[middle] <= fromOffset) low = middle + 1
      else high = middle
    }
    for (let i = Math.max(0, low - 1); i < offsets.length; i++) {
      const next = positions[i + 1] ?? Number.POSITIVE_INFINITY
      yield { from: positions[i], to: Math.min(next, positions[i] + strideBytes), tick: ticks[i] }
    }
  }
}
