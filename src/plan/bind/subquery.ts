import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { Node, SubLink } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { conjunction, type KeyPair, keyedJoin } from '../conjuncts.ts'
import { columnOf, columnsAsScalars, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Attach, contains, located, place, refuse, standIn, substitute, virtualBase, virtualOf } from './block.ts'
import { correlatedSub, type Sub, selectOf, sourceOf, uncorrelated } from './correlated.ts'
import { bindExpression, type Clause } from './expression.ts'
import { nameOf } from './node.ts'
import { bindQuery, bindRest } from './query.ts'
import { bindTargets, sealed } from './select.ts'
import { bindScalar, existsValue, type InSubquery, inValue } from './subquery-value.ts'

/** Keeps the rows of a plan that a subquery lets through. The plan's columns stay where they are. */
export type Restrict = (plan: Plan, translate: (outer: Scalar) => Scalar) => Plan

const boolean: SqlType = { kind: 'boolean' }

/** A conjunct of WHERE that is EXISTS or IN, or NOT of one; null for any other, and where only a value will do. */
export function bindSemiJoin(node: Node, clause: Clause): Restrict | null {
  const negated = 'BoolExpr' in node && node.BoolExpr.boolop === 'NOT_EXPR'
  const inner = negated ? node.BoolExpr.args?.[0] : node
  if (inner === undefined || !('SubLink' in inner)) return null
  const { SubLink: link } = inner
  const kind = negated ? 'anti' : 'semi'
  if (link.subLinkType === 'EXISTS_SUBLINK') {
    const sub = bindExists(link, clause)
    return (plan, translate) => semiJoin(kind, plan, sub, sub.pairs, translate)
  }
  if (link.subLinkType !== 'ANY_SUBLINK' || operatorOf(link) !== '=') return null
  const { sub, pairs } = bindIn(link, clause)
  const nullable = pairs.some(({ left, right }) => left.nullable || right.nullable)
  if (negated && nullable) {
    if (sub.block === null) return null
    throw refuse(
      clause.block.environment,
      link.location,
      'NOT IN (SELECT …) that reads the query around, of columns that may be NULL, is not supported',
      'write NOT EXISTS (SELECT … WHERE … = …)',
    )
  }
  return (plan, translate) => semiJoin(kind, plan, sub, [...pairs, ...sub.pairs], translate)
}

function semiJoin(
  kind: 'semi' | 'anti',
  plan: Plan,
  sub: Sub,
  pairs: readonly KeyPair[],
  translate: (outer: Scalar) => Scalar,
): Plan {
  const keys = pairs.map(({ left, right }) => ({ left: translate(left), right }))
  const width = plan.columns.length
  const { block } = sub
  const residual =
    block === null
      ? []
      : sub.residual.map((scalar) =>
          substitute(scalar, (part) => {
            const virtual = virtualOf(block, part)
            if (virtual?.kind === 'outer') return translate(virtual.outer)
            return part.op === 'column' ? { ...part, index: part.index + width } : null
          }),
        )
  return keyedJoin(kind, plan, sub.plan, keys, conjunction(residual))
}

/** A subquery as a value: of one row, EXISTS, or IN. */
export function bindSubLink(link: SubLink, clause: Clause): Scalar {
  const { block } = clause
  const at = place(block.environment, link.location)
  const value = (attach: Attach, type: SqlType, nullable: boolean): Scalar =>
    standIn(block, { kind: 'subquery', attach, place: at }, type, nullable)
  switch (link.subLinkType) {
    case 'EXPR_SUBLINK':
      return bindScalar(link, clause, value)
    case 'EXISTS_SUBLINK':
      return value(existsValue(bindExists(link, clause), at), boolean, false)
    case 'ANY_SUBLINK':
      if (operatorOf(link) === '=') return value(inValue(bindIn(link, clause), at), boolean, true)
      break
    case 'ALL_SUBLINK':
      if (operatorOf(link) === '<>') return resolve.not(value(inValue(bindIn(link, clause), at), boolean, true))
      break
    case 'ARRAY_SUBLINK':
      throw refuse(block.environment, link.location, 'ARRAY (SELECT …) is not supported', 'join with the subquery')
    default:
  }
  const quantifier = link.subLinkType === 'ALL_SUBLINK' ? 'ALL' : 'ANY'
  throw refuse(
    block.environment,
    link.location,
    `${operatorOf(link)} ${quantifier} (SELECT …) is not supported`,
    'compare with (SELECT max(…) …) or (SELECT min(…) …)',
  )
}

