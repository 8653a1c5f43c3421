import type { ErrorPlace } from '../../data/errors.ts'
import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { SelectStmt, SubLink } from '../../sql/parse.ts'
import { refusal, unsupported } from '../../sql/refuse.ts'
import { type KeyPair, keyedJoin, unified } from '../conjuncts.ts'
import { aggregate, columnOf, distinct, extended, join, map } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { atMostOneRow, type PrimaryKeyOf, uniqueKeys } from '../properties.ts'
import { type Attach, type Block, contains, place, substitute } from './block.ts'
import { correlatedSub, type Sub, selectOf, sourceOf, withOuterValues } from './correlated.ts'
import type { Clause } from './expression.ts'
import { groupLayer } from './group.ts'
import { bindQuery, bindRest, correlatedHint } from './query.ts'
import { bindTargets, type Source, sealed } from './select.ts'

const boolean: SqlType = { kind: 'boolean' }
const bigint: SqlType = { kind: 'bigint' }

/** EXISTS as a value: a left join with the distinct keys in the form they meet in, marked. */
export function existsValue(sub: Sub, at: ErrorPlace): Attach {
  return (plan, translate) => {
    if (sub.block !== null && sub.residual.length > 0) {
      const { joined, outer, width } = withOuterValues(sub, sub.block, plan, translate, at)
      const columns = outer.map((_, i) => columnOf(joined, width + i))
      return marked(plan, outer, joined, columns)
    }
    if (sub.pairs.length === 0) {
      const counted = join('inner', plan, countRows(sub.plan, []), [], [], null)
      const zero = resolve.literal('0', bigint)
      return { plan: counted, value: resolve.call('>', [columnOf(counted, plan.columns.length), zero]) }
    }
    const left = sub.pairs.map((pair) => translate(pair.left))
    const right = sub.pairs.map((pair) => pair.right)
    return marked(plan, left, sub.plan, right)
  }
}

