import { type SqlType, sameType } from '../data/sql-type.ts'
import * as resolve from '../expr/resolve.ts'
import { columnsOf, type Scalar } from '../expr/scalar.ts'
import { columnOf, extended, join, map, renumbered } from './nodes.ts'
import type { Join, Plan } from './plan.ts'

/** Two expressions that have to be equal: over the left's columns, over the right's. */
export interface KeyPair {
  readonly left: Scalar
  readonly right: Scalar
}

/** The operands of top-level ANDs. */
export function conjunctsOf(scalar: Scalar | null): readonly Scalar[] {
  if (scalar === null) return []
  return scalar.op === 'and' ? scalar.args.flatMap(conjunctsOf) : [scalar]
}

export function conjunction(conjuncts: readonly Scalar[]): Scalar | null {
  return conjuncts.length === 0 ? null : resolve.and(conjuncts)
}

/** The pair that an equality over two relations side by side is, if each of its sides reads one of them. */
export function keyPairOf(scalar: Scalar, leftWidth: number): KeyPair | null {
  if (scalar.op !== 'call' || !scalar.fn.startsWith('=(')) return null
  const [first, second] = scalar.args
  const [a, b] = [sideOf(first, leftWidth), sideOf(second, leftWidth)]
  if (a === null || b === null || a === b) return null
  const [left, right] = a === 'left' ? [first, second] : [second, first]
  return { left, right: moved(right, -leftWidth) }
}

/** The side whose columns an expression reads; null if both or none. */
function sideOf(scalar: Scalar, leftWidth: number): 'left' | 'right' | null {
  const columns = [...columnsOf(scalar)]
  if (columns.length === 0) return null
  if (columns.every((column) => column < leftWidth)) return 'left'
  return columns.every((column) => column >= leftWidth) ? 'right' : null
}

export function moved(scalar: Scalar, by: number): Scalar {
  return renumbered(scalar, (index) => index + by)
}

/** The two sides of a key in one type and form: keys meet by their bytes. */
export function unified(pair: KeyPair): KeyPair {
  const { left, right } = inOneType(pair)
  return { left: resolve.keyOf(left), right: resolve.keyOf(right) }
}

export function inOneType({ left, right }: KeyPair): KeyPair {
  if (sameType(left.type, right.type)) return { left, right }
  const kinds = [left.type.kind, right.type.kind]
  if (kinds.includes('real')) {
    // PostgreSQL compares a real with any other number as doubles, though their common type may be real.
    const double: SqlType = { kind: 'double' }
    return { left: resolve.cast(left, double, 'implicit'), right: resolve.cast(right, double, 'implicit') }
  }
  const [a, b] = resolve.unify([left, right], '=').args
  return { left: a, right: b }
}

/**
 * Joins on key pairs in whatever type they are.
 * @param residual over the left's columns followed by the right's
 */
export function keyedJoin(
  kind: Join['kind'],
  left: Plan,
  right: Plan,
  pairs: readonly KeyPair[],
  residual: Scalar | null,
): Plan {
  return unifiedJoin(kind, left, right, pairs.map(unified), residual)
}

/**
 * Joins on key pairs that are in one form: sides that are more than a column are computed below the join, behind the
 * columns of its inputs, and are no part of what it puts out.
 */
export function unifiedJoin(
  kind: Join['kind'],
  left: Plan,
  right: Plan,
  keys: readonly KeyPair[],
  residual: Scalar | null,
): Plan {
  const [leftPlan, leftKeys] = withKeys(
    left,
    keys.map((pair) => pair.left),
  )
  const [rightPlan, rightKeys] = withKeys(
    right,
    keys.map((pair) => pair.right),
  )
  const leftWidth = left.columns.length
  const added = leftPlan.columns.length - leftWidth
  const condition =
    residual === null ? null : renumbered(residual, (index) => (index < leftWidth ? index : index + added))
  const joined = join(kind, leftPlan, rightPlan, leftKeys, rightKeys, condition)
  if (added === 0 && rightPlan.columns.length === right.columns.length) return joined
  const outputs = left.columns.map((_, i) => columnOf(joined, i))
  if (kind !== 'semi' && kind !== 'anti') {
    for (let i = 0; i < right.columns.length; i++) outputs.push(columnOf(joined, leftPlan.columns.length + i))
  }
  return map(joined, null, outputs)
}

function withKeys(plan: Plan, keys: readonly Scalar[]): [Plan, number[]] {
  const added: Scalar[] = []
  const indexes = keys.map((key) => {
    if (key.op === 'column') return key.index
    added.push(key)
    return plan.columns.length + added.length - 1
  })
  return [extended(plan, added), indexes]
}
