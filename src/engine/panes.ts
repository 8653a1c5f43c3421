import { columnsOf } from '../expr/scalar.ts'
import type { Aggregate, Hop, Map_, Plan } from '../plan/plan.ts'

/** A GROUP BY over overlapping windows that can be computed pane by pane. */
export interface Paned {
  readonly hop: Hop
  /** Projections between both, the lowest first. */
  readonly maps: readonly Map_[]
  /** Which of the aggregate's keys are a window's start, which its end. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/**
 * Windows overlap where a slide is a part of the size: then everything within one slide, a pane, lies in the same
 * windows, and groups by pane, added up, are the groups by window. That needs a window among the keys, and that
 * nothing else depends on the window.
 */
export function panedBy(aggregate: Aggregate): Paned | null {
  const maps: Map_[] = []
  let input: Plan = aggregate.input
  while (input.op === 'map' && input.filter === null) {
    maps.unshift(input)
    input = input.input
  }
  if (input.op !== 'hop') return null
  const hop = input
  const [slide, size] = [BigInt(hop.slideMicros), BigInt(hop.sizeMicros)]
  if (size === slide || size % slide !== 0n) return null
  const keys = aggregate.keys.map((key) => traced(maps, key))
  const [start, end] = [hop.columns.length - 2, hop.columns.length - 1]
  const starts = aggregate.keys.flatMap((_, k) => (keys[k] === start ? [k] : []))
  const ends = aggregate.keys.flatMap((_, k) => (keys[k] === end ? [k] : []))
  if (starts.length + ends.length === 0) return null
  const used = [
    ...aggregate.keys.filter((_, k) => !starts.includes(k) && !ends.includes(k)),
    ...aggregate.calls.flatMap(({ argument, filter }) => [argument, filter].filter((column) => column !== null)),
  ]
  return used.some((column) => dependsOn(maps, column, start)) ? null : { hop, maps, starts, ends }
}

/** The hop's column that a column on top of the projections is, −1 if it is computed. */
function traced(maps: readonly Map_[], column: number): number {
  let at = column
  for (let k = maps.length - 1; k >= 0; k--) {
    const output = maps[k].outputs[at]
    if (output.op !== 'column') return -1
    at = output.index
  }
  return at
}

/** Whether a column on top of the projections is made of one of the hop's from `first` on. */
function dependsOn(maps: readonly Map_[], column: number, first: number): boolean {
  if (maps.length === 0) return column >= first
  const below = maps.slice(0, -1)
  return [...columnsOf(maps[maps.length - 1].outputs[column])].some((index) => dependsOn(below, index, first))
}
