import { typeName } from '../../data/sql-type.ts'
import { isAggregate, resolveAggregate } from '../../expr/aggregates.ts'
import { callAppFunction } from '../../expr/app-function.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { FuncCall, Node, SortBy, WindowDef } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { type BoundWindow, contains, groupingError, located, place, refuse, standIn } from './block.ts'
import { bindExpression, bindNow, type Clause } from './expression.ts'
import { locationOf, nameOf } from './node.ts'
import { correlatedHint } from './query.ts'

const notOfTheLog = new Set(
  `random setseed gen_random_uuid uuidv4 uuidv7 uuid_generate_v4 clock_timestamp statement_timestamp timeofday nextval
  currval lastval setval pg_sleep current_setting set_config version pg_backend_pid txid_current pg_current_xact_id
  random_normal inet_client_addr`.split(/\s+/),
)
const setReturning = new Set(
  `generate_series generate_subscripts unnest regexp_matches regexp_split_to_table string_to_table jsonb_array_elements
  jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_to_recordset
  json_array_elements json_array_elements_text json_each json_each_text json_object_keys`.split(/\s+/),
)
const windowOnly = new Set(
  'row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value'.split(' '),
)
const windowFunctions = new Set(['tumble', 'hop', 'session'])

/** Binds a call: of a function, an aggregate or a window function. */
export function bindCall(node: FuncCall, clause: Clause): Scalar {
  const { environment } = clause.block
  const name = nameOf(node.funcname)
  const no = (what: string, hint: string): Error => refuse(environment, node.location, what, hint)
  if (node.func_variadic) throw no('VARIADIC is not supported', 'list the arguments')
  if (node.agg_within_group) throw no(`${name}(…) WITHIN GROUP is not supported`, 'count, sum, avg, min and max are')
  if (node.over !== undefined) return bindWindow(node, name, node.over, clause)
  if (windowOnly.has(name))
    throw no(`${name}() without OVER (…) is not supported`, 'number rows with row_number() OVER (…)')
  if (isAggregate(name)) return bindAggregate(node, name, clause)
  if (node.agg_star || node.agg_distinct || node.agg_filter || node.agg_order) {
    throw no(`${name} is not an aggregate`, 'leave out *, DISTINCT, FILTER and ORDER BY')
  }
  if (name === 'now' || name === 'transaction_timestamp') return bindNow(clause, node.location, `${name}()`)
  if (notOfTheLog.has(name)) {
    throw no(`${name}() is not supported: it is not a function of the log`, 'append the value with the event instead')
  }
  if (setReturning.has(name))
    throw no(`the set-returning function ${name} is not supported`, 'append one event per element')
  if (windowFunctions.has(name)) throw no(`${name}(…) outside FROM is not supported`, `write FROM ${name}(relation, …)`)
  const args = (node.args ?? []).map((arg) => {
    if ('NamedArgExpr' in arg)
      throw refuse(environment, locationOf(arg), 'a named argument is not supported', 'list the arguments in order')
    return bindExpression(arg, clause)
  })
  const own = environment.catalog.findFunction(name)
  return located(place(environment, node.location), () =>
    own === null ? resolve.call(name, args) : callAppFunction(own, args),
  )
}

function bindAggregate(node: FuncCall, name: string, clause: Clause): Scalar {
  const { block } = clause
  const { environment } = block
  const at = place(environment, node.location)
  if (!clause.aggregates) {
    throw groupingError(
      `aggregate functions are not allowed in ${clause.name}`,
      at,
      'aggregate in a subquery or use HAVING',
    )
  }
  const inner: Clause = { ...clause, name: 'an aggregate', aggregates: false, windows: false }
  const args = (node.args ?? []).map((arg) => bindExpression(arg, inner))
  const argument = args[0] ?? null
  const filter = node.agg_filter === undefined ? null : bindCondition(node.agg_filter, { ...inner, name: 'FILTER' })
  const resolved = located(at, () => resolveAggregate(name, argument === null ? null : argument.type))
  const { fn, type, nullable, argumentType } = resolved
  if (args.length > 1) throw refusal('sql/type', `${name} takes one argument`, at, `write ${name}(…) of one expression`)
  const cast =
    argument === null || argumentType === null
      ? argument
      : located(at, () => resolve.cast(argument, argumentType, 'implicit'))
  for (const part of [cast, filter]) {
    if (part !== null && contains(block, part, 'outer')) {
      throw refuse(
        environment,
        node.location,
        'an aggregate over a column of the query around is not supported',
        correlatedHint,
      )
    }
  }
  const call = { fn, distinct: node.agg_distinct === true, argument: cast, filter, type, nullable }
  return standIn(block, { kind: 'aggregate', call, place: at }, type, nullable)
}

