import { invariant, MillraceError } from '../../data/errors.ts'
import { type Io, IoError } from '../../io/io.ts'
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
  /** Who reads files: what goes while somebody reads must wait for those who began before. */
  readonly #readers = new Set<{ readonly began: number }>()
  #moment = 0
  #useless: { readonly path: string; readonly dropped: number }[] = []
  #deciding: Promise<void> = Promise.resolve()

  constructor(io: Io, folder: string, journal: Journal, history: History, options: RewriteOptions) {
    this.identity = journal.identity
    this.#io = io
    this.#folder = folder
    this.#journal = journal
    this.#history = history
    this.#rewriter = new Rewriter(
      io,
      folder,
      journal,
      history,
      options,
      (paths) => this.#drop(paths),
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
    await this.#reading(async () => {
      let after = afterTick
      // While it is read the history grows, by what the journal has forgotten then.
      for (let { tick } = this.#history.end; tick > after; { tick } = this.#history.end) {
        const through = Math.min(throughTick, tick)
        await replayHistory(this.#history, { each, mergeRows, afterTick: after, throughTick: through, columns })
        if (throughTick <= tick) return
        after = tick
      }
      await this.#journal.replay(each, mergeRows, after, throughTick)
    })
    // A start goes on with what the one before left undone.
    if (this.#history.trims.topics.size > 0) this.#rewriter.look()
  }

  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    return this.#reading(async () => {
      const { tick, tickMicros } = this.#history.end
      const isOld = 'tick' in wanted ? wanted.tick <= tick : wanted.timeMicros < BigInt(tickMicros)
      return isOld ? this.#history.findTick(wanted) : this.#journal.findTick(wanted)
    })
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    return this.#reading(async () => {
      for (let { tick } = this.#history.end; ; { tick } = this.#history.end) {
        const found = await this.#history.findOffset(topic, Number(timeMicros))
        if (found !== null) return found
        // What the history took over meanwhile the journal has forgotten.
        if (this.#history.end.tick === tick) return this.#journal.findOffset(topic, timeMicros)
      }
    })
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    return this.#reading(async () => {
      const read: ReadBlock[] = []
      let [next, left] = [fromOffset, limitRows]
      const add = (blocks: readonly ReadBlock[]): void => {
        for (const block of blocks) {
          left -= block.rows - rowFrom(block, next)
          next = endOf(block)
          read.push(block)
        }
      }
      for (let tick = -1; left > 0 && tick !== this.#history.end.tick; ) {
        // What the history takes over meanwhile the journal has forgotten.
        tick = this.#history.end.tick
        add(await this.#history.readTopic(topic, next, left))
      }
      if (left > 0) add(await this.#journal.readTopic(topic, next, left))
      return read
    })
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
        await this.#drop(written.stale.map((number) => `${this.#folder}/${trimsName(number)}`))
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

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    const reader = { began: this.#moment }
    this.#readers.add(reader)
    try {
      return await work()
    } finally {
      this.#readers.delete(reader)
      await this.#removeUseless()
    }
  }

  async #drop(paths: readonly string[]): Promise<void> {
    this.#moment++
    for (const path of paths) this.#useless.push({ path, dropped: this.#moment })
    await this.#removeUseless()
  }

  /** A file that can't be removed is removed by the next start. */
  async #removeUseless(): Promise<void> {
    // Readers are in the order in which they began.
    const [first] = this.#readers
    const going = this.#useless.filter(({ dropped }) => first === undefined || first.began >= dropped)
    this.#useless = this.#useless.filter((each) => !going.includes(each))
    for (const { path } of going) await this.#journal.spares.putAside(path).catch(() => {})
  }
}