/** A plan, and whether some of its values are among those of a subquery. */
function marked(plan: Plan, left: readonly Scalar[], sub: Plan, right: readonly Scalar[]): ReturnType<Attach> {
  const keys = left.map((scalar, i) => unified({ left: scalar, right: right[i] }))
  const distinctKeys = markedKeys(
    sub,
    keys.map((pair) => pair.right),
  )
  const pairs = keys.map((pair, i) => ({ left: pair.left, right: columnOf(distinctKeys, i) }))
  const joined = keyedJoin('left', plan, distinctKeys, pairs, null)
  return { plan: joined, value: resolve.isNull(columnOf(joined, joined.columns.length - 1), true) }
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

/** IN's subquery, and what its outputs are compared with. */
export interface InSubquery {
  readonly sub: Sub
  readonly pairs: readonly KeyPair[]
}

/**
 * IN as a value: true if there is a match; else NULL if the left side is NULL or the subquery has a NULL, and the
 * subquery has rows at all; else false.
 */
export function inValue({ sub, pairs }: InSubquery, at: ErrorPlace): Attach {
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

export type Value = (attach: Attach, type: SqlType, nullable: boolean) => Scalar

export function bindScalar(link: SubLink, clause: Clause, value: Value): Scalar {
  const { block } = clause
  const node = selectOf(link)
  const at = place(block.environment, link.location)
  const source = sourceOf(node, clause)
  if (source !== null && source.correlated.length > 0) return bindCorrelatedScalar(node, source, at, value)
  const { plan } = source === null ? bindQuery(node, block.environment, block) : bindRest(node, source)
  if (plan.columns.length !== 1)
    throw refusal('sql/type', 'subquery must return only one column', at, 'select one expression')
  if (!atMostOneRow(plan, primaryKeysOf(block))) throw moreThanOneRow(at)
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
  if (targets.length !== 1)
    throw refusal('sql/type', 'subquery must return only one column', at, 'select one expression')
  const target = targets[0].scalar
  const sub = correlatedSub(source, source.plan)
  if (contains(block, target, 'outer', 'subquery', 'window')) throw unsupportedValue(at)
  if (!block.virtuals.some((virtual) => virtual.kind === 'aggregate')) {
    if (sub.residual.length > 0) throw unsupportedValue(at)
    return oneRowEach(sub, block, target, at, value)
  }
  const grouped = (plan: Plan, keys: readonly Scalar[]) => groupLayer(block, plan, keys, keys)
  type Layer = ReturnType<typeof grouped>
  const above = (layer: Layer, joined: Plan, width: number): Scalar =>
    substitute(layer.translate(target), (part) => {
      if (part.op !== 'column') return null
      const column = columnOf(joined, part.index + width)
      // Where there is no group, count is 0 and all else is NULL.
      const counts = layer.plan.op === 'aggregate' && layer.plan.calls[part.index - layer.keyCount]?.fn === 'count'
      return counts ? resolve.coalesce([column, resolve.literal('0', bigint)]) : column
    })
  const joinBack = (plan: Plan, left: readonly Scalar[], layer: Layer): ReturnType<Attach> => {
    const pairs = left.map((scalar, i) => ({ left: scalar, right: layer.scalars[i] }))
    const joined = keyedJoin('left', plan, layer.plan, pairs, null)
    return { plan: joined, value: above(layer, joined, plan.columns.length) }
  }
  const attach: Attach = (plan, translate) => {
    if (sub.residual.length === 0) {
      const keys = sub.pairs.map((pair) => unified({ left: translate(pair.left), right: pair.right }))
      const layer = grouped(
        sub.plan,
        keys.map((pair) => pair.right),
      )
      return joinBack(
        plan,
        keys.map((pair) => pair.left),
        layer,
      )
    }
    const { joined, outer, width } = withOuterValues(sub, block, plan, translate, at)
    const layer = grouped(
      joined,
      outer.map((_, i) => columnOf(joined, width + i)),
    )
    return joinBack(plan, outer.map(translate), layer)
  }
  return value(attach, target.type, true)
}

function unsupportedValue(at: ErrorPlace): Error {
  const what =
    'a subquery as a value that reads the query around other than in comparisons in its WHERE is not supported'
  return unsupported(what, at, correlatedHint)
}

function primaryKeysOf(block: Block): PrimaryKeyOf {
  return (id) => {
    const relation = block.environment.catalog.byId(id)
    return relation.kind === 'view' ? [] : relation.definition.primaryKey
  }
}

/** Without an aggregate, the columns compared have to identify the subquery's row. */
function oneRowEach(sub: Sub, block: Block, target: Scalar, at: ErrorPlace, value: Value): Scalar {
  const compared = new Set(sub.pairs.flatMap(({ right }) => columnKept(right)))
  const unique = uniqueKeys(sub.plan, primaryKeysOf(block)).some((key) => key.every((index) => compared.has(index)))
  if (!unique) throw moreThanOneRow(at)
  const plan = sealed(extended(sub.plan, [target]))
  const attach: Attach = (outer, translate) => {
    const pairs = sub.pairs.map(({ left, right }) => ({ left: translate(left), right }))
    const joined = keyedJoin('left', outer, plan, pairs, null)
    return { plan: joined, value: columnOf(joined, joined.columns.length - 1) }
  }
  return value(attach, plan.columns[plan.columns.length - 1].type, true)
}

/** The column whose values an expression keeps apart: itself, or widened. */
function columnKept(scalar: Scalar): readonly number[] {
  if (scalar.op === 'cast') {
    const whole = ['smallint', 'integer', 'bigint']
    const widened = whole.includes(scalar.arg.type.kind) && [...whole, 'numeric'].includes(scalar.type.kind)
    return widened ? columnKept(scalar.arg) : []
  }
  return scalar.op === 'column' ? [scalar.index] : []
}