function operatorOf(link: SubLink): string {
  return link.operName === undefined ? '=' : nameOf(link.operName)
}

function bindExists(link: SubLink, clause: Clause): Sub {
  const node = selectOf(link)
  const source = sourceOf(node, clause)
  if (source === null) return uncorrelated(bindQuery(node, clause.block.environment, clause.block).plan)
  if (source.correlated.length === 0) return uncorrelated(bindRest(node, source).plan)
  bindTargets(node, source.block)
  const { environment } = source.block
  const grouped =
    node.groupClause !== undefined ||
    node.havingClause !== undefined ||
    source.block.virtuals.some((virtual) => virtual.kind === 'aggregate')
  if (grouped || node.limitCount !== undefined || node.limitOffset !== undefined) {
    const what =
      'EXISTS of a subquery that reads the query around and has GROUP BY, an aggregate or LIMIT is not supported'
    throw refuse(environment, link.location, what, 'leave them out, or join with a grouped subquery')
  }
  return correlatedSub(source, source.plan)
}

function bindIn(link: SubLink, clause: Clause): InSubquery {
  const { block } = clause
  const test = link.testexpr as Node
  const left =
    'RowExpr' in test
      ? (test.RowExpr.args ?? []).map((item) => bindExpression(item, clause))
      : [bindExpression(test, clause)]
  if (left.some((scalar) => contains(block, scalar, 'subquery', 'outer', 'window'))) {
    throw refuse(
      block.environment,
      link.location,
      'a subquery on the left of IN (SELECT …) is not supported',
      'join with it first',
    )
  }
  const sub = inSub(link, clause)
  const at = place(block.environment, link.location)
  if (sub.width !== left.length) {
    throw refusal(
      'sql/type',
      `the subquery of IN has ${sub.width} columns, not ${left.length}`,
      at,
      'select as many expressions as stand before IN',
    )
  }
  const pairs = left.map((scalar, i) => {
    const right = columnOf(sub.plan, i)
    const equal = located(at, () => resolve.call('=', [scalar, right]))
    const typed =
      scalar.type.kind === 'unknown' ? located(at, () => resolve.cast(scalar, right.type, 'implicit')) : scalar
    return { left: typed, right, nullable: equal.nullable }
  })
  return { sub, pairs }
}

/** The outputs of IN's subquery, followed by the columns it compares with the query around. */
function inSub(link: SubLink, clause: Clause): Sub {
  const node = selectOf(link)
  const source = sourceOf(node, clause)
  if (source === null) return uncorrelated(bindQuery(node, clause.block.environment, clause.block).plan)
  if (source.correlated.length === 0) return uncorrelated(bindRest(node, source).plan)
  const targets = bindTargets(node, source.block)
  const plain = targets.every(
    (target) => !contains(source.block, target.scalar, 'aggregate', 'window', 'subquery', 'outer'),
  )
  if (!plain || node.groupClause || node.havingClause || node.limitCount || node.limitOffset) {
    throw refuse(
      source.block.environment,
      link.location,
      'IN of a subquery that reads the query around and has GROUP BY, an aggregate, a subquery or LIMIT is not supported',
      'write it as a join with a grouped subquery',
    )
  }
  const { plan } = source
  const inner = columnsAsScalars(plan)
  const outputs = sealed(
    map(
      plan,
      null,
      [...targets.map((target) => target.scalar), ...inner],
      [...targets.map((target) => target.name), ...plan.columns.map((column) => column.name)],
    ),
  )
  const shift = targets.length
  const moved = (scalar: Scalar): Scalar =>
    substitute(scalar, (part) =>
      part.op === 'column' && part.index < virtualBase ? { ...part, index: part.index + shift } : null,
    )
  const sub = correlatedSub(source, outputs)
  return {
    ...sub,
    pairs: sub.pairs.map(({ left, right }) => ({ left, right: moved(right) })),
    residual: sub.residual.map(moved),
    width: shift,
  }
}
