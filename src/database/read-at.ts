import { equalityOf, readVersion } from '../views/read.ts'
import type { Slices } from '../views/slices.ts'
import type { View } from '../views/view.ts'
import type { Moment } from '../views/view-set.ts'
import type { ReadAnswer, ReadOptions } from './contract.ts'
import { ordinalOf } from './names.ts'

/** The rows of a view at a moment. @throws MillraceError request/parameter, state/corrupt */
export async function readAt(view: View, moment: Moment, options: ReadOptions, slices: Slices): Promise<ReadAnswer> {
  const { definition } = view
  const wanted = Object.entries(options.where ?? {}).map(([name, text]) => [ordinalOf(definition, name), text] as const)
  const where = wanted.length === 0 ? null : equalityOf(definition.columns, new Map(wanted))
  const version = moment.version(view)
  const plan = { where, order: options.order ?? [], limit: options.limit ?? null }
  const rows = await readVersion(view, version, plan, slices)
  return { view: definition, tick: moment.tick, timeMicros: moment.timeMicros, errors: version.errors, rows }
}
