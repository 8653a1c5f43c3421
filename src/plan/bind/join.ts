import { type SqlType, sameType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import { columnsOf, type Scalar } from '../../expr/scalar.ts'
import type { JoinExpr, Node } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { listSpelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { columnOf, columnsAsScalars, extended, join, map, renumbered } from '../nodes.ts'
import type { Join, Plan } from '../plan.ts'
import { type Environment, located, newBlock, place, refuse } from './block.ts'
import { bindCondition } from './call.ts'
import type { Clause } from './expression.ts'
import { locationOf } from './node.ts'
import { beside, findColumn, type Relation, retyped, type Scope, type ScopeColumn, unknownColumn } from './scope.ts'

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
  return conjuncts.length === 0 ? null : conjuncts.length === 1 ? conjuncts[0] : resolve.and([...conjuncts])
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

/** What the two sides of a key are compared as: keys meet by their bytes. */
export function unified({ left, right }: KeyPair): KeyPair {
  if (sameType(left.type, right.type)) return { left, right }
  const type = keyType(left, right)
  return { left: resolve.cast(left, type, 'implicit'), right: resolve.cast(right, type, 'implicit') }
}

function keyType(left: Scalar, right: Scalar): SqlType {
  const kinds = [left.type.kind, right.type.kind]
  // PostgreSQL compares a real with any other number as doubles, though their common type may be real.
  if (kinds.includes('real')) return { kind: 'double' }
  return resolve.commonType([left, right])
}

/**
 * Joins on key pairs: sides that are more than a column are computed below the join, behind the columns of its
 * inputs, and are no part of what it puts out.
 * @param residual over the left's columns followed by the right's
 */
export function keyedJoin(
  kind: Join['kind'],
  left: Plan,
  right: Plan,
  pairs: readonly KeyPair[],
  residual: Scalar | null,
): Plan {
  const keys = pairs.map(unified)
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

/** `a JOIN b`: its two relations are bound already. */
export function bindJoin(node: JoinExpr, left: Relation, right: Relation, environment: Environment): Relation {
  const leftWidth = left.plan.columns.length
  const at = place(environment, locationOf(node.rarg))
  const scope = beside(left.scope, right.scope, leftWidth, at)
  const using = usingOf(node, left.scope, right.scope, environment)
  const conjuncts =
    using === null
      ? onConjuncts(node.quals, scope, environment)
      : using.map((name) => usingEquality(name, left.scope, right.scope, leftWidth, environment, node))
  const pairs: KeyPair[] = []
  const rest: Scalar[] = []
  for (const conjunct of conjuncts) {
    const pair = keyPairOf(conjunct, leftWidth)
    if (pair === null) rest.push(conjunct)
    else pairs.push(pair)
  }
  const plan = joinOf(node, left.plan, right.plan, pairs, conjunction(rest), environment)
  const joined = { plan, scope: retyped(scope, plan) }
  return using === null ? joined : merged(joined, using, node, environment)
}

function joinOf(
  node: JoinExpr,
  left: Plan,
  right: Plan,
  pairs: readonly KeyPair[],
  residual: Scalar | null,
  environment: Environment,
): Plan {
  switch (node.jointype) {
    case 'JOIN_LEFT':
      return keyedJoin('left', left, right, pairs, residual)
    case 'JOIN_FULL':
      if (pairs.length > 0 && residual === null) return keyedJoin('full', left, right, pairs, null)
      throw refuse(
        environment,
        locationOf(node.rarg),
        'FULL JOIN on anything but equalities between the two relations is not supported',
        'filter each side in a subquery before the join',
      )
    case 'JOIN_RIGHT': {
      const [leftWidth, rightWidth] = [left.columns.length, right.columns.length]
      const swapped = residual === null ? null : swapSides(residual, leftWidth, rightWidth)
      const flipped = pairs.map((pair) => ({ left: pair.right, right: pair.left }))
      const joined = keyedJoin('left', right, left, flipped, swapped)
      const columns = columnsAsScalars(joined)
      return map(joined, null, [...columns.slice(rightWidth), ...columns.slice(0, rightWidth)])
    }
    default:
      return keyedJoin('inner', left, right, pairs, residual)
  }
}

function swapSides(scalar: Scalar, leftWidth: number, rightWidth: number): Scalar {
  return renumbered(scalar, (index) => (index < leftWidth ? index + rightWidth : index - leftWidth))
}

function onConjuncts(quals: Node | undefined, scope: Scope, environment: Environment): readonly Scalar[] {
  if (quals === undefined) return []
  const block = newBlock(environment, null, scope)
  const clause: Clause = {
    block,
    name: 'JOIN conditions',
    aggregates: false,
    windows: false,
    now: false,
    subqueries: false,
  }
  return conjunctsOf(bindCondition(quals, clause))
}

/** The names of USING or NATURAL; null for a join without them. */
function usingOf(node: JoinExpr, left: Scope, right: Scope, environment: Environment): readonly string[] | null {
  if (node.usingClause !== undefined) {
    const names = node.usingClause.map((name) => ('String' in name ? (name.String.sval ?? '') : ''))
    return listSpelling(environment.statement, locationOf(node.rarg), names)
  }
  if (!node.isNatural) return null
  const names = left.columns.filter((column) => column.bare && column.star).map((column) => column.name)
  return names.filter((name) =>
    right.columns.some((column) => column.bare && column.star && fold(column.name) === fold(name)),
  )
}

function usingColumns(
  name: string,
  left: Scope,
  right: Scope,
  environment: Environment,
  node: JoinExpr,
): [ScopeColumn, ScopeColumn] {
  const at = place(environment, locationOf(node.rarg))
  const found = [left, right].map((scope) => {
    const column = findColumn(scope, null, name, at)
    if (column === null) throw unknownColumn([scope], null, name, at)
    return column
  })
  return [found[0], found[1]]
}

function usingEquality(
  name: string,
  left: Scope,
  right: Scope,
  leftWidth: number,
  environment: Environment,
  node: JoinExpr,
): Scalar {
  const [a, b] = usingColumns(name, left, right, environment, node)
  const sides = [resolve.column(a.index, a.type, a.nullable), resolve.column(b.index + leftWidth, b.type, b.nullable)]
  return located(place(environment, locationOf(node.rarg)), () => resolve.call('=', sides))
}

/** The columns of USING stand once, in front; the relations' own are still there under their names. */
function merged(
  { plan, scope }: Relation,
  names: readonly string[],
  node: JoinExpr,
  environment: Environment,
): Relation {
  const at = place(environment, locationOf(node.rarg))
  const hidden = new Set<ScopeColumn>()
  const outputs = names.map((name) => {
    const own = scope.columns.filter((column) => column.bare && column.star && fold(column.name) === fold(name))
    if (own.length !== 2) {
      throw refusal('sql/ambiguous', `common column name "${name}" appears more than once in a relation`, at)
    }
    for (const column of own) hidden.add(column)
    const [left, right] = own.map((column) => columnOf(plan, column.index))
    return located(at, () => {
      const { left: a, right: b } = sameType(left.type, right.type) ? { left, right } : unified({ left, right })
      return node.jointype === 'JOIN_FULL' ? resolve.coalesce([a, b]) : node.jointype === 'JOIN_RIGHT' ? b : a
    })
  })
  const computed = outputs.filter((output) => output.op !== 'column')
  const widened = extended(plan, computed)
  const front: ScopeColumn[] = outputs.map((output, i) => ({
    index: output.op === 'column' ? output.index : plan.columns.length + computed.indexOf(output),
    name: names[i],
    type: output.type,
    nullable: output.nullable,
    table: null,
    bare: true,
    star: true,
    tableStar: false,
  }))
  const others = scope.columns.map((column) => (hidden.has(column) ? { ...column, bare: false, star: false } : column))
  const columns = [...front, ...others]
  return { plan: widened, scope: { columns, tables: scope.tables } }
}
