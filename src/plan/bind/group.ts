import type { ColumnSchema } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import { childrenOf, type Scalar } from '../../expr/scalar.ts'
import type { Node } from '../../sql/parse.ts'
import { spelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { aggregate, columnOf, map } from '../nodes.ts'
import type { AggregateCall, Plan } from '../plan.ts'
import {
  type Block,
  contains,
  groupingError,
  keyOf,
  place,
  refuse,
  substitute,
  virtualBase,
  virtualOf,
} from './block.ts'
import { groupable } from './call.ts'
import { bindExpression } from './expression.ts'
import { isSpelled, leastSpelling } from './key-form.ts'
import { locationOf } from './node.ts'
import { aliasOf, clauseOf, ordinalOf, type Target } from './select.ts'
import { attachSubqueries } from './where.ts'

/** Rows grouped, or not: a plan, and expressions over its columns. */
export interface Grouping {
  readonly plan: Plan
  readonly scalars: readonly Scalar[]
  /** From the block's numbering to the plan's. */
  readonly translate: (scalar: Scalar) => Scalar
}

/** In GROUP BY a name is an input's first of all. */
export function groupKeys(
  items: readonly Node[] | undefined,
  targets: readonly Target[],
  block: Block,
): readonly Scalar[] {
  const clause = clauseOf(block, 'GROUP BY')
  return (items ?? [])
    .filter((node) => !('GroupingSet' in node))
    .map((node) => {
      const target =
        ordinalOf(node, targets, block, 'GROUP BY') ??
        (isInputName(node, block) ? null : aliasOf(node, targets, block, 'GROUP BY'))
      const scalar = target?.scalar ?? bindExpression(node, clause)
      const at = place(block.environment, locationOf(node))
      if (contains(block, scalar, 'aggregate')) {
        throw groupingError('aggregate functions are not allowed in GROUP BY', at, 'group in a subquery first')
      }
      if (contains(block, scalar, 'window'))
        throw groupingError('window functions are not allowed in GROUP BY', at, 'number the rows in a subquery')
      if (contains(block, scalar, 'subquery')) {
        throw refuse(
          block.environment,
          locationOf(node),
          'a subquery in GROUP BY is not supported',
          'compute it in a subquery in FROM',
        )
      }
      return groupable(scalar, node, clause)
    })
}

function isInputName(node: Node, block: Block): boolean {
  if (!('ColumnRef' in node) || node.ColumnRef.fields?.length !== 1) return false
  const name = fold(spelling(block.environment.statement, node.ColumnRef.location))
  return block.scope.columns.some((column) => column.bare && fold(column.name) === name)
}

/** Puts an aggregate over a plan, and rewrites the expressions that stand above it. */
export function groupLayer(
  block: Block,
  plan: Plan,
  groupBy: readonly Scalar[],
  above: readonly Scalar[],
): Grouping & { readonly keyCount: number } {
  const keys = uniqueBy([...groupBy, ...dependents(block, groupBy, above)])
  const calls = block.virtuals.flatMap((virtual) => (virtual.kind === 'aggregate' ? [virtual.call] : []))
  const parts = calls.flatMap(({ argument, filter }) => [argument, filter]).filter((part) => part !== null)
  const attached = attachSubqueries(block, plan, parts, (outer) => outer)
  const inputs: Scalar[] = keys.map(resolve.keyOf)
  const slots = new Map(inputs.map((key, i) => [keyOf(key), i]))
  const slotOf = (scalar: Scalar): number => {
    const known = slots.get(keyOf(scalar))
    if (known !== undefined) return known
    slots.set(keyOf(scalar), inputs.length)
    return inputs.push(scalar) - 1
  }
  let next = 0
  const unique = new Map<string, number>()
  const aggregateCalls: AggregateCall[] = []
  const results: ColumnSchema[] = []
  const columns = calls.map(({ fn, distinct, argument, filter, type, nullable }) => {
    const form = distinct ? resolve.keyOf : (scalar: Scalar): Scalar => scalar
    const argumentSlot = argument === null ? null : slotOf(form(attached.scalars[next++]))
    const filterSlot = filter === null ? null : slotOf(attached.scalars[next++])
    const call: AggregateCall = { fn, argument: argumentSlot, distinct, filter: filterSlot }
    const known = unique.get(keyOf2(call))
    if (known !== undefined) return known
    unique.set(keyOf2(call), results.length)
    aggregateCalls.push(call)
    const some = fn === 'count' || (keys.length > 0 && filter === null && argument !== null && !argument.nullable)
    results.push({ name: fn, type, nullable: nullable && !some })
    return results.length - 1
  })
  const shownAt = keys.map((key, i) => {
    if (!isSpelled(key)) return i
    aggregateCalls.push(leastSpelling(slotOf(key)))
    return keys.length + results.push({ name: 'key', type: key.type, nullable: key.nullable }) - 1
  })
  const grouped = aggregate(
    map(attached.plan, null, inputs),
    keys.map((_, i) => i),
    aggregateCalls,
    results,
  )
  const keyIndex = new Map(keys.map((key, i) => [keyOf(key), shownAt[i]]))
  let call = 0
  const callOf = new Map<number, number>()
  block.virtuals.forEach((virtual, i) => {
    if (virtual.kind === 'aggregate') callOf.set(i, columns[call++])
  })
  const translate = (scalar: Scalar): Scalar =>
    substitute(scalar, (part) => {
      const key = keyIndex.get(keyOf(part))
      if (key !== undefined) return columnOf(grouped, key)
      if (part.op !== 'column') return null
      if (part.index < virtualBase) throw ungrouped(part, block)
      const index = callOf.get(part.index - virtualBase)
      return index === undefined ? part : columnOf(grouped, keys.length + index)
    })
  return { plan: grouped, scalars: above.map(translate), translate, keyCount: keys.length }
}

const keyOf2 = (call: AggregateCall): string => JSON.stringify(call)

function uniqueBy(scalars: readonly Scalar[]): Scalar[] {
  const seen = new Map(scalars.map((scalar) => [keyOf(scalar), scalar]))
  return [...seen.values()]
}

/** Columns that the expressions above read and the primary key among the keys determines: they are keys as well. */
function dependents(block: Block, keys: readonly Scalar[], above: readonly Scalar[]): Scalar[] {
  const known = new Set(keys.map(keyOf))
  const keyColumns = new Set(keys.flatMap((key) => (key.op === 'column' ? [key.index] : [])))
  const determined = new Set(
    block.scope.tables
      .filter(({ key }) => key.length > 0 && key.every((index) => keyColumns.has(index)))
      .map(({ alias }) => alias),
  )
  if (determined.size === 0) return []
  const found: Scalar[] = []
  const visit = (scalar: Scalar): void => {
    if (known.has(keyOf(scalar)) || virtualOf(block, scalar) !== null) return
    if (scalar.op === 'column') {
      const column = block.scope.columns.find(({ index, table }) => index === scalar.index && table !== null)
      if (column?.table !== undefined && column.table !== null && determined.has(column.table)) found.push(scalar)
    } else childrenOf(scalar).forEach(visit)
  }
  above.forEach(visit)
  for (const virtual of block.virtuals) {
    if (virtual.kind === 'window') {
      virtual.window.partition.forEach(visit)
      for (const { by } of virtual.window.order) visit(by)
    }
  }
  return found
}

function ungrouped(column: Extract<Scalar, { op: 'column' }>, block: Block): Error {
  const schema = block.scope.columns.find(({ index, table }) => index === column.index && table !== null)
  const name = schema === undefined ? '?' : schema.table === null ? schema.name : `${schema.table}.${schema.name}`
  return groupingError(
    `column "${name}" must appear in the GROUP BY clause or be used in an aggregate function`,
    block.places.get(column) ?? {},
    `add it to GROUP BY, or take max(${schema?.name ?? 'it'})`,
  )
}
