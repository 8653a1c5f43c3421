import type { SqlType, TypeKind } from '../data/sql-type.ts'

/** A scalar function of the app, written in JavaScript: see functions/app-function.ts. */
export interface AppFunctionBody {
  /** The text of a function expression that needs nothing from outside. */
  readonly source: string
  readonly args: readonly TypeKind[]
  readonly returns: TypeKind
  /** Whether it may give NULL. */
  readonly nullable: boolean
  /** `called`: it gets NULLs, else the result of a NULL is NULL. Two arguments each: whether it is NULL, the value. */
  readonly nulls: 'strict' | 'called'
}

/**
 * A bound scalar expression: frozen, JSON-safe data, so that a plan can be stored and sent to another thread.
 * Every node carries its type and whether it can be NULL. Functions and operators are named by the signature that
 * type resolution chose, such as `+(bigint,bigint)`; functions.ts says what each means.
 */
export type Scalar =
  | { readonly op: 'column'; readonly index: number; readonly type: SqlType; readonly nullable: boolean }
  /** `text` is the value as PostgreSQL would print it for the type; null is NULL. */
  | { readonly op: 'literal'; readonly text: string | null; readonly type: SqlType; readonly nullable: boolean }
  | {
      readonly op: 'call'
      readonly fn: string
      readonly args: readonly Scalar[]
      /** Set where the function is the app's own: all that is needed to run it. */
      readonly body?: AppFunctionBody
      readonly type: SqlType
      readonly nullable: boolean
    }
  | { readonly op: 'cast'; readonly arg: Scalar; readonly type: SqlType; readonly nullable: boolean }
  | { readonly op: 'and' | 'or'; readonly args: readonly Scalar[]; readonly type: SqlType; readonly nullable: boolean }
  | { readonly op: 'not'; readonly arg: Scalar; readonly type: SqlType; readonly nullable: boolean }
  | {
      readonly op: 'isNull'
      readonly arg: Scalar
      readonly negated: boolean
      readonly type: SqlType
      readonly nullable: false
    }
  /** IS [NOT] DISTINCT FROM */
  | {
      readonly op: 'distinct'
      readonly left: Scalar
      readonly right: Scalar
      readonly negated: boolean
      readonly type: SqlType
      readonly nullable: false
    }
  /** A searched CASE; a simple CASE is bound to one. NULL without an `otherwise`. */
  | {
      readonly op: 'case'
      readonly whens: readonly { readonly when: Scalar; readonly result: Scalar }[]
      readonly otherwise: Scalar | null
      readonly type: SqlType
      readonly nullable: boolean
    }
  | { readonly op: 'coalesce'; readonly args: readonly Scalar[]; readonly type: SqlType; readonly nullable: boolean }
  /** The tick's time, a timestamptz; only in filters (see plan.ts). */
  | { readonly op: 'now'; readonly type: SqlType; readonly nullable: false }

/** Every column index an expression reads. */
export function columnsOf(scalar: Scalar, into = new Set<number>()): Set<number> {
  if (scalar.op === 'column') into.add(scalar.index)
  for (const child of childrenOf(scalar)) columnsOf(child, into)
  return into
}

export function childrenOf(scalar: Scalar): readonly Scalar[] {
  switch (scalar.op) {
    case 'column':
    case 'literal':
    case 'now':
      return []
    case 'call':
    case 'and':
    case 'or':
    case 'coalesce':
      return scalar.args
    case 'cast':
    case 'not':
    case 'isNull':
      return [scalar.arg]
    case 'distinct':
      return [scalar.left, scalar.right]
    case 'case':
      return [
        ...scalar.whens.flatMap(({ when, result }) => [when, result]),
        ...(scalar.otherwise === null ? [] : [scalar.otherwise]),
      ]
  }
}

/** The same expression over other children, in the order of `childrenOf`. */
export function withChildren(scalar: Scalar, children: readonly Scalar[]): Scalar {
  switch (scalar.op) {
    case 'column':
    case 'literal':
    case 'now':
      return scalar
    case 'call':
    case 'and':
    case 'or':
    case 'coalesce':
      return { ...scalar, args: children }
    case 'cast':
    case 'not':
    case 'isNull':
      return { ...scalar, arg: children[0] }
    case 'distinct':
      return { ...scalar, left: children[0], right: children[1] }
    case 'case': {
      const whens = scalar.whens.map((_, i) => ({ when: children[i * 2], result: children[i * 2 + 1] }))
      return { ...scalar, whens, otherwise: scalar.otherwise === null ? null : children[whens.length * 2] }
    }
  }
}

/** The same expression with each column index replaced. */
export function mapColumns(scalar: Scalar, replace: (index: number) => Scalar): Scalar {
  if (scalar.op === 'column') return replace(scalar.index)
  const children = childrenOf(scalar)
  return children.length === 0
    ? scalar
    : withChildren(
        scalar,
        children.map((child) => mapColumns(child, replace)),
      )
}