/** A condition: boolean, with errors that name the clause. */
export function bindCondition(node: Node, clause: Clause): Scalar {
  const scalar = bindExpression(node, clause)
  return located(place(clause.block.environment, locationOf(node)), () => resolve.predicate(scalar, clause.name))
}

function bindWindow(node: FuncCall, name: string, over: WindowDef, clause: Clause): Scalar {
  const { block } = clause
  const { environment } = block
  if (!clause.windows) {
    throw groupingError(
      `window functions are not allowed in ${clause.name}`,
      place(environment, node.location),
      'number the rows in a subquery and filter outside of it',
    )
  }
  if (name !== 'row_number') {
    throw refuse(environment, node.location, `${name}() OVER (…) is not supported`, 'row_number() OVER (…) is')
  }
  if (node.agg_filter || node.agg_distinct || node.args !== undefined) {
    throw refuse(
      environment,
      node.location,
      'row_number() with arguments, DISTINCT or FILTER is not supported',
      'write row_number() OVER (…)',
    )
  }
  const window = windowOf(over, clause)
  return standIn(block, { kind: 'window', window, place: place(environment, node.location) }, { kind: 'bigint' }, false)
}

const anyFrame = 1

function windowOf(over: WindowDef, clause: Clause): BoundWindow {
  const { block } = clause
  const inner: Clause = { ...clause, name: 'ORDER BY', windows: false, subqueries: false }
  let definition = over
  const name = over.name ?? over.refname
  if (name !== undefined) {
    const named = block.windows.find((window) => window.name === name)
    if (named === undefined) {
      throw refusal(
        'sql/definition',
        `window "${name}" does not exist`,
        place(block.environment, over.location),
        'define it: WINDOW w AS (…)',
      )
    }
    definition = { ...named, ...(over.orderClause === undefined ? {} : { orderClause: over.orderClause }) }
  }
  if (((definition.frameOptions ?? 0) & anyFrame) !== 0) {
    throw refuse(block.environment, definition.location, 'a window frame is not supported', 'row_number() needs none')
  }
  const order = (definition.orderClause ?? []).map((item) => {
    if (!('SortBy' in item))
      throw refuse(block.environment, locationOf(item), 'this ORDER BY is not supported', 'order by expressions')
    return {
      by: sortable(bindExpression(item.SortBy.node as Node, inner), item.SortBy.node as Node, inner),
      ...direction(item.SortBy, clause),
    }
  })
  return {
    partition: (definition.partitionClause ?? []).map((item) => groupable(bindExpression(item, inner), item, inner)),
    order,
  }
}

/** An expression that rows are grouped by. */
export function groupable(scalar: Scalar, node: Node, clause: Clause): Scalar {
  if (scalar.type.kind !== 'unknown') return scalar
  const at = place(clause.block.environment, locationOf(node))
  return located(at, () => resolve.cast(scalar, { kind: 'text' }, 'implicit'))
}

/** An expression that rows are ordered by. */
export function sortable(scalar: Scalar, node: Node, clause: Clause): Scalar {
  if (scalar.type.kind === 'unknown' || resolve.orderable(scalar.type)) return groupable(scalar, node, clause)
  const what = `${clause.name} a ${typeName(scalar.type)} is not supported`
  throw refuse(clause.block.environment, locationOf(node), what, 'order by a field of it: x->>…')
}

/** ASC puts NULLs last, DESC first, unless it says otherwise. */
export function direction(sort: SortBy, clause: Clause): { descending: boolean; nullsFirst: boolean } {
  if (sort.sortby_dir === 'SORTBY_USING') {
    throw refuse(clause.block.environment, sort.location, 'ORDER BY … USING is not supported', 'use ASC or DESC')
  }
  const descending = sort.sortby_dir === 'SORTBY_DESC'
  const nulls = sort.sortby_nulls
  return { descending, nullsFirst: nulls === 'SORTBY_NULLS_FIRST' || (nulls !== 'SORTBY_NULLS_LAST' && descending) }
}
