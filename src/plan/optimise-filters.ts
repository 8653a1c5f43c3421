import { columnsOf, mapColumns, type Scalar } from '../expr/scalar.ts'
import { conjunction, conjunctsOf, keyPairOf, moved, unified, unifiedJoin } from './conjuncts.ts'
import { canFail, failingColumns, filterOf, type MayFail, meetsErrors } from './failure.ts'
import { columnOf, filtered, inputsOf, join, map, renumbered, topN, withInputs } from './nodes.ts'
import type { Join, Map_, Plan, TopN } from './plan.ts'
import { windowBound } from './window-bounds.ts'

/**
 * Moves filters towards the scans. A condition that can fail stays where it is: below a join it would meet rows that
 * never get to it now. All others may move, because a filter drops a row if any of its conditions is not true; but
 * not past a node that may meet errors itself, which would then not be met any more.
 */
export function pushFilters(plan: Plan, mayFail: MayFail): Plan {
  return new Pushing(mayFail).push(plan, [])
}

class Pushing {
  readonly #mayFail: MayFail

  constructor(mayFail: MayFail) {
    this.#mayFail = mayFail
  }

  /** The plan filtered by conditions over its columns. */
  push(plan: Plan, conditions: readonly Scalar[]): Plan {
    const failing = failingColumns(plan, this.#mayFail)
    const unsafe = conditions.filter((condition) => this.#fails(condition, plan, failing))
    const safe = without(conditions, unsafe)
    if (plan.op === 'map') return this.#intoMap(plan, safe, unsafe)
    return above(this.#below(plan, safe), unsafe)
  }

  #below(plan: Plan, safe: readonly Scalar[]): Plan {
    if (meetsErrors(plan, this.#mayFail)) {
      const inputs = inputsOf(plan).map((input) => this.push(input, []))
      return above(withInputs(plan, inputs), safe)
    }
    switch (plan.op) {
      case 'scan':
      case 'values':
        return above(plan, safe)
      case 'map':
        return this.#intoMap(plan, safe, [])
      case 'join':
        return plan.kind === 'inner' ? this.#intoInner(plan, safe) : this.#intoJoin(plan, safe)
      case 'aggregate': {
        const keys = plan.keys.length
        const movable = keys === 0 ? [] : safe.filter((condition) => reads(condition, (index) => index < keys))
        const input = this.push(
          plan.input,
          movable.map((condition) => renumbered(condition, (index) => plan.keys[index])),
        )
        return above({ ...plan, input }, without(safe, movable))
      }
      case 'unionAll':
        return { ...plan, inputs: plan.inputs.map((input) => this.push(input, safe)) }
      case 'hop': {
        const width = plan.input.columns.length
        return this.#through(plan, safe, (index) => index < width)
      }
      case 'topN': {
        const { plan: limited, rest } = limitByRank(plan, safe)
        return this.#through(limited, rest, (index) => limited.partition.includes(index))
      }
      case 'distinct':
      case 'final':
      case 'temporal':
        return this.#through(plan, safe, () => true)
    }
  }

  /** Whether a condition over a plan's columns can fail. What is compared with a time within a window can't. */
  #fails(condition: Scalar, plan: Plan, failing: readonly boolean[]): boolean {
    if (!canFail(condition, failing)) return false
    const bound = windowBound(plan, condition)
    if (bound === null || failing[bound.column]) return true
    const { input, time } = bound.hop
    return failingColumns(input, this.#mayFail)[time]
  }

  /** Past a node whose columns begin with its input's. */
  #through(plan: Plan, safe: readonly Scalar[], passes: (index: number) => boolean): Plan {
    const movable = safe.filter((condition) => reads(condition, passes))
    const inputs = inputsOf(plan).map((input) => this.push(input, movable))
    return above(withInputs(plan, inputs), without(safe, movable))
  }

  #intoMap(plan: Map_, safe: readonly Scalar[], unsafe: readonly Scalar[]): Plan {
    const failing = failingColumns(plan.input, this.#mayFail)
    const own = conjunctsOf(plan.filter)
    const inside = (condition: Scalar): Scalar => mapColumns(condition, (index) => plan.outputs[index])
    // Where the map's own filter fails, the row must stay for it to fail: nothing more can be asked before it.
    if (own.some((condition) => this.#fails(condition, plan.input, failing))) {
      const input = this.push(plan.input, [])
      const same = map(input, plan.filter, plan.outputs, namesOf(plan))
      return filtered(same, filterOf([...safe, ...unsafe], failingColumns(same, this.#mayFail)))
    }
    const all = [...own, ...safe.map(inside)]
    const late = unsafe.map(inside)
    const input = this.push(plan.input, all)
    return map(input, filterOf(late, failing), plan.outputs, namesOf(plan))
  }

  #intoInner(plan: Join, safe: readonly Scalar[]): Plan {
    const width = plan.left.columns.length
    const residual = conjunctsOf(plan.residual)
    const { left, right, both } = bySide([...residual, ...safe], width)
    const keys = plan.leftKeys.map((key, i) => ({
      left: columnOf(plan.left, key),
      right: columnOf(plan.right, plan.rightKeys[i]),
    }))
    const rest: Scalar[] = []
    for (const condition of both) {
      const pair = keyPairOf(condition, width)
      if (pair === null) rest.push(condition)
      else keys.push(unified(pair))
    }
    return unifiedJoin('inner', this.push(plan.left, left), this.push(plan.right, right), keys, conjunction(rest))
  }

  /** Outer joins take conditions on the kept side only, semi and anti joins have no other. */
  #intoJoin(plan: Join, safe: readonly Scalar[]): Plan {
    const width = plan.left.columns.length
    if (plan.kind === 'left' && safe.some((condition) => rejectsNulls(condition, (index) => index >= width))) {
      return this.#intoInner(asInner(plan), safe)
    }
    const residual = conjunctsOf(plan.residual)
    const own = bySide(plan.kind === 'full' ? [] : residual, width)
    const stays = plan.kind === 'full' ? residual : [...own.left, ...own.both]
    const left = plan.kind === 'full' ? [] : bySide(safe, width).left
    const pushed = { ...plan, left: this.push(plan.left, left), right: this.push(plan.right, own.right) }
    return above(rejoined(pushed, plan.leftKeys, plan.rightKeys, conjunction(stays)), without(safe, left))
  }
}

function above(plan: Plan, conditions: readonly Scalar[]): Plan {
  return filtered(plan, conjunction(conditions))
}

function asInner(plan: Join): Join {
  return join('inner', plan.left, plan.right, plan.leftKeys, plan.rightKeys, plan.residual)
}

function rejoined(
  plan: Join,
  leftKeys: readonly number[],
  rightKeys: readonly number[],
  residual: Scalar | null,
): Plan {
  return join(plan.kind, plan.left, plan.right, leftKeys, rightKeys, residual)
}

const namesOf = (plan: Plan): string[] => plan.columns.map((column) => column.name)

function without(conditions: readonly Scalar[], moved: readonly Scalar[]): readonly Scalar[] {
  return conditions.filter((condition) => !moved.includes(condition))
}

function reads(condition: Scalar, passes: (index: number) => boolean): boolean {
  return [...columnsOf(condition)].every(passes)
}

/** Conditions over two relations side by side: on one of them in its own numbering, and on both. One on none is on the left. */
function bySide(
  conditions: readonly Scalar[],
  width: number,
): { readonly left: readonly Scalar[]; readonly right: readonly Scalar[]; readonly both: readonly Scalar[] } {
  const left = conditions.filter((condition) => reads(condition, (index) => index < width))
  const right = conditions.filter(
    (condition) => !left.includes(condition) && reads(condition, (index) => index >= width),
  )
  const both = without(without(conditions, left), right)
  return { left, right: right.map((condition) => moved(condition, -width)), both }
}

/** `row_number <= n` above the numbering is a limit in it. */
function limitByRank(
  plan: TopN,
  conditions: readonly Scalar[],
): { readonly plan: TopN; readonly rest: readonly Scalar[] } {
  if (!plan.rank || plan.offset > 0) return { plan, rest: conditions }
  const rank = plan.columns.length - 1
  let limit = plan.limit
  const rest = conditions.filter((condition) => {
    const bound = rankBound(condition, rank)
    if (bound === null || bound.most < 1) return true
    limit = limit === null ? bound.most : Math.min(limit, bound.most)
    return !bound.implied
  })
  return { plan: topN(plan.input, plan.partition, plan.order, limit, 0, true), rest }
}

const mirrored: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=' }

/** The greatest rank that a condition lets through, and whether that is all it says. */
function rankBound(condition: Scalar, rank: number): { readonly most: number; readonly implied: boolean } | null {
  if (condition.op !== 'call' || condition.args.length !== 2) return null
  const operator = condition.fn.slice(0, condition.fn.indexOf('('))
  const [first, second] = condition.args
  const flipped = first.op === 'literal'
  const [column, literal] = flipped ? [second, first] : [first, second]
  if (column.op !== 'column' || column.index !== rank || literal.op !== 'literal' || literal.text === null) return null
  const value = Number(literal.text)
  if (!Number.isSafeInteger(value)) return null
  switch (flipped ? mirrored[operator] : operator) {
    case '<=':
      return { most: value, implied: true }
    case '<':
      return { most: value - 1, implied: true }
    case '=':
      return { most: value, implied: value === 1 }
    default:
      return null
  }
}

const strictOperators = new Set(['=', '<>', '<', '<=', '>', '>=', '~~', '!~~', '~~*', '!~~*'])

/** Whether a condition is never true where all columns of a kind are NULL. */
function rejectsNulls(condition: Scalar, ofKind: (index: number) => boolean): boolean {
  if (condition.op === 'isNull') return condition.negated && isOfKind(condition.arg, ofKind)
  if (condition.op !== 'call') return false
  const operator = condition.fn.slice(0, condition.fn.lastIndexOf('('))
  return strictOperators.has(operator) && condition.args.some((arg) => isOfKind(arg, ofKind))
}

function isOfKind(scalar: Scalar, ofKind: (index: number) => boolean): boolean {
  if (scalar.op === 'cast') return isOfKind(scalar.arg, ofKind)
  return scalar.op === 'column' && ofKind(scalar.index)
}
