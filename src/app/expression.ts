import type { Reads } from './column-type.ts'
import type { Kind, KindOf } from './kinds.ts'

/** Anything that SQL can name: a topic, table, view or named query, or a function of the app. */
export interface Named {
  readonly kind: 'topic' | 'table' | 'view' | 'query' | 'function'
  readonly name: string
}

/** A piece of SQL, and what it needs around it. */
export interface Fragment {
  readonly text: string
  /** Definitions that it names. */
  readonly reads: readonly Named[]
  /** Relations of a builder's query whose columns it names. */
  readonly uses: readonly Use[]
}

/** A relation as one query of the builder reads it: columns of another query's `o` are not this one's. */
export interface Source {
  readonly alias: string
}

export interface Use {
  readonly source: Source
  /** The window that the relation's rows must be cut into. */
  readonly window?: WindowCut
}

/** Windows over a relation's time. */
export interface WindowCut {
  readonly function: 'tumble' | 'hop' | 'session'
  /** The column's name. */
  readonly time: string
  /** Intervals: the size; slide and size; the gap. */
  readonly sizes: readonly string[]
}

/** What an expression depends on; the compiler shows it in its errors. */
export type OfRow = 'a value of a row'
export type OfGroup = 'an aggregate'
export type Ungrouped = 'a column that is not in groupBy'

/**
 * An expression of SQL: a column, a function's result, an aggregate.
 * @typeParam T what rows show for it; has null where it can be NULL
 * @typeParam K its SQL type, as far as the compiler knows it
 * @typeParam G whether it belongs to a row or to a group
 */
export interface Expr<out T = unknown, out K extends Kind = Kind, out G extends string = string> extends Fragment {
  readonly kind: 'expr' | 'sql'
  /** For the compiler alone: never there. */
  readonly '~expr'?: { readonly value: T; readonly kind: K; readonly grade: G }
}

/** How tightly SQL's operators bind, from `OR` to a bare name. `open`: nobody knows, so it needs brackets. */
export const levels = {
  open: 0,
  or: 1,
  and: 2,
  not: 3,
  is: 4,
  comparison: 5,
  within: 6,
  operator: 7,
  sum: 8,
  product: 9,
  power: 10,
  sign: 11,
  cast: 12,
  atom: 13,
} as const

/** An expression as the builder made it. */
export interface Node extends Expr {
  readonly kind: 'expr'
  /** How tightly it holds together: see `levels`. */
  readonly level: number
  /** Null where only the database knows. */
  readonly type: Kind | null
  readonly form: Reads
  /** The conditions that AND joins. */
  readonly conjuncts?: readonly Node[]
  /** Set for a bare column. */
  readonly column?: { readonly source: Source; readonly name: string }
}

/** Columns by name, as expressions. */
export type Columns = Readonly<Record<string, Expr>>

/** A value that goes into SQL as a literal. */
export type Value = string | number | bigint | boolean | Date | Uint8Array

/** `null` if one of the operands can be NULL. */
export type NullIn<A> = A extends Expr<infer T> ? (null extends T ? null : never) : never

export type GradeIn<A> = A extends Expr<unknown, Kind, infer G> ? G : never

/** A number's literal is whole or not; a variable's value may be either. */
type NumberLiteralKind<A extends number> = `${A}` extends `${bigint}` ? 'integer' : 'numeric'

export type KindIn<A> =
  A extends Expr<unknown, infer K>
    ? K
    : A extends number
      ? NumberLiteralKind<A>
      : A extends bigint
        ? 'bigint'
        : KindOf<A>

/** What rows show for it, without null. */
export type ValueIn<A> = A extends Expr<infer T> ? NonNullable<T> : A

/** The result of a function that is NULL where an operand is: A is the union of its operands. */
export type Strict<T, K extends Kind, A> = Expr<T | NullIn<A>, K, GradeIn<A>>

/** What a condition has to be. */
export type Condition<G extends string = string> = Expr<boolean | null, 'boolean', G>

/** A mistake that has no better type: the compiler prints the message. */
export interface Problem<Message extends string> {
  readonly '~problem': Message
}

// biome-ignore lint/suspicious/noExplicitAny: a column of which nothing is known fits everywhere
type AnyColumns = { readonly [column: string]: Expr<any, any, OfRow> }

/** The columns of rows of which only the TypeScript type is known. */
export type ColumnsOfRow<Row> = string extends keyof Row
  ? AnyColumns
  : { readonly [C in keyof Row]-?: Expr<Row[C], ColumnKind<Row[C]>, OfRow> }

type ColumnKind<T> = unknown extends T ? 'jsonb' : KindOf<T>
