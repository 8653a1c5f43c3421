import { formatInterval } from '../../data/interval.ts'
import * as resolve from '../../expr/resolve.ts'
import type { SelectStmt } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import type { Bound } from '../bind.ts'
import { aggregate, columnOf, columnsAsScalars, extended, final, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type WindowEdge, windowEdge } from '../properties.ts'
import { type Environment, place } from './block.ts'
import { locationOf } from './node.ts'
import { bindQuery } from './query.ts'

/**
 * `emit = 'final'`: a row waits until the end of its window, which is one of its columns or follows from one.
 * Where no output tells the window, the columns below the outputs do, if the rows keep them.
 */
export function bindFinal(select: SelectStmt, environment: Environment): Bound {
  const { plan, width, order } = bindQuery(select, environment, null, 'ordered')
  const { plan: carried, edge, kept } = carryWindow(plan) ?? noWindow(select, environment)
  const ended = edge.window.edge === 'end' ? { plan: carried, at: edge.column } : withEnd(carried, edge)
  const held = final(ended.plan, ended.at)
  const visible = order.every(({ column }) => column < width) ? width : kept
  const columns = plan.columns.slice(0, width)
  if (visible > width) {
    const hint = 'select the expression too, or order when the view is read'
    const at = place(environment, locationOf(select.sortClause?.[0]))
    throw refusal('sql/unsupported', 'a view ordered by what it does not show is not supported', at, hint)
  }
  if (held.columns.length === width) return { plan: held, columns, order }
  const names = columns.map((column) => column.name)
  return { plan: map(held, null, columnsAsScalars(held).slice(0, width), names), columns, order }
}

interface Edge {
  readonly column: number
  readonly window: WindowEdge
}

function edgeOf(plan: Plan): Edge | null {
  const edges = plan.columns.flatMap((_, column): Edge[] => {
    const window = windowEdge(plan, column)
    return window === null ? [] : [{ column, window }]
  })
  return edges.find(({ window }) => window.edge === 'end') ?? edges[0] ?? null
}

/** The plan with a column that tells the window, after its own ones if it had to be added. */
function carryWindow(plan: Plan): { readonly plan: Plan; readonly edge: Edge; readonly kept: number } | null {
  const own = edgeOf(plan)
  const kept = plan.columns.length
  if (own !== null) return { plan, edge: own, kept }
  if (plan.op !== 'map') return null
  const below = edgeOf(plan.input)
  if (below === null) return null
  const names = plan.columns.map((column) => column.name)
  const outputs = [...plan.outputs, columnOf(plan.input, below.column)]
  const carried = map(plan.input, plan.filter, outputs, [...names, '_window'])
  return { plan: carried, edge: { column: kept, window: below.window }, kept }
}

/** The plan with the end of a window behind its columns, where only the window's start is one of them. */
function withEnd(plan: Plan, { column, window }: Edge): { readonly plan: Plan; readonly at: number } {
  const carried = carryEnd(plan, column)
  if (carried !== null) return carried
  const size = formatInterval({ months: 0, days: 0, micros: BigInt(window.hop.sizeMicros) })
  const end = resolve.call('+', [columnOf(plan, column), resolve.literal(size, { kind: 'interval' })])
  return { plan: extended(plan, [end]), at: plan.columns.length }
}

/**
 * Hands the end of a window up beside its start. In GROUP BY it makes no other groups, and tells the engine when one
 * is complete.
 */
function carryEnd(plan: Plan, column: number): { readonly plan: Plan; readonly at: number } | null {
  if (plan.op === 'hop') return column === plan.columns.length - 2 ? { plan, at: column + 1 } : null
  if (plan.op === 'map') {
    const output = plan.outputs[column]
    const below = output.op === 'column' ? carryEnd(plan.input, output.index) : null
    if (below === null) return null
    const names = [...plan.columns.map(({ name }) => name), 'window_end']
    return {
      plan: map(below.plan, plan.filter, [...plan.outputs, columnOf(below.plan, below.at)], names),
      at: plan.columns.length,
    }
  }
  if (plan.op !== 'aggregate' || column >= plan.keys.length) return null
  const below = carryEnd(plan.input, plan.keys[column])
  if (below === null) return null
  const keys = plan.keys.length
  const grouped = aggregate(below.plan, [...plan.keys, below.at], plan.calls, plan.columns.slice(keys))
  const columns = columnsAsScalars(grouped)
  const outputs = [...columns.slice(0, keys), ...columns.slice(keys + 1), columns[keys]]
  return { plan: map(grouped, null, outputs), at: plan.columns.length }
}

function noWindow(select: SelectStmt, environment: Environment): never {
  throw refusal(
    'sql/unsupported',
    "emit = 'final' of a query whose rows have no window is not supported",
    place(environment, locationOf({ SelectStmt: select })),
    'group by the window_end of tumble(…) or hop(…), and select it',
  )
}
