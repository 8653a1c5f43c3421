import { Bug, type MillraceError } from './data/errors.ts'
import type { ColumnSchema } from './data/sql-type.ts'
import type { Io } from './io/io.ts'
import type { Append, AppendAnswer, Idempotency, ReadBlock } from './log/log.ts'
import type { Order } from './plan/plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from './plan/program.ts'
import type { Rows } from './views/rows.ts'

/** What to run: the canonical text of all definitions, and how it becomes a program where the log has none of it. */
export interface Definition {
  /** Compared with what the log holds: the same text loads the stored program and plans nothing. */
  readonly text: string
  plan(): Promise<Program> | Program
}

export interface DatabaseOptions {
  readonly io: Io
  /** What to run; absent: what the log says. */
  readonly definition?: Definition
  /** Folder of the log; null keeps everything in memory. */
  readonly data: string | null
  /** Where the engine runs: in this thread or in one of its own (default). */
  readonly engine?: 'inline' | 'worker'
  readonly memoryBytes?: number
  /** Test mode: the engine destroys and rebuilds all its state after every tick. Inline only. */
  readonly reopen?: boolean
  /** Told now and then while the log is replayed. */
  readonly onProgress?: (progress: ReplayProgress) => void
  /** Resolve as soon as the log is open; until the replay has caught up, reads are refused as busy. */
  readonly eager?: boolean
}

export interface ReplayProgress {
  readonly rows: number
  readonly tick: number
  /** The tick the log ends with. */
  readonly lastTick: number
}

export interface Catalog {
  readonly topics: readonly TopicDefinition[]
  readonly views: readonly ViewDefinition[]
  /** Definitions as they were written. */
  readonly text: string
}

/** How events come as text. `json`: one object or an array of them. */
export type EventFormat = 'json' | 'ndjson'

export interface DecodeOptions {
  /** `reject` (default): one bad event refuses all; `skip`: the good ones are appended, the bad ones listed. */
  readonly onInvalid?: 'reject' | 'skip'
  readonly idempotency?: Idempotency
}

export interface IngestAnswer {
  readonly tick: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly rows: number
  readonly repeated: boolean
  readonly skipped: readonly { readonly pointer: string; readonly detail: string }[]
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
}

export interface ReadAnswer {
  readonly view: ViewDefinition
  readonly tick: number
  readonly timeMicros: bigint
  /** Error rows beside the rows. */
  readonly errors: number
  readonly rows: Rows
}

export interface LiveOptions {
  /** Resume: the tick up to which the subscriber has everything. */
  readonly fromTick?: number
  readonly signal?: AbortSignal
  /** Rows in one piece of a snapshot (default 1000). */
  readonly pieceRows?: number
}

/**
 * `reset`: forget everything, a snapshot follows. `snapshot`: a piece of the rows at `tick`; `last` with the piece
 * that completes it. `change`: the net change from the last tick told to this one.
 */
export type LiveMessage =
  | { readonly kind: 'reset'; readonly tick: number }
  | { readonly kind: 'snapshot'; readonly tick: number; readonly rows: Rows; readonly last: boolean }
  | { readonly kind: 'change'; readonly tick: number; readonly rows: Rows }

export interface QueryOptions {
  /** Values of $1, $2, … as text the way PostgreSQL reads them; null is NULL. */
  readonly parameters?: readonly (string | null)[]
  /** More rows than this are refused (default 10 000). */
  readonly maxRows?: number
  readonly signal?: AbortSignal
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
  }[]
  readonly views: readonly { readonly name: string; readonly rows: number; readonly errors: number }[]
  /** Why nothing moves any more, if so. */
  readonly failure: MillraceError | null
}

/**
 * A log, an engine and views, composed: appends go to the log, ticks to the engine, net changes to the views. All
 * methods may be called at any time; after `close` they are refused with log/closed.
 */
export class Database {
  /**
   * Opens the log, loads or plans the program and replays.
   * @throws MillraceError log/locked, log/corrupt, schema/incompatible, and what planning refuses
   */
  static open(_options: DatabaseOptions): Promise<Database> {
    throw new Bug('not wired yet')
  }

  catalog(): Catalog {
    throw new Bug('not wired yet')
  }

  /** Appends blocks atomically. @returns once durable. @throws as Log.append */
  append(_append: Append): Promise<AppendAnswer> {
    throw new Bug('not wired yet')
  }

  /**
   * Decodes events of one topic and appends them.
   * @throws MillraceError event/invalid with one pointer per bad event, topic/unknown, and as Log.append
   */
  appendText(
    _topic: string,
    _bytes: Uint8Array,
    _format: EventFormat,
    _options?: DecodeOptions,
  ): Promise<IngestAnswer> {
    throw new Bug('not wired yet')
  }

  /** Appends `{"events": [{"topic", "op"?, "data"}, …]}` atomically over topics; pointers count from the body. */
  appendMixed(_body: Uint8Array, _idempotency?: Idempotency): Promise<AppendAnswer> {
    throw new Bug('not wired yet')
  }

  /** Events of a topic from an offset on, visible ones only. */
  readTopic(_topic: string, _fromOffset: number, _limit: number): Promise<readonly ReadBlock[]> {
    throw new Bug('not wired yet')
  }

  /**
   * The rows of one view at one tick.
   * @throws MillraceError view/unknown, tick/not-reached, request/parameter, engine/stopped (only while waiting)
   */
  read(_view: string, _options?: ReadOptions): Promise<ReadAnswer> {
    throw new Bug('not wired yet')
  }

  /** Several views at the same tick. */
  readAll(_views: readonly string[], _options?: ReadOptions): Promise<readonly ReadAnswer[]> {
    throw new Bug('not wired yet')
  }

  /** A view's rows, then its changes: a cursor, which costs nothing while it is not pulled. */
  live(_view: string, _options?: LiveOptions): AsyncIterableIterator<LiveMessage> {
    throw new Bug('not wired yet')
  }

  /**
   * One SELECT over all relations at one tick, through the planner and the engine, once.
   * @throws MillraceError sql/*, sql/too-many-rows, sql/error-rows
   */
  query(_sql: string, _options?: QueryOptions): Promise<QueryAnswer> {
    throw new Bug('not wired yet')
  }

  status(): DatabaseStatus {
    throw new Bug('not wired yet')
  }

  /** Resolves when reads see the tick. @throws MillraceError tick/not-reached, engine/stopped */
  waitForTick(_tick: number, _timeoutMs?: number): Promise<void> {
    throw new Bug('not wired yet')
  }

  /** What is queued becomes durable, then everything stops. */
  close(): Promise<void> {
    throw new Bug('not wired yet')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
