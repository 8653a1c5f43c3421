import { formatInterval } from '../data/interval.ts'
import * as resolve from '../expr/resolve.ts'
import type { Scalar } from '../expr/scalar.ts'
import { aggregate, columnOf, inputsOf, join, map, withInputs } from './nodes.ts'
import type { Hop, Plan } from './plan.ts'
import { windowEdge } from './properties.ts'

/**
 * A window's start follows from its end. Where both are keys, the end alone is: keys are narrower, and the end is what
 * tells that a group is complete.
 */
export function narrowWindowKeys(plan: Plan): Plan {
  // Joins first: behind a narrowed aggregate the start is computed, and no edge of a window any more.
  return everywhere(everywhere(plan, narrowJoin), narrowAggregate)
}

/** From the top down: what is narrowed hides the edges of windows from what reads it. */
function everywhere(plan: Plan, narrow: (plan: Plan) => Plan): Plan {
  const narrowed = narrow(plan)
  const inputs = inputsOf(narrowed).map((input) => everywhere(input, narrow))
  return inputs.every((input, i) => input === inputsOf(narrowed)[i]) ? narrowed : withInputs(narrowed, inputs)
}

function narrowAggregate(plan: Plan): Plan {
  if (plan.op !== 'aggregate') return plan
  const edges = plan.keys.map((key) => windowEdge(plan.input, key))
  const ends = edges.map((edge) =>
    edge?.edge === 'start' ? edges.findIndex((other) => other?.edge === 'end' && other.hop === edge.hop) : -1,
  )
  const kept = plan.keys.map((_, i) => i).filter((i) => ends[i] < 0)
  if (kept.length === plan.keys.length) return plan
  const results = plan.columns.slice(plan.keys.length)
  const keys = kept.map((i) => plan.keys[i])
  const narrowed = aggregate(plan.input, keys, plan.calls, results)
  const outputs = plan.columns.map((_, i): Scalar => {
    if (i >= plan.keys.length) return columnOf(narrowed, i - plan.keys.length + kept.length)
    const hop = edges[i]?.hop
    return ends[i] < 0 || hop === undefined
      ? columnOf(narrowed, kept.indexOf(i))
      : startOf(hop, columnOf(narrowed, kept.indexOf(ends[i])))
  })
  const names = plan.columns.map((column) => column.name)
  return map(narrowed, null, outputs, names)
}

function startOf(hop: Hop, end: Scalar): Scalar {
  const size = formatInterval({ months: 0, days: 0, micros: BigInt(hop.sizeMicros) })
  return resolve.call('-', [end, resolve.literal(size, { kind: 'interval' })])
}

/** Windows of one size that end together started together. */
function narrowJoin(plan: Plan): Plan {
  if (plan.op !== 'join') return plan
  const edges = plan.leftKeys.map((key, i) => ({
    left: windowEdge(plan.left, key),
    right: windowEdge(plan.right, plan.rightKeys[i]),
  }))
  const kept = plan.leftKeys
    .map((_, i) => i)
    .filter((i) => {
      const { left, right } = edges[i]
      if (left?.edge !== 'start' || right?.edge !== 'start' || left.hop.sizeMicros !== right.hop.sizeMicros) return true
      return !edges.some(
        (other) =>
          other.left?.edge === 'end' &&
          other.right?.edge === 'end' &&
          other.left.hop === left.hop &&
          other.right.hop === right.hop,
      )
    })
  if (kept.length === plan.leftKeys.length) return plan
  const [leftKeys, rightKeys] = [plan.leftKeys, plan.rightKeys].map((keys) => kept.map((i) => keys[i]))
  return join(plan.kind, plan.left, plan.right, leftKeys, rightKeys, plan.residual)
}
