import type { BackupAnswer, BackupOptions } from './backup.ts'
import type {
  AppendAnswer,
  ColumnsRead,
  Cut,
  LoggedBlock,
  ReadBlock,
  SealedTick,
  TickMark,
  TickWanted,
  TopicStart,
  Trim,
} from './log.ts'

/** What becomes durable with one sync: the appends that waited together, maybe with the seal of a tick. */
export interface Commit {
  /** When it was written; never before the commit before it. */
  readonly timeMicros: bigint
  readonly blocks: readonly LoggedBlock[]
  readonly answers: readonly KeyedAnswer[]
  readonly seal: Seal | null
  /** Why there is a commit: 'append' may be refused when the disk is full, the others use the room kept for them. */
  readonly purpose: 'append' | 'seal' | 'recovery' | 'close'
}

/** Makes all commits up to and with this one visible as one tick. */
export interface Seal {
  readonly tick: number
  readonly timeMicros: bigint
  /** The next offset of each topic that grew in this tick. */
  readonly ends: ReadonlyMap<number, number>
}

/** An answer that was given under an idempotency key. */
export interface KeyedAnswer {
  readonly scope: string
  readonly key: string
  readonly digest: Uint8Array
  readonly tick: number
  readonly offsets: AppendAnswer['offsets']
}

/** Gathers the bytes of a commit to come. */
export interface Gathering {
  /** Takes a block's bytes; the order is that of `Commit.blocks`. */
  add(bytes: Uint8Array): void
}

/** Where commits go: a journal on disk, or memory. One commit at a time. */
export interface CommitStore<G extends Gathering = Gathering> {
  readonly identity: string
  gather(): G
  /**
   * Makes the commit durable.
   * @param meanwhile called while the sync is under way, so that work can overlap with it
   * @throws NoRoom before anything was written; anything else leaves unknown what is durable
   */
  commit(gathering: G, commit: Commit, meanwhile: () => void): Promise<void>
  replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows: number,
    afterTick: number,
    throughTick: number,
    columns?: ColumnsRead,
  ): Promise<void>
  findTick(wanted: TickWanted): Promise<TickMark | null>
  /** The first sealed event of a topic that was committed at a time or later; null where there is none. */
  findOffset(topic: number, timeMicros: bigint): Promise<number | null>
  readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]>
  /** Reads on what is sealed now, until it is closed: see LogReader. */
  reader(mostIdleMs: number): StoreReader
  starts(): ReadonlyMap<number, TopicStart>
  cuts(): readonly Cut[]
  /** As Log.trim. @throws NoRoom where the disk has no room for the decision */
  trim(plan: readonly Trim[]): Promise<void>
  /** Copies what is sealed now into an empty folder. @throws MillraceError backup/refused, log/full */
  backup(folder: string, options: BackupOptions): Promise<BackupAnswer>
  close(): Promise<void>
}

/** What a store has of a LogReader. */
export interface StoreReader extends Pick<CommitStore, 'replay' | 'findTick' | 'readTopic' | 'starts'> {
  close(): Promise<void>
}

/** The disk has no room for a commit; nothing of it was written. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

/** Where a log stands when it is opened: everything durable is sealed. */
export interface LogState {
  readonly tick: number
  readonly timeMicros: bigint
  readonly commitMicros: bigint
  /** The next offset per topic. */
  readonly offsets: ReadonlyMap<number, number>
}
