import type { Expr, GradeIn, OfRow } from '../expression.ts'
import { identifier } from '../identifier.ts'
import { as, node, nodeOf } from '../node.ts'

/** A column's name, with a minus before it for descending. */
export type Ordering<Name extends string> = Name | `-${Name}` | Direction<Name>

/** What rows are ordered by, and which way. */
export interface Direction<out By> {
  readonly kind: 'direction'
  readonly by: By
  readonly descending: boolean
  readonly nulls: 'first' | 'last' | null
}

/** Where NULLs stand; if not given last in ascending order and first in descending. */
export interface DirectionOptions {
  readonly nulls?: 'first' | 'last'
}

/** From the least to the greatest, of an output's name or, in `rowNumber`, of an expression. */
export function asc<const By extends string | Expr>(by: By, options: DirectionOptions = {}): Direction<By> {
  return { kind: 'direction', by, descending: false, nulls: options.nulls ?? null }
}

/** From the greatest to the least, of an output's name or, in `rowNumber`, of an expression. */
export function desc<const By extends string | Expr>(by: By, options: DirectionOptions = {}): Direction<By> {
  return { kind: 'direction', by, descending: true, nulls: options.nulls ?? null }
}

function isDirection(value: unknown): value is Direction<string | Expr> {
  return typeof value === 'object' && value !== null && (value as { readonly kind?: unknown }).kind === 'direction'
}

/** As ORDER BY has it. @param names the output columns there are, lest a name with a minus be one of them */
export function printDirection(
  ordering: unknown,
  names: readonly string[],
): { readonly name: string; readonly text: string } {
  const given = String(isDirection(ordering) ? ordering.by : ordering)
  const minus = !isDirection(ordering) && !names.includes(given) && given.startsWith('-')
  const name = minus ? given.slice(1) : given
  return { name, text: directed(identifier(name), minus || (isDirection(ordering) && ordering.descending), ordering) }
}

function directed(text: string, descending: boolean, ordering: unknown): string {
  const nulls = isDirection(ordering) && ordering.nulls !== null ? ` NULLS ${ordering.nulls.toUpperCase()}` : ''
  return `${text}${descending ? ' DESC' : ''}${nulls}`
}

type By = Expr | Direction<Expr>
type ExprIn<B> = B extends Direction<infer E> ? E : B
type Listed<B> = B extends readonly (infer E)[] ? E : B

/**
 * `row_number() OVER (PARTITION BY per ORDER BY by)`: the row's place among those of its partition, from 1. Ties are
 * decided by the row's other columns.
 */
export function rowNumber<const B extends By | readonly By[], const P extends Expr | readonly Expr[] = never>(window: {
  readonly by: B
  readonly per?: P
}): Expr<number, 'bigint', OfRow | GradeIn<ExprIn<Listed<B>>>> {
  const orders = [window.by].flat() as readonly By[]
  const keys = (window.per === undefined ? [] : [window.per].flat()) as readonly Expr[]
  const ordered = orders.map((order) => nodeOf(isDirection(order) ? order.by : order))
  const partition = keys.map(nodeOf)
  const parts: string[] = []
  if (partition.length > 0) parts.push(`PARTITION BY ${partition.map(({ text }) => text).join(', ')}`)
  const texts = ordered.map(({ text }, i) => directed(text, isDirection(orders[i]) && orders[i].descending, orders[i]))
  parts.push(`ORDER BY ${texts.join(', ')}`)
  return as(node(`row_number() OVER (${parts.join(' ')})`, [...partition, ...ordered], { type: 'bigint' }))
}
