import { laneOf } from '../data/sql-type.ts'
import { conjunctsOf } from '../plan/conjuncts.ts'
import type { Aggregate, Hop, Join, Plan, Scan } from '../plan/plan.ts'
import { windowEdge } from '../plan/properties.ts'
import { windowBound } from '../plan/window-bounds.ts'
import type { Dominance } from './operators/undominated.ts'
import { Windows } from './windows.ts'

/** Where a column comes from, unchanged. */
interface Origin {
  readonly scan: Scan
  readonly ordinal: number
}

/**
 * `a JOIN (SELECT g, max(x) AS most FROM a GROUP BY g) b ON a.g = b.g AND a.x = b.most`: of an input that only grows,
 * the join needs no row whose x is less than another one's in its group. What has to be shown is that each row of the
 * large side that meets a row of the other side meets it in its own group, and that this group's extreme is of all
 * rows of the large side, at least.
 *
 * A group may also be a tumbling window that the large side is only compared with: `t BETWEEN window_start AND
 * window_end`, in whatever way it is put.
 * @param side which side might be dominated
 */
export function dominanceOf(join: Join, side: 'left' | 'right'): Dominance | null {
  if (join.kind !== 'inner') return null
  const [large, small] = side === 'left' ? [join.left, join.right] : [join.right, join.left]
  const [largeKeys, smallKeys] = side === 'left' ? [join.leftKeys, join.rightKeys] : [join.rightKeys, join.leftKeys]
  for (let k = 0; k < smallKeys.length; k++) {
    const extreme = extremeOf(small, smallKeys[k])
    if (extreme === null) continue
    const { aggregate, argument, max } = extreme
    const value = largeKeys[k]
    const lane = laneOf(large.columns[value].type)
    if ((lane !== 'i32' && lane !== 'i64') || !sameOrigin(large, value, aggregate.input, argument)) continue
    const pairs = largeKeys.map((key, i) => ({ key, group: groupOf(small, smallKeys[i], aggregate) }))
    const groups = groupedBy({ join, side, large, aggregate }, pairs)
    if (groups !== null) return { value, max, joined: largeKeys, ...groups }
  }
  return null
}

/** The aggregate of which a column is a minimum or maximum over all rows of each group. */
function extremeOf(plan: Plan, column: number): { aggregate: Aggregate; argument: number; max: boolean } | null {
  const found = behindMaps(plan, column)
  if (found?.plan.op !== 'aggregate') return null
  const aggregate = found.plan
  const call = aggregate.calls[found.column - aggregate.keys.length]
  if (call === undefined || (call.fn !== 'max' && call.fn !== 'min')) return null
  if (call.argument === null || call.filter !== null) return null
  return { aggregate, argument: call.argument, max: call.fn === 'max' }
}

/** Which of the aggregate's keys a column of the small side is; −1: none. */
function groupOf(small: Plan, column: number, aggregate: Aggregate): number {
  const found = behindMaps(small, column)
  return found?.plan === aggregate && found.column < aggregate.keys.length ? found.column : -1
}

/** Down through projections, and filters: what they leave of the small side's rows are rows of it. */
function behindMaps(plan: Plan, column: number): { readonly plan: Plan; readonly column: number } | null {
  if (plan.op !== 'map') return { plan, column }
  const output = plan.outputs[column]
  return output.op === 'column' ? behindMaps(plan.input, output.index) : null
}

interface Sides {
  readonly join: Join
  readonly side: 'left' | 'right'
  readonly large: Plan
  readonly aggregate: Aggregate
}

/** How a row of the large side tells its group; null if it doesn't for certain. */
function groupedBy(
  sides: Sides,
  pairs: readonly { readonly key: number; readonly group: number }[],
): Pick<Dominance, 'keys' | 'window'> | null {
  const { large, aggregate } = sides
  const keys: number[] = []
  let window: Dominance['window'] = null
  for (let group = 0; group < aggregate.keys.length; group++) {
    const column = aggregate.keys[group]
    const equal = pairs.find((pair) => pair.group === group && sameGroup(large, pair.key, aggregate.input, column))
    if (equal !== undefined) {
      keys.push(equal.key)
      continue
    }
    // Start and end of one window are one key.
    const hop = windowEdge(aggregate.input, column)?.hop
    if (hop === undefined || hop.slideMicros !== hop.sizeMicros) return null
    const time = timeWithin(sides, hop)
    if (time === null || (window !== null && window.time !== time)) return null
    window = { time, windows: new Windows(BigInt(hop.slideMicros), BigInt(hop.sizeMicros)) }
  }
  return { keys, window }
}

/** A time of the large side, the one of which the window is, that conditions keep within the window, both ends included. */
function timeWithin({ join, side, large }: Sides, hop: Hop): number | null {
  const width = join.left.columns.length
  const isLarge = (column: number): boolean => column < width === (side === 'left')
  const bounds = conjunctsOf(join.residual).flatMap((condition) => {
    const bound = windowBound(join, condition)
    return bound?.hop === hop && isLarge(bound.column) && !isLarge(bound.edge) ? [bound] : []
  })
  const both = bounds.find(({ column, lower }) => lower && bounds.some((one) => !one.lower && one.column === column))
  if (both === undefined) return null
  const time = side === 'left' ? both.column : both.column - width
  return sameOrigin(large, time, hop.input, hop.time) ? time : null
}

/** Whether a column of both plans is the same for each event. */
function sameGroup(a: Plan, column: number, b: Plan, other: number): boolean {
  const [left, right] = [windowEdge(a, column), windowEdge(b, other)]
  if (left === null || right === null) return left === right && sameOrigin(a, column, b, other)
  const { hop } = left
  return (
    left.edge === right.edge &&
    hop.slideMicros === hop.sizeMicros &&
    hop.sizeMicros === right.hop.sizeMicros &&
    hop.slideMicros === right.hop.slideMicros &&
    sameOrigin(hop.input, hop.time, right.hop.input, right.hop.time)
  )
}

/**
 * Whether two columns are one of the same events: the second one's plan must have all events, the first one's not.
 */
function sameOrigin(some: Plan, column: number, all: Plan, other: number): boolean {
  const [a, b] = [originOf(some, column, false), originOf(all, other, true)]
  if (a === null || b === null) return false
  return a.scan.relation === b.scan.relation && a.scan.events === b.scan.events && a.ordinal === b.ordinal
}

/** @param all whether no event may be left out on the way */
function originOf(plan: Plan, column: number, all: boolean): Origin | null {
  switch (plan.op) {
    case 'scan':
      return { scan: plan, ordinal: plan.reads[column] }
    case 'hop':
      // No window has an event without a time.
      if (plan.slideMicros !== plan.sizeMicros || (all && plan.input.columns[plan.time].nullable)) return null
      return column < plan.input.columns.length ? originOf(plan.input, column, all) : null
    case 'map': {
      const output = plan.outputs[column]
      if (output.op !== 'column' || (all && plan.filter !== null)) return null
      return originOf(plan.input, output.index, all)
    }
    default:
      return null
  }
}
