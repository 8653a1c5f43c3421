import type { AppReads } from '../app/values.ts'
import type { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Definition } from '../engine/definitions.ts'
import type { Io } from '../io/io.ts'
import type { CommittedGroup, Log, LogOptions, SealedTick, TickWanted } from '../log/log.ts'
import type { Order } from '../plan/plan.ts'
import type { TopicDefinition, ViewDefinition } from '../plan/program.ts'
import type { LiveMessage } from '../views/live.ts'
import type { Rows } from '../views/rows.ts'
import type { ReplayWait } from './replays.ts'
import type { Sight } from './sight.ts'

/** What goes into a database and what comes out of it. */

/** When snapshots are taken. */
export interface SnapshotOptions {
  /** After so many bytes of log (default 64 MiB): about what a restart has to replay at most. */
  readonly everyBytes?: number
  /** When the database is closed with so many bytes of log behind the last one (default 1 MiB). */
  readonly closeBytes?: number
}

export interface DatabaseOptions {
  readonly io: Io
  /** What to run; absent: what the log says. */
  readonly definition?: Definition
  /** Folder of the data, made when it is missing; null keeps everything in memory. */
  readonly data: string | null
  /** Where the engine runs: in this thread or in one of its own (default). */
  readonly engine?: 'inline' | 'worker'
  readonly memoryBytes?: number
  /** Opens the log in a folder (default: `openFileLog`): laid out in another way, or watched. */
  readonly openLog?: (io: Io, folder: string, options: LogOptions) => Promise<Log>
  /** Test mode: the engine destroys and rebuilds all its state after every tick. Inline only. */
  readonly reopen?: boolean
  /** Beyond so many bytes state that lies in a snapshot is forgotten and read again when needed (default: half of `memoryBytes`). */
  readonly stateBytes?: number
  /** When state is kept beside the log, for a quick restart; false: never. Only with a data folder. */
  readonly snapshots?: SnapshotOptions | false
  /** Told what happened that needs nobody to do anything, in a line: a snapshot that was passed over. */
  readonly onNotice?: (line: string) => void
  /** Told now and then while the log is replayed. */
  readonly onProgress?: (progress: ReplayProgress) => void
  /** Told once why nothing moves any more after the replay: a disk that fails, an engine that stops. */
  readonly onFailure?: (error: MillraceError) => void
  /** Resolve as soon as the log is open; until the replay has caught up, reads and appends are refused as busy. */
  readonly eager?: boolean
}

export interface ReplayProgress {
  /** Events that went through the engine, of those that the log has. */
  readonly events: number
  readonly lastEvent: number
}

export interface DatabaseCatalog {
  readonly topics: readonly TopicDefinition[]
  readonly views: readonly ViewDefinition[]
  /** Definitions as they were written. */
  readonly text: string
  /** How readers in TypeScript show columns, by relation and column, where that is not as JSON does. */
  readonly reads: AppReads
}

/** A past moment: a tick's number, or a time, which means the newest tick that is not after it. */
export interface AsOf {
  readonly at: TickWanted
  /** Where views have forgotten what has changed since: read the log again up to there, and wait so long for it. */
  readonly replay?: ReplayWait
}

export interface ReadOptions {
  /** Columns that must equal a value, given as text the way PostgreSQL reads it; null matches NULL. */
  readonly where?: Readonly<Record<string, string | null>>
  /** Replaces the view's own order; completed by all columns. */
  readonly order?: readonly Order[]
  readonly limit?: number
  /** Waits until this tick is visible. */
  readonly minTick?: number
  /** How long to wait for `minTick` (default 10 s). */
  readonly timeoutMs?: number
  readonly asOf?: AsOf
  /** What the reader sees; absent: everything. */
  readonly sight?: Sight
}

export interface ReadAnswer {
  readonly view: ViewDefinition
  readonly tick: number
  readonly timeMicros: bigint
  /** Error rows beside the rows. */
  readonly errors: number
  readonly rows: Rows
}

