import type { SqlType } from '../data/sql-type.ts'
import { literal } from '../expr/cast.ts'
import { distinctFrom, isNull } from '../expr/resolve.ts'
import { columnsOf, type Scalar } from '../expr/scalar.ts'
import { conjunction } from './conjuncts.ts'
import { aggregate, columnOf, distinct, filtered, final, hop, join, map, temporal, topN, unionAll } from './nodes.ts'
import type { Join, Plan } from './plan.ts'
import type { Program } from './program.ts'

/** What columns of a plan's output are known to be: rows that differ there are of no interest. */
export type Known = ReadonlyMap<number, Scalar>

/** A literal of a cell's text, as PostgreSQL prints it. */
export function knownLiteral(text: string | null, type: SqlType): Scalar {
  return text === null ? { op: 'literal', text: null, type, nullable: true } : literal(text, type)
}

/** `column IS NOT DISTINCT FROM value` for each. */
export function knownFilter(plan: Plan, known: Known): Scalar | null {
  return conjunction([...known].map(([column, value]) => equals(columnOf(plan, column), value)))
}

export function equals(cell: Scalar, value: Scalar): Scalar {
  return value.op === 'literal' && value.text === null ? isNull(cell) : distinctFrom(cell, value, true)
}

/** The plan, without rows that can't be what is known; without most of the work for them, too. */
export function narrowed(program: Program, plan: Plan, known: Known): Plan {
  return filtered(narrow(program, plan, known), knownFilter(plan, known))
}

/** The same rows where `known` holds; of others only those that cost nothing to leave out are missing. Views are gone through. */
export function narrow(program: Program, plan: Plan, known: Known): Plan {
  const below = (input: Plan, to: (column: number) => number | null): Plan =>
    narrow(program, input, movedKnown(known, to))
  switch (plan.op) {
    case 'scan': {
      const view = program.views.find(({ id }) => id === plan.relation)
      if (view === undefined) return filtered(plan, knownFilter(plan, known))
      const input = narrow(
        program,
        view.plan,
        movedKnown(known, (column) => plan.reads[column]),
      )
      return map(input, null, reading(input, plan.reads), namesOf(plan))
    }
    case 'values':
      return plan
    case 'map': {
      const input = below(plan.input, (column) => columnIndex(plan.outputs[column]))
      return map(input, plan.filter, plan.outputs, namesOf(plan))
    }
    case 'hop': {
      const width = plan.input.columns.length
      const input = below(plan.input, (column) => (column < width ? column : null))
      return hop(input, plan.time, plan.slideMicros, plan.sizeMicros)
    }
    case 'aggregate': {
      const input = below(plan.input, (column) => plan.keys[column] ?? null)
      return aggregate(input, plan.keys, plan.calls, plan.columns.slice(plan.keys.length))
    }
    case 'join': {
      const { left, right } = joinKnown(plan, known)
      const inputs = [narrow(program, plan.left, left), narrow(program, plan.right, right)] as const
      return join(plan.kind, ...inputs, plan.leftKeys, plan.rightKeys, plan.residual)
    }
    case 'unionAll':
      return unionAll(plan.inputs.map((input) => narrow(program, input, known)))
    case 'topN': {
      const input = below(plan.input, (column) => (plan.partition.includes(column) ? column : null))
      return topN(input, plan.partition, plan.order, plan.limit, plan.offset, plan.rank)
    }
    case 'distinct':
      return distinct(below(plan.input, (column) => column))
    case 'final':
      return final(
        below(plan.input, (column) => column),
        plan.windowEnd,
      )
    case 'temporal':
      return temporal(
        below(plan.input, (column) => column),
        plan.from,
        plan.until,
      )
  }
}

/** What is known of each side. Equal keys are equal on the other side, too. */
export function joinKnown(plan: Join, known: Known): { left: Known; right: Known } {
  const width = plan.left.columns.length
  const isValue = (value: Scalar): boolean => value.op === 'literal' && value.text !== null
  const left = new Map<number, Scalar>()
  const right = new Map<number, Scalar>()
  for (const [column, value] of known) {
    // A side that may be missing has NULLs of its own making; a value there can only be of a row that matched.
    if (column < width) {
      if (plan.kind !== 'full' || isValue(value)) left.set(column, value)
    } else if (plan.kind === 'inner' || (plan.kind === 'full' && isValue(value))) right.set(column - width, value)
  }
  if (plan.kind !== 'full') {
    plan.leftKeys.forEach((key, i) => {
      const value = left.get(key)
      if (value !== undefined && isValue(value)) right.set(plan.rightKeys[i], value)
    })
  }
  if (plan.kind === 'inner') {
    plan.rightKeys.forEach((key, i) => {
      const value = right.get(key)
      if (value !== undefined && isValue(value)) left.set(plan.leftKeys[i], value)
    })
  }
  return { left, right }
}

export function movedKnown(known: Known, to: (column: number) => number | null): Map<number, Scalar> {
  const result = new Map<number, Scalar>()
  for (const [column, value] of known) {
    const at = to(column)
    if (at !== null && at >= 0) result.set(at, value)
  }
  return result
}

export function columnIndex(scalar: Scalar): number | null {
  return scalar.op === 'column' ? scalar.index : null
}

function reading(plan: Plan, reads: readonly number[]): Scalar[] {
  return reads.map((column) => columnOf(plan, column))
}

function namesOf(plan: Plan): string[] {
  return plan.columns.map(({ name }) => name)
}

/**
 * Which of a plan's columns an event brings by itself: all but what is added up over several. Where a part of the log
 * was thrown away, these alone can still be met in the rest of it.
 */
export function broughtColumns(program: Program, plan: Plan): readonly boolean[] {
  switch (plan.op) {
    case 'scan': {
      const view = program.views.find(({ id }) => id === plan.relation)
      const brought = view === undefined ? null : broughtColumns(program, view.plan)
      return plan.reads.map((column) => brought === null || brought[column])
    }
    case 'values':
      return plan.columns.map(() => true)
    case 'map': {
      const brought = broughtColumns(program, plan.input)
      return plan.outputs.map((output) => [...columnsOf(output)].every((column) => brought[column]))
    }
    case 'aggregate': {
      const brought = broughtColumns(program, plan.input)
      return [...plan.keys.map((key) => brought[key]), ...plan.calls.map(() => false)]
    }
    case 'hop':
      return [...broughtColumns(program, plan.input), true, true]
    case 'topN':
      return [...broughtColumns(program, plan.input), ...(plan.rank ? [false] : [])]
    case 'join': {
      const right = plan.kind === 'semi' || plan.kind === 'anti' ? [] : broughtColumns(program, plan.right)
      return [...broughtColumns(program, plan.left), ...right]
    }
    case 'unionAll': {
      const inputs = plan.inputs.map((input) => broughtColumns(program, input))
      return plan.columns.map((_, i) => inputs.every((brought) => brought[i]))
    }
    default:
      return broughtColumns(program, plan.input)
  }
}
