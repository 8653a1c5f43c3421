import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import { aggregate, columnOf, columnsAsScalars, distinct, map } from '../nodes.ts'
import type { AggregateCall, Plan } from '../plan.ts'

/** A plan with another form of each of its outputs. */
export function reshaped(plan: Plan, form: (output: Scalar, index: number) => Scalar): Plan {
  const own = plan.op === 'map' ? plan.outputs : columnsAsScalars(plan)
  const outputs = own.map(form)
  if (outputs.every((output, i) => output === own[i])) return plan
  const names = plan.columns.map((column) => column.name)
  return plan.op === 'map' ? map(plan.input, plan.filter, outputs, names) : map(plan, null, outputs, names)
}

/**
 * Equal intervals are spelled in many ways, `24:00:00` and `1 day`: rows grouped by one show the least spelling that
 * is among them. That is a function of the rows, and where all are spelled alike it is as they are spelled.
 */
export function isSpelled({ type }: { readonly type: SqlType }): boolean {
  return type.kind === 'interval'
}

export function leastSpelling(argument: number): AggregateCall {
  return { fn: 'min', argument, distinct: false, filter: null }
}

/**
 * Groups rows by all their columns.
 * @param extra columns behind them that are no keys, and calls over all of these (numbered from the plan's first)
 * @returns the plan, and where each of the columns stands in it
 */
export function groupedRows(
  plan: Plan,
  width: number,
  calls: readonly AggregateCall[],
  results: Plan['columns'],
): { readonly plan: Plan; readonly at: readonly number[] } {
  const spelled = plan.columns.slice(0, width).flatMap((column, i) => (isSpelled(column) ? [i] : []))
  const keyed = reshaped(plan, (output, i) => (i < width ? resolve.keyOf(output) : output))
  const input = spelled.length === 0 ? keyed : withSpelled(plan, width, spelled)
  const keys = Array.from({ length: width }, (_, i) => i)
  const grouped = aggregate(
    input,
    keys,
    [...calls, ...spelled.map((_, k) => leastSpelling(plan.columns.length + k))],
    [...results, ...spelled.map((i) => plan.columns[i])],
  )
  const behind = width + calls.length
  return { plan: grouped, at: keys.map((i) => (spelled.includes(i) ? behind + spelled.indexOf(i) : i)) }
}

/** A plan's first columns in key form, and behind all of its columns some as they are spelled. */
function withSpelled(plan: Plan, width: number, spelled: readonly number[]): Plan {
  const own = columnsAsScalars(plan)
  const outputs = own.map((column, i) => (i < width ? resolve.keyOf(column) : column))
  const names = [...plan.columns, ...spelled.map((i) => plan.columns[i])].map(({ name }) => name)
  return map(plan, null, [...outputs, ...spelled.map((i) => own[i])], names)
}

/** Each row once. */
export function distinctRows(plan: Plan): Plan {
  if (!plan.columns.some(isSpelled)) return distinct(reshaped(plan, resolve.keyOf))
  const { plan: grouped, at } = groupedRows(plan, plan.columns.length, [], [])
  const names = plan.columns.map(({ name }) => name)
  return map(
    grouped,
    null,
    at.map((column) => columnOf(grouped, column)),
    names,
  )
}
