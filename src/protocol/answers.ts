/** Bodies of answers, as JSON shows them. Rows are objects by column name unless said otherwise. */

/** POST /v1/topics/{topic}/events */
export interface AppendBody {
  readonly tick: number
  readonly first_offset: number
  /** One less than `first_offset` where nothing was appended. */
  readonly last_offset: number
  /** With on_invalid=skip: how many events were left out, and the first mistakes in them. */
  readonly skipped?: number
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** POST /v1/append */
export interface AppendMixedBody {
  readonly tick: number
  readonly offsets: Readonly<Record<string, { readonly first_offset: number; readonly last_offset: number }>>
}

export type WireRow = Readonly<Record<string, unknown>>

/** An event of a topic as it is read. */
export interface TopicEventBody {
  readonly offset: number
  readonly tick: number
  readonly op: 'append' | 'upsert' | 'delete'
  readonly data: WireRow
}

/** GET /v1/topics/{topic}/live: the data of its events. `reset` has only the tick. */
export interface TopicLiveBody {
  readonly tick: number
  readonly events?: readonly TopicEventBody[]
  readonly complete?: boolean
}

/** GET /v1/topics/{topic}/events */
export interface TopicEventsBody {
  readonly events: readonly TopicEventBody[]
  /** The offset to go on from. */
  readonly next: number
}

/** GET /v1/views/{view} */
export interface ViewBody {
  readonly tick: number
  readonly errors: number
  readonly rows: readonly WireRow[]
}

/** GET /v1/views/{view}/errors */
export interface ErrorsBody {
  readonly tick: number
  /** Error rows beside the view's rows, listed or not. */
  readonly errors: number
  readonly rows: readonly ErrorRowBody[]
  /** Of them, rows whose events the log does not keep any more: nothing can say where they come from. */
  readonly gone?: number
}

export interface ErrorRowBody {
  readonly reason: string
  /** PostgreSQL's code for the same mistake. */
  readonly sqlstate: string
  readonly count: number
  /** The events that the row is made of; of a table's row, its last upsert. None behind an aggregate. */
  readonly positions: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
  /** Behind an aggregate: the group's key, by column, as PostgreSQL prints it. */
  readonly key: Readonly<Record<string, string | null>> | null
}

/** POST /v1/sql: rows as arrays, in the order of the columns. */
export interface SqlBody {
  readonly tick: number
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly unknown[])[]
}

/** 202, with Retry-After: a past tick is being made anew from the log; the same request gets it when it is there. */
export interface ReplayingBody {
  readonly status: 'replaying'
  /** The last tick that went through. */
  readonly tick: number
  readonly through_tick: number
  readonly events: number
}

/** GET /v1/views/{view}/live: the data of its events. `reset` has only the tick. */
export interface LiveBody<W = WireRow> {
  readonly tick: number
  /** Of a query, with the first piece of its snapshot. */
  readonly columns?: SqlBody['columns']
  /** Of a query, with its columns: those that it is ordered by, with a minus for descending. */
  readonly order?: readonly string[]
  /** Of a query that begins with what is left of a topic: the first tick that counts. */
  readonly starts_at_tick?: number
  readonly rows?: readonly W[]
  readonly changes?: readonly { readonly row: W; readonly weight: number }[]
}

/** POST /v1/diff */
export interface DiffBody {
  /** The tick at which the views were compared. */
  readonly tick: number
  readonly views: readonly DiffViewBody[]
}

export interface DiffViewBody {
  readonly view: string
  /** `same` and `changed` tell of the definition; `reshaped` has other columns, so that no row can be compared. */
  readonly kind: 'same' | 'new' | 'dropped' | 'changed' | 'reshaped'
  /** Null where there is no such view. Rows are counted as often as they are there. */
  readonly rows: { readonly before: number | null; readonly after: number | null }
  readonly errors: { readonly before: number | null; readonly after: number | null }
  /** Where it is changed: how many rows differ, and the first of them in the view's order. */
  readonly added?: number
  readonly removed?: number
  readonly changes?: readonly { readonly row: WireRow; readonly weight: number }[]
}

export interface ColumnBody {
  readonly name: string
  /** As PostgreSQL's `format_type` prints it. */
  readonly type: string
  readonly nullable: boolean
  /** How a client in TypeScript shows its values, by the app's schema, where that is not as JSON shows them. */
  readonly reads?: 'number' | 'bigint' | 'string' | 'date' | 'utc' | 'bytes'
}

/** GET /v1/catalog */
export interface CatalogBody {
  readonly tick: number
  readonly topics: readonly {
    readonly name: string
    readonly kind: 'topic' | 'table'
    readonly columns: readonly ColumnBody[]
    readonly primary_key: readonly string[]
    readonly event_time: string | null
    readonly lateness_micros: string
    /** Events that it ever had: the next offset. */
    readonly events: number
    readonly late: number
    /** Microseconds since 1970, as text; null before the first event. */
    readonly watermark_micros: string | null
    /** Where the log has not all of it any more: it begins at this offset, behind this tick; a table's rows stay. */
    readonly first_offset?: number
    readonly gone_through_tick?: number
  }[]
  readonly views: readonly {
    readonly name: string
    readonly columns: readonly ColumnBody[]
    readonly emit: 'continuous' | 'final'
    /** Columns that it is ordered by, with a minus for descending; beyond, by all columns. */
    readonly order: readonly string[]
    readonly sql: string
    readonly rows: number
    readonly errors: number
    /** Reads as of this tick and later ones need no replay. */
    readonly oldest_tick: number
    /** Where events were gone when it was defined: the first tick whose events it has. */
    readonly starts_at_tick?: number
  }[]
}

/** GET /readyz: 200 when ready, else 503. */
export interface ReadyBody {
  /** `stuck`: appends and reads of the last tick go on, views don't. */
  readonly status: 'ready' | 'replaying' | 'stuck' | 'failed'
  readonly tick: number
  readonly sealed_tick: number
  readonly events: number
  readonly events_per_second: number
  readonly detail?: string
}

/** A chart that the app declares. */
export interface ChartBody {
  readonly name: string
  readonly view: string
  readonly x: string
  readonly y: string
  readonly series?: string
  readonly mark: 'line' | 'bar' | 'map' | 'table'
  readonly title: string
  readonly dashboard: string
}

/** GET /v1/charts */
export interface ChartsBody {
  readonly charts: readonly ChartBody[]
}
