import { Bug } from '../../data/errors.ts'
import type { Io } from '../../io/io.ts'
import { type BackupAnswer, type BackupOptions, writeBackup } from '../backup.ts'
import { type Commit, type CommitStore, NoRoom } from '../commit.ts'
import type { FrameBuilder } from '../frame.ts'
import type { Journal } from '../journal.ts'
import {
  type ColumnsRead,
  type Cut,
  endOf,
  type ReadBlock,
  rowFrom,
  type SealedTick,
  type TickMark,
  type TickWanted,
  type TopicStart,
  type Trim,
} from '../log.ts'
import type { History } from './history.ts'
import { replayHistory } from './history-replay.ts'
import { type RewriteOptions, Rewriter } from './rewrite.ts'

/**
 * A journal, and behind it the history that closed journal files become: one log. Events up to the end of the
 * history are read from there, everything since from the journal.
 */
export class HistoryStore implements CommitStore<FrameBuilder> {
  readonly identity: string
  readonly #io: Io
  readonly #folder: string
  readonly #journal: Journal
  readonly #history: History
  readonly #rewriter: Rewriter
  /** Who reads journal files, which must not go meanwhile. */
  #readers = 0
  #useless: string[] = []

  constructor(io: Io, folder: string, journal: Journal, history: History, options: RewriteOptions) {
    this.identity = journal.identity
    this.#io = io
    this.#folder = folder
    this.#journal = journal
    this.#history = history
    this.#rewriter = new Rewriter(io, folder, journal, history, options, (paths) => this.#drop(paths))
  }

  gather(): FrameBuilder {
    return this.#journal.gather()
  }

  async commit(builder: FrameBuilder, commit: Commit, meanwhile: () => void): Promise<void> {
    try {
      this.#checkNames()
      await this.#journal.commit(builder, commit, meanwhile)
      this.#checkNames()
    } catch (error) {
      // What is durable is not known any more: nothing may be built on it, and nothing taken away.
      if (!(error instanceof NoRoom)) this.#rewriter.stop()
      throw error
    }
    this.#rewriter.wake()
  }

  /** @throws what a sync of the folder failed with: a file of the journal may have lost its name by it */
  #checkNames(): void {
    if (this.#rewriter.poison !== null) throw this.#rewriter.poison
  }

  async replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows: number,
    afterTick: number,
    throughTick: number,
    columns?: ColumnsRead,
  ): Promise<void> {
    await this.#reading(async () => {
      const { tick } = this.#history.end
      const wanted = { each, mergeRows, afterTick, throughTick: Math.min(throughTick, tick), columns }
      await replayHistory(this.#history, wanted)
      if (throughTick > tick) await this.#journal.replay(each, mergeRows, Math.max(afterTick, tick), throughTick)
    })
  }

  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    return this.#reading(async () => {
      const { tick, tickMicros } = this.#history.end
      const isOld = 'tick' in wanted ? wanted.tick <= tick : wanted.timeMicros < BigInt(tickMicros)
      return isOld ? this.#history.findTick(wanted) : this.#journal.findTick(wanted)
    })
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    return this.#reading(
      async () =>
        (await this.#history.findOffset(topic, Number(timeMicros))) ?? this.#journal.findOffset(topic, timeMicros),
    )
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    return this.#reading(async () => {
      const read = await this.#history.readTopic(topic, fromOffset, limitRows)
      const last = read.at(-1)
      const next = last === undefined ? fromOffset : endOf(last)
      let left = limitRows
      for (const block of read) left -= block.rows - rowFrom(block, fromOffset)
      if (left <= 0) return read
      for (const block of await this.#journal.readTopic(topic, next, left)) read.push(block)
      return read
    })
  }

  starts(): ReadonlyMap<number, TopicStart> {
    return new Map()
  }

  cuts(): readonly Cut[] {
    return []
  }

  async trim(_plan: readonly Trim[]): Promise<void> {
    throw new Bug('a log on disk has no cuts yet')
  }

  async backup(folder: string, options: BackupOptions): Promise<BackupAnswer> {
    return this.#reading(async () => {
      const { tick, files } = this.#journal.settled()
      const settled = [...this.#history.settled, ...files]
      const timeMicros = (await this.findTick({ tick }))?.timeMicros ?? 0n
      const log = { identity: this.identity, tick, timeMicros, files: settled }
      return writeBackup(this.#io.disk, this.#folder, log, folder, options)
    })
  }

  async close(): Promise<void> {
    this.#rewriter.stop()
    await this.#rewriter.idle()
    await this.#journal.close()
  }

  /** Resolves when all that can be rewritten now is. @throws as the rewriting, if it failed */
  async settle(): Promise<void> {
    this.#rewriter.wake()
    await this.#rewriter.idle()
    if (this.#rewriter.failure !== null) throw this.#rewriter.failure
  }

  /** The newest tick that the history holds, and in how many files. */
  get endTick(): number {
    return this.#history.end.tick
  }

  /** The first offset of a topic that only the journal has. */
  endOffset(topic: number): number {
    return this.#history.end.offsets.find(([id]) => id === topic)?.[1] ?? 0
  }

  get files(): number {
    return this.#history.files.length
  }

  /** Why nothing is rewritten any more, if so. The log goes on without. */
  get failure(): Error | null {
    return this.#rewriter.failure
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await work()
    } finally {
      this.#readers--
      await this.#removeUseless()
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    this.#useless.push(...paths)
    await this.#removeUseless()
  }

  /** A file that can't be removed is removed by the next start. */
  async #removeUseless(): Promise<void> {
    if (this.#readers > 0) return
    for (const path of this.#useless.splice(0)) await this.#io.disk.remove(path).catch(() => {})
  }
}
