// What was trimmed in the middle of a run, and what the log must hold all the same.
import { endOf, type Log, offsetOf, type ReadBlock } from '../src/log/log.ts'
import { type LoggedEvent, Violation } from './history.ts'

/**
 * Remembers a table's events as they were before a trim, so that what is gone can be told from what is lost: what a
 * read of the table gives is filled up with what may be gone, and only with that.
 */
export class Trims {
  readonly #known = new Map<number, LoggedEvent>()
  /** The newest cut that was asked for, and the newest of which it was answered that it is durable. */
  #tried = 0
  #told = 0

  /** Below it nothing was promised of views. */
  get tried(): number {
    return this.#tried
  }

  /** Notes what is there before a cut is asked for. */
  asks(events: readonly LoggedEvent[], tick: number): void {
    for (const event of events) if (!this.#known.has(event.offset)) this.#known.set(event.offset, event)
    this.#tried = Math.max(this.#tried, tick)
  }

  answered(tick: number): void {
    this.#told = Math.max(this.#told, tick)
  }

  /**
   * The events of a table as they were, whatever was trimmed.
   * @param own whether the log is the one that answered, not an older copy
   */
  whole(log: Log, topic: number, events: readonly LoggedEvent[], own: boolean): LoggedEvent[] {
    const { throughTick = 0, firstOffset = 0 } = log.starts().get(topic) ?? {}
    if (throughTick > this.#tried) throw new Violation('only what was asked for is trimmed', `up to ${throughTick}`)
    if (own && throughTick < this.#told) {
      throw new Violation('what was trimmed stays so', `${throughTick}, after ${this.#told} was answered`)
    }
    const last = new Map<string, LoggedEvent>()
    for (const event of this.#known.values()) if (event.tick <= throughTick) last.set(keyOf(event), event)
    const there = new Map(events.map((event) => [event.offset, event]))
    const end = Math.max(firstOffset, (events.at(-1)?.offset ?? -1) + 1)
    return Array.from({ length: end }, (_, offset) => {
      const found = there.get(offset)
      if (found !== undefined) return found
      const gone = this.#known.get(offset)
      if (gone === undefined || gone.tick > throughTick)
        throw new Violation('offsets have no gaps', `account ${offset}`)
      if (last.get(keyOf(gone)) === gone && !gone.text.startsWith('["account-"')) {
        throw new Violation('only what was replaced is trimmed', `${gone.text} at ${offset}, cut at ${throughTick}`)
      }
      return gone
    })
  }
}

function keyOf({ text }: LoggedEvent): string {
  return (JSON.parse(text) as string[])[1]
}

/** @throws Violation where offsets have gaps that no trim explains, or ticks go back */
export function checkOrder(log: Log, topic: number, blocks: readonly ReadBlock[]): void {
  const explained = log.starts().get(topic)?.firstOffset ?? 0
  let next: number | null = null
  let newest = 0
  for (const block of blocks) {
    for (let row = 0; row < block.rows; row++) {
      const offset = offsetOf(block, row)
      const follows = next === null || offset === next || (offset > next && offset <= explained)
      if (!follows) throw new Violation('offsets have no gaps', `topic ${topic}: ${offset} after ${next}`)
      next = offset + 1
    }
    if (block.tick < newest) throw new Violation('ticks never go back', `topic ${topic}: ${block.tick} after ${newest}`)
    next = endOf(block)
    newest = block.tick
  }
}
