import type { Scalar } from '../expr/scalar.ts'
import { conjunctsOf } from './conjuncts.ts'
import { inputsOf } from './nodes.ts'
import type { Hop, Plan } from './plan.ts'
import type { Program } from './program.ts'

/** What is known about a plan without running it. */

/** Looks up the primary key of what a scan reads: ordinals of its schema. */
export type PrimaryKeyOf = (relation: number) => readonly number[]

const noKey: PrimaryKeyOf = () => []

/** Whether a plan puts out at most one row, whatever its input is. */
export function atMostOneRow(plan: Plan, primaryKeyOf: PrimaryKeyOf = noKey): boolean {
  switch (plan.op) {
    case 'values':
      return plan.rows.length <= 1
    case 'aggregate':
      return plan.keys.length === 0
    case 'topN':
      return (
        (plan.limit !== null && plan.limit <= 1 && plan.partition.length === 0) ||
        atMostOneRow(plan.input, primaryKeyOf)
      )
    case 'map': {
      const fixed = new Set(conjunctsOf(plan.filter).flatMap(fixedColumn))
      const unique = uniqueKeys(plan.input, primaryKeyOf).some((key) => key.every((column) => fixed.has(column)))
      return unique || atMostOneRow(plan.input, primaryKeyOf)
    }
    case 'distinct':
    case 'final':
    case 'temporal':
      return atMostOneRow(plan.input, primaryKeyOf)
    case 'join':
      if (plan.kind === 'semi' || plan.kind === 'anti') return atMostOneRow(plan.left, primaryKeyOf)
      return plan.kind !== 'full' && inputsOf(plan).every((input) => atMostOneRow(input, primaryKeyOf))
    case 'scan':
    case 'hop':
    case 'unionAll':
      return false
  }
}

/** The column that a condition sets equal to a constant. */
function fixedColumn(condition: Scalar): readonly number[] {
  if (condition.op !== 'call' || !condition.fn.startsWith('=(')) return []
  const [first, second] = condition.args
  if (first.op === 'column' && second.op === 'literal') return [first.index]
  return second.op === 'column' && first.op === 'literal' ? [second.index] : []
}

/** Sets of columns no two rows agree on, NULLs taken as equal. */
export function uniqueKeys(plan: Plan, primaryKeyOf: PrimaryKeyOf = noKey): readonly (readonly number[])[] {
  switch (plan.op) {
    case 'scan': {
      const key = primaryKeyOf(plan.relation).map((ordinal) => plan.reads.indexOf(ordinal))
      return key.length === 0 || key.includes(-1) ? [] : [key]
    }
    case 'values':
    case 'unionAll':
      return plan.op === 'values' && plan.rows.length <= 1 ? [[]] : []
    case 'map': {
      const position = new Map<number, number>()
      plan.outputs.forEach((output, i) => {
        if (output.op === 'column' && !position.has(output.index)) position.set(output.index, i)
      })
      return uniqueKeys(plan.input, primaryKeyOf).flatMap((key) => {
        const moved = key.map((column) => position.get(column))
        return moved.includes(undefined) ? [] : [moved as number[]]
      })
    }
    case 'hop':
      return uniqueKeys(plan.input, primaryKeyOf).map((key) => [...key, plan.columns.length - 2])
    case 'aggregate':
      return [plan.keys.map((_, i) => i)]
    case 'distinct':
      return [...uniqueKeys(plan.input, primaryKeyOf), plan.columns.map((_, i) => i)]
    case 'topN': {
      const ranked = plan.rank ? [[...plan.partition, plan.columns.length - 1]] : []
      const single = plan.limit !== null && plan.limit <= 1 ? [plan.partition] : []
      return [...uniqueKeys(plan.input, primaryKeyOf), ...ranked, ...single]
    }
    case 'final':
    case 'temporal':
      return uniqueKeys(plan.input, primaryKeyOf)
    case 'join':
      return joinKeys(plan, primaryKeyOf)
  }
}

function joinKeys(plan: Extract<Plan, { op: 'join' }>, primaryKeyOf: PrimaryKeyOf): readonly (readonly number[])[] {
  const left = uniqueKeys(plan.left, primaryKeyOf)
  if (plan.kind === 'semi' || plan.kind === 'anti') return left
  const width = plan.left.columns.length
  const right = uniqueKeys(plan.right, primaryKeyOf)
  const moved = right.map((key) => key.map((column) => column + width))
  const both = left.flatMap((a) => moved.map((b) => [...a, ...b]))
  const rightOnce = right.some((key) => key.every((column) => plan.rightKeys.includes(column)))
  const leftOnce = left.some((key) => key.every((column) => plan.leftKeys.includes(column)))
  return [
    ...(rightOnce && plan.kind !== 'full' ? left : []),
    ...(leftOnce && plan.kind === 'inner' ? moved : []),
    ...both,
  ]
}

/**
 * Whether a plan's changes are all insertions: then what reads it need not be ready for a row to go.
 */
export function appendOnly(plan: Plan, program: Program): boolean {
  switch (plan.op) {
    case 'scan': {
      const topic = program.topics.find(({ id }) => id === plan.relation)
      if (topic !== undefined) return topic.primaryKey.length === 0
      const view = program.views.find(({ id }) => id === plan.relation)
      return view !== undefined && appendOnly(view.plan, program)
    }
    case 'values':
      return true
    case 'map':
    case 'hop':
    case 'unionAll':
    case 'distinct':
      return inputsOf(plan).every((input) => appendOnly(input, program))
    case 'join':
      if (plan.kind !== 'inner' && plan.kind !== 'semi') return false
      return inputsOf(plan).every((input) => appendOnly(input, program))
    case 'aggregate':
    case 'topN':
    case 'final':
    case 'temporal':
      return false
  }
}

/** A column that is the start or the end of a window. */
export interface WindowEdge {
  readonly hop: Hop
  readonly edge: 'start' | 'end'
}

/** The window whose edge a column is, if it is handed up unchanged from a window function. */
export function windowEdge(plan: Plan, column: number): WindowEdge | null {
  switch (plan.op) {
    case 'scan':
    case 'values':
      return null
    case 'hop': {
      const behind = plan.columns.length - column
      if (behind > 2) return windowEdge(plan.input, column)
      return { hop: plan, edge: behind === 1 ? 'end' : 'start' }
    }
    case 'map': {
      const output = plan.outputs[column]
      return output.op === 'column' ? windowEdge(plan.input, output.index) : null
    }
    case 'aggregate':
      return column < plan.keys.length ? windowEdge(plan.input, plan.keys[column]) : null
    case 'join': {
      const width = plan.left.columns.length
      // A side that an outer join fills up with NULLs tells no window for the rows it has no match for.
      if (column < width) return plan.kind === 'full' ? null : windowEdge(plan.left, column)
      return plan.kind === 'inner' ? windowEdge(plan.right, column - width) : null
    }
    case 'unionAll': {
      const [first, ...others] = plan.inputs.map((input) => windowEdge(input, column))
      const same = others.every(
        (other) => other?.edge === first?.edge && other?.hop.sizeMicros === first?.hop.sizeMicros,
      )
      return same ? first : null
    }
    case 'topN':
      return plan.rank && column === plan.columns.length - 1 ? null : windowEdge(plan.input, column)
    default:
      return windowEdge(plan.input, column)
  }
}
