import type { WireRow } from './answers.ts'

/**
 * What a running database knows of itself. Times are microseconds since 1970 as text; counts began with the process
 * unless said otherwise.
 */

/** GET /v1/status */
export interface StatusBody {
  /** Newest tick that reads see, and its time. */
  readonly tick: number
  readonly time_micros: string
  /** Newest tick that is durable. */
  readonly sealed_tick: number
  readonly state: 'ready' | 'replaying' | 'failed'
  readonly detail?: string
  readonly verdict: VerdictBody
  readonly uptime_seconds: number
  readonly version: string
  readonly data: 'memory' | 'folder'
  /** Per second, over the last `window_seconds`. */
  readonly rates: {
    readonly events_per_second: number
    readonly changes_per_second: number
    readonly appends_per_second: number
    readonly reads_per_second: number
    readonly window_seconds: number
  }
  /** The last two minutes, a point a second, the oldest first; null: no tick ended in that second. */
  readonly series: {
    /** Seconds since 1970. */
    readonly second: readonly number[]
    readonly events: readonly number[]
    readonly changes: readonly number[]
    readonly appends: readonly number[]
    readonly tick_ms_p99: readonly (number | null)[]
  }
  readonly memory: {
    /** Linear memory that the engine has taken, and the most that it may take. */
    readonly engine_bytes: number
    readonly engine_budget_bytes: number
    /** What of it is operators' state. */
    readonly state_bytes: number
    readonly view_bytes: number
    readonly process_bytes: number
  }
  /** Null where everything is kept in memory; `free_bytes` where the system doesn't tell. */
  readonly disk: {
    readonly log_bytes: number | null
    readonly state_bytes: number | null
    readonly free_bytes: number | null
  }
  /** From the engine taking a tick to the views showing it; null: no tick in the window. */
  readonly tick_ms: {
    readonly p50: number | null
    readonly p99: number | null
    readonly longest: number | null
    readonly window_seconds: number
  }
  readonly live_streams: number
  readonly requests_per_second: number
  readonly views: readonly ViewStatusBody[]
  readonly topics: readonly TopicStatusBody[]
  /** The latest happenings, the newest first. */
  readonly recent: readonly HappeningBody[]
}

export interface VerdictBody {
  readonly ok: boolean
  /** All in one sentence. */
  readonly message: string
  /** The worst first. */
  readonly problems: readonly ProblemBody[]
}

export interface ProblemBody {
  readonly code:
    | 'failed'
    | 'poisoned'
    | 'replaying'
    | 'stuck'
    | 'error-rows'
    | 'late-events'
    | 'disk-nearly-full'
    | 'memory-nearly-full'
  readonly message: string
  readonly hint: string
  readonly view?: string
  readonly topic?: string
}

export interface ViewStatusBody {
  readonly name: string
  readonly rows: number
  readonly errors: number
  /** From an append's arrival to its change being visible, over the last minute; null: nothing changed in it. */
  readonly freshness_ms: { readonly p50: number | null; readonly p99: number | null; readonly last: number | null }
  readonly changes_per_second: number
  /** 0: it never changed. */
  readonly last_change_tick: number
  readonly subscribers: number
  /** The first tick whose events it has. */
  readonly starts_at_tick: number
}

export interface TopicStatusBody {
  readonly name: string
  readonly next_offset: number
  readonly events_per_second: number
  /** Late events, ever. */
  readonly late: number
  /** Events that were refused or left out, by the code of the reason. */
  readonly dropped: Readonly<Record<string, number>>
  readonly watermark_micros: string | null
  readonly last_appended_at_micros: string | null
}

export interface HappeningBody {
  readonly at_micros: string
  readonly kind: 'start' | 'definitions' | 'snapshot' | 'notice' | 'failure'
  readonly message: string
}

/** GET /v1/topology */
export interface TopologyBody {
  readonly tick: number
  readonly nodes: readonly TopologyNodeBody[]
  readonly edges: readonly TopologyEdgeBody[]
}

export interface TopologyNodeBody {
  /** The same for as long as the definition is, over restarts too. */
  readonly id: string
  readonly kind: 'topic' | 'table' | 'operator' | 'view' | 'subscribers'
  readonly name: string
  /** What it does in a word or two, and with what: `inner join`, `o.customer = c.id`. */
  readonly label: string
  readonly detail: string
  /** Of an operator: the plan's word for it. */
  readonly op?: string
  /** Views that are made with it. */
  readonly views: readonly string[]
  /** Changes that went in and came out since the engine's start. */
  readonly rows_in: number
  readonly rows_out: number
  readonly rows_per_second: number
  /** The part of about the last ten seconds that the engine was busy with it: 0 to 1. */
  readonly busy_share: number
  /** What of its state is in memory, about, and under how many keys; null: it keeps none, or it isn't known. */
  readonly state_bytes: number | null
  readonly state_rows: number | null
  readonly watermark_micros: string | null
}

export interface TopologyEdgeBody {
  readonly from: string
  readonly to: string
  readonly rows_per_second: number
  readonly rows: number
}

/** GET /v1/topology/{node}/sample: the latest changes that left it, the newest last. */
export interface SampleBody {
  readonly node: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly changes: readonly ChangeBody[]
}

export interface ChangeBody {
  readonly tick: number
  readonly row: WireRow
  readonly weight: number
}

/** GET /v1/time */
export interface TimeBody {
  readonly now_micros: string
  readonly topics: readonly TopicTimeBody[]
  /** Windows that wait for a watermark, the oldest first; at most a few hundred per view. */
  readonly windows: readonly OpenWindowBody[]
}

export interface TopicTimeBody {
  readonly name: string
  /** Null where the topic has none: then nothing of what follows is known. */
  readonly event_time: string | null
  readonly lateness_micros: string
  readonly watermark_micros: string | null
  /** The newest event time seen. */
  readonly newest_micros: string | null
  /** How far the watermark is behind the clock; null without a watermark. */
  readonly behind_ms: number | null
  readonly late: number
  /** Views that hold windows open until this topic's watermark passes them. */
  readonly holds: readonly string[]
  /** By how much events were older than the newest before them; those that came in order are in the first: 0 ms. */
  readonly histogram: readonly { readonly up_to_ms: number; readonly events: number }[]
  /** A lateness with which 99.9 % of the events would have been on time. */
  readonly suggested_lateness_micros: string | null
  readonly suggestion: string
}

export interface OpenWindowBody {
  readonly view: string
  /** Null where the view's rows don't say when their windows begin. */
  readonly window_start: string | null
  readonly window_end: string
  /** The topic whose watermark is the least. */
  readonly waits_for: string | null
  readonly rows: number
}

/** GET /v1/views/{view}/changes: each tick's changes, oldest first, whole ticks only. */
export interface ChangesBody {
  /** Everything up to this tick is told: go on with it as `from_tick`. */
  readonly tick: number
  readonly changes: readonly ChangeBody[]
}

/** GET /v1/topics/{topic}/volume: stretches of equal length, the oldest first. */
export interface VolumeBody {
  readonly buckets: readonly {
    readonly from_micros: string
    readonly to_micros: string
    /** The first event of the bucket, or the next one where it is empty. */
    readonly first_offset: number
    readonly events: number
  }[]
}
