import { type ErrorPlace, MillraceError } from '../../data/errors.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { childrenOf, type Scalar, withChildren } from '../../expr/scalar.ts'
import type { SelectStmt, WindowDef } from '../../sql/parse.ts'
import { refusal, unsupported } from '../../sql/refuse.ts'
import { placeAt, type Source } from '../../sql/source.ts'
import type { Catalog } from '../catalog.ts'
import type { MayFail } from '../failure.ts'
import type { AggregateCall, Order, Plan } from '../plan.ts'
import type { Scope } from './scope.ts'

/** How scans read topics; named queries are bound under the reader's choice. */
export interface Environment {
  readonly catalog: Catalog
  /** What places point into: a named query brings its own. */
  readonly statement: { readonly source: Source }
  /** `onTime` for `emit = 'final'` and `late = 'drop'`. */
  readonly events: 'all' | 'onTime'
  /** Why `events` is `onTime`; refusals name it. */
  readonly timely: 'final' | 'lateDrop' | null
  /** Values of $1, $2, … as text; null where parameters have no place. */
  readonly parameters: readonly (string | null)[] | null
  readonly ctes: CteList | null
  /** Which columns of relations may hold errors. */
  readonly mayFail: MayFail
}

/** WITH queries, the innermost first. */
export interface CteList {
  /** Folded, as in the tree. */
  readonly name: string
  readonly query: SelectStmt | null
  readonly columnNames: readonly string[]
  /** What the query itself sees: the ones before it. */
  readonly environment: Environment
  readonly next: CteList | null
}

/**
 * One SELECT while its expressions are bound. They read the columns of its FROM clause by index; what has to be
 * computed by a node of its own (an aggregate, a window function, a subquery) or comes from the query around it
 * stands in them as a column from `virtualBase` on, until the node is there.
 */
export interface Block {
  readonly environment: Environment
  readonly parent: Block | null
  scope: Scope
  readonly virtuals: Virtual[]
  /** Where each column reference was written. */
  readonly places: WeakMap<Scalar, ErrorPlace>
  readonly windows: readonly WindowDef[]
}

export const virtualBase = 1 << 20

export type Virtual =
  | { readonly kind: 'aggregate'; readonly call: BoundAggregate; readonly place: ErrorPlace }
  | { readonly kind: 'window'; readonly window: BoundWindow; readonly place: ErrorPlace }
  | { readonly kind: 'subquery'; readonly attach: Attach; readonly place: ErrorPlace }
  /** A column of the query around, in that query's numbering. */
  | { readonly kind: 'outer'; readonly outer: Scalar; readonly place: ErrorPlace }

export interface BoundAggregate {
  readonly fn: AggregateCall['fn']
  readonly distinct: boolean
  /** Cast to what the function takes. */
  readonly argument: Scalar | null
  readonly filter: Scalar | null
  readonly type: SqlType
  /** Even where the group has rows. */
  readonly nullable: boolean
}

export interface BoundWindow {
  readonly partition: readonly Scalar[]
  readonly order: readonly (Omit<Order, 'column'> & { readonly by: Scalar })[]
}

/**
 * Joins a subquery's result to a plan.
 * @param translate rewrites a column of the query around to one of `plan`
 */
export type Attach = (
  plan: Plan,
  translate: (outer: Scalar) => Scalar,
) => { readonly plan: Plan; readonly value: Scalar }

export function newBlock(
  environment: Environment,
  parent: Block | null,
  scope: Scope,
  windows: readonly WindowDef[] = [],
): Block {
  return { environment, parent, scope, virtuals: [], places: new WeakMap(), windows }
}

/** Adds what a node of its own will compute, and gives the column that stands for it. */
export function standIn(block: Block, virtual: Virtual, type: SqlType, nullable: boolean): Scalar {
  const scalar: Scalar = { op: 'column', index: virtualBase + block.virtuals.length, type, nullable }
  block.virtuals.push(virtual)
  block.places.set(scalar, virtual.place)
  return scalar
}

export function virtualOf(block: Block, scalar: Scalar): Virtual | null {
  return scalar.op === 'column' && scalar.index >= virtualBase ? block.virtuals[scalar.index - virtualBase] : null
}

/** Whether a virtual of one of these kinds stands anywhere in an expression. */
export function contains(block: Block, scalar: Scalar, ...kinds: Virtual['kind'][]): boolean {
  const virtual = virtualOf(block, scalar)
  if (virtual !== null) return kinds.includes(virtual.kind)
  return childrenOf(scalar).some((child) => contains(block, child, ...kinds))
}

/** Replaces the outermost parts for which `replace` has something; what is left alone keeps its identity. */
export function substitute(scalar: Scalar, replace: (part: Scalar) => Scalar | null): Scalar {
  const replaced = replace(scalar)
  if (replaced !== null) return replaced
  const children = childrenOf(scalar)
  if (children.length === 0) return scalar
  const renewed = children.map((child) => substitute(child, replace))
  return renewed.every((child, i) => child === children[i]) ? scalar : withChildren(scalar, renewed)
}

/** Two expressions with the same key compute the same. */
export function keyOf(scalar: Scalar): string {
  // A column is the same whatever is known about its nullness.
  return JSON.stringify(scalar, (_, part: Scalar) => (part?.op === 'column' ? `#${part.index}` : part))
}

/** The place of a location of the syntax tree. */
export function place(environment: Environment, location: number | undefined): ErrorPlace {
  return placeAt(environment.statement, location)
}

/** Gives an error of expression typing the place it has to do with. */
export function located<T>(at: ErrorPlace, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.place.line !== undefined) throw error
    const hint = error.hint ?? 'write a value of that type, or cast'
    throw new MillraceError(error.code, error.message, { hint, place: { ...at, ...error.place } })
  }
}

/** A refusal for a node of the syntax tree. */
export function refuse(environment: Environment, location: number | undefined, what: string, hint: string): Error {
  return unsupported(what, place(environment, location), hint)
}

export function groupingError(message: string, at: ErrorPlace, hint: string): Error {
  return refusal('sql/grouping', message, at, hint)
}
