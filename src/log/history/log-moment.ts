import type { JournalReader } from '../journal-reader.ts'
import { endOf, type ReadBlock, rowFrom, type TickMark, type TickWanted, type TopicStart } from '../log.ts'
import type { History } from './history.ts'
import { type ReplayWanted, replayHistory } from './history-replay.ts'
import { startsOf } from './trims.ts'

/** Journal and history as they were at one moment, read as one log: events up to the end of the history from there. */
export class LogMoment {
  readonly #history: History
  readonly #journal: JournalReader

  /** @param history one that doesn't change any more */
  constructor(history: History, journal: JournalReader) {
    this.#history = history
    this.#journal = journal
  }

  async replay(wanted: ReplayWanted): Promise<void> {
    const { each, mergeRows, afterTick, throughTick, columns } = wanted
    const { tick } = this.#history.end
    if (afterTick < tick) await replayHistory(this.#history, { ...wanted, throughTick: Math.min(throughTick, tick) })
    if (throughTick <= tick) return
    await this.#journal.replay(each, mergeRows, Math.max(afterTick, tick), throughTick, columns)
  }

  findTick(wanted: TickWanted): Promise<TickMark | null> {
    const { tick, tickMicros } = this.#history.end
    const isOld = 'tick' in wanted ? wanted.tick <= tick : wanted.timeMicros < BigInt(tickMicros)
    return isOld ? this.#history.findTick(wanted) : this.#journal.findTick(wanted)
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    const found = await this.#history.findOffset(topic, Number(timeMicros))
    return found ?? this.#journal.findOffset(topic, timeMicros)
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    const read = await this.#history.readTopic(topic, fromOffset, limitRows)
    let rows = 0
    for (const block of read) rows += block.rows - rowFrom(block, fromOffset)
    if (rows >= limitRows) return read
    const last = read.at(-1)
    const next = last === undefined ? fromOffset : endOf(last)
    return [...read, ...(await this.#journal.readTopic(topic, next, limitRows - rows))]
  }

  starts(): ReadonlyMap<number, TopicStart> {
    return startsOf(this.#history.trims)
  }
}
