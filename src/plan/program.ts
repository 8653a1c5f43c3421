import type { ColumnSchema } from '../data/sql-type.ts'
import type { StoredColumn } from '../data/stored-column.ts'
import type { Order, Plan } from './plan.ts'

/** All that an engine runs: JSON-safe, so that it can be stored in the log and sent to a worker. */
export interface Program {
  readonly topics: readonly TopicDefinition[]
  /** In dependency order: a view reads only topics and earlier views. */
  readonly views: readonly ViewDefinition[]
  /** Views whose rows come as events, under their ids, instead of being computed. */
  readonly given?: readonly number[]
  /** Append-only topics whose blocks have weights: another program's views, as they change. */
  readonly changing?: readonly number[]
}

export interface TopicDefinition {
  /** Unique among topics and views, and stable over restarts. */
  readonly id: number
  readonly name: string
  readonly columns: readonly StoredColumn[]
  /** Columns that it had: their numbers are never given to others. */
  readonly dropped?: readonly DroppedColumn[]
  /** Ordinals of the primary key; empty for an append-only topic. */
  readonly primaryKey: readonly number[]
  /** Ordinal of the event time, or null. */
  readonly eventTime: number | null
  /** Microseconds as decimal text. */
  readonly latenessMicros: string
  /** How much of it is kept; absent: everything. */
  readonly retention?: RetentionDefinition
}

export interface DroppedColumn extends StoredColumn {
  readonly id: number
  /** How many events the topic had then. */
  readonly events?: number
}

export interface ViewDefinition {
  readonly id: number
  readonly name: string
  readonly columns: readonly ColumnSchema[]
  readonly plan: Plan
  /** The order its rows are read in, by ORDER BY; completed by all columns. */
  readonly order: readonly Order[]
  readonly emit: 'continuous' | 'final'
  /** The definition as it was written. */
  readonly sql: string
  /** How much of its past is kept at hand; absent: what is usual. */
  readonly retain?: RetainDefinition
  /**
   * Topics that it reads itself and of which events were gone when it was defined: its rows are those of the query over
   * what came after the tick. Absent: none.
   */
  readonly starts?: readonly ViewStart[]
}

/** All events of a topic up to and with a tick are left out. */
export interface ViewStart {
  readonly topic: number
  readonly throughTick: number
}

/** Ticks of the latest so many microseconds, as decimal text, and bytes of changes at most. */
export interface RetainDefinition {
  readonly micros: string | null
  readonly bytes: number | null
}

/** What of a topic stays in any case: events of the latest so many microseconds, and so many bytes of them. */
export type RetentionDefinition = RetainDefinition
