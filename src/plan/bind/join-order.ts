import * as resolve from '../../expr/resolve.ts'
import { columnsOf, type Scalar } from '../../expr/scalar.ts'
import { conjunction, conjunctsOf, type KeyPair, keyedJoin } from '../conjuncts.ts'
import { canFail } from '../failure.ts'
import { columnOf, filtered, map, renumbered } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { keyOf } from './block.ts'

/** An equality between columns of different relations; `left` and `right` are the relations each side reads. */
interface Edge {
  readonly condition: Scalar
  readonly left: ReadonlySet<number>
  readonly right: ReadonlySet<number>
}

/** Relations joined so far: `columns` says which of all columns each column of the plan is. */
interface Part {
  readonly plan: Plan
  readonly items: ReadonlySet<number>
  readonly columns: readonly number[]
}

/**
 * Filters the relations of a FROM list by the conditions that WHERE has on one of them alone, and that cannot fail:
 * they come before the joins.
 * @param conditions over all relations' columns side by side
 */
export function filterEach(
  plans: readonly Plan[],
  conditions: readonly Scalar[],
  failing: readonly boolean[],
): { readonly plans: readonly Plan[]; readonly rest: readonly Scalar[] } {
  if (plans.length === 1) return { plans, rest: conditions }
  let offset = 0
  const moved = new Set<Scalar>()
  const filteredPlans = plans.map((plan) => {
    const from = offset
    offset += plan.columns.length
    const own = conditions.filter((condition) => {
      const columns = [...columnsOf(condition)]
      return columns.length > 0 && columns.every((column) => column >= from && column < offset)
    })
    const safe = own.filter((condition) => !canFail(condition, failing))
    for (const condition of safe) moved.add(condition)
    return filtered(plan, conjunction(safe.map((condition) => renumbered(condition, (index) => index - from))))
  })
  return { plans: filteredPlans, rest: conditions.filter((condition) => !moved.has(condition)) }
}

/**
 * Joins the relations of a FROM list by the equalities that WHERE has between them. Starting from the first, the next
 * one in the list that an equality connects is joined; what nothing connects is joined without a key at last.
 * @param conditions over all relations' columns side by side
 * @returns a plan of all columns side by side, and the conditions that are not join keys
 */
export function joinInOrder(
  plans: readonly Plan[],
  conditions: readonly Scalar[],
): { readonly plan: Plan; readonly rest: readonly Scalar[] } {
  const [first] = plans
  if (plans.length === 1) return { plan: first, rest: conditions }
  const offsets = plans.map((_, i) => plans.slice(0, i).reduce((sum, plan) => sum + plan.columns.length, 0))
  const itemOf = offsets.flatMap((_, i) => plans[i].columns.map(() => i))
  const edges = conditions.flatMap((condition) => edgeOf(condition, itemOf))
  const used = new Set<Scalar>()
  const single = (i: number): Part => ({
    plan: plans[i],
    items: new Set([i]),
    columns: plans[i].columns.map((_, k) => offsets[i] + k),
  })
  const parts: Part[] = []
  let open = plans.map((_, i) => i)
  while (open.length > 0) {
    let part = single(open[0])
    open = open.slice(1)
    for (;;) {
      const next = open.find((i) => edges.some((edge) => connects(edge, part.items, new Set([i])) !== null))
      if (next === undefined) break
      part = joined(part, single(next), edges, used)
      open = open.filter((i) => i !== next)
    }
    parts.push(part)
  }
  const all = parts.reduce((left, right) => joined(left, right, edges, used))
  const rest = conditions.filter((condition) => !used.has(condition))
  if (all.columns.every((column, i) => column === i)) return { plan: all.plan, rest }
  const outputs = all.columns.map((_, i) => columnOf(all.plan, all.columns.indexOf(i)))
  return { plan: map(all.plan, null, outputs), rest }
}

function edgeOf(condition: Scalar, itemOf: readonly number[]): Edge[] {
  if (condition.op !== 'call' || !condition.fn.startsWith('=(')) return []
  const [left, right] = condition.args.map((arg) => new Set([...columnsOf(arg)].map((column) => itemOf[column])))
  if (left.size === 0 || right.size === 0 || [...left].some((item) => right.has(item))) return []
  return [{ condition, left, right }]
}

/** Which of an edge's sides reads `before`, where the other one reads `next` alone; null if it does not connect them. */
function connects(edge: Edge, before: ReadonlySet<number>, next: ReadonlySet<number>): 'left' | 'right' | null {
  const within = (items: ReadonlySet<number>, all: ReadonlySet<number>): boolean => [...items].every((i) => all.has(i))
  if (within(edge.left, before) && within(edge.right, next)) return 'left'
  return within(edge.right, before) && within(edge.left, next) ? 'right' : null
}

function joined(before: Part, next: Part, edges: readonly Edge[], used: Set<Scalar>): Part {
  const pairs = edges.flatMap((edge): KeyPair[] => {
    const side = connects(edge, before.items, next.items)
    if (side === null || edge.condition.op !== 'call') return []
    used.add(edge.condition)
    const [a, b] = side === 'left' ? edge.condition.args : [...edge.condition.args].reverse()
    return [{ left: inPart(a, before), right: inPart(b, next) }]
  })
  return {
    plan: keyedJoin('inner', before.plan, next.plan, pairs, null),
    items: new Set([...before.items, ...next.items]),
    columns: [...before.columns, ...next.columns],
  }
}

function inPart(scalar: Scalar, part: Part): Scalar {
  return renumbered(scalar, (index) => part.columns.indexOf(index))
}

/**
 * Takes out of an OR what all its branches ask for: (a AND b) OR (a AND c) is a AND (b OR c), so that `a` can be a
 * join key. With errors the two differ: then it is left alone.
 */
export function factored(condition: Scalar, failing: readonly boolean[]): readonly Scalar[] {
  if (condition.op !== 'or' || canFail(condition, failing)) return [condition]
  const branches = condition.args.map((branch) => new Map(conjunctsOf(branch).map((part) => [keyOf(part), part])))
  const [first, ...others] = branches
  const shared = [...first.keys()].filter((key) => others.every((branch) => branch.has(key)))
  if (shared.length === 0) return [condition]
  const common = shared.map((key) => first.get(key) as Scalar)
  const rests = branches.map((branch) => [...branch].filter(([key]) => !shared.includes(key)).map(([, part]) => part))
  if (rests.some((rest) => rest.length === 0)) return common
  return [...common, resolve.or(rests.map((rest) => resolve.and(rest)))]
}
