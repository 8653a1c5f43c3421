import { formatInterval } from '../../data/interval.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { SelectStmt } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import type { Bound } from '../bind.ts'
import { columnOf, columnsAsScalars, extended, final, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Environment, place } from './block.ts'
import { locationOf } from './node.ts'
import { bindQuery } from './query.ts'

/** What a column is of a window: its start or its end. */
interface WindowColumn {
  readonly edge: 'start' | 'end'
  readonly sizeMicros: string
}

/**
 * `emit = 'final'`: a row waits until the end of its window, which is one of its columns or follows from one.
 * Where no output tells the window, the columns below the outputs do, if the rows keep them.
 */
export function bindFinal(select: SelectStmt, environment: Environment): Bound {
  const { plan, width, order } = bindQuery(select, environment, null, 'ordered')
  const { plan: carried, edge, kept } = carryWindow(plan) ?? noWindow(select, environment)
  const ended = edge.window.edge === 'end' ? carried : extended(carried, [endOf(carried, edge)])
  const windowEnd = edge.window.edge === 'end' ? edge.column : ended.columns.length - 1
  const held = final(ended, windowEnd)
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
  readonly window: WindowColumn
}

function edgeOf(plan: Plan): Edge | null {
  const edges = plan.columns.flatMap((_, column): Edge[] => {
    const window = windowColumn(plan, column)
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

function endOf(plan: Plan, { column, window }: Edge): Scalar {
  const size = formatInterval({ months: 0, days: 0, micros: BigInt(window.sizeMicros) })
  return resolve.call('+', [columnOf(plan, column), resolve.literal(size, { kind: 'interval' })])
}

/** What a column of a plan is of a window, if it is handed up from a window function unchanged. */
export function windowColumn(plan: Plan, column: number): WindowColumn | null {
  switch (plan.op) {
    case 'scan':
    case 'values':
      return null
    case 'hop': {
      const behind = plan.columns.length - column
      if (behind > 2) return windowColumn(plan.input, column)
      return { edge: behind === 1 ? 'end' : 'start', sizeMicros: plan.sizeMicros }
    }
    case 'map': {
      const output = plan.outputs[column]
      return output.op === 'column' ? windowColumn(plan.input, output.index) : null
    }
    case 'aggregate':
      return column < plan.keys.length ? windowColumn(plan.input, plan.keys[column]) : null
    case 'join': {
      const width = plan.left.columns.length
      // A side that an outer join fills up with NULLs tells no window for the rows it has no match for.
      if (column < width) return plan.kind === 'full' ? null : windowColumn(plan.left, column)
      return plan.kind === 'inner' ? windowColumn(plan.right, column - width) : null
    }
    case 'unionAll': {
      const [first, ...others] = plan.inputs.map((input) => windowColumn(input, column))
      const same = others.every((other) => other?.edge === first?.edge && other?.sizeMicros === first?.sizeMicros)
      return same ? first : null
    }
    case 'topN':
      return plan.rank && column === plan.columns.length - 1 ? null : windowColumn(plan.input, column)
    default:
      return windowColumn(plan.input, column)
  }
}

function noWindow(select: SelectStmt, environment: Environment): never {
  throw refusal(
    'sql/unsupported',
    "emit = 'final' of a query whose rows have no window is not supported",
    place(environment, locationOf({ SelectStmt: select })),
    'group by the window_end of tumble(…) or hop(…), and select it',
  )
}
