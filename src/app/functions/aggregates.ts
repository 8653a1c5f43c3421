import type {
  Condition,
  Expr,
  GradeIn,
  KindIn,
  Node,
  NullIn,
  OfGroup,
  OfRow,
  Ungrouped,
  ValueIn,
} from '../expression.ts'
import {
  type AverageKinds,
  averageKind,
  type Kind,
  type KindValues,
  type NumberKind,
  readsOfKind,
  type SumKinds,
  sumKind,
} from '../kinds.ts'
import { as, node, nodeOf, type Shape } from '../node.ts'

/** What an aggregate may be of: values of rows, not other aggregates. */
type Member<K extends Kind = Kind> = Expr<unknown, K, OfRow | Ungrouped>

/** Without groupBy there may be no row at all: then only counts have a value. */
type NoRows<A> = OfRow extends GradeIn<A> ? null : never

/** An aggregate. `T` is its value, `Empty` what it is over no rows. */
export interface Aggregate<out T, out K extends Kind, out Empty> extends Expr<T, K, OfGroup> {
  /** `FILTER (WHERE condition)`: over the rows for which the condition holds. */
  filter(condition: Condition<OfRow | Ungrouped>): Expr<T | Empty, K, OfGroup>
}

/** Each value once. */
export interface DistinctOption {
  readonly distinct?: boolean
}

function aggregate<E>(name: string, operand: unknown, shape: Shape, { distinct }: DistinctOption = {}): E {
  const parts = operand === undefined ? [] : [nodeOf(operand)]
  const inside = parts.length === 0 ? '*' : `${distinct === true ? 'DISTINCT ' : ''}${parts[0].text}`
  const made = node(`${name}(${inside})`, parts, shape)
  const filter = (condition: Condition): Node => {
    const kept = nodeOf(condition)
    return node(`${made.text} FILTER (WHERE ${kept.text})`, [...parts, kept], shape)
  }
  return as(Object.freeze({ ...made, filter }))
}

/** How many rows; of an operand, how many values that are not NULL. */
export function count(operand?: Member, options?: DistinctOption): Aggregate<number, 'bigint', never> {
  return aggregate('count', operand, { type: 'bigint' }, options)
}

/** How many different values that are not NULL. */
export function countDistinct(operand: Member): Aggregate<number, 'bigint', never> {
  return aggregate('count', operand, { type: 'bigint' }, { distinct: true })
}

type Summable = NumberKind | 'interval'

/** The sum, exact: integers and numerics keep every digit, doubles are rounded once. */
export function sum<A extends Member<Summable>>(
  operand: A,
  options?: DistinctOption,
): Aggregate<KindValues[SumKinds[KindIn<A> & Summable]] | NullIn<A> | NoRows<A>, SumKinds[KindIn<A> & Summable], null> {
  const type = sumKind(nodeOf(operand).type)
  return aggregate('sum', operand, { type, form: readsOfKind(type) }, options)
}

/** The average: of integers a numeric. */
export function avg<A extends Member<Summable>>(
  operand: A,
  options?: DistinctOption,
): Aggregate<
  KindValues[AverageKinds[KindIn<A> & Summable]] | NullIn<A> | NoRows<A>,
  AverageKinds[KindIn<A> & Summable],
  null
> {
  const type = averageKind(nodeOf(operand).type)
  return aggregate('avg', operand, { type, form: readsOfKind(type) }, options)
}

type Ordered = Exclude<Kind, 'boolean' | 'uuid' | 'jsonb'>
type Extreme<A> = Aggregate<ValueIn<A> | NullIn<A> | NoRows<A>, KindIn<A>, null>

/** The least value. */
export function min<A extends Member<Ordered>>(operand: A): Extreme<A> {
  const { type, form } = nodeOf(operand)
  return aggregate('min', operand, { type, form })
}

/** The greatest value. */
export function max<A extends Member<Ordered>>(operand: A): Extreme<A> {
  const { type, form } = nodeOf(operand)
  return aggregate('max', operand, { type, form })
}

type Truth<A> = Aggregate<boolean | NullIn<A> | NoRows<A>, 'boolean', null>

/** Whether the condition holds for all rows; NULLs are passed over. */
export function boolAnd<A extends Member<'boolean'>>(condition: A): Truth<A> {
  return aggregate('bool_and', condition, { type: 'boolean' })
}

/** Whether the condition holds for a row; NULLs are passed over. */
export function boolOr<A extends Member<'boolean'>>(condition: A): Truth<A> {
  return aggregate('bool_or', condition, { type: 'boolean' })
}
