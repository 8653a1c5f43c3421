import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { Node, SelectStmt, WithClause } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { listSpelling } from '../../sql/source.ts'
import { columnOf, columnsAsScalars, map, unionAll, values } from '../nodes.ts'
import type { Order, Plan } from '../plan.ts'
import { type Block, type Environment, located, newBlock, place, refuse } from './block.ts'
import { direction, sortable } from './call.ts'
import { bindExpression } from './expression.ts'
import { distinctRows, groupedRows, reshaped } from './key-form.ts'
import { locationOf } from './node.ts'
import { emptyScope } from './scope.ts'
import { aliasOf, type Body, bindOutputs, bindSource, clauseOf, ordinalOf, type Source, topOf } from './select.ts'

/**
 * Binds a query in all its parts. Without `ordered`, what is there for ORDER BY alone is cut off again.
 * @param parent the query around a subquery
 */
export function bindQuery(
  node: SelectStmt,
  environment: Environment,
  parent: Block | null,
  ordered: 'ordered' | 'unordered' = 'unordered',
): Body {
  const inside = withQueries(node.withClause, environment)
  refuseClauses(node, inside)
  return finish(node, bindBody(node, inside, parent), inside, ordered)
}

/** A SELECT whose FROM and WHERE are bound already. */
export function bindRest(node: SelectStmt, source: Source): Body {
  return finish(node, bindOutputs(node, source), source.block.environment, 'unordered')
}

/** Whether a query is one SELECT, without UNION and its like. */
export function isPlainSelect(node: SelectStmt): boolean {
  return (node.op ?? 'SETOP_NONE') === 'SETOP_NONE' && node.valuesLists === undefined
}

export function refuseClauses(node: SelectStmt, environment: Environment): void {
  const location = node.targetList?.[0] === undefined ? undefined : locationOf(node.targetList[0])
  const no = (what: string, hint: string): Error => refuse(environment, location, what, hint)
  if (node.intoClause !== undefined)
    throw no('SELECT INTO is not supported', 'use CREATE MATERIALIZED VIEW … AS SELECT')
  if (node.lockingClause !== undefined)
    throw no('FOR UPDATE and FOR SHARE are not supported', 'a read sees one tick as it is')
  if (node.limitOption === 'LIMIT_OPTION_WITH_TIES') throw no('FETCH … WITH TIES is not supported', 'use LIMIT')
}

/** The names of WITH, each seeing those before it. */
export function withQueries(clause: WithClause | undefined, environment: Environment): Environment {
  let inside = environment
  const seen = new Set<string>()
  for (const item of clause?.ctes ?? []) {
    if (!('CommonTableExpr' in item)) continue
    const { ctename = '', ctequery, aliascolnames, location, search_clause, cycle_clause } = item.CommonTableExpr
    if (ctequery === undefined || !('SelectStmt' in ctequery)) {
      throw refuse(environment, location, 'a WITH query that changes data is not supported', 'append events instead')
    }
    if (search_clause !== undefined || cycle_clause !== undefined) {
      throw refuse(environment, location, 'SEARCH and CYCLE are not supported', 'leave them out')
    }
    if (seen.has(ctename)) {
      const at = place(environment, location)
      throw refusal('sql/definition', `WITH query name "${ctename}" specified more than once`, at, 'rename one of them')
    }
    seen.add(ctename)
    const folded = (aliascolnames ?? []).map((name) => ('String' in name ? (name.String.sval ?? '') : ''))
    const columnNames = folded.length === 0 ? [] : listSpelling(environment.statement, location, folded)
    // In WITH RECURSIVE the query sees its own name: that is refused, not searched for in the catalog.
    const own = { name: ctename, query: null, columnNames: [], environment: inside, next: inside.ctes }
    const visible: Environment = clause?.recursive ? { ...inside, ctes: own } : inside
    const cte = { name: ctename, query: ctequery.SelectStmt, columnNames, environment: visible, next: inside.ctes }
    inside = { ...inside, ctes: cte }
  }
  return inside
}

