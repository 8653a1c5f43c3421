import { invariant, MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import type { BackupAnswer, BackupOptions } from './backup.ts'
import { type CommitStore, type KeyedAnswer, type LogState, NoRoom, type Seal } from './commit.ts'
import { Group, type Queued, sizeOf } from './group.ts'
import { conflict, type IdempotencyTable, nameOf, sameDigest } from './idempotency.ts'
import type {
  Append,
  AppendAnswer,
  ColumnsRead,
  Cut,
  Log,
  LoggedBlock,
  LogOptions,
  LogPosition,
  LogReader,
  ReadBlock,
  SealedTick,
  TickMark,
  TickWanted,
  TopicStart,
  Trim,
} from './log.ts'
import { findUpTo, readerUpTo } from './reader.ts'

/** A tick is sealed when it has so many rows or bytes, whether the engine is free or not. */
export const tickRows = 262_144
export const tickBytes = 64 << 20
/** What one commit holds at most, unless a single append is larger. */
const groupBytes = 8 << 20

/** Offsets and answers of a group that is about to be written. */
interface Placed {
  readonly blocks: LoggedBlock[]
  readonly answers: KeyedAnswer[]
  readonly ends: Map<number, number>
}

/**
 * The log's one writer, over a store that makes commits durable: numbers offsets and ticks, remembers idempotency
 * keys, and commits in groups. While one group is synced the next one gathers, its bytes already copied and
 * checksummed; further ones are queued as they are. So memory beyond the callers' own blocks is two groups, and
 * callers are held back by their promises. Unsealed blocks are kept until their seal is durable; a tick that grows
 * to `tickRows` or `tickBytes` is sealed by force, so they are bounded too.
 */
export class GroupCommitLog implements Log {
  readonly #clock: Clock
  readonly #store: CommitStore
  readonly #options: LogOptions
  readonly #remembered: IdempotencyTable
  /** Appends under a key that are not durable yet. */
  readonly #waiting = new Map<string, Queued>()
  readonly #groups: Group[] = []
  #writer: Promise<void> = Promise.resolve()
  #writing = false
  /** The commit under way, or the last one. */
  #committing: Promise<void> = Promise.resolve()
  #refusal: MillraceError | null = null
  #closing: Promise<void> | null = null
  #sealWanted: 'no' | 'ifUnsealed' | 'always' = 'no'

  #tick: number
  #timeMicros: bigint
  #commitMicros: bigint
  #sealedOffsets: ReadonlyMap<number, number>
  readonly #nextOffsets: Map<number, number>
  #unsealed: LoggedBlock[] = []
  #unsealedEnds = new Map<number, number>()
  #unsealedRows = 0
  #unsealedBytes = 0
  #unsealedCommits = 0

  #onTick: (tick: SealedTick) => void = () => {}
  #onPoisoned: (error: MillraceError) => void = () => {}

  constructor(
    clock: Clock,
    store: CommitStore,
    options: LogOptions,
    state: LogState & { readonly remembered: IdempotencyTable },
  ) {
    this.#clock = clock
    this.#store = store
    this.#options = options
    this.#remembered = state.remembered
    this.#tick = state.tick
    this.#timeMicros = state.timeMicros
    this.#commitMicros = state.commitMicros
    this.#nextOffsets = new Map(state.offsets)
    this.#sealedOffsets = new Map(state.offsets)
  }

  async append(append: Append): Promise<AppendAnswer> {
    if (this.#refusal !== null) throw this.#refusal
    const bytes = sizeOf(append)
    const { idempotency } = append
    if (idempotency !== undefined) {
      invariant(idempotency.digest.byteLength <= 32, 'a digest has at most 32 bytes')
      const remembered = this.#remembered.find(idempotency)
      if (remembered !== null) return remembered
      const twin = this.#waiting.get(nameOf(idempotency))
      if (twin !== undefined) return repeated(twin, append)
    } else if (append.blocks.length === 0) {
      return { tick: this.#tick, offsets: [], repeated: false }
    }
    const queued = this.#enqueue(append, bytes)
    if (idempotency !== undefined) this.#waiting.set(nameOf(idempotency), queued)
    await queued.group.durable
    return queued.answer!
  }

  requestSeal(evenIfEmpty: boolean): void {
    if (this.#refusal !== null) return
    if (evenIfEmpty) this.#sealWanted = 'always'
    else if (this.#sealWanted === 'no') this.#sealWanted = 'ifUnsealed'
    this.#wake()
  }

  get identity(): string {
    return this.#store.identity
  }

  replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows = 0,
    afterTick = 0,
    throughTick = Number.POSITIVE_INFINITY,
    columns?: ColumnsRead,
  ): Promise<void> {
    return this.#store.replay(each, mergeRows, afterTick, throughTick, columns)
  }

  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    // What is being written took its time from the clock before we were asked.
    if (!('tick' in wanted) && wanted.timeMicros >= this.#timeMicros) await this.#committing
    return findUpTo(this.position(), wanted, () => this.#store.findTick(wanted))
  }

  onTick(listener: (tick: SealedTick) => void): void {
    this.#onTick = listener
  }

  onPoisoned(listener: (error: MillraceError) => void): void {
    this.#onPoisoned = listener
  }

  readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    return this.#store.readTopic(topic, fromOffset, limitRows)
  }

  reader(mostIdleMs = 5 * 60_000): LogReader {
    return readerUpTo(this.position(), this.#store.reader(mostIdleMs))
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number> {
    // What is being written took its time from the clock before we were asked.
    await this.#committing
    const end = this.#sealedOffsets.get(topic) ?? 0
    return Math.min(end, (await this.#store.findOffset(topic, timeMicros)) ?? end)
  }

  async backup(folder: string, options: BackupOptions = {}): Promise<BackupAnswer> {
    if (this.#closing !== null) throw this.#refusal!
    return this.#store.backup(folder, options)
  }

  position(): LogPosition {
    return { tick: this.#tick, timeMicros: this.#timeMicros, offsets: this.#sealedOffsets }
  }

  starts(): ReadonlyMap<number, TopicStart> {
    return this.#store.starts()
  }

  cuts(): readonly Cut[] {
    return this.#store.cuts()
  }

  async trim(plan: readonly Trim[]): Promise<void> {
    if (this.#refusal !== null) throw this.#refusal
    try {
      await this.#store.trim(plan)
    } catch (error) {
      if (!(error instanceof NoRoom)) throw this.#refusal ?? error
      throw new MillraceError('log/full', 'the disk is full: nothing was trimmed', {
        hint: "free space on the log's disk; the log goes on by itself",
        cause: error,
      })
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const poisoned = this.#refusal !== null
    this.#refusal ??= new MillraceError('log/closed', 'the log is closed', { hint: 'open it again' })
    await this.#writer
    if (!poisoned && this.#refusal.code === 'log/closed') await this.#commit(new Group(), 'close')
    await this.#store.close()
  }

  #enqueue(append: Append, bytes: number): Queued {
    let group = this.#groups[this.#groups.length - 1]
    const full = group !== undefined && (group.bytes + bytes > groupBytes || group.rows >= tickRows)
    if (group === undefined || full) {
      group = new Group()
      this.#groups.push(group)
    }
    const queued: Queued = { append, group, answer: null }
    group.queued.push(queued)
    group.bytes += bytes
    for (const { rows } of append.blocks) group.rows += rows
    if (group === this.#groups[0]) this.#gather(group)
    this.#wake()
    return queued
  }

  #gather(group: Group): void {
    group.gathering ??= this.#store.gather()
    for (; group.gathered < group.queued.length; group.gathered++) {
      for (const { bytes } of group.queued[group.gathered].append.blocks) group.gathering.add(bytes)
    }
  }

  #wake(): void {
    if (this.#writing) return
    this.#writing = true
    this.#writer = this.#write()
  }

  async #write(): Promise<void> {
    // Appends that are made in one go shall share a commit.
    await null
    for (let group = this.#next(); group !== null; group = this.#next()) {
      this.#committing = this.#commit(group, group.queued.length > 0 ? 'append' : 'seal')
      await this.#committing
    }
    this.#writing = false
  }

  #next(): Group | null {
    const group = this.#groups.shift()
    if (group !== undefined) return group
    if (this.#sealWanted === 'always') return new Group()
    if (this.#sealWanted === 'ifUnsealed' && this.#unsealedCommits > 0) return new Group()
    this.#sealWanted = 'no'
    return null
  }

  async #commit(group: Group, purpose: 'append' | 'seal' | 'close'): Promise<void> {
    this.#gather(group)
    const now = later(this.#clock.nowMicros(), this.#commitMicros)
    const placed = this.#place(group, now)
    const asked = this.#sealWanted
    const seal = this.#seal(group, placed, now, purpose)
    // Who asks from here on asks for the tick after this one.
    if (seal !== null) this.#sealWanted = 'no'
    const commit = { timeMicros: now, blocks: placed.blocks, answers: placed.answers, seal, purpose }
    const meanwhile = (): void => {
      if (seal !== null && purpose !== 'close') this.#tellWritten(seal, placed)
      if (this.#groups.length > 0) this.#gather(this.#groups[0])
    }
    try {
      await this.#store.commit(group.gathering!, commit, meanwhile)
    } catch (error) {
      if (error instanceof NoRoom) {
        this.#refuse(group, error)
        // A seal alone that found no room is not tried again before somebody asks, or appends.
        if (purpose === 'append' && this.#sealWanted === 'no') this.#sealWanted = asked
      } else this.#poison(group, error)
      return
    }
    this.#commitMicros = now
    this.#accept(group, placed)
    group.settle()
    if (purpose === 'append') this.#options.onCommit?.({ beganMicros: now, appends: group.appends })
    if (seal !== null) this.#deliver(seal, purpose)
  }

  /** Gives each append of a group its offsets and its answer. Nothing is changed before they are durable. */
  #place(group: Group, now: bigint): Placed {
    const placed: Placed = { blocks: [], answers: [], ends: new Map() }
    const tick = this.#tick + 1
    for (const queued of group.queued) {
      const offsets: { topic: number; firstOffset: number; lastOffset: number }[] = []
      for (const { topic, rows, bytes } of queued.append.blocks) {
        const firstOffset = placed.ends.get(topic) ?? this.#nextOffsets.get(topic) ?? 0
        const end = firstOffset + rows
        placed.ends.set(topic, end)
        placed.blocks.push({ topic, partition: 0, firstOffset, appendedAtMicros: now, rows, bytes })
        const range = offsets.find((other) => other.topic === topic)
        if (range === undefined) offsets.push({ topic, firstOffset, lastOffset: end - 1 })
        else range.lastOffset = end - 1
      }
      queued.answer = { tick, offsets, repeated: false }
      const { idempotency } = queued.append
      if (idempotency !== undefined) placed.answers.push({ ...idempotency, tick, offsets })
    }
    return placed
  }

  #seal(group: Group, { ends }: Placed, now: bigint, purpose: 'append' | 'seal' | 'close'): Seal | null {
    const full = this.#unsealedRows + group.rows >= tickRows || this.#unsealedBytes + group.bytes >= tickBytes
    const wanted =
      purpose === 'close' ? this.#unsealedCommits > 0 : full || this.#sealWanted !== 'no' || this.#options.sealNow()
    if (!wanted) return null
    return {
      tick: this.#tick + 1,
      timeMicros: later(now, this.#timeMicros),
      ends: new Map([...this.#unsealedEnds, ...ends]),
    }
  }

  #accept(group: Group, { blocks, answers, ends }: Placed): void {
    for (const [topic, end] of ends) {
      this.#nextOffsets.set(topic, end)
      this.#unsealedEnds.set(topic, end)
    }
    for (const block of blocks) this.#unsealed.push(block)
    this.#unsealedRows += group.rows
    this.#unsealedBytes += group.bytes
    if (group.queued.length > 0) this.#unsealedCommits++
    for (const answer of answers) {
      this.#remembered.remember(answer, this.#commitMicros)
      this.#waiting.delete(nameOf(answer))
    }
    this.#remembered.prune(this.#commitMicros)
  }

  #tellWritten({ tick, timeMicros }: Seal, { blocks }: Placed): void {
    this.#options.onWritten?.({ tick, timeMicros, blocks: [...this.#unsealed, ...blocks] })
  }

  #deliver({ tick, timeMicros, ends }: Seal, purpose: 'append' | 'seal' | 'close'): void {
    const blocks = this.#unsealed
    this.#tick = tick
    this.#timeMicros = timeMicros
    this.#sealedOffsets = new Map([...this.#sealedOffsets, ...ends])
    this.#unsealed = []
    this.#unsealedEnds = new Map()
    this.#unsealedRows = 0
    this.#unsealedBytes = 0
    this.#unsealedCommits = 0
    // Who closes the log listens no more; the next one who opens it replays the tick.
    if (purpose !== 'close') this.#onTick({ tick, timeMicros, blocks })
  }

  #refuse(group: Group, cause: NoRoom): void {
    this.#forget(group)
    group.fail(
      new MillraceError('log/full', 'the disk is full: nothing of the append was written', {
        hint: "free space on the log's disk; the log goes on by itself",
        cause,
      }),
    )
  }

  #poison(group: Group, cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause)
    const error = new MillraceError('log/poisoned', `the log can't be written any more: ${why}`, {
      hint: 'check the disk, then start again: what was acknowledged is kept',
      cause,
    })
    this.#refusal = error
    for (const lost of [group, ...this.#groups.splice(0)]) {
      this.#forget(lost)
      lost.fail(error)
    }
    this.#sealWanted = 'no'
    this.#onPoisoned(error)
  }

  #forget(group: Group): void {
    for (const { append } of group.queued) {
      if (append.idempotency !== undefined) this.#waiting.delete(nameOf(append.idempotency))
    }
  }
}

/** The same append is on its way already: its answer is this one's too. */
async function repeated(twin: Queued, { idempotency }: Append): Promise<AppendAnswer> {
  if (!sameDigest(twin.append.idempotency!.digest, idempotency!.digest)) throw conflict(idempotency!)
  await twin.group.durable
  return { ...twin.answer!, repeated: true }
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
