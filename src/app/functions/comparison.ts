import type { Json } from '../column-type.ts'
import {
  type Condition,
  type Expr,
  type GradeIn,
  levels,
  type NullIn,
  type Problem,
  type Strict,
  type Value,
} from '../expression.ts'
import { as, bracketed, infix, node, nodeOf } from '../node.ts'

/** What a kind can be compared with; `string` columns may be text, a uuid or a time. */
interface Comparable {
  readonly boolean: 'a boolean'
  readonly integer: 'a number'
  readonly bigint: 'a number'
  readonly int64: 'a number'
  readonly numeric: 'a number'
  readonly double: 'a number'
  readonly number: 'a number'
  readonly text: 'text'
  readonly string: 'text' | 'a uuid' | 'a time' | 'a date' | 'a time of day' | 'an interval'
  readonly uuid: 'a uuid'
  readonly date: 'a date' | 'a time'
  readonly time: 'a time of day'
  readonly timestamp: 'a time' | 'a date'
  readonly interval: 'an interval'
  readonly bytea: 'bytes'
  readonly jsonb: 'json'
}

/** What a TypeScript value can be compared with. */
type ValueComparable<V> = V extends string
  ? 'text' | 'a uuid' | 'a time' | 'a date' | 'a time of day' | 'an interval'
  : V extends number | bigint
    ? 'a number'
    : V extends boolean
      ? 'a boolean'
      : V extends Date
        ? 'a time' | 'a date'
        : V extends Uint8Array
          ? 'bytes'
          : 'json'

/** What it is called in a message. */
type CalledIn<A> =
  A extends Expr<unknown, infer K>
    ? K extends 'string'
      ? 'text'
      : Exclude<Comparable[K], K extends 'date' ? 'a time' : K extends 'timestamp' ? 'a date' : never>
    : A extends string
      ? 'text'
      : A extends Date
        ? 'a time'
        : ValueComparable<A>

type ComparableIn<A> = A extends Expr<unknown, infer K> ? Comparable[K] : ValueComparable<A>

/** Decimal text is a number to a numeric column. */
type Decimal<A, B> = A extends Expr<unknown, 'numeric'> ? (B extends string ? B : never) : never

/** A word of a closed list can only equal one of them. */
type Listed<A, B> =
  A extends Expr<infer T, 'string' | 'text'>
    ? B extends string
      ? string extends T
        ? B
        : string extends B
          ? B
          : B extends T
            ? B
            : Problem<`'${B}' is none of the column's values`>
      : B
    : B

/** The right side of a comparison, or the reason why it is none. */
export type ComparedWith<A, B> = [ComparableIn<A> & ComparableIn<B>] extends [never]
  ? [Decimal<A, B>] extends [never]
    ? Problem<`${CalledIn<A>} can't be compared with ${CalledIn<B>}`>
    : B
  : Listed<A, B>

/** What may stand in a comparison. */
export type Operand = Expr | Value | { readonly [key: string]: Json } | readonly Json[]

type Truth<A> = Expr<boolean | NullIn<A>, 'boolean', GradeIn<A>>

function compared<E>(operator: string, left: unknown, right: unknown): E {
  return as(infix(operator, left, right, levels.comparison, { type: 'boolean' }))
}

/** `left = right`: NULL where one of them is. */
export function eq<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('=', left, right)
}

/** `left <> right`: NULL where one of them is. */
export function ne<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('<>', left, right)
}

/** `left < right` */
export function lt<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('<', left, right)
}

/** `left <= right` */
export function lte<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('<=', left, right)
}

/** `left > right` */
export function gt<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('>', left, right)
}

/** `left >= right` */
export function gte<A extends Operand, const B extends Operand>(left: A, right: ComparedWith<A, B>): Truth<A | B> {
  return compared('>=', left, right)
}

/** `operand BETWEEN low AND high`: both ends belong to it. */
export function between<A extends Operand, const B extends Operand, const C extends Operand>(
  operand: A,
  low: ComparedWith<A, B>,
  high: ComparedWith<A, C>,
): Truth<A | B | C> {
  const [a, b, c] = [operand, low, high].map(nodeOf)
  const [left, from, to] = [a, b, c].map((part) => bracketed(part, levels.operator))
  return as(node(`${left} BETWEEN ${from} AND ${to}`, [a, b, c], { level: levels.within, type: 'boolean' }))
}

