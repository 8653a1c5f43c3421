import type { ColumnSchema } from '../data/sql-type.ts'
import type { SelectStmt } from '../sql/parse.ts'
import { unsupported } from '../sql/refuse.ts'
import { placeAt, type Source } from '../sql/source.ts'
import type { Environment } from './bind/block.ts'
import { bindFinal } from './bind/final.ts'
import { locationOf } from './bind/node.ts'
import { bindQuery } from './bind/query.ts'
import type { Catalog } from './catalog.ts'
import { mayFailIn } from './failure.ts'
import { columnsAsScalars, map } from './nodes.ts'
import type { Order, Plan } from './plan.ts'

export interface BindOptions {
  /** `emit = 'final'`: reads events on time only, and puts rows out when their window has closed. */
  readonly final?: boolean
  /** `late = 'drop'`: reads events on time only. */
  readonly lateDrop?: boolean
  /** The result is read once: it may have columns of the same name, and be ordered by what it doesn't show. */
  readonly adHoc?: boolean
  /** The values of $1, $2, … as text. */
  readonly parameters?: readonly (string | null)[]
}

export interface Bound {
  readonly plan: Plan
  /** What the query puts out; an ad-hoc plan may have further columns behind these, for `order` alone. */
  readonly columns: readonly ColumnSchema[]
  readonly order: readonly Order[]
}

/**
 * Binds a query to a plan: names to columns, operators to functions, clauses to nodes.
 * @param statement what the tree's locations count in
 * @throws MillraceError sql/… with the place
 */
export function bindSelect(
  catalog: Catalog,
  select: SelectStmt,
  statement: { readonly source: Source },
  options: BindOptions = {},
): Bound {
  const timely = options.final ? 'final' : options.lateDrop ? 'lateDrop' : null
  const environment: Environment = {
    catalog,
    statement,
    events: timely === null ? 'all' : 'onTime',
    timely,
    parameters: options.parameters ?? (options.adHoc ? [] : null),
    ctes: null,
    mayFail: mayFailIn(catalog),
  }
  if (options.final) return bindFinal(select, environment)
  const { plan, width, order } = bindQuery(select, environment, null, 'ordered')
  const columns = plan.columns.slice(0, width)
  if (options.adHoc) return { plan, columns, order }
  return { ...shown(plan, width, order, select, statement), columns }
}

/** A view keeps what it shows, and is read in an order of that. */
function shown(
  plan: Plan,
  width: number,
  order: readonly Order[],
  select: SelectStmt,
  statement: { readonly source: Source },
): { readonly plan: Plan; readonly order: readonly Order[] } {
  if (plan.columns.length === width) return { plan, order }
  const hidden = order.findIndex(({ column }) => column >= width)
  if (select.limitCount === undefined && select.limitOffset === undefined) {
    throw unsupported(
      'a view ordered by what it does not show is not supported',
      placeAt(statement, locationOf(select.sortClause?.[hidden])),
      'select the expression too, or order when the view is read',
    )
  }
  const names = plan.columns.slice(0, width).map((column) => column.name)
  const outputs = columnsAsScalars(plan).slice(0, width)
  return { plan: map(plan, null, outputs, names), order: order.slice(0, hidden) }
}
