import type { ErrorPlace } from '../../data/errors.ts'
import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import { columnsOf, type Scalar } from '../../expr/scalar.ts'
import type { Node, SelectStmt, SubLink } from '../../sql/parse.ts'
import { refusal, unsupported } from '../../sql/refuse.ts'
import { conjunction, type KeyPair, keyedJoin, unified } from '../conjuncts.ts'
import { aggregate, columnOf, columnsAsScalars, distinct, extended, join, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { atMostOneRow, uniqueKeys } from '../properties.ts'
import {
  type Attach,
  type Block,
  contains,
  located,
  place,
  refuse,
  standIn,
  substitute,
  virtualBase,
  virtualOf,
} from './block.ts'
import { bindExpression, type Clause } from './expression.ts'
import { groupLayer } from './group.ts'
import { nameOf } from './node.ts'
import { bindQuery, bindRest, correlatedHint, isPlainSelect, refuseClauses, withQueries } from './query.ts'
import { bindSource, bindTargets, type Source, sealed } from './select.ts'

/** Keeps the rows of a plan that a subquery lets through. The plan's columns stay where they are. */
export type Restrict = (plan: Plan, translate: (outer: Scalar) => Scalar) => Plan

const boolean: SqlType = { kind: 'boolean' }
const bigint: SqlType = { kind: 'bigint' }

/** A subquery, and what it compares with the query around it. */
interface Sub {
  readonly plan: Plan
  /** Left: over the query around. Right: over `plan`. */
  readonly pairs: readonly KeyPair[]
  /** Conditions that are no equalities, in the subquery's numbering. */
  readonly residual: readonly Scalar[]
  readonly block: Block | null
  readonly width: number
}

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
      if (operatorOf(link) === '=') return value(inValue(link, clause, at), boolean, true)
      break
    case 'ALL_SUBLINK':
      if (operatorOf(link) === '<>') return resolve.not(value(inValue(link, clause, at), boolean, true))
      break
    case 'ARRAY_SUBLINK':
      throw refuse(block.environment, link.location, 'ARRAY (SELECT …) is not supported')
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

function selectOf(link: SubLink): SelectStmt {
  const { subselect } = link
  return subselect !== undefined && 'SelectStmt' in subselect ? subselect.SelectStmt : {}
}

/** The FROM and WHERE of a subquery, if it is one SELECT. */
function sourceOf(node: SelectStmt, clause: Clause): Source | null {
  if (!isPlainSelect(node)) return null
  const environment = withQueries(node.withClause, clause.block.environment)
  refuseClauses(node, environment)
  return bindSource(node, environment, clause.block)
}

function uncorrelated(plan: Plan): Sub {
  return { plan, pairs: [], residual: [], block: null, width: plan.columns.length }
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

/** Splits what a subquery's WHERE says about the query around into key pairs and the rest. */
function correlatedSub({ block, correlated }: Source, plan: Plan): Sub {
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

function bindIn(link: SubLink, clause: Clause): { readonly sub: Sub; readonly pairs: readonly KeyPair[] } {
  const { block } = clause
  const test = link.testexpr as Node
  const left =
    'RowExpr' in test
      ? (test.RowExpr.args ?? []).map((item) => bindExpression(item, clause))
      : [bindExpression(test, clause)]
  if (left.some((scalar) => contains(block, scalar, 'subquery', 'outer', 'window'))) {
    throw refuse(block.environment, link.location, 'a subquery on the left of IN (SELECT …) is not supported')
  }
  const sub = inSub(link, clause)
  const at = place(block.environment, link.location)
  if (sub.width !== left.length) {
    throw refusal('sql/type', `the subquery of IN has ${sub.width} columns, not ${left.length}`, at)
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

/** EXISTS as a value: a left join with the distinct keys in the form they meet in, marked. */
function existsValue(sub: Sub, at: ErrorPlace): Attach {
  if (sub.residual.length > 0) {
    const what =
      'EXISTS under OR or NOT, or as a value, with a condition on the query around that is no equality, is not supported'
    throw unsupported(what, at, correlatedHint)
  }
  return (plan, translate) => {
    if (sub.pairs.length === 0) {
      const counted = join('inner', plan, countRows(sub.plan, []), [], [], null)
      const zero = resolve.literal('0', bigint)
      return { plan: counted, value: resolve.call('>', [columnOf(counted, plan.columns.length), zero]) }
    }
    const keys = sub.pairs.map(({ left, right }) => unified({ left: translate(left), right }))
    const marked = markedKeys(
      sub.plan,
      keys.map((pair) => pair.right),
    )
    const pairs = keys.map(({ left }, i) => ({ left, right: columnOf(marked, i) }))
    const joined = keyedJoin('left', plan, marked, pairs, null)
    return { plan: joined, value: resolve.isNull(columnOf(joined, joined.columns.length - 1), true) }
  }
}

function markedKeys(plan: Plan, keys: readonly Scalar[]): Plan {
  return extended(distinct(map(plan, null, keys)), [resolve.literal('true', boolean)])
}

/** count(*), and the count of each column that isn't NULL. */
function countRows(plan: Plan, columns: readonly number[]): Plan {
  const results = [null, ...columns].map((argument) => ({
    call: { fn: 'count' as const, argument, distinct: false, filter: null },
    column: { name: 'count', type: bigint, nullable: false },
  }))
  return aggregate(
    plan,
    [],
    results.map(({ call }) => call),
    results.map(({ column }) => column),
  )
}

/**
 * IN as a value: true if there is a match; else NULL if the left side is NULL or the subquery has a NULL, and the
 * subquery has rows at all; else false.
 */
function inValue(link: SubLink, clause: Clause, at: ErrorPlace): Attach {
  const { sub, pairs } = bindIn(link, clause)
  if (sub.block !== null || pairs.length > 1) {
    const what =
      'IN (SELECT …) of several columns, or one that reads the query around, under OR or NOT or as a value, is not supported'
    throw unsupported(what, at, 'write EXISTS (SELECT … WHERE … = …)')
  }
  return (plan, translate) => {
    const subject = translate(pairs[0].left)
    const key = unified({ left: subject, right: columnOf(sub.plan, 0) })
    const marked = markedKeys(sub.plan, [key.right])
    const matched = keyedJoin('left', plan, marked, [{ left: key.left, right: columnOf(marked, 0) }], null)
    const mark = columnOf(matched, matched.columns.length - 1)
    const joined = join('inner', matched, countRows(sub.plan, [0]), [], [], null)
    const [all, known] = [0, 1].map((i) => columnOf(joined, matched.columns.length + i))
    const truth = (text: string | null): Scalar => resolve.literal(text, boolean)
    const value = resolve.caseOf(
      [
        { when: resolve.isNull(mark, true), result: truth('true') },
        { when: resolve.call('=', [all, resolve.literal('0', bigint)]), result: truth('false') },
        { when: resolve.or([resolve.isNull(subject, false), resolve.call('<', [known, all])]), result: truth(null) },
      ],
      truth('false'),
    )
    return { plan: joined, value }
  }
}

type Value = (attach: Attach, type: SqlType, nullable: boolean) => Scalar

function bindScalar(link: SubLink, clause: Clause, value: Value): Scalar {
  const { block } = clause
  const node = selectOf(link)
  const at = place(block.environment, link.location)
  const source = sourceOf(node, clause)
  if (source !== null && source.correlated.length > 0) return bindCorrelatedScalar(node, source, at, value)
  const { plan } = source === null ? bindQuery(node, block.environment, block) : bindRest(node, source)
  if (plan.columns.length !== 1) throw refusal('sql/type', 'subquery must return only one column', at)
  if (!atMostOneRow(plan)) throw moreThanOneRow(at)
  // A left join keeps the row where the subquery has none: its value is NULL then.
  const attach: Attach = (outer) => {
    const joined = join('left', outer, plan, [], [], null)
    return { plan: joined, value: columnOf(joined, outer.columns.length) }
  }
  return value(attach, plan.columns[0].type, true)
}

function moreThanOneRow(at: ErrorPlace): Error {
  return unsupported(
    'a subquery as a value that may have more than one row is not supported',
    at,
    'aggregate it, such as (SELECT max(x) …), or end it with LIMIT 1',
  )
}

/** A subquery of one value per row around it: grouped by what it compares, then joined. */
function bindCorrelatedScalar(node: SelectStmt, source: Source, at: ErrorPlace, value: Value): Scalar {
  const { block } = source
  if (node.groupClause || node.havingClause || node.distinctClause || node.limitCount || node.limitOffset) {
    const what =
      'a subquery as a value that reads the query around and has GROUP BY, DISTINCT or LIMIT is not supported'
    throw unsupported(what, at, 'join with a grouped subquery')
  }
  const targets = bindTargets(node, block)
  if (targets.length !== 1) throw refusal('sql/type', 'subquery must return only one column', at)
  const target = targets[0].scalar
  const sub = correlatedSub(source, source.plan)
  if (sub.residual.length > 0 || contains(block, target, 'outer', 'subquery', 'window')) {
    throw unsupported(
      'a subquery as a value that reads the query around other than by = is not supported',
      at,
      correlatedHint,
    )
  }
  const keys = sub.pairs.map((pair) => pair.right)
  if (!block.virtuals.some((virtual) => virtual.kind === 'aggregate')) return oneRowEach(sub, target, at, value)
  const layer = groupLayer(block, sub.plan, keys, keys)
  const above = (joined: Plan, width: number): Scalar =>
    substitute(layer.translate(target), (part) => {
      if (part.op !== 'column') return null
      const column = columnOf(joined, part.index + width)
      // Where there is no group, count is 0 and all else is NULL.
      const counts = layer.plan.op === 'aggregate' && layer.plan.calls[part.index - layer.keyCount]?.fn === 'count'
      return counts ? resolve.coalesce([column, resolve.literal('0', bigint)]) : column
    })
  const attach: Attach = (plan, translate) => {
    const pairs = sub.pairs.map(({ left }, i) => ({ left: translate(left), right: layer.scalars[i] }))
    const joined = keyedJoin('left', plan, layer.plan, pairs, null)
    return { plan: joined, value: above(joined, plan.columns.length) }
  }
  return value(attach, target.type, true)
}

/** Without an aggregate, the columns compared have to identify the subquery's row. */
function oneRowEach(sub: Sub, target: Scalar, at: ErrorPlace, value: Value): Scalar {
  const compared = new Set(sub.pairs.flatMap(({ right }) => (right.op === 'column' ? [right.index] : [])))
  const unique = uniqueKeys(sub.plan).some((key) => key.every((index) => compared.has(index)))
  if (!unique) throw moreThanOneRow(at)
  const plan = sealed(extended(sub.plan, [target]))
  const attach: Attach = (outer, translate) => {
    const pairs = sub.pairs.map(({ left, right }) => ({ left: translate(left), right }))
    const joined = keyedJoin('left', outer, plan, pairs, null)
    return { plan: joined, value: columnOf(joined, joined.columns.length - 1) }
  }
  return value(attach, plan.columns[plan.columns.length - 1].type, true)
}
