import { parseInterval } from '../data/interval.ts'
import type { Scalar } from '../expr/scalar.ts'
import { inputsOf } from './nodes.ts'
import type { Hop, Plan } from './plan.ts'
import { windowEdge } from './properties.ts'

/** A condition that compares a column with a time within a window, both ends included. */
export interface WindowBound {
  readonly column: number
  /** The column of the plan that the window's time is made of. */
  readonly edge: number
  readonly hop: Hop
  /** From the window's start on, 0 to its size. */
  readonly micros: bigint
  /** The column is at or behind that time, else at or before it. */
  readonly lower: boolean
}

const microsPerDay = 86_400_000_000n
/** By comparison whether its first operand is bounded from below. */
const lowerBounds: Readonly<Record<string, boolean>> = { '>': true, '>=': true, '<': false, '<=': false }

/**
 * What a condition over a plan's columns says of a window. As the window's ends are times there are, so is every one
 * between them: the condition can fail only where the column holds an error, or the time that the window is of does.
 */
export function windowBound(plan: Plan, condition: Scalar): WindowBound | null {
  if (condition.op !== 'call' || condition.args.length !== 2) return null
  const lower = lowerBounds[condition.fn.slice(0, condition.fn.indexOf('('))]
  if (lower === undefined) return null
  const [first, second] = condition.args
  return boundOf(plan, first, second, lower) ?? boundOf(plan, second, first, !lower)
}

function boundOf(plan: Plan, column: Scalar, time: Scalar, lower: boolean): WindowBound | null {
  if (column.op !== 'column') return null
  const within = timeOf(plan, time)
  return within === null ? null : { column: column.index, ...within, lower }
}

/** A window's start or end, plus or minus a constant. */
function timeOf(plan: Plan, time: Scalar): Pick<WindowBound, 'edge' | 'hop' | 'micros'> | null {
  if (time.op === 'column') {
    const found = windowEdge(plan, time.index)
    if (found !== null) {
      const micros = found.edge === 'start' ? 0n : BigInt(found.hop.sizeMicros)
      return { edge: time.index, hop: found.hop, micros }
    }
    const below = computed(plan, time.index)
    const inner = below === null ? null : timeOf(below.plan, below.scalar)
    return inner === null ? null : { ...inner, edge: time.index }
  }
  if (time.op !== 'call' || time.args.length !== 2 || !/^[-+]\(timestamp(tz)?,interval\)$/.test(time.fn)) return null
  const [from, by] = time.args
  const inner = timeOf(plan, from)
  if (inner === null || by.op !== 'literal' || by.text === null) return null
  const interval = parseInterval(by.text)
  if (interval === null || interval.months !== 0) return null
  const distance = BigInt(interval.days) * microsPerDay + interval.micros
  const micros = inner.micros + (time.fn.startsWith('-') ? -distance : distance)
  return micros < 0n || micros > BigInt(inner.hop.sizeMicros) ? null : { ...inner, micros }
}

/** What a column is made of, further down: narrowed keys leave a window's start as its end less the size. */
function computed(plan: Plan, column: number): { readonly plan: Plan; readonly scalar: Scalar } | null {
  if (plan.op === 'map') return { plan: plan.input, scalar: plan.outputs[column] }
  if (plan.op !== 'join' || plan.kind !== 'inner') return null
  const [left, right] = inputsOf(plan)
  const width = left.columns.length
  return column < width ? computed(left, column) : computed(right, column - width)
}
