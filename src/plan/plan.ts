import type { ColumnSchema } from '../data/sql-type.ts'
import type { Scalar } from '../expr/scalar.ts'

/**
 * What to compute: frozen, tagged, JSON-safe data. Expressions appear only in `map`, `join.residual` and `scan`-side
 * filters; every other node names columns of its input by index, so that operators deal in lanes and nothing else.
 * Each node states the columns it puts out.
 */
export type Plan = Scan | Values | Map_ | Hop | Aggregate | Distinct | Join | TopN | UnionAll | Final | Temporal

interface Node {
  readonly columns: readonly ColumnSchema[]
}

/**
 * The changes of a topic, table or materialized view. `reads` are ordinals in the relation's schema, or negative
 * for system columns (systemColumn).
 */
export interface Scan extends Node {
  readonly op: 'scan'
  readonly relation: number
  readonly reads: readonly number[]
  /** Only events that were not late (`emit = 'final'`, `late = 'drop'`), or only the late ones (`_late`). */
  readonly events: 'all' | 'onTime' | 'late'
}

export const systemColumn = {
  partition: -1,
  offset: -2,
  tick: -3,
  appendedAt: -4,
  /** Of a late event: its partition's watermark when it was appended, and how far behind it was (interval). */
  watermark: -5,
  distance: -6,
} as const

/** A constant relation, from VALUES or a SELECT without FROM: emitted once, at the view's first tick. */
export interface Values extends Node {
  readonly op: 'values'
  readonly rows: readonly (readonly Scalar[])[]
}

/** Filter, then project. */
export interface Map_ extends Node {
  readonly op: 'map'
  readonly input: Plan
  readonly filter: Scalar | null
  readonly outputs: readonly Scalar[]
}

/**
 * Appends `window_start`, `window_end` and yields one row per window of `sizeMicros` that starts at a multiple of
 * `slideMicros` since 1970 and contains the row's time. A NULL time yields none. `tumble` is slide = size.
 */
export interface Hop extends Node {
  readonly op: 'hop'
  readonly input: Plan
  readonly time: number
  /** Microseconds as decimal text. */
  readonly slideMicros: string
  readonly sizeMicros: string
}

export type AggregateFunction = 'count' | 'sum' | 'avg' | 'min' | 'max' | 'boolAnd' | 'boolOr'

export interface AggregateCall {
  readonly fn: AggregateFunction
  /** Column of the input; null for count(*). */
  readonly argument: number | null
  readonly distinct: boolean
  /** A boolean column of the input: FILTER (WHERE …). */
  readonly filter: number | null
}

/** Puts out the keys, then one column per call. Without keys there is always exactly one row. */
export interface Aggregate extends Node {
  readonly op: 'aggregate'
  readonly input: Plan
  readonly keys: readonly number[]
  readonly calls: readonly AggregateCall[]
}

export interface Distinct extends Node {
  readonly op: 'distinct'
  readonly input: Plan
}

/**
 * Equal keys meet (NULL meets nothing); with no keys every row meets every row. `residual` reads the left's columns
 * followed by the right's. Puts out both sides' columns; `semi` and `anti` put out the left's alone: each left row
 * once if there is a match, or if there is none. `full` and `right` are bound to these.
 */
export interface Join extends Node {
  readonly op: 'join'
  readonly kind: 'inner' | 'left' | 'full' | 'semi' | 'anti'
  readonly left: Plan
  readonly right: Plan
  readonly leftKeys: readonly number[]
  readonly rightKeys: readonly number[]
  readonly residual: Scalar | null
}

export interface Order {
  readonly column: number
  readonly descending: boolean
  readonly nullsFirst: boolean
}

/**
 * Per partition the rows from `offset` to `offset + limit`, in `order` completed by all columns. With `rank`, a
 * bigint column `row_number` from 1 is appended.
 */
export interface TopN extends Node {
  readonly op: 'topN'
  readonly input: Plan
  readonly partition: readonly number[]
  readonly order: readonly Order[]
  readonly limit: number | null
  readonly offset: number
  readonly rank: boolean
}

export interface UnionAll extends Node {
  readonly op: 'unionAll'
  readonly inputs: readonly Plan[]
}

/** Holds rows back until the least watermark of the topics below has reached their `windowEnd`. */
export interface Final extends Node {
  readonly op: 'final'
  readonly input: Plan
  readonly windowEnd: number
}

/**
 * Rows are there while `from ≤ now() < until` (either may be null: no bound), both timestamp columns of the input.
 */
export interface Temporal extends Node {
  readonly op: 'temporal'
  readonly input: Plan
  readonly from: number | null
  readonly until: number | null
}
