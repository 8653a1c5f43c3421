import type { MillraceError } from '../data/errors.ts'
import type { BackupAnswer, BackupOptions } from './backup.ts'

/**
 * The one durable log: events of all topics on one timeline of ticks. Commit is durability: an append is answered
 * after the sync it waited for, together with all others that waited. Tick is visibility: a seal names the end of
 * what became visible together, and is durable before anybody hears of it.
 *
 * Order: commits are numbered by the journal's order. A seal covers every commit before it in the journal, so an
 * append that is written after seal n becomes visible at tick n + 1, which is why its answer can name the tick.
 */
export interface Log extends LogReads {
  /** Tells this log from every other: made at random when it was begun. */
  readonly identity: string

  /**
   * Appends blocks atomically.
   * @returns once durable
   * @throws MillraceError append/idempotency-conflict, event/too-large, log/full (nothing was written, the log goes
   * on), log/poisoned (a sync failed: no more writes), log/closed
   */
  append(append: Append): Promise<AppendAnswer>

  /**
   * Asks for a tick even if nothing arrived (a `now()` filter or an idle watermark is due) or because the engine
   * became free. Seals what is durable but unsealed; `evenIfEmpty` writes a seal without events too.
   */
  requestSeal(evenIfEmpty: boolean): void

  /** Called for each new tick, in order, once its seal is durable. One listener. */
  onTick(listener: (tick: SealedTick) => void): void

  /** Called once when a failed sync poisons the log. */
  onPoisoned(listener: (error: MillraceError) => void): void

  /**
   * Finds the first event of a topic that was appended at a time or later, sealed ones only.
   * @returns its offset, or the topic's next one where there is none yet
   */
  findOffset(topic: number, timeMicros: bigint): Promise<number>

  /**
   * The log as it is now, for those who read it in several steps; they close it.
   * @param mostIdleMs for how long it may stand still (default: five minutes)
   */
  reader(mostIdleMs?: number): LogReader

  /** Where the log may be cut, from the oldest to the newest: what lies behind the last of them stays whole. */
  cuts(): readonly Cut[]

  /**
   * Throws events of old away, for good. What was there at a cut already, or lies before the topic's start, stays as
   * it is. Ticks, their times, and answers under idempotency keys stay in any case.
   *
   * An event that goes is in no replay and no read from the moment that this resolves. Only of tables, events that
   * were replaced may be met for a while: their bytes go in the background. A restart goes on with that, and a crash
   * leaves either all of the plan or nothing of it.
   *
   * @returns once the decision is durable
   * @throws MillraceError log/full (nothing was trimmed, the log goes on), log/poisoned, log/closed
   */
  trim(plan: readonly Trim[]): Promise<void>

  /**
   * Copies the log up to the newest sealed tick into an empty folder, while appends go on.
   * @throws MillraceError backup/refused where the folder can't take it, or the log is kept in memory; log/full
   */
  backup(folder: string, options?: BackupOptions): Promise<BackupAnswer>

  /** Writes the mark of a clean close, after what is queued is durable. */
  close(): Promise<void>
}

/** What of a log those need who only read what it was. */
export type LogReading = Pick<Log, 'identity' | 'replay' | 'readTopic' | 'starts'>

/** What reads the log's past. */
export interface LogReads {
  /**
   * Reads all sealed ticks in order, from the one after `afterTick` to `throughTick` or the last that is durable now,
   * and hands them to `each`, waiting for it. After open and before the first append this is how the past is taken
   * over; later ticks go to `onTick`. It may run again at any time beside appends, for those who look at the past;
   * `each` ends it by throwing.
   * @param columns what is read of which topics: the rest of a block may be missing, and blocks of other topics
   * @param mergeRows neighbouring ticks may be handed over as one (the last one's number) up to so many rows; 0: never
   */
  replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows?: number,
    afterTick?: number,
    throughTick?: number,
    columns?: ColumnsRead,
  ): Promise<void>

  /**
   * Finds a sealed tick: the one of a number, or the newest whose time is not after a time. What it says of a time
   * before the clock's stays true, as long as the clock isn't set back: commits under way are waited for.
   * @returns null where there is none
   */
  findTick(wanted: TickWanted): Promise<TickMark | null>

  /** Events of a topic from an offset, sealed ones only, in offset order, at most about `limitRows`. */
  readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]>

  /** Where the log stands: the newest sealed tick (0: none), its time, and the next offset per topic (sealed). */
  position(): LogPosition

  /** The topics of which something was trimmed, by their ids. Each trim makes a new map. */
  starts(): ReadonlyMap<number, TopicStart>
}

/**
 * The log as it was at one moment: whatever is trimmed, compacted or merged meanwhile, its reads fit together. Files
 * that it may need stay on disk until it is closed, but not over a restart. Whoever forgets it keeps them for a while
 * only: where it stands still while some are to go, its reads throw MillraceError log/reader-expired.
 */
export interface LogReader extends LogReads {
  close(): Promise<void>
}

/** Reads the log as it is now in several steps. */
export async function readInSteps<T>(log: Log, work: (log: LogReader) => Promise<T>, mostIdleMs?: number): Promise<T> {
  const reader = log.reader(mostIdleMs)
  try {
    return await work(reader)
  } finally {
    await reader.close()
  }
}

/** What was thrown away of a topic's past. */
export interface TopicStart {
  /**
   * The events from here on are all there. Below it there are none; of a table, those that were the last ones of
   * their keys at the cut, unless they were deletes, and maybe some that these replaced.
   */
  readonly firstOffset: number
  /** The cut: the last tick whose events belong to the past. */
  readonly throughTick: number
  readonly keeps: 'nothing' | 'latest'
}

