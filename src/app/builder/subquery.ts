import { MillraceError } from '../../data/errors.ts'
import { type Columns, type Expr, type GradeIn, levels, type NullIn, type Value } from '../expression.ts'
import { as, bracketed, node, nodeOf } from '../node.ts'
import { From } from './from.ts'
import { indented } from './relation.ts'
import type { Selected } from './select.ts'

/** `EXISTS (query)`: whether it has a row. The query may use columns of the one around it. */
export function exists<S, O extends Columns>(query: From<S> | Selected<O>): Expr<boolean, 'boolean', never> {
  const inner = query instanceof From ? query.asSelected() : query
  return as(node(`EXISTS (\n${indented(inner.text)}\n)`, [inner], { type: 'boolean' }))
}

/** `operand IN (query)`, a query of one column. NULL where nothing equals and something is NULL. */
export function inQuery<A extends Expr | Value, O extends Columns>(
  operand: A,
  query: Selected<O>,
): Expr<boolean | NullIn<A | O[keyof O]>, 'boolean', GradeIn<A>> {
  oneColumn(query)
  const subject = nodeOf(operand)
  const text = `${bracketed(subject, levels.operator)} IN (\n${indented(query.text)}\n)`
  return as(node(text, [subject, query], { level: levels.within, type: 'boolean' }))
}

/** The value of a query of one column and one row at most; NULL where it has none. */
export function scalar<O extends Columns>(
  query: Selected<O>,
): O[keyof O] extends Expr<infer T, infer K> ? Expr<T | null, K, never> : never {
  const { type, form } = oneColumn(query)
  return as(node(`(\n${indented(query.text)}\n)`, [query], { type, form }))
}

function oneColumn<O extends Columns>({ outputs }: Selected<O>): Selected<O>['outputs'][number] {
  if (outputs.length === 1) return outputs[0]
  throw new MillraceError('sql/type', `the subquery has ${outputs.length} columns, not one`, { hint: 'select one' })
}
