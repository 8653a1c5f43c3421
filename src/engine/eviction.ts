import type { Aggregate, Final, Plan } from '../plan/plan.ts'
import type { Program } from '../plan/program.ts'

/** A GROUP BY whose groups can be forgotten once their window is closed, and which of its keys says when that is. */
export interface Evictable {
  readonly aggregate: Aggregate
  readonly key: number
}

/**
 * A final view may free state: no event on time can change a window that the watermark has passed. That holds where
 * the window comes from a topic's own event time and nothing but that topic's events makes the groups; below a join
 * an event of the other side could still reach an old window, so there the state stays.
 */
export function evictable(final: Final, program: Program): Evictable | null {
  const found = trace(final.input, final.windowEnd)
  if (found.plan.op !== 'aggregate') return null
  const aggregate = found.plan
  const key = found.column
  if (key >= aggregate.keys.length) return null
  const below = trace(aggregate.input, aggregate.keys[key])
  if (below.plan.op !== 'hop' || below.column !== below.plan.columns.length - 1) return null
  const source = trace(below.plan.input, below.plan.time)
  if (source.plan.op !== 'scan' || source.plan.events !== 'onTime') return null
  const { relation, reads } = source.plan
  const topic = program.topics.find(({ id }) => id === relation)
  if (topic === undefined || topic.primaryKey.length > 0 || reads[source.column] !== topic.eventTime) return null
  return { aggregate, key }
}

/** Follows a column down through projections that pass it on as it is. */
function trace(plan: Plan, column: number): { readonly plan: Plan; readonly column: number } {
  if (plan.op !== 'map') return { plan, column }
  const output = plan.outputs[column]
  return output.op === 'column' ? trace(plan.input, output.index) : { plan, column }
}
