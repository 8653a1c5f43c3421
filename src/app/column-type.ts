import type { SqlType } from '../data/sql-type.ts'
import type { Kind } from './kinds.ts'

/** A value of JSON, as jsonb columns take and give it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/**
 * What a column's values become for TypeScript, where that is not what JSON shows:
 * - `plain`: as JSON shows it; bigint as a number while safe, else a BigInt; numeric as a number up to 15 digits,
 *   else a string
 * - `number`, `bigint`, `string`: always so
 * - `date`: a JavaScript Date; microseconds are cut off
 * - `utc`: a timestamptz as ISO text ending in Z
 * - `bytes`: a Uint8Array
 */
export type Reads = 'plain' | 'number' | 'bigint' | 'string' | 'date' | 'utc' | 'bytes'

/** A column of a topic: its SQL type, whether it can be NULL, and the TypeScript types that go in and come out. */
export interface ColumnType<In = unknown, Out = unknown, K extends Kind = Kind> {
  readonly kind: 'column'
  readonly type: SqlType
  readonly isNullable: boolean
  readonly reads: Reads
  /** The same column, which can also be NULL, or missing in an event. */
  nullable(): ColumnType<In | null | undefined, Out | null, K>
  /** For the compiler alone: never there. */
  readonly '~types'?: { readonly input: In; readonly output: Out; readonly kind: K }
}

function column<In, Out, K extends Kind>(
  type: SqlType,
  reads: Reads = 'plain',
  isNullable = false,
): ColumnType<In, Out, K> {
  return Object.freeze({
    kind: 'column',
    type: Object.freeze(type),
    isNullable,
    reads,
    nullable: () => column<In | null | undefined, Out | null, K>(type, reads, true),
  })
}

/** Millrace's own column types. None of them is NULL unless `.nullable()` says so. */
export const t = {
  boolean: () => column<boolean, boolean, 'boolean'>({ kind: 'boolean' }),
  /** 16 bits. */
  smallint: () => column<number, number, 'integer'>({ kind: 'smallint' }),
  /** 32 bits. */
  integer: () => column<number, number, 'integer'>({ kind: 'integer' }),
  /** 64 bits; comes out as a number while safe, else as a BigInt. */
  bigint: () => column<number | bigint, number | bigint, 'bigint'>({ kind: 'bigint' }),
  /** A float of 32 bits. */
  real: () => column<number, number, 'double'>({ kind: 'real' }),
  /** A float of 64 bits. */
  double: () => column<number, number, 'double'>({ kind: 'double' }),
  /** Exact decimals, `scale` of them behind the point; comes out as a number up to 15 digits, else as a string. */
  numeric: (precision?: number, scale = 0) =>
    column<number | bigint | string, number | string, 'numeric'>(
      precision === undefined ? { kind: 'numeric' } : { kind: 'numeric', precision, scale },
    ),
  text: () => column<string, string, 'text'>({ kind: 'text' }),
  /** Text of at most `length` characters. */
  varchar: (length?: number) =>
    column<string, string, 'text'>(length === undefined ? { kind: 'varchar' } : { kind: 'varchar', length }),
  bytea: () => column<Uint8Array, Uint8Array, 'bytea'>({ kind: 'bytea' }, 'bytes'),
  /** `2026-11-21` */
  date: () => column<string, string, 'date'>({ kind: 'date' }),
  /** `10:00:00.123456` */
  time: () => column<string, string, 'time'>({ kind: 'time' }),
  /** A date and time without a zone, in microseconds: `2026-11-21T10:00:00.123456`. A Date goes in as its UTC time. */
  timestamp: () => column<string | Date, string, 'timestamp'>({ kind: 'timestamp' }),
  /** A moment in microseconds: `2026-11-21T10:00:00.123456+00:00`. */
  timestamptz: () => column<string | Date, string, 'timestamp'>({ kind: 'timestamptz' }),
  /** A moment as a Date goes in and comes out; microseconds are cut off. In SQL it is a timestamptz. */
  instant: () => column<string | Date, Date, 'timestamp'>({ kind: 'timestamptz' }, 'date'),
  /** `1 day 02:03:04` */
  interval: () => column<string, string, 'interval'>({ kind: 'interval' }),
  uuid: () => column<string, string, 'uuid'>({ kind: 'uuid' }),
  /** Any JSON; give its shape as a type argument. */
  jsonb: <Shape = Json>() => column<Shape, Shape, 'jsonb'>({ kind: 'jsonb' }),
} as const

/** A column by name, derived or written. */
export interface NamedColumn {
  readonly name: string
  readonly type: SqlType
  readonly nullable: boolean
  readonly reads: Reads
}

export function isColumnType(value: unknown): value is ColumnType {
  return typeof value === 'object' && value !== null && (value as Partial<ColumnType>).kind === 'column'
}
