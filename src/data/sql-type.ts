/** The SQL types Millrace stores and computes with, and the physical lane each of them lives in. */

export type SqlType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'smallint' }
  | { readonly kind: 'integer' }
  | { readonly kind: 'bigint' }
  | { readonly kind: 'real' }
  | { readonly kind: 'double' }
  /**
   * With both `precision` and `scale` every value has exactly `scale` digits behind the point; with neither, each
   * value brings its own. Never only one of them.
   */
  | { readonly kind: 'numeric'; readonly precision?: number; readonly scale?: number }
  | { readonly kind: 'text' }
  | { readonly kind: 'varchar'; readonly length?: number }
  | { readonly kind: 'bytea' }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'timestamptz' }
  | { readonly kind: 'interval' }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'jsonb' }
  /** A quoted literal or NULL whose type its surroundings decide; never the type of a stored column. */
  | { readonly kind: 'unknown' }

export type TypeKind = SqlType['kind']

/**
 * How a value lies in linear memory.
 * - `i32`: boolean (0/1), smallint, integer, date (days since 1970-01-01)
 * - `i64`: bigint, time/timestamp/timestamptz (µs), numeric(p ≤ 18, s) (value × 10^s)
 * - `f64`: real (rounded to a float), double; −0 is stored as 0 and every NaN as one NaN
 * - `bytes`: 8 bytes per cell, u32 offset (from the column's heap) and u32 length; the bytes are canonical and
 *   compare like the values: text and jsonb UTF-8, bytea raw, uuid 16 bytes, wide numeric and interval as
 *   decimal.ts and interval.ts encode them
 */
export type Lane = 'i32' | 'i64' | 'f64' | 'bytes'

/** Digits that always fit a signed 64-bit integer. */
export const narrowDigits = 18

export function laneOf(type: SqlType): Lane {
  switch (type.kind) {
    case 'boolean':
    case 'smallint':
    case 'integer':
    case 'date':
      return 'i32'
    case 'bigint':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return 'i64'
    case 'real':
    case 'double':
      return 'f64'
    case 'numeric':
      return type.precision !== undefined && type.precision <= narrowDigits ? 'i64' : 'bytes'
    case 'text':
    case 'varchar':
    case 'bytea':
    case 'interval':
    case 'uuid':
    case 'jsonb':
    case 'unknown':
      return 'bytes'
  }
}

/** Bytes of one cell in a lane. */
export function laneWidth(lane: Lane): 4 | 8 {
  return lane === 'i32' ? 4 : 8
}

/** The type's name as PostgreSQL's `format_type` prints it. */
export function typeName(type: SqlType): string {
  switch (type.kind) {
    case 'double':
      return 'double precision'
    case 'numeric':
      return type.precision === undefined ? 'numeric' : `numeric(${type.precision},${type.scale ?? 0})`
    case 'varchar':
      return type.length === undefined ? 'character varying' : `character varying(${type.length})`
    case 'time':
      return 'time without time zone'
    case 'timestamp':
      return 'timestamp without time zone'
    case 'timestamptz':
      return 'timestamp with time zone'
    default:
      return type.kind
  }
}

/**
 * The type's name for a computed column: like PostgreSQL's, without the digits that only we keep track of.
 */
export function resultTypeName(type: SqlType): string {
  return type.kind === 'numeric' ? 'numeric' : typeName(type)
}

export function sameType(a: SqlType, b: SqlType): boolean {
  return typeName(a) === typeName(b)
}

export interface ColumnSchema {
  readonly name: string
  readonly type: SqlType
  readonly nullable: boolean
}
