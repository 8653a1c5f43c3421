import type { SelectStmt } from '../sql/parse.ts'
import type { Source } from '../sql/source.ts'
import { type BindOptions, type Bound, bindSelect } from './bind.ts'
import type { Catalog } from './catalog.ts'
import { type MayFail, mayFailIn } from './failure.ts'
import { pruneColumns } from './optimise-columns.ts'
import { pushFilters } from './optimise-filters.ts'
import { foldConstants, mergeMaps } from './optimise-maps.ts'
import { narrowWindowKeys } from './optimise-windows.ts'
import type { Plan } from './plan.ts'

/**
 * Rewrites a plan to one that puts out the same rows, and meets the same errors, with less work: filters sit as low
 * as they may, equalities are join keys, and nothing is read that nobody needs.
 */
export function optimise(plan: Plan, mayFail: MayFail): Plan {
  const folded = mergeMaps(foldConstants(plan), mayFail)
  const pushed = mergeMaps(pushFilters(folded, mayFail), mayFail)
  const pruned = mergeMaps(pruneColumns(narrowWindowKeys(pushed)), mayFail)
  return named(pruned, plan)
}

/** The plan, with the names that another one gives its columns. */
function named(plan: Plan, like: Plan): Plan {
  if (plan.columns.every((column, i) => column.name === like.columns[i].name)) return plan
  const columns = plan.columns.map((column, i) => ({ ...column, name: like.columns[i].name }))
  return { ...plan, columns }
}

/** Binds a query and optimises its plan. @throws MillraceError sql/… with the place */
export function planSelect(
  catalog: Catalog,
  select: SelectStmt,
  statement: { readonly source: Source },
  options: BindOptions = {},
): Bound {
  const bound = bindSelect(catalog, select, statement, options)
  return { ...bound, plan: optimise(bound.plan, mayFailIn(catalog)) }
}
