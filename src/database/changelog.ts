import { MillraceError } from '../data/errors.ts'
import { netChange } from '../views/read.ts'
import type { Rows } from '../views/rows.ts'
import type { View } from '../views/view.ts'
import type { Running } from './running.ts'

/** A view's changes, tick by tick. */
export interface Changelog {
  /** Everything up to here is told. */
  readonly tick: number
  /** Oldest first. */
  readonly ticks: readonly { readonly tick: number; readonly rows: Rows }[]
}

/**
 * What changed in a view after a tick, as far as it is remembered: whole ticks, at most so many rows.
 * @throws MillraceError tick/future, tick/expired; request/too-many-rows where the first tick alone has more
 */
export async function changelogOf(
  { views, past }: Running,
  view: View,
  from: number,
  limit: number,
): Promise<Changelog> {
  await past.check(from, 0, view)
  // Changes that come while these are netted are for the next call.
  const { tick: newest } = views
  const ticks: { tick: number; rows: Rows }[] = []
  let told = from
  let left = limit
  for (let change = view.retained.next(told); ; change = view.retained.next(told)) {
    // What has expired meanwhile is told of when it is asked for.
    if (change === null && ticks.length > 0) return { tick: told, ticks }
    if (change === null) views.checkKnown(told, [view])
    if (change === null || change === undefined || change.tick > newest) break
    const rows = await netChange(view, change.pages, 1, views.slices())
    if (rows.length > left) {
      if (ticks.length > 0) return { tick: told, ticks }
      throw tooMany(view, change.tick, rows.length, limit)
    }
    if (rows.length > 0) ticks.push({ tick: change.tick, rows })
    left -= rows.length
    told = change.tick
  }
  return { tick: Math.max(told, newest), ticks }
}

function tooMany({ definition }: View, tick: number, rows: number, limit: number): MillraceError {
  const what = `${definition.name} has ${rows} changes at tick ${tick} alone, more than the ${limit} asked for`
  return new MillraceError('request/too-many-rows', what, {
    hint: `ask with a higher limit, or go on behind them with from_tick=${tick}`,
    place: { tick },
  })
}
