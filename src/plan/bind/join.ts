import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { JoinExpr, Node } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { listSpelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { conjunction, conjunctsOf, inOneType, type KeyPair, keyedJoin, keyPairOf } from '../conjuncts.ts'
import { columnOf, columnsAsScalars, extended, map, renumbered } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Environment, located, newBlock, place, refuse } from './block.ts'
import { bindCondition } from './call.ts'
import type { Clause } from './expression.ts'
import { locationOf } from './node.ts'
import { beside, findColumn, type Relation, retyped, type Scope, type ScopeColumn, unknownColumn } from './scope.ts'

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
      if (pairs.length > 0) return keyedJoin('full', left, right, pairs, residual)
      throw refuse(
        environment,
        locationOf(node.rarg),
        'FULL JOIN without an equality between the two relations is not supported',
        'join both ways with LEFT JOIN and UNION the results',
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
  const own: string[] = []
  const outputs = names.map((name) => {
    const both = scope.columns.filter((column) => column.bare && column.star && fold(column.name) === fold(name))
    if (both.length !== 2) {
      throw refusal(
        'sql/ambiguous',
        `common column name "${name}" appears more than once in a relation`,
        at,
        'join with ON instead',
      )
    }
    for (const column of both) hidden.add(column)
    own.push(both[0].name)
    const [left, right] = both.map((column) => columnOf(plan, column.index))
    return located(at, () => {
      const { left: a, right: b } = inOneType({ left, right })
      return node.jointype === 'JOIN_FULL' ? resolve.coalesce([a, b]) : node.jointype === 'JOIN_RIGHT' ? b : a
    })
  })
  const computed = outputs.filter((output) => output.op !== 'column')
  const widened = extended(plan, computed)
  const front: ScopeColumn[] = outputs.map((output, i) => ({
    index: output.op === 'column' ? output.index : plan.columns.length + computed.indexOf(output),
    name: own[i],
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
