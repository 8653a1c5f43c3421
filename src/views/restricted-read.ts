import type { Order } from '../plan/plan.ts'
import { equalityOf, openRead, rowsOf } from './read.ts'
import { joined, type Restriction } from './restriction.ts'
import { Rows } from './rows.ts'
import { stepRows } from './run.ts'
import type { Slices } from './slices.ts'
import type { Version, View } from './view.ts'

export interface RestrictedPlan {
  /** Values by ordinal, as text; null is NULL. */
  readonly where: ReadonlyMap<number, string | null>
  /** Empty: the view's own. */
  readonly order: readonly Order[]
  readonly limit: number | null
}

/** The rows of a view that a reader sees: what is hidden decides neither which rows come nor in which order. */
export async function readRestricted(
  view: View,
  version: Version,
  { where, order, limit }: RestrictedPlan,
  restriction: Restriction,
  slices: Slices,
): Promise<Rows> {
  const { columns } = view.definition
  const wanted = new Map<number, string | null>(restriction.equal.map(({ column, text }) => [column, text]))
  for (const [column, text] of where) wanted.set(column, text)
  const plan = {
    where: wanted.size === 0 ? null : equalityOf(columns, wanted),
    order: openOrder(order.length === 0 ? view.definition.order : order, restriction),
    limit: null,
  }
  const merge = await openRead(view, version, plan, slices)
  const parts: Rows[] = []
  let left = limit ?? Number.POSITIVE_INFINITY
  const refs = new Uint32Array(stepRows * 4)
  const weights = new Int32Array(refs.length)
  while (!merge.done && left > 0) {
    let filled = 0
    while (!merge.done && filled < refs.length) filled = merge.fill(refs, weights, filled, stepRows)
    const part = atMost(
      restriction.apply(rowsOf(view, merge.pages, refs.slice(0, filled), weights.slice(0, filled))),
      left,
    )
    left -= part.count
    parts.push(part)
    if (slices.due) await slices.pause()
  }
  return joined(restriction.columns, parts)
}

/** Where columns are masked, rows are ordered by the others; those behind them only order what looks the same. */
export function openOrder(order: readonly Order[], { masked, columns }: Restriction): readonly Order[] {
  if (!masked.some((each) => each)) return order
  const open = order.filter(({ column }) => !masked[column])
  const named = new Set(open.map(({ column }) => column))
  const rest = columns.flatMap((_, column) =>
    masked[column] || named.has(column) ? [] : [{ column, descending: false, nullsFirst: false }],
  )
  return [...open, ...rest]
}

function atMost(rows: Rows, limit: number): Rows {
  if (rows.count <= limit) return rows
  const refs: number[] = []
  const weights: number[] = []
  let left = limit
  for (let i = 0; i < rows.length && left > 0; i++) {
    const weight = Math.min(left, rows.weights?.[i] ?? 1)
    refs.push(rows.refs[i])
    weights.push(weight)
    left -= weight
  }
  return new Rows(rows.columns, rows.pages, Uint32Array.from(refs), Int32Array.from(weights))
}
