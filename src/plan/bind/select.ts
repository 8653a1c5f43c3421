import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { Node, ResTarget, SelectStmt } from '../../sql/parse.ts'
import { refusal, unsupported } from '../../sql/refuse.ts'
import { spelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { conjunctsOf } from '../conjuncts.ts'
import { failingColumns, filterOf } from '../failure.ts'
import { columnOf, columnsAsScalars, extended, filtered, map, topN } from '../nodes.ts'
import type { Order, Plan } from '../plan.ts'
import { type Block, contains, type Environment, keyOf, newBlock, place, refuse } from './block.ts'
import { bindCondition, direction, groupable, sortable } from './call.ts'
import { bindExpression, type Clause } from './expression.ts'
import { bindFrom } from './from.ts'
import { type Grouping, groupKeys, groupLayer } from './group.ts'
import { distinctRows, reshaped } from './key-form.ts'
import { outputName } from './names.ts'
import { locationOf } from './node.ts'
import { hasTable, type ScopeColumn, unknownColumn } from './scope.ts'
import { attachSubqueries, bindWhere, type Filtered } from './where.ts'
import { project } from './window.ts'

/** FROM and WHERE of a SELECT, bound. */
export interface Source extends Filtered {
  readonly block: Block
}

/** An output column before it is computed. */
export interface Target {
  readonly scalar: Scalar
  readonly name: string
  readonly node: Node
}

export interface OrderItem extends Omit<Order, 'column'> {
  readonly scalar: Scalar
  readonly node: Node
}

/** Output columns, then hidden ones that `order` reads. */
export interface Body {
  readonly plan: Plan
  readonly width: number
  readonly order: readonly Order[]
}

export function bindSource(node: SelectStmt, environment: Environment, parent: Block | null): Source {
  const { plans, scope } = bindFrom(node.fromClause, environment)
  const windows = (node.windowClause ?? []).flatMap((item) => ('WindowDef' in item ? [item.WindowDef] : []))
  const block = newBlock(environment, parent, scope, windows)
  return { block, ...bindWhere(node.whereClause, block, plans) }
}

/**
 * Everything of a SELECT behind WHERE, but LIMIT.
 * @param types `open` leaves quoted literals without a type, for a UNION to decide
 */
export function bindOutputs(node: SelectStmt, { block, plan }: Source, types: 'open' | 'sealed' = 'sealed'): Body {
  const targets = bindTargets(node, block)
  const order = bindOrder(node.sortClause, targets, block)
  const distinctOn = bindDistinctOn(node.distinctClause, targets, block)
  const layer = bindGrouping(node, block, plan, targets, [
    ...targets.map((target) => target.scalar),
    ...order.map((item) => item.scalar),
    ...distinctOn,
  ])
  const width = targets.length
  const { items, slotOf } = distinctItems(layer.scalars, width)
  const names = [...targets.map((target) => target.name), ...items.slice(width).map((_, i) => `_order_${i + 1}`)]
  refuseOuter(block, layer.scalars)
  const open = project(block, layer, items, names)
  const projected = types === 'open' ? open : sealed(open)
  const orders = order.map((item, i) => ({
    column: slotOf[width + i],
    descending: item.descending,
    nullsFirst: item.nullsFirst,
  }))
  const on = distinctOn.map((_, i) => slotOf[width + order.length + i])
  if (node.distinctClause === undefined) return { plan: projected, width, order: orders }
  if (on.length > 0) {
    checkDistinctOn(on, orders, order, block.environment)
    return { plan: topOf(projected, [...new Set(on)], orders, 1, 0, false), width, order: orders }
  }
  const hidden = order.find((_, i) => slotOf[width + i] >= width)
  if (hidden !== undefined) {
    throw refusal(
      'sql/grouping',
      'for SELECT DISTINCT, ORDER BY expressions must appear in select list',
      place(block.environment, locationOf(hidden.node)),
      'select the expression too',
    )
  }
  return { plan: distinctRows(projected), width, order: orders }
}

function refuseOuter(block: Block, scalars: readonly Scalar[]): void {
  for (const virtual of block.virtuals) {
    if (virtual.kind !== 'outer' || !scalars.some((scalar) => contains(block, scalar, 'outer'))) continue
    throw unsupported(
      "a column of the query around outside the subquery's WHERE is not supported",
      virtual.place,
      'compute with it outside of the subquery',
    )
  }
}

/** Targets keep their places; what else is needed shares the place of an equal expression. */
function distinctItems(scalars: readonly Scalar[], width: number): { items: Scalar[]; slotOf: number[] } {
  const items = scalars.slice(0, width)
  const slots = new Map<string, number>()
  items.forEach((item, i) => {
    if (!slots.has(keyOf(item))) slots.set(keyOf(item), i)
  })
  const slotOf = scalars.map((scalar, i) => {
    if (i < width) return i
    const key = keyOf(scalar)
    const known = slots.get(key)
    if (known !== undefined) return known
    slots.set(key, items.length)
    return items.push(scalar) - 1
  })
  return { items, slotOf }
}

function bindGrouping(
  node: SelectStmt,
  block: Block,
  plan: Plan,
  targets: readonly Target[],
  scalars: readonly Scalar[],
): Grouping {
  const { environment } = block
  const having =
    node.havingClause === undefined
      ? null
      : bindCondition(node.havingClause, clauseOf(block, 'HAVING', { aggregates: true, subqueries: true }))
  const keys = groupKeys(node.groupClause, targets, block)
  const aggregates = block.virtuals.some((virtual) => virtual.kind === 'aggregate')
  const grouped = node.groupClause !== undefined || having !== null || aggregates
  if (node.groupClause?.some((item) => 'GroupingSet' in item)) {
    throw refuse(environment, locationOf(node.groupClause[0]), 'GROUPING SETS is not supported', 'use UNION ALL')
  }
  const all = having === null ? scalars : [having, ...scalars]
  const layer = grouped
    ? groupLayer(block, plan, keys, all)
    : { plan, scalars: all, translate: (scalar: Scalar) => scalar }
  const attached = attachSubqueries(block, layer.plan, layer.scalars, layer.translate)
  if (having === null) return { ...layer, ...attached }
  const [condition, ...others] = attached.scalars
  const filter = filterOf(conjunctsOf(condition), failingColumns(attached.plan, environment.mayFail))
  return { ...layer, plan: filtered(attached.plan, filter), scalars: others }
}

export function clauseOf(
  block: Block,
  name: string,
  allowed: Partial<Pick<Clause, 'aggregates' | 'windows' | 'subqueries'>> = {},
): Clause {
  return { block, name, aggregates: false, windows: false, now: false, subqueries: false, ...allowed }
}

export function bindTargets(node: SelectStmt, block: Block): readonly Target[] {
  const clause = clauseOf(block, 'SELECT', { aggregates: true, windows: true, subqueries: true })
  return (node.targetList ?? []).flatMap((item) => {
    if (!('ResTarget' in item))
      throw refuse(block.environment, locationOf(item), 'this output is not supported', 'write expressions')
    const star = starOf(item.ResTarget, block)
    if (star !== null) return star.map((column) => starTarget(column, item, block))
    const target = item.ResTarget
    const scalar = bindExpression(target.val as Node, clause)
    const column = scalar.op === 'column' ? block.scope.columns.find(({ index }) => index === scalar.index) : undefined
    const plain = target.val !== undefined && 'ColumnRef' in target.val && column !== undefined
    return [
      { scalar, name: outputName(target, block.environment, plain ? column.name : null), node: target.val as Node },
    ]
  })
}

function starTarget(column: ScopeColumn, node: Node, block: Block): Target {
  const scalar = resolve.column(column.index, column.type, column.nullable)
  block.places.set(scalar, place(block.environment, locationOf(node)))
  return { scalar, name: column.name, node }
}

/** The columns that `*` or `relation.*` stands for; null for any other output. */
function starOf(target: ResTarget, block: Block): readonly ScopeColumn[] | null {
  const node = target.val
  if (node === undefined || !('ColumnRef' in node)) return null
  const fields = node.ColumnRef.fields ?? []
  if (!('A_Star' in fields[fields.length - 1])) return null
  const { environment, scope } = block
  const at = place(environment, node.ColumnRef.location)
  if (fields.length === 1) {
    if (scope.tables.length === 0 && scope.columns.length === 0) {
      throw refusal('sql/definition', 'SELECT * with no relations in FROM', at, 'write FROM …')
    }
    return scope.columns.filter((column) => column.star)
  }
  if (fields.length > 2)
    throw refuse(environment, node.ColumnRef.location, 'a schema before a name is not supported', 'write relation.*')
  const table = spelling(environment.statement, node.ColumnRef.location, 0)
  if (!hasTable(scope, table)) throw unknownColumn([scope], table, '*', at)
  return scope.columns.filter((column) => column.tableStar && fold(column.table ?? '') === fold(table))
}

/** The output that an ORDER BY or GROUP BY item means by its number; null for any other item. */
export function ordinalOf(node: Node, targets: readonly Target[], block: Block, clause: string): Target | null {
  if (!('A_Const' in node)) return null
  const at = place(block.environment, node.A_Const.location)
  const number = node.A_Const.ival === undefined ? null : (node.A_Const.ival.ival ?? 0)
  if (number === null || node.A_Const.isnull) {
    throw refusal('sql/grouping', `non-integer constant in ${clause}`, at, 'name a column or its number')
  }
  const target = targets[number - 1]
  if (target !== undefined) return target
  throw refusal(
    'sql/grouping',
    `${clause} position ${number} is not in select list`,
    at,
    `there are ${targets.length} columns`,
  )
}

/** The output that a bare name means; null if none has it. */
export function aliasOf(node: Node, targets: readonly Target[], block: Block, clause: string): Target | null {
  if (!('ColumnRef' in node) || node.ColumnRef.fields?.length !== 1) return null
  const name = fold(spelling(block.environment.statement, node.ColumnRef.location))
  const found = targets.filter((target) => fold(target.name) === name)
  if (found.length > 1 && found.some((target) => keyOf(target.scalar) !== keyOf(found[0].scalar))) {
    throw refusal(
      'sql/ambiguous',
      `${clause} "${name}" is ambiguous`,
      place(block.environment, node.ColumnRef.location),
      'give the columns different names',
    )
  }
  return found[0] ?? null
}

/** In ORDER BY a name is an output's first of all. */
function bindOrder(sort: readonly Node[] | undefined, targets: readonly Target[], block: Block): readonly OrderItem[] {
  const clause = clauseOf(block, 'ORDER BY', { aggregates: true, windows: true, subqueries: true })
  return (sort ?? []).map((item) => {
    if (!('SortBy' in item))
      throw refuse(block.environment, locationOf(item), 'this ORDER BY is not supported', 'order by expressions')
    const node = item.SortBy.node as Node
    const target = ordinalOf(node, targets, block, 'ORDER BY') ?? aliasOf(node, targets, block, 'ORDER BY')
    const scalar = target?.scalar ?? bindExpression(node, clause)
    if (scalar.type.kind !== 'unknown') sortable(scalar, node, clause)
    return { scalar, node, ...direction(item.SortBy, clause) }
  })
}

function bindDistinctOn(
  items: readonly Node[] | undefined,
  targets: readonly Target[],
  block: Block,
): readonly Scalar[] {
  const clause = clauseOf(block, 'DISTINCT ON', { aggregates: true })
  return (items ?? []).flatMap((node) => {
    // SELECT DISTINCT without ON comes as one empty node.
    if (Object.keys(node).length === 0) return []
    const target = ordinalOf(node, targets, block, 'DISTINCT ON') ?? aliasOf(node, targets, block, 'DISTINCT ON')
    return [groupable(target?.scalar ?? bindExpression(node, clause), node, clause)]
  })
}

function checkDistinctOn(
  on: readonly number[],
  orders: readonly Order[],
  items: readonly OrderItem[],
  environment: Environment,
): void {
  const wanted = new Set(on)
  const first = orders.findIndex((order) => !wanted.has(order.column))
  const leading = new Set(orders.slice(0, first < 0 ? undefined : first).map((order) => order.column))
  if (first < 0 || [...wanted].every((column) => leading.has(column))) return
  throw refusal(
    'sql/grouping',
    'SELECT DISTINCT ON expressions must match initial ORDER BY expressions',
    place(environment, locationOf(items[first].node)),
    'order by the DISTINCT ON expressions first',
  )
}

/** A quoted literal that nothing gave a type is text. */
export function sealed(plan: Plan): Plan {
  if (plan.columns.every((column) => column.type.kind !== 'unknown')) return plan
  return reshaped(plan, (output) =>
    output.type.kind === 'unknown' ? resolve.cast(output, { kind: 'text' }, 'implicit') : output,
  )
}

/** Rows in an order, cut off. The order is by value: 1.0 and 1.00 are a tie that further columns decide. */
export function topOf(
  plan: Plan,
  partition: readonly number[],
  order: readonly Order[],
  limit: number | null,
  offset: number,
  rank: boolean,
): Plan {
  const added: Scalar[] = []
  const keyed = (column: number): number => {
    const scalar = columnOf(plan, column)
    const key = resolve.keyOf(scalar)
    return key === scalar ? column : plan.columns.length + added.push(key) - 1
  }
  const partitionKeys = partition.map(keyed)
  const orderKeys = order.map((item) => ({ ...item, column: keyed(item.column) }))
  const top = topN(extended(plan, added), partitionKeys, orderKeys, limit, offset, rank)
  if (added.length === 0) return top
  const columns = columnsAsScalars(top)
  return map(top, null, [...columns.slice(0, plan.columns.length), ...(rank ? columns.slice(-1) : [])])
}
