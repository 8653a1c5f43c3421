import { olderBlocks } from '../../data/older-blocks.ts'
import type { TickOutput, TopicBlock } from '../../engine/port.ts'
import type { LoggedBlock, TickMark } from '../../log/log.ts'
import { inputErrors, seenBlock } from '../../views/ad-hoc-feed.ts'
import type { Restriction } from '../../views/restriction.ts'
import type { Running } from '../running.ts'

/** What a query reads of one tick, or of several that are taken as one. */
export interface InputTick extends TickMark {
  readonly blocks: readonly TopicBlock[]
}

interface Waiting extends TickMark {
  readonly events: readonly LoggedBlock[]
  readonly changes: TickOutput['deltas']
  readonly bytes: number
}

/** More than this is not kept for a query that is slow: it is built anew. */
const mostBytes = 32 * 1024 * 1024
const mostTicks = 10_000
/** So many ticks behind, several are taken as one, up to so many bytes. */
const behindTicks = 8
const mergedBytes = 4 * 1024 * 1024
/** What a tick weighs by itself. */
const tickBytes = 200

/**
 * The ticks that a query has still to take: of each the events and changes of what it reads, as the program at work
 * was done with them. Blocks are shared, never copied.
 */
export class InputTicks {
  readonly running: Running
  /** Too much waited, and was dropped. */
  lost = false
  /** Everything that came was taken at some time. */
  hasBeenEmpty = false
  readonly #relations: ReadonlySet<number>
  readonly #restrictions: ReadonlyMap<number, Restriction>
  #waiting: Waiting[] = []
  #bytes = 0

  constructor(running: Running, relations: ReadonlySet<number>, restrictions: ReadonlyMap<number, Restriction>) {
    this.running = running
    this.#relations = relations
    this.#restrictions = restrictions
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  add({ tick, timeMicros, deltas }: TickOutput, blocks: readonly LoggedBlock[]): void {
    if (this.lost) return
    const events = blocks.filter(({ topic }) => this.#relations.has(topic))
    const changes = deltas.filter(({ view }) => this.#relations.has(view))
    let bytes = tickBytes
    for (const block of events) bytes += block.bytes.byteLength
    for (const block of changes.flatMap((change) => change.blocks)) bytes += block.byteLength
    this.#waiting.push({ tick, timeMicros, events, changes, bytes })
    this.#bytes += bytes
    this.lost = this.#bytes > mostBytes || this.#waiting.length > mostTicks
    if (this.lost) this.#waiting = []
  }

  /**
   * The next tick, or the next few as one where many wait.
   * @returns null where none waits
   * @throws MillraceError sql/error-rows where a view has rows that could not be computed
   */
  take(singly: boolean): InputTick | null {
    const [first] = this.#waiting
    if (first === undefined) {
      this.hasBeenEmpty = true
      return null
    }
    let count = 1
    let { bytes } = first
    if (!singly && this.#waiting.length > behindTicks) {
      while (count < this.#waiting.length && bytes + this.#waiting[count].bytes <= mergedBytes) {
        bytes += this.#waiting[count++].bytes
      }
    }
    const taken = this.#waiting.splice(0, count)
    this.#bytes -= bytes
    const { tick, timeMicros } = taken[count - 1]
    return { tick, timeMicros, blocks: taken.flatMap((each) => this.#blocksOf(each)) }
  }

  #blocksOf({ events, changes }: Waiting): readonly TopicBlock[] {
    const blocks: TopicBlock[] = []
    for (const block of events) {
      const seen = this.#seenEvents(block)
      if (seen !== null) blocks.push(seen)
    }
    for (const { view, blocks: changed, errors } of changes) {
      const { name, columns } = this.running.views.byId(view).definition
      const restriction = this.#restrictions.get(view)
      const left = errors.reduce((sum, { weight }) => sum + weight, 0)
      if (left > 0) throw inputErrors(name, restriction === undefined ? left : null)
      for (const bytes of changed) {
        const seen = restriction === undefined ? bytes : restriction.seen(bytes, [...columns.keys()]).bytes
        if (seen === null) continue
        blocks.push({ topic: view, partition: 0, firstOffset: 0, appendedAtMicros: 0n, bytes: seen })
      }
    }
    return blocks
  }

  #seenEvents(block: LoggedBlock): TopicBlock | null {
    const restriction = this.#restrictions.get(block.topic)
    if (restriction === undefined) return block
    const topic = this.running.program.topics.find(({ id }) => id === block.topic)!
    return seenBlock(block, restriction, topic, olderBlocks(topic.columns))
  }
}