/** `operand IN (…)`. Of an empty list nothing is in it. */
export function inList<A extends Operand, const B extends Operand>(
  operand: A,
  list: readonly ComparedWith<A, B>[],
): Truth<A | B> {
  if (list.length === 0) return as(node('FALSE', [nodeOf(operand)], { type: 'boolean' }))
  const subject = nodeOf(operand)
  const items = list.map(nodeOf)
  const text = `${bracketed(subject, levels.operator)} IN (${items.map((item) => item.text).join(', ')})`
  return as(node(text, [subject, ...items], { level: levels.within, type: 'boolean' }))
}

/** `left IS DISTINCT FROM right`: two NULLs are the same, and the answer is never NULL. */
export function isDistinctFrom<A extends Operand, const B extends Operand>(
  left: A,
  right: ComparedWith<A, B>,
): Expr<boolean, 'boolean', GradeIn<A | B>> {
  return as(infix('IS DISTINCT FROM', left, right, levels.is, { type: 'boolean' }))
}

/** `left IS NOT DISTINCT FROM right`: equal, or both NULL. */
export function isNotDistinctFrom<A extends Operand, const B extends Operand>(
  left: A,
  right: ComparedWith<A, B>,
): Expr<boolean, 'boolean', GradeIn<A | B>> {
  return as(infix('IS NOT DISTINCT FROM', left, right, levels.is, { type: 'boolean' }))
}

function tested<E>(operand: unknown, test: string): E {
  const subject = nodeOf(operand)
  return as(node(`${bracketed(subject, levels.is + 1)} ${test}`, [subject], { level: levels.is, type: 'boolean' }))
}

/** `operand IS NULL` */
export function isNull<A extends Expr>(operand: A): Expr<boolean, 'boolean', GradeIn<A>> {
  return tested(operand, 'IS NULL')
}

/** `operand IS NOT NULL` */
export function isNotNull<A extends Expr>(operand: A): Expr<boolean, 'boolean', GradeIn<A>> {
  return tested(operand, 'IS NOT NULL')
}

/** `condition IS TRUE`: false where it is NULL. */
export function isTrue<A extends Condition>(condition: A): Expr<boolean, 'boolean', GradeIn<A>> {
  return tested(condition, 'IS TRUE')
}

/** `condition IS FALSE`: false where it is NULL. */
export function isFalse<A extends Condition>(condition: A): Expr<boolean, 'boolean', GradeIn<A>> {
  return tested(condition, 'IS FALSE')
}

/** `condition IS UNKNOWN`: whether it is NULL. */
export function isUnknown<A extends Condition>(condition: A): Expr<boolean, 'boolean', GradeIn<A>> {
  return tested(condition, 'IS UNKNOWN')
}

function connected(word: 'AND' | 'OR', conditions: readonly Condition[]): ReturnType<typeof node> {
  const nodes = conditions.map(nodeOf)
  if (nodes.length === 0) return node(word === 'AND' ? 'TRUE' : 'FALSE', [], { type: 'boolean' })
  if (nodes.length === 1) return nodes[0]
  const level = word === 'AND' ? levels.and : levels.or
  const text = nodes.map((part) => bracketed(part, level)).join(` ${word} `)
  const joined = node(text, nodes, { level, type: 'boolean' })
  return word === 'AND' ? Object.freeze({ ...joined, conjuncts: nodes }) : joined
}

/** All conditions hold; of none it is true. */
export function and<const A extends readonly Condition[]>(...conditions: A): Strict<boolean, 'boolean', A[number]> {
  return as(connected('AND', conditions))
}

/** One of the conditions holds; of none it is false. */
export function or<const A extends readonly Condition[]>(...conditions: A): Strict<boolean, 'boolean', A[number]> {
  return as(connected('OR', conditions))
}

/** `NOT condition` */
export function not<A extends Condition>(condition: A): Strict<boolean, 'boolean', A> {
  const subject = nodeOf(condition)
  return as(node(`NOT ${bracketed(subject, levels.not)}`, [subject], { level: levels.not, type: 'boolean' }))
}
