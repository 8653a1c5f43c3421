import type { SqlType } from '../data/sql-type.ts'
import type { Json, Reads } from './column-type.ts'

/**
 * What the compiler knows of an expression's SQL type: as much as decides which functions take it, and what type
 * their results have. Two kinds are of schemas that say less than SQL does: `number` is a JavaScript number whatever
 * its column, `string` is text, a uuid, a date or a time. `int64` is a bigint that is read as a BigInt.
 */
export type Kind = keyof KindValues

/** What rows show for a kind. */
export interface KindValues {
  readonly boolean: boolean
  readonly integer: number
  readonly bigint: number | bigint
  readonly int64: bigint
  readonly numeric: number | string
  readonly double: number
  readonly number: number
  readonly text: string
  readonly string: string
  readonly uuid: string
  readonly date: string
  readonly time: string
  readonly timestamp: string
  readonly interval: string
  readonly bytea: Uint8Array
  readonly jsonb: Json
}

export type NumberKind = 'integer' | 'bigint' | 'int64' | 'numeric' | 'double' | 'number'
export type IntegerKind = 'integer' | 'bigint' | 'int64' | 'number'
export type TextKind = 'text' | 'string'

/** The kind of a value's TypeScript type, where nothing more is known. */
export type KindOf<T> = unknown extends T
  ? Kind
  : [NonNullable<T>] extends [boolean]
    ? 'boolean'
    : [NonNullable<T>] extends [number]
      ? 'number'
      : [NonNullable<T>] extends [bigint]
        ? 'int64'
        : [NonNullable<T>] extends [string]
          ? 'string'
          : [NonNullable<T>] extends [Date]
            ? 'timestamp'
            : [NonNullable<T>] extends [number | bigint]
              ? 'bigint'
              : [NonNullable<T>] extends [number | string]
                ? 'numeric'
                : [NonNullable<T>] extends [Uint8Array]
                  ? 'bytea'
                  : 'jsonb'

/** The kind of arithmetic over numbers of these kinds. */
export type WiderKind<K> = 'number' extends K
  ? 'number'
  : 'double' extends K
    ? 'double'
    : 'numeric' extends K
      ? 'numeric'
      : 'int64' extends K
        ? 'int64'
        : 'bigint' extends K
          ? 'bigint'
          : 'integer'

/** The kind of a sum: integers add up to more than they are. */
export interface SumKinds {
  readonly integer: 'bigint'
  readonly bigint: 'numeric'
  readonly int64: 'int64'
  readonly numeric: 'numeric'
  readonly double: 'double'
  readonly number: 'number'
  readonly interval: 'interval'
}

/** The kind of an average. */
export interface AverageKinds {
  readonly integer: 'numeric'
  readonly bigint: 'numeric'
  readonly int64: 'numeric'
  readonly numeric: 'numeric'
  readonly double: 'double'
  readonly number: 'number'
  readonly interval: 'interval'
}

const widening = ['number', 'double', 'numeric', 'int64', 'bigint'] as const

/** {@link WiderKind} at run time; null is what nobody knows. */
export function widerKind(kinds: readonly (Kind | null)[]): Kind | null {
  if (kinds.includes(null)) return null
  return widening.find((kind) => kinds.includes(kind)) ?? 'integer'
}

const sums: Readonly<Partial<Record<Kind, Kind>>> = { integer: 'bigint', bigint: 'numeric' }

export function sumKind(kind: Kind | null): Kind | null {
  return kind === null ? null : (sums[kind] ?? kind)
}

export function averageKind(kind: Kind | null): Kind | null {
  return kind === 'integer' || kind === 'bigint' || kind === 'int64' ? 'numeric' : kind
}

/** How numbers of a kind are read, where no column says. */
export function readsOfKind(kind: Kind | null): Reads {
  return kind === 'number' ? 'number' : kind === 'int64' ? 'bigint' : 'plain'
}

/** The kind of a column. */
export function kindOfColumn(type: SqlType, reads: Reads): Kind | null {
  switch (type.kind) {
    case 'smallint':
    case 'integer':
      return 'integer'
    case 'bigint':
      return reads === 'number' ? 'number' : reads === 'bigint' ? 'int64' : 'bigint'
    case 'numeric':
      return reads === 'number' ? 'number' : reads === 'bigint' ? 'int64' : 'numeric'
    case 'real':
    case 'double':
      return 'double'
    case 'varchar':
      return 'text'
    case 'timestamptz':
      return 'timestamp'
    case 'unknown':
      return null
    default:
      return type.kind
  }
}
