import type { Io } from '../io/io.ts'
import { History } from './history/history.ts'
import { replayHistory } from './history/history-replay.ts'
import { startsOf } from './history/trims.ts'
import { Journal } from './journal.ts'
import { filePath, usualSizes } from './journal-file.ts'
import type { Log, LogReading, TickMark, TopicStart } from './log.ts'
import { recover } from './recover.ts'

const noLock = { release: async (): Promise<void> => {} }

/**
 * A log that nobody writes, for those who only look: nothing of it is sealed, cut, rewritten or removed. It ends with
 * the newest tick whose seal is there.
 */
export class ReadOnlyLog implements LogReading {
  readonly identity: string
  readonly end: TickMark
  readonly #history: History
  readonly #journal: Journal

  private constructor(history: History, journal: Journal, end: TickMark) {
    this.identity = journal.identity
    this.end = end
    this.#history = history
    this.#journal = journal
  }

  /** @returns null where there is no log @throws MillraceError log/corrupt, log/version */
  static async open(io: Io, folder: string): Promise<ReadOnlyLog | null> {
    const history = await History.open(io.disk, folder, false)
    const found = await recover(io.disk, folder, history, { frame: () => {} })
    if (found === null) return null
    const { tick, timeMicros } = found.state
    const file = await io.disk.open(filePath(folder, found.files[found.files.length - 1].number), { readOnly: true })
    const journal = new Journal(io, folder, usualSizes, noLock, { ...found, file, nextTick: tick + 1, spares: [] })
    return new ReadOnlyLog(history, journal, { tick, timeMicros })
  }

  /** As Log.replay. */
  readonly replay: Log['replay'] = async (
    each,
    mergeRows = 0,
    afterTick = 0,
    throughTick = Number.POSITIVE_INFINITY,
    columns,
  ) => {
    const { tick } = this.#history.end
    if (afterTick < tick) {
      const through = Math.min(throughTick, tick)
      await replayHistory(this.#history, { each, mergeRows, afterTick, throughTick: through, columns })
    }
    if (throughTick > tick) await this.#journal.replay(each, mergeRows, Math.max(afterTick, tick), throughTick)
  }

  /** As Log.readTopic. */
  readonly readTopic: Log['readTopic'] = async (topic, fromOffset, limitRows) => {
    const old = await this.#history.readTopic(topic, fromOffset, limitRows)
    return old.length > 0 ? old : this.#journal.readTopic(topic, fromOffset, limitRows)
  }

  /** As Log.starts. */
  starts(): ReadonlyMap<number, TopicStart> {
    return startsOf(this.#history.trims)
  }

  close(): Promise<void> {
    return this.#journal.close()
  }
}
