import { MillraceError } from '../data/errors.ts'
import type { Order } from '../plan/plan.ts'
import { equalityOf, readVersion } from '../views/read.ts'
import { readRestricted } from '../views/restricted-read.ts'
import type { Restriction } from '../views/restriction.ts'
import type { Slices } from '../views/slices.ts'
import type { View } from '../views/view.ts'
import type { Moment } from '../views/view-set.ts'
import type { ReadAnswer, ReadOptions } from './contract.ts'
import { ordinalOf } from './names.ts'
import { viewRestriction } from './sight.ts'

/** The rows of a view at a moment, as its reader sees them. @throws MillraceError request/parameter, auth/forbidden */
export async function readAt(view: View, moment: Moment, options: ReadOptions, slices: Slices): Promise<ReadAnswer> {
  const { definition } = view
  const { order = [], limit = null } = options
  const where = new Map(
    Object.entries(options.where ?? {}).map(([name, text]) => [ordinalOf(definition, name), text] as const),
  )
  const version = moment.version(view)
  const restriction = await viewRestriction(options.sight, definition)
  const answer = { view: definition, tick: moment.tick, timeMicros: moment.timeMicros }
  if (restriction === null) {
    const plan = { where: where.size === 0 ? null : equalityOf(definition.columns, where), order, limit }
    return { ...answer, errors: version.errors, rows: await readVersion(view, version, plan, slices) }
  }
  refuseMasked(restriction, [...where.keys()], order)
  const rows = await readRestricted(view, version, { where, order, limit }, restriction, slices)
  // Nobody knows whose rows those would be: that there are some is all that is told.
  return { ...answer, errors: Math.min(1, version.errors), rows }
}

/** What is masked can't be found out by asking for it. */
function refuseMasked({ masked, columns }: Restriction, where: readonly number[], order: readonly Order[]): void {
  const column = [...where, ...order.map((each) => each.column)].find((each) => masked[each])
  if (column === undefined) return
  throw new MillraceError('auth/forbidden', `${columns[column].name} is masked for you: rows cannot be found by it`, {
    hint: 'leave it out of the filter and the order',
  })
}