/** Where the log may be cut. */
export interface Cut {
  /** The last tick before it, and its time. */
  readonly tick: number
  readonly timeMicros: bigint
  /** What each topic's events up to there take on disk, or in memory; those that were trimmed don't count. */
  readonly bytes: ReadonlyMap<number, number>
}

export interface Trim {
  readonly topic: number
  /** The tick of a cut that `cuts` named once. */
  readonly throughTick: number
  /**
   * What stays of the events up to there: nothing, or the last one of each key that is no delete, so that the table
   * is the same from the cut on. The key's columns are named by the ids that they have in blocks
   * (data/stored-column.ts). Only for tables without an event time: what was late depends on the events that go.
   * Who goes on from a tick before the cut misses deletes: from then on it begins with nothing, or behind the cut.
   */
  readonly keep: 'nothing' | { readonly key: readonly number[] }
}

/** By topic, the columns that somebody reads; operations are read in any case. */
export type ColumnsRead = ReadonlyMap<number, ReadonlySet<number>>

export interface Append {
  readonly blocks: readonly AppendBlock[]
  readonly idempotency?: Idempotency
}

export interface AppendBlock {
  readonly topic: number
  readonly rows: number
  /** data/block.ts; at most `batchRows` rows. The log keeps it: do not write to it again. */
  readonly bytes: Uint8Array
}

/** The same scope and key with the same body gets the first answer again; with another body it is refused. */
export interface Idempotency {
  readonly scope: string
  readonly key: string
  /** A digest of the request's exact bytes, at most 32 bytes. */
  readonly digest: Uint8Array
}

export interface AppendAnswer {
  /** The tick at which the events become visible. */
  readonly tick: number
  readonly offsets: readonly { readonly topic: number; readonly firstOffset: number; readonly lastOffset: number }[]
  /** The answer of an earlier append with the same idempotency key. */
  readonly repeated: boolean
}

export interface SealedTick {
  readonly tick: number
  /** Never less than the tick before it. */
  readonly timeMicros: bigint
  readonly blocks: readonly LoggedBlock[]
  /**
   * Says that nobody reads the blocks any more: their memory may be used again. Any order will do; never releasing a
   * tick is safe, and costs garbage.
   */
  readonly release?: () => void
}

/** A tick's number and time. */
export interface TickMark {
  readonly tick: number
  readonly timeMicros: bigint
}

export type TickWanted = { readonly tick: number } | { readonly timeMicros: bigint }

/** Whether a tick comes after the wanted one. */
export function isBeyond(mark: TickMark, wanted: TickWanted): boolean {
  return 'tick' in wanted ? mark.tick > wanted.tick : mark.timeMicros > wanted.timeMicros
}

export interface LoggedBlock {
  readonly topic: number
  readonly partition: number
  readonly firstOffset: number
  /** When its commit was written, or the first of its commits. */
  readonly appendedAtMicros: bigint
  /** Of a block that holds several commits' events, as merged ticks of old have them. */
  readonly commits?: BlockCommits
  /** Of a block of which events were thrown away: the offset of each row, ascending from `firstOffset`. */
  readonly offsets?: Float64Array
  readonly rows: number
  /** A replayed tick's lie in shared memory, so that a thread can read them in place. */
  readonly bytes: Uint8Array
}

/** The offset of one of a block's events. */
export function offsetOf({ firstOffset, offsets }: Pick<LoggedBlock, 'firstOffset' | 'offsets'>, row: number): number {
  return offsets === undefined ? firstOffset + row : offsets[row]
}

/** The offset behind a block's last event. */
export function endOf(block: Pick<LoggedBlock, 'firstOffset' | 'offsets' | 'rows'>): number {
  return offsetOf(block, block.rows - 1) + 1
}

/** The first row of a block whose offset is not below one; the block's rows where there is none. */
export function rowFrom(
  { firstOffset, offsets, rows }: Pick<LoggedBlock, 'firstOffset' | 'offsets' | 'rows'>,
  offset: number,
): number {
  if (offsets === undefined) return Math.min(rows, Math.max(0, offset - firstOffset))
  const found = offsets.findIndex((each) => each >= offset)
  return found < 0 ? rows : found
}

/** The commits whose events lie in one block: where each one's rows end, its time in microseconds, its tick. */
export interface BlockCommits {
  readonly ends: Uint32Array
  readonly micros: Float64Array
  readonly ticks: Float64Array
}

/** A block read back, with the tick that made it visible. */
export interface ReadBlock extends LoggedBlock {
  readonly tick: number
}

export interface LogPosition {
  readonly tick: number
  readonly timeMicros: bigint
  readonly offsets: ReadonlyMap<number, number>
}

/** Appends that one sync made durable. */
export interface CommittedGroup {
  /** When its writing began: microseconds since 1970. */
  readonly beganMicros: bigint
  readonly appends: readonly Append[]
}

export interface LogOptions {
  /** Asked when a commit frame is about to be written: may it carry a seal (is the engine idle)? */
  readonly sealNow: () => boolean
  /**
   * Told of a tick whose seal is written and being synced: what may begin with it begins. Nothing that comes of it may
   * be seen before `onTick` is told of the same tick, and nothing ever if the log is poisoned instead.
   */
  readonly onWritten?: (tick: SealedTick) => void
  /** Told of each commit of appends, once it is durable. */
  readonly onCommit?: (group: CommittedGroup) => void
  /** Told in a line what went wrong without harm. */
  readonly onNotice?: (line: string) => void
}