export interface QueryOptions {
  /** Values of $1, $2, … as text the way PostgreSQL reads them; null is NULL. */
  readonly parameters?: readonly (string | null)[]
  /** More rows than this are refused (default 10 000). */
  readonly maxRows?: number
  readonly asOf?: AsOf
  /** What the reader sees; absent: everything. */
  readonly sight?: Sight
  readonly signal?: AbortSignal
}

export interface LiveQueryOptions extends Omit<QueryOptions, 'asOf'> {
  /** How long the rows may take at first, and each tick later on; absent: for ever. */
  readonly mostMs?: number
  /** Different live queries at the same time (default 16). */
  readonly mostQueries?: number
}

export interface TopicLiveOptions {
  /** The first offset that is wanted (default: the end as it is now); 0: all that there is. */
  readonly from?: number
  /** Whether `from` is what an earlier stream told: then all that is gone since is missed, and so is another log. */
  readonly resumes?: boolean
  /** Ends the stream. */
  readonly signal?: AbortSignal
}

export interface LiveQueryAbout {
  /** The first tick whose events are in the result, where earlier ones are gone; null: it knows all. */
  readonly startsAtTick: number | null
  /** What rows are ordered by, as far as it is shown; beyond, by all columns. */
  readonly order: readonly Order[]
}

export interface LiveQueryAnswer {
  /** Of the newest snapshot. */
  readonly about: () => LiveQueryAbout
  /** Rows of a snapshot come in the query's order. The columns are those of a message's rows. */
  readonly messages: AsyncGenerator<LiveMessage>
}

export interface WhyOptions {
  /** Columns that must equal a value, given as text the way PostgreSQL reads it; null matches NULL. */
  readonly where: Readonly<Record<string, string | null>>
  /** Events that are listed at most (default 20); they are counted exactly in any case. */
  readonly limit?: number
  readonly asOf?: AsOf
  readonly signal?: AbortSignal
}

export interface FindOptions {
  /** Columns that must equal a value, given as text the way PostgreSQL reads it; null matches NULL. */
  readonly where: Readonly<Record<string, string | null>>
  /** The event of this offset alone, if it is like that. */
  readonly offset?: number
  /** Only events before this offset: goes on with an earlier search. */
  readonly before?: number
  /** Events that are listed at most (default 20). */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface DiffOptions {
  /** Differing rows listed per view, of whatever weight (default 20). */
  readonly rows?: number
  readonly signal?: AbortSignal
  /** Told now and then how many events the views that are built have seen. */
  readonly told?: (events: number) => void
}

export interface QueryAnswer {
  readonly tick: number
  readonly columns: readonly ColumnSchema[]
  readonly rows: Rows
}

export interface DatabaseStatus {
  /** Newest tick that reads see. */
  readonly tick: number
  readonly timeMicros: bigint
  /** Newest tick that is durable. */
  readonly sealedTick: number
  readonly caughtUp: boolean
  /** Events that went through the engine since the start, replayed ones included. */
  readonly events: number
  readonly eventsPerSecond: number
  readonly stateBytes: number
  readonly viewBytes: number
  readonly topics: readonly {
    readonly name: string
    readonly nextOffset: number
    readonly watermarkMicros: bigint | null
    readonly late: number
    /** Set where the log has not all of it any more: where what is there in any case begins. */
    readonly gone?: { readonly firstOffset: number; readonly throughTick: number }
  }[]
  readonly views: readonly {
    readonly name: string
    readonly rows: number
    readonly errors: number
    /** Reads as of this tick and later ones need no replay. */
    readonly oldestTick: number
  }[]
  /** Why nothing moves any more, if so. */
  readonly failure: MillraceError | null
}

/** Whom a log asks whether it may seal: set once there is an engine that may be idle. */
export interface Seals {
  sealNow: () => boolean
  /** Told of each tick that is being synced. */
  onWritten: (tick: SealedTick) => void
  /** Told of each commit. */
  onCommit: (group: CommittedGroup) => void
}

export function logOptionsOf(seals: Seals, { onNotice }: DatabaseOptions): LogOptions {
  return {
    sealNow: () => seals.sealNow(),
    onWritten: (tick) => seals.onWritten(tick),
    onCommit: (group) => seals.onCommit(group),
    onNotice: (line) => onNotice?.(line),
  }
}