function bindBody(node: SelectStmt, environment: Environment, parent: Block | null): Body {
  if (node.valuesLists !== undefined)
    return orderedByName(node, bindValues(node.valuesLists, environment, parent), environment)
  if (!isPlainSelect(node)) return orderedByName(node, bindSetOperation(node, environment, parent), environment)
  const source = bindSource(node, environment, parent)
  refuseCorrelated(source)
  return bindOutputs(node, source)
}

function refuseCorrelated({ block, correlated }: Source): void {
  if (correlated.length === 0) return
  throw refuse(
    block.environment,
    undefined,
    'a subquery that reads the query around in this way is not supported',
    correlatedHint,
  )
}

export const correlatedHint = 'compare its columns with the outer ones by = in its WHERE, or write it as a join'

/** ORDER BY and LIMIT around UNION, VALUES: only the output's columns have names there. */
function orderedByName(node: SelectStmt, plan: Plan, environment: Environment): Body {
  const block = newBlock(environment, null, emptyScope)
  const targets = plan.columns.map((column, i) => ({ scalar: columnOf(plan, i), name: column.name, node: {} as Node }))
  const clause = clauseOf(block, 'ORDER BY')
  const order = (node.sortClause ?? []).map((item): Order => {
    if (!('SortBy' in item))
      throw refuse(environment, locationOf(item), 'this ORDER BY is not supported', 'order by names of output columns')
    const by = item.SortBy.node as Node
    const target = ordinalOf(by, targets, block, 'ORDER BY') ?? aliasOf(by, targets, block, 'ORDER BY')
    if (target === null) {
      throw refusal(
        'sql/grouping',
        'ORDER BY around UNION and VALUES takes names of output columns only',
        place(environment, locationOf(by)),
        'put the query in a subquery and order outside of it',
      )
    }
    sortable(target.scalar, by, clause)
    return { column: targets.indexOf(target), ...direction(item.SortBy, clause) }
  })
  return { plan, width: plan.columns.length, order }
}

function finish(node: SelectStmt, body: Body, environment: Environment, ordered: 'ordered' | 'unordered'): Body {
  const limit = countOf(node.limitCount, 'LIMIT', environment)
  const offset = countOf(node.limitOffset, 'OFFSET', environment) ?? 0
  const { width, order } = body
  let { plan } = body
  if (limit !== null || offset > 0) plan = topOf(plan, [], order, limit, offset, false)
  if (ordered === 'ordered') return { plan, width, order }
  if (plan.columns.length > width) {
    const names = plan.columns.slice(0, width).map((column) => column.name)
    plan = map(plan, null, columnsAsScalars(plan).slice(0, width), names)
  }
  return { plan, width, order: [] }
}

/** The constant of LIMIT or OFFSET; null for none. */
export function countOf(node: Node | undefined, clause: string, environment: Environment): number | null {
  if (node === undefined) return null
  const at = place(environment, locationOf(node))
  const block = newBlock(environment, null, emptyScope)
  const scalar = bindExpression(node, clauseOf(block, clause))
  const folded = located(at, () => resolve.foldConstant(resolve.cast(scalar, { kind: 'bigint' }, 'assignment')))
  if (folded.op !== 'literal')
    throw refuse(environment, locationOf(node), `${clause} of an expression is not supported`, 'write a number')
  if (folded.text === null) return null
  const count = Number(folded.text)
  if (count < 0) throw refusal('sql/value', `${clause} must not be negative`, at, 'write a number from 0 on')
  if (!Number.isSafeInteger(count))
    throw refusal('sql/value', `${clause} ${folded.text} is too large`, at, 'leave it out')
  return count
}

function bindValues(lists: readonly Node[], environment: Environment, parent: Block | null): Plan {
  const block = newBlock(environment, parent, emptyScope)
  const clause = clauseOf(block, 'VALUES')
  const rows = lists.map((list) => {
    const items = 'List' in list ? (list.List.items ?? []) : []
    return items.map((item) => bindExpression(item, clause))
  })
  const width = rows[0].length
  const uneven = rows.findIndex((row) => row.length !== width)
  if (uneven >= 0) {
    throw refusal(
      'sql/type',
      'VALUES lists must all be the same length',
      place(environment, locationOf(lists[uneven])),
      'fill up with NULL',
    )
  }
  const typedColumns = rows[0].map((_, i) =>
    located(place(environment, locationOf(lists[0])), () =>
      typed(
        rows.map((row) => row[i]),
        'VALUES',
      ),
    ),
  )
  const typedRows = rows.map((row, k) => row.map((_, i) => typedColumns[i][k]))
  const columns = typedColumns.map((cells, i) => ({
    name: `column${i + 1}`,
    type: cells[0].type,
    nullable: cells.some((cell) => cell.nullable),
  }))
  return values(typedRows, columns)
}

