import { sameType } from '../data/sql-type.ts'
import * as resolve from '../expr/resolve.ts'
import { childrenOf, mapColumns, type Scalar, withChildren } from '../expr/scalar.ts'
import { conjunction, conjunctsOf } from './conjuncts.ts'
import { canFail, failingColumns, filterOf, type MayFail, meetsErrors } from './failure.ts'
import { inputsOf, join, map, nodesOf, unionAll, values, withInputs } from './nodes.ts'
import type { Map_, Plan } from './plan.ts'

/** Works out what reads no column, in all expressions. */
export function foldConstants(plan: Plan): Plan {
  const inputs = inputsOf(plan).map(foldConstants)
  const renewed = inputs.every((input, i) => input === inputsOf(plan)[i]) ? plan : withInputs(plan, inputs)
  switch (renewed.op) {
    case 'map':
      return foldMap(renewed)
    case 'values':
      return { ...renewed, rows: renewed.rows.map((row) => row.map(fold)) }
    case 'join':
      return renewed.residual === null ? renewed : { ...renewed, residual: fold(renewed.residual) }
    default:
      return renewed
  }
}

function foldMap(plan: Map_): Plan {
  const conditions = conjunctsOf(plan.filter).map(fold)
  const open = conditions.filter((condition) => condition.op !== 'literal' || condition.text !== 'true')
  return { ...plan, filter: conjunction(open), outputs: plan.outputs.map(fold) }
}

function fold(scalar: Scalar): Scalar {
  if (childrenOf(scalar).length === 0) return scalar
  const children = childrenOf(scalar).map(fold)
  const same = children.every((child, i) => child === childrenOf(scalar)[i])
  const renewed = same ? scalar : withChildren(scalar, children)
  const folded = resolve.foldConstant(renewed)
  // What fails when it is worked out stays: it has to fail for each row it meets.
  return sameType(folded.type, scalar.type) ? folded : renewed
}

/** Makes one map of two, and leaves out those that change nothing. */
export function mergeMaps(plan: Plan, mayFail: MayFail): Plan {
  const inputs = inputsOf(plan).map((input) => mergeMaps(input, mayFail))
  const renewed = withInputs(plan, inputs)
  switch (renewed.op) {
    case 'map':
      return mergeMap(renewed, mayFail)
    case 'unionAll': {
      const flat = renewed.inputs.flatMap((input) => (input.op === 'unionAll' ? input.inputs : [input]))
      return flat.length === 1 ? flat[0] : { ...unionAll(flat), columns: renewed.columns }
    }
    case 'distinct':
      return renewed.input.op === 'distinct' ? renewed.input : renewed
    case 'join': {
      // A side that always has one row leaves no row without a match.
      const { kind, left, right, leftKeys, rightKeys, residual } = renewed
      const plain = kind === 'left' && leftKeys.length === 0 && residual === null && exactlyOneRow(right)
      return plain ? join('inner', left, right, leftKeys, rightKeys, null) : renewed
    }
    default:
      return renewed
  }
}

function exactlyOneRow(plan: Plan): boolean {
  if (plan.op === 'aggregate') return plan.keys.length === 0
  if (plan.op === 'values') return plan.rows.length === 1
  if (plan.op === 'map') return plan.filter === null && exactlyOneRow(plan.input)
  return plan.op === 'join' && plan.kind === 'inner' && plan.leftKeys.length === 0 && plan.residual === null
    ? exactlyOneRow(plan.left) && exactlyOneRow(plan.right)
    : false
}

function mergeMap(plan: Map_, mayFail: MayFail): Plan {
  const { input } = plan
  if (isIdentity(plan)) return input
  if (input.op === 'values' && input.rows.length === 0) return values([], plan.columns)
  if (plan.filter !== null && isNever(plan.filter) && !nodesOf(input).some((node) => meetsErrors(node, mayFail))) {
    return values([], plan.columns)
  }
  if (input.op !== 'map' || !usesOnce(plan, input)) return plan
  const inside = (scalar: Scalar): Scalar => mapColumns(scalar, (index) => input.outputs[index])
  const failing = failingColumns(input.input, mayFail)
  const own = conjunctsOf(input.filter)
  if (plan.filter !== null && own.some((condition) => canFail(condition, failing))) return plan
  const filter = filterOf([...own, ...conjunctsOf(plan.filter).map(inside)], failing)
  const names = plan.columns.map((column) => column.name)
  return mergeMap(map(input.input, filter, plan.outputs.map(inside), names), mayFail)
}

/** A filter that no row passes. */
function isNever(filter: Scalar): boolean {
  return conjunctsOf(filter).some((condition) => condition.op === 'literal' && condition.text !== 'true')
}

function isIdentity(plan: Map_): boolean {
  return (
    plan.filter === null &&
    plan.outputs.length === plan.input.columns.length &&
    plan.outputs.every((output, i) => output.op === 'column' && output.index === i)
  )
}

/** Whether no computed output of the lower map is read twice: it would be computed twice. */
function usesOnce(upper: Map_, lower: Map_): boolean {
  const uses = lower.outputs.map(() => 0)
  const count = (scalar: Scalar): void => {
    if (scalar.op === 'column') uses[scalar.index]++
    childrenOf(scalar).forEach(count)
  }
  for (const scalar of upper.outputs) count(scalar)
  if (upper.filter !== null) count(upper.filter)
  return lower.outputs.every((output, i) => uses[i] <= 1 || output.op === 'column' || output.op === 'literal')
}
