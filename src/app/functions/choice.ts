import { MillraceError } from '../../data/errors.ts'
import { typeName } from '../../data/sql-type.ts'
import type { ColumnType } from '../column-type.ts'
import {
  type Condition,
  type Expr,
  type GradeIn,
  type KindIn,
  levels,
  type NullIn,
  type Strict,
  type Value,
  type ValueIn,
} from '../expression.ts'
import { type Kind, kindOfColumn, type NumberKind, readsOfKind, type WiderKind } from '../kinds.ts'
import { as, bracketed, called, node, nodeOf, sharedForm } from '../node.ts'
import { literalOf } from '../sql-text.ts'

/** The kind that values share: the wider one of numbers, the column's one beside literals. */
type SharedKind<A> = [KindIn<A>] extends [NumberKind] ? WiderKind<KindIn<A>> : KindIn<A>

/** Literals take the type of what stands beside them. */
type Shared<A> = [Extract<A, Expr>] extends [never] ? SharedKind<A> : SharedKind<Extract<A, Expr>>

/** A branch's value: a literal's wider type, for it is what the column shows. */
type Widened<A> = A extends string
  ? string
  : A extends number
    ? number
    : A extends bigint
      ? bigint
      : A extends boolean
        ? boolean
        : ValueIn<A>

/** `NULL` if none of the operands is certain to have a value. */
type NullInAll<A extends readonly unknown[]> = A extends readonly [infer First, ...infer Rest]
  ? [NullIn<First>] extends [never]
    ? never
    : NullInAll<Rest>
  : null

/** The first operand that is not NULL. */
export function coalesce<A extends Expr, const B extends readonly (Expr | Value)[]>(
  first: A,
  ...others: B
): Expr<Widened<A | B[number]> | NullInAll<readonly [A, ...B]>, Shared<A | B[number]> & Kind, GradeIn<A | B[number]>> {
  const nodes = [first, ...others].map(nodeOf)
  return as(called('coalesce', nodes, sharedForm(nodes)))
}

/** NULL where the two are equal, else the first. */
export function nullif<A extends Expr, const B extends Expr | Value>(
  left: A,
  right: B,
): Expr<ValueIn<A> | null, KindIn<A>, GradeIn<A | B>> {
  const nodes = [left, right].map(nodeOf)
  return as(called('nullif', nodes, sharedForm(nodes)))
}

/** The greatest operand; NULLs are passed over. */
export function greatest<A extends Expr, const B extends readonly (Expr | Value)[]>(
  first: A,
  ...others: B
): Expr<Widened<A | B[number]> | NullInAll<readonly [A, ...B]>, Shared<A | B[number]> & Kind, GradeIn<A | B[number]>> {
  const nodes = [first, ...others].map(nodeOf)
  return as(called('greatest', nodes, sharedForm(nodes)))
}

/** The least operand; NULLs are passed over. */
export function least<A extends Expr, const B extends readonly (Expr | Value)[]>(
  first: A,
  ...others: B
): Expr<Widened<A | B[number]> | NullInAll<readonly [A, ...B]>, Shared<A | B[number]> & Kind, GradeIn<A | B[number]>> {
  const nodes = [first, ...others].map(nodeOf)
  return as(called('least', nodes, sharedForm(nodes)))
}

/** CASE under construction: more branches, or its end. */
export interface Case<A, G extends string> {
  /** `WHEN condition THEN result` */
  when<C extends Condition, const B extends Expr | Value>(
    condition: C,
    result: B,
  ): Case<A | B, G | GradeIn<B> | GradeIn<C>>
  /** `ELSE result` */
  else<const B extends Expr | Value>(
    result: B,
  ): Expr<Widened<A | B> | NullIn<A | B>, Shared<A | B> & Kind, G | GradeIn<B>>
  /** NULL where no branch's condition holds. */
  end(): Expr<Widened<A> | null, Shared<A> & Kind, G>
}

/**
 * `CASE WHEN condition THEN result …`
 *
 *     caseWhen(gt(o.amount, 100), 'big').when(gt(o.amount, 10), 'middling').else('small')
 */
export function caseWhen<C extends Condition, const B extends Expr | Value>(
  condition: C,
  result: B,
): Case<B, GradeIn<B> | GradeIn<C>> {
  return branches([[condition, result]]) as Case<B, GradeIn<B> | GradeIn<C>>
}

type Branch = readonly [condition: unknown, result: unknown]

function branches(list: readonly Branch[]): unknown {
  const made = (otherwise: readonly unknown[]): unknown => {
    const nodes = list.map(([condition, result]) => [nodeOf(condition), nodeOf(result)] as const)
    const rest = otherwise.map(nodeOf)
    const text = nodes.map(([condition, result]) => `WHEN ${condition.text} THEN ${result.text}`)
    const end = rest.map((each) => ` ELSE ${each.text}`)
    const shape = sharedForm([...nodes.map(([, result]) => result), ...rest])
    return node(`CASE ${text.join(' ')}${end.join('')} END`, [...nodes.flat(), ...rest], shape)
  }
  return Object.freeze({
    when: (condition: unknown, result: unknown) => branches([...list, [condition, result]]),
    else: (otherwise: unknown) => made([otherwise]),
    end: () => made([]),
  })
}

type OutputOf<C> = C extends ColumnType<infer _, infer Out> ? Out : never
type KindOfType<C> = C extends ColumnType<infer _, unknown, infer K> ? K : never

/** `CAST(operand AS type)`, to one of Millrace's column types: `cast(o.code, t.bigint())`. */
export function cast<A extends Expr | Value, C extends ColumnType>(
  operand: A,
  type: C,
): Strict<OutputOf<C>, KindOfType<C>, A> {
  const subject = nodeOf(operand)
  const shape = { type: kindOfColumn(type.type, type.reads), form: type.reads, level: levels.cast }
  const text = typeName(type.type)
  // Names of several words are no names behind `::` to everybody's eyes.
  if (/^[a-z]+(\(\d+(,\d+)?\))?$/.test(text)) {
    return as(node(`${bracketed(subject, levels.cast)}::${text}`, [subject], shape))
  }
  return as(node(`CAST(${subject.text} AS ${text})`, [subject], { ...shape, level: levels.atom }))
}

/** A value as an expression of its own: `select(() => ({ source: literal('web') }))`. */
export function literal<const V extends Value>(value: V): Expr<Widened<V>, KindIn<V>, never> {
  const text = literalOf(value)
  if (text === null) throw new MillraceError('sql/value', 'an invalid date has no form in SQL')
  const type = value instanceof Date ? 'timestamp' : typeof value === 'string' ? 'text' : nodeOf(value).type
  return as(node(text, [], { type, form: value instanceof Date ? 'date' : readsOfKind(type) }))
}
