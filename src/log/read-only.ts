import type { Io } from '../io/io.ts'
import { History } from './history/history.ts'
import { LogMoment } from './history/log-moment.ts'
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
  readonly #moment: LogMoment
  readonly #journal: Journal

  private constructor(history: History, journal: Journal, end: TickMark) {
    this.identity = journal.identity
    this.end = end
    this.#moment = new LogMoment(history, journal.reader())
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
    await this.#moment.replay({ each, mergeRows, afterTick, throughTick, columns })
  }

  /** As Log.readTopic. */
  readonly readTopic: Log['readTopic'] = (topic, fromOffset, limitRows) =>
    this.#moment.readTopic(topic, fromOffset, limitRows)

  /** As Log.starts. */
  starts(): ReadonlyMap<number, TopicStart> {
    return this.#moment.starts()
  }

  close(): Promise<void> {
    return this.#journal.close()
  }
}