/** Expressions in the type they share. */
function typed(scalars: readonly Scalar[], what: string): readonly Scalar[] {
  const { type, args } = resolve.unify(scalars, what)
  return type.kind === 'unknown' ? args.map((arg) => resolve.cast(arg, { kind: 'text' }, 'implicit')) : args
}

function bindSetOperation(node: SelectStmt, environment: Environment, parent: Block | null): Plan {
  const [left, right] = [node.larg, node.rarg].map((side) => bindOperand(side as SelectStmt, environment, parent))
  const kind = node.op === 'SETOP_UNION' ? 'UNION' : node.op === 'SETOP_INTERSECT' ? 'INTERSECT' : 'EXCEPT'
  const location = firstLocation(node.rarg as SelectStmt)
  const at = place(environment, location)
  if (left.columns.length !== right.columns.length) {
    const hint = `there are ${left.columns.length} on the left and ${right.columns.length} on the right`
    throw refusal('sql/type', `each ${kind} query must have the same number of columns`, at, hint)
  }
  if (node.all && kind !== 'UNION') {
    throw refuse(environment, location, `${kind} ALL is not supported`, `${kind} without ALL is`)
  }
  const pairs = left.columns.map((_, i) => located(at, () => typed([outputOf(left, i), outputOf(right, i)], kind)))
  const [a, b] = [left, right].map((side, s) => reshaped(side, (_, i) => pairs[i][s]))
  if (kind !== 'UNION') return bothSides(a, b, kind)
  const all = unionAll([a, b])
  return node.all ? all : distinctRows(all)
}

function firstLocation(node: SelectStmt): number | undefined {
  return locationOf({ SelectStmt: node })
}

/** An operand's outputs may still be quoted literals without a type. */
function bindOperand(node: SelectStmt, environment: Environment, parent: Block | null): Plan {
  const simple = isPlainSelect(node) && node.withClause === undefined && node.sortClause === undefined
  if (!simple || node.limitCount !== undefined || node.limitOffset !== undefined || node.distinctClause !== undefined) {
    return bindQuery(node, environment, parent).plan
  }
  refuseClauses(node, environment)
  const source = bindSource(node, environment, parent)
  refuseCorrelated(source)
  return bindOutputs(node, source, 'open').plan
}

function outputOf(plan: Plan, index: number): Scalar {
  return plan.op === 'map' ? plan.outputs[index] : columnOf(plan, index)
}

/**
 * INTERSECT and EXCEPT: rows are grouped, because there NULLs are the same, and kept by the sides they stand on.
 */
function bothSides(left: Plan, right: Plan, kind: 'INTERSECT' | 'EXCEPT'): Plan {
  const width = left.columns.length
  const names = left.columns.map((column) => column.name)
  const tagged = [left, right].map((side, i) => {
    const tags = [i === 0, i === 1].map((tag) => resolve.literal(String(tag), { kind: 'boolean' }))
    return map(side, null, [...columnsAsScalars(side), ...tags], [...names, '_left', '_right'])
  })
  const count = (filter: number) => ({ fn: 'count' as const, argument: null, distinct: false, filter })
  const result = { name: 'count', type: { kind: 'bigint' as const }, nullable: false }
  const calls = [count(width), count(width + 1)]
  const { plan: grouped, at } = groupedRows(unionAll(tagged), width, calls, [result, result])
  const zero = resolve.literal('0', { kind: 'bigint' })
  const [onLeft, onRight] = [columnOf(grouped, width), columnOf(grouped, width + 1)]
  const filter = resolve.and([
    resolve.call('>', [onLeft, zero]),
    resolve.call(kind === 'INTERSECT' ? '>' : '=', [onRight, zero]),
  ])
  return map(
    grouped,
    filter,
    at.map((column) => columnOf(grouped, column)),
    names,
  )
}
