import type { ErrorPlace } from '../../data/errors.ts'
import * as resolve from '../../expr/resolve.ts'
import { childrenOf, columnsOf, type Scalar } from '../../expr/scalar.ts'
import type { SelectStmt, SubLink } from '../../sql/parse.ts'
import { unsupported } from '../../sql/refuse.ts'
import { conjunction, type KeyPair, keyedJoin } from '../conjuncts.ts'
import { columnOf, distinct, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Block, contains, keyOf, substitute, virtualBase, virtualOf } from './block.ts'
import type { Clause } from './expression.ts'
import { correlatedHint, isPlainSelect, refuseClauses, withQueries } from './query.ts'
import { bindSource, type Source } from './select.ts'

/** A subquery, and what it compares with the query around it. */
export interface Sub {
  readonly plan: Plan
  /** Left: over the query around. Right: over `plan`. */
  readonly pairs: readonly KeyPair[]
  /** Conditions that are no equalities, in the subquery's numbering. */
  readonly residual: readonly Scalar[]
  readonly block: Block | null
  readonly width: number
}

export function selectOf(link: SubLink): SelectStmt {
  const { subselect } = link
  return subselect !== undefined && 'SelectStmt' in subselect ? subselect.SelectStmt : {}
}

/** The FROM and WHERE of a subquery, if it is one SELECT. */
export function sourceOf(node: SelectStmt, clause: Clause): Source | null {
  if (!isPlainSelect(node)) return null
  const environment = withQueries(node.withClause, clause.block.environment)
  refuseClauses(node, environment)
  return bindSource(node, environment, clause.block)
}

export function uncorrelated(plan: Plan): Sub {
  return { plan, pairs: [], residual: [], block: null, width: plan.columns.length }
}

/** Splits what a subquery's WHERE says about the query around into key pairs and the rest. */
export function correlatedSub({ block, correlated }: Source, plan: Plan): Sub {
  const pairs: KeyPair[] = []
  const residual: Scalar[] = []
  for (const conjunct of correlated) {
    const pair = outerPair(conjunct, block)
    if (pair !== null) pairs.push(pair)
    else residual.push(conjunct)
    for (const virtual of block.virtuals) {
      if (virtual.kind === 'outer' && readsOuterOnly(virtual.outer)) continue
      if (virtual.kind === 'aggregate' || virtual.kind === 'window') continue
      if (virtual.kind === 'subquery' && !contains(block, conjunct, 'subquery')) continue
      throw unsupported(
        'a subquery that reads a query two levels around it is not supported',
        virtual.place,
        correlatedHint,
      )
    }
  }
  return { plan, pairs, residual, block, width: plan.columns.length }
}

/** The outer column belongs to the query right around, and is no stand-in itself. */
function readsOuterOnly(outer: Scalar): boolean {
  return outer.op === 'column' && outer.index < virtualBase
}

function outerPair(conjunct: Scalar, block: Block): KeyPair | null {
  if (conjunct.op !== 'call' || !conjunct.fn.startsWith('=(')) return null
  const [first, second] = conjunct.args
  const isOuter = (scalar: Scalar): boolean =>
    contains(block, scalar, 'outer') && [...columnsOf(scalar)].every((index) => index >= virtualBase)
  const isInner = (scalar: Scalar): boolean => !contains(block, scalar, 'outer', 'subquery')
  const around = (scalar: Scalar): Scalar =>
    substitute(scalar, (part) => {
      const virtual = virtualOf(block, part)
      return virtual?.kind === 'outer' ? virtual.outer : null
    })
  if (isOuter(first) && isInner(second)) return { left: around(first), right: second }
  if (isOuter(second) && isInner(first)) return { left: around(second), right: first }
  return null
}

/**
 * A subquery joined with the distinct values that the query around compares it with, where equality is not all it
 * compares by: behind its own columns come those values.
 */
export function withOuterValues(
  sub: Sub,
  block: Block,
  plan: Plan,
  translate: (outer: Scalar) => Scalar,
  at: ErrorPlace,
): { readonly joined: Plan; readonly outer: readonly Scalar[]; readonly width: number } {
  const compared = new Map<string, Scalar>()
  const visit = (scalar: Scalar): void => {
    const virtual = virtualOf(block, scalar)
    if (virtual?.kind === 'outer') compared.set(keyOf(virtual.outer), virtual.outer)
    childrenOf(scalar).forEach(visit)
  }
  sub.residual.forEach(visit)
  for (const { left } of sub.pairs) for (const column of columnsIn(left)) compared.set(keyOf(column), column)
  const outer = [...compared.values()]
  // A value that is NULL is not joined back: that is right if no condition on it can be true then.
  const rejected = (scalar: Scalar): boolean =>
    sub.pairs.some(({ left }) => keyOf(left) === keyOf(scalar)) ||
    sub.residual.some((condition) => rejectsNull(condition, block, scalar))
  if (!outer.every((scalar) => !scalar.nullable || rejected(scalar))) {
    throw unsupported('a subquery that reads the query around in this way is not supported', at, correlatedHint)
  }
  const values = distinct(
    map(
      plan,
      null,
      outer.map((scalar) => resolve.keyOf(translate(scalar))),
    ),
  )
  const width = sub.plan.columns.length
  const slotOf = (scalar: Scalar): number => outer.findIndex((each) => keyOf(each) === keyOf(scalar))
  const pairs = sub.pairs.map(({ left, right }) => ({
    left: right,
    right: substitute(left, (part) => (part.op === 'column' ? columnOf(values, slotOf(part)) : null)),
  }))
  const residual = sub.residual.map((scalar) =>
    substitute(scalar, (part) => {
      const virtual = virtualOf(block, part)
      if (virtual?.kind !== 'outer') return null
      const slot = slotOf(virtual.outer)
      return { ...columnOf(values, slot), index: width + slot } as Scalar
    }),
  )
  return { joined: keyedJoin('inner', sub.plan, values, pairs, conjunction(residual)), outer, width }
}

function columnsIn(scalar: Scalar): readonly Scalar[] {
  return scalar.op === 'column' ? [scalar] : childrenOf(scalar).flatMap(columnsIn)
}

const strictComparisons = new Set(['=', '<>', '<', '<=', '>', '>=', '~~', '!~~'])

function rejectsNull(condition: Scalar, block: Block, outer: Scalar): boolean {
  if (condition.op !== 'call' || !strictComparisons.has(condition.fn.slice(0, condition.fn.lastIndexOf('('))))
    return false
  return condition.args.some((arg) => {
    const inner = arg.op === 'cast' ? arg.arg : arg
    const virtual = virtualOf(block, inner)
    return virtual?.kind === 'outer' && keyOf(virtual.outer) === keyOf(outer)
  })
}
