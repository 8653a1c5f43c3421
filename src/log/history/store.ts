import { invariant, MillraceError } from '../../data/errors.ts'
import { type Io, IoError } from '../../io/io.ts'
import { type BackupAnswer, type BackupOptions, writeBackup } from '../backup.ts'
import { type Commit, type CommitStore, NoRoom, type StoreReader } from '../commit.ts'
import type { FrameBuilder } from '../frame.ts'
import type { Journal } from '../journal.ts'
import type { ColumnsRead, Cut, ReadBlock, SealedTick, TickMark, TickWanted, TopicStart, Trim } from '../log.ts'
import { HeldFiles, lastingReader } from './held-files.ts'
import type { History } from './history.ts'
import { LogMoment } from './log-moment.ts'
import { type RewriteOptions, Rewriter } from './rewrite.ts'
import { startsOf, type TopicTrim, type TrimsFile, trimsName, writeTrims } from './trims.ts'

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
  readonly #held: HeldFiles
  #deciding: Promise<void> = Promise.resolve()

  constructor(io: Io, folder: string, journal: Journal, history: History, options: RewriteOptions) {
    this.identity = journal.identity
    this.#io = io
    this.#folder = folder
    this.#journal = journal
    this.#history = history
    // A file that can't be removed is removed by the next start.
    this.#held = new HeldFiles(io.clock, (path) => journal.spares.putAside(path).catch(() => {}))
    this.#rewriter = new Rewriter(
      io,
      folder,
      journal,
      history,
      options,
      (paths) => this.#held.drop(paths),
      (change) => this.#decide(async (trims) => change(trims)),
    )
  }

  gather(): FrameBuilder {
    return this.#journal.gather()
  }

  async commit(builder: FrameBuilder, commit: Commit, meanwhile: () => void): Promise<void> {
    try {
      this.#checkNames()
      if (commit.purpose === 'append') await this.#rewriter.holdBack(commit.blocks)
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
    await this.#reading((log) => log.replay({ each, mergeRows, afterTick, throughTick, columns }))
    // A start goes on with what the one before left undone.
    if (this.#history.trims.topics.size > 0) this.#rewriter.look()
  }

  findTick(wanted: TickWanted): Promise<TickMark | null> {
    return this.#reading((log) => log.findTick(wanted))
  }

  findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    return this.#reading((log) => log.findOffset(topic, timeMicros))
  }

  readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    return this.#reading((log) => log.readTopic(topic, fromOffset, limitRows))
  }

  reader(mostIdleMs: number): StoreReader {
    return lastingReader(this.#held, this.#now(), mostIdleMs)
  }

  starts(): ReadonlyMap<number, TopicStart> {
    return startsOf(this.#history.trims)
  }

  cuts(): readonly Cut[] {
    return this.#history.cuts()
  }

  async trim(plan: readonly Trim[]): Promise<void> {
    try {
      await this.#decide((trims) => this.#planned(trims, plan))
    } catch (error) {
      if (error instanceof IoError && error.failure === 'full') throw new NoRoom(error.message, { cause: error })
      if (!(error instanceof IoError)) throw error
      throw new MillraceError('log/poisoned', `what is trimmed can’t be written: ${error.message}`, {
        hint: 'check the disk, then start again: what was acknowledged is kept',
        cause: error,
      })
    }
    this.#rewriter.look()
  }

  /** @returns null where the plan changes nothing */
  async #planned({ topics }: TrimsFile, plan: readonly Trim[]): Promise<Iterable<TopicTrim> | null> {
    const next = new Map(topics)
    for (const { topic, throughTick, keep } of plan) {
      invariant(throughTick <= this.#history.end.tick, 'only what is in the history is trimmed')
      const before = next.get(topic)
      if (before !== undefined && throughTick <= before.throughTick) continue
      next.set(topic, {
        topic,
        throughTick,
        firstOffset: Math.max(before?.firstOffset ?? 0, await this.#history.offsetAt(topic, throughTick)),
        keep: keep === 'nothing' ? keep : keep.key,
        compactedTick: before?.compactedTick ?? 0,
      })
    }
    return [...next.values()].some((trim) => topics.get(trim.topic) !== trim) ? next.values() : null
  }

  /** One decision after the other: each one is durable before the next is made. */
  #decide(change: (trims: TrimsFile) => Promise<Iterable<TopicTrim> | null>): Promise<void> {
    const decided = this.#deciding.then(async () => {
      const { trims } = this.#history
      const topics = await this.#reading(() => change(trims))
      if (topics === null) return
      const { disk } = this.#io
      try {
        this.#checkNames()
        const written = await writeTrims(disk, this.#folder, trims, topics)
        this.#history.trims = { ...written, stale: [] }
        await this.#held.drop(written.stale.map((number) => `${this.#folder}/${trimsName(number)}`))
      } catch (error) {
        // A sync failed: it may have been about names of the journal as well.
        if (!(error instanceof IoError && error.failure === 'full')) this.#rewriter.giveUp(error as Error)
        throw error
      }
    })
    this.#deciding = decided.catch(() => {})
    return decided
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
    this.#held.close()
    await this.#rewriter.idle()
    await this.#deciding
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

  #now(): LogMoment {
    return new LogMoment(this.#history.kept(), this.#journal.reader())
  }

  async #reading<T>(work: (log: LogMoment) => Promise<T>): Promise<T> {
    const hold = this.#held.hold()
    try {
      return await work(this.#now())
    } finally {
      await hold.release()
    }
  }
}
