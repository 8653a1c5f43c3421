import type { Scalar } from '../../expr/scalar.ts'
import { childrenOf } from '../../expr/scalar.ts'
import type { Node } from '../../sql/parse.ts'
import { conjunctsOf } from '../conjuncts.ts'
import { failingColumns, filterOf } from '../failure.ts'
import { filtered } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Block, contains, substitute, virtualBase, virtualOf } from './block.ts'
import { bindCondition } from './call.ts'
import type { Clause } from './expression.ts'
import { factored, filterEach, joinInOrder } from './join-order.ts'
import { applyTemporal } from './now.ts'
import { bindSemiJoin, type Restrict } from './subquery.ts'

export interface Filtered {
  readonly plan: Plan
  /** Conjuncts that read the query around: the caller joins by them. */
  readonly correlated: readonly Scalar[]
}

/** Binds WHERE, and joins the FROM list's relations. What it puts out begins with their columns, side by side. */
export function bindWhere(where: Node | undefined, block: Block, plans: readonly Plan[]): Filtered {
  const { mayFail } = block.environment
  const failing = plans.flatMap((plan) => failingColumns(plan, mayFail))
  const clause: Clause = { block, name: 'WHERE', aggregates: false, windows: false, now: true, subqueries: true }
  const restricts: Restrict[] = []
  const plain: Scalar[] = []
  const timed: Scalar[] = []
  const late: Scalar[] = []
  const correlated: Scalar[] = []
  for (const node of nodeConjuncts(where)) {
    const restrict = bindSemiJoin(node, clause)
    if (restrict !== null) {
      restricts.push(restrict)
      continue
    }
    for (const conjunct of conjunctsOf(bindCondition(node, clause))) {
      if (readsNow(conjunct)) timed.push(conjunct)
      else if (contains(block, conjunct, 'outer')) correlated.push(conjunct)
      else if (contains(block, conjunct, 'subquery')) late.push(conjunct)
      else plain.push(...factored(conjunct, failing))
    }
  }
  const each = filterEach(plans, plain, failing)
  const { plan, rest } = joinInOrder(each.plans, each.rest)
  let filteredPlan = applyTemporal(filtered(plan, filterOf(rest, failing)), timed, block)
  for (const restrict of restricts) filteredPlan = restrict(filteredPlan, (outer) => outer)
  const attached = attachSubqueries(block, filteredPlan, late, (outer) => outer)
  const filter = filterOf(attached.scalars, failingColumns(attached.plan, mayFail))
  return { plan: filtered(attached.plan, filter), correlated }
}

export function nodeConjuncts(node: Node | undefined): readonly Node[] {
  if (node === undefined) return []
  if ('BoolExpr' in node && node.BoolExpr.boolop === 'AND_EXPR')
    return (node.BoolExpr.args ?? []).flatMap(nodeConjuncts)
  return [node]
}

export function readsNow(scalar: Scalar): boolean {
  return scalar.op === 'now' || childrenOf(scalar).some(readsNow)
}

/**
 * Joins the subqueries that stand in some expressions to the plan those read, and puts their values in their place.
 * The plan's columns stay where they are.
 */
export function attachSubqueries(
  block: Block,
  plan: Plan,
  scalars: readonly Scalar[],
  translate: (outer: Scalar) => Scalar,
): { readonly plan: Plan; readonly scalars: readonly Scalar[] } {
  const values = new Map<number, Scalar>()
  let widened = plan
  const renewed = scalars.map((scalar) =>
    substitute(scalar, (part) => {
      const virtual = virtualOf(block, part)
      if (virtual?.kind !== 'subquery' || part.op !== 'column') return null
      const known = values.get(part.index - virtualBase)
      if (known !== undefined) return known
      const attached = virtual.attach(widened, translate)
      widened = attached.plan
      values.set(part.index - virtualBase, attached.value)
      return attached.value
    }),
  )
  return { plan: widened, scalars: renewed }
}
