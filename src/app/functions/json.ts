import type { Json } from '../column-type.ts'
import { type Expr, type GradeIn, levels, type Strict, type ValueIn } from '../expression.ts'
import { as, called, infix, nodeOf } from '../node.ts'

type JsonColumn = Expr<unknown, 'jsonb'>
type JsonOperand = JsonColumn | { readonly [key: string]: Json } | readonly Json[]

/** What lies under a key, as far as the column's type says. */
type Under<A, Key> = ValueIn<A> extends infer T ? (Key extends keyof T ? Exclude<T[Key], undefined> : Json) : never

function inside<E>(operator: string, operand: unknown, key: unknown, type: 'jsonb' | 'text' | 'boolean'): E {
  return as(infix(operator, operand, key, levels.operator, { type }))
}

/** `operand -> key`: what is under a key of an object or at a place of an array, from 0; NULL where nothing is. */
export function field<A extends JsonColumn, const Key extends string | number>(
  operand: A,
  key: Key,
): Expr<Under<A, Key> | null, 'jsonb', GradeIn<A>> {
  return inside('->', operand, key, 'jsonb')
}

/** `operand ->> key`: the same as text. */
export function fieldText<A extends JsonColumn>(
  operand: A,
  key: string | number,
): Expr<string | null, 'text', GradeIn<A>> {
  return inside('->>', operand, key, 'text')
}

/** A path as PostgreSQL writes arrays of text. */
function pathText(path: readonly (string | number)[]): string {
  return `{${path.map((step) => `"${String(step).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
}

/** `operand #> path`: what is under a path of keys and places. */
export function fieldAt<A extends JsonColumn>(
  operand: A,
  path: readonly (string | number)[],
): Expr<Json | null, 'jsonb', GradeIn<A>> {
  return inside('#>', operand, pathText(path), 'jsonb')
}

/** `operand #>> path`: the same as text. */
export function fieldTextAt<A extends JsonColumn>(
  operand: A,
  path: readonly (string | number)[],
): Expr<string | null, 'text', GradeIn<A>> {
  return inside('#>>', operand, pathText(path), 'text')
}

/** `operand ? key`: whether an object has a key, or an array the text. */
export function hasKey<A extends JsonColumn>(operand: A, key: string): Strict<boolean, 'boolean', A> {
  return inside('?', operand, key, 'boolean')
}

/** `left @> right`: whether the right's content is in the left. */
export function contains<A extends JsonOperand, B extends JsonOperand>(
  left: A,
  right: B,
): Strict<boolean, 'boolean', A | B> {
  return inside('@>', left, right, 'boolean')
}

/** `left <@ right`: whether the left's content is in the right. */
export function containedBy<A extends JsonOperand, B extends JsonOperand>(
  left: A,
  right: B,
): Strict<boolean, 'boolean', A | B> {
  return inside('<@', left, right, 'boolean')
}

/** `left || right`: objects merged, the right's keys win; arrays one behind the other. */
export function jsonConcat<A extends JsonOperand, B extends JsonOperand>(
  left: A,
  right: B,
): Strict<Json, 'jsonb', A | B> {
  return inside('||', left, right, 'jsonb')
}

/** `operand - key`: without a key of an object or a place of an array. */
export function without<A extends JsonColumn>(operand: A, key: string | number): Strict<Json, 'jsonb', A> {
  return as(infix('-', operand, nodeOf(key), levels.sum, { type: 'jsonb' }))
}

/** Without the keys whose value is null. */
export function stripNulls<A extends JsonColumn>(operand: A): Strict<Json, 'jsonb', A> {
  return as(called('jsonb_strip_nulls', [operand], { type: 'jsonb' }))
}

/** `object`, `array`, `string`, `number`, `boolean` or `null`. */
export function jsonTypeof<A extends JsonColumn>(operand: A): Strict<string, 'text', A> {
  return as(called('jsonb_typeof', [operand], { type: 'text' }))
}

/** How many elements an array has. */
export function jsonArrayLength<A extends JsonColumn>(operand: A): Strict<number, 'integer', A> {
  return as(called('jsonb_array_length', [operand], { type: 'integer' }))
}
