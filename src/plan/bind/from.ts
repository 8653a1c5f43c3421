import type { Alias, JoinExpr, Node, RangeSubselect, RangeVar } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { listSpelling, spelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { values } from '../nodes.ts'
import type { Plan } from '../plan.ts'
import { type Environment, place, refuse } from './block.ts'
import { bindJoin } from './join.ts'
import { locationOf } from './node.ts'
import { bindQuery } from './query.ts'
import { findCte, scanRelation } from './relation.ts'
import { beside, emptyScope, type Relation, type Scope, scopeOf } from './scope.ts'
import { bindTableFunction } from './table-function.ts'

/** The relations of a FROM list, not joined yet, and the names of all their columns side by side. */
export interface FromList {
  readonly plans: readonly Plan[]
  readonly scope: Scope
}

/** Binds a FROM clause. Without one there is a single row. */
export function bindFrom(items: readonly Node[] | undefined, environment: Environment): FromList {
  const list = (items ?? []).flatMap(crossed)
  if (list.length === 0) return { plans: [values([[]], [])], scope: emptyScope }
  let scope = emptyScope
  let width = 0
  const plans = list.map((item) => {
    const relation = bindFromItem(item, environment)
    scope = beside(scope, relation.scope, width, place(environment, locationOf(item)))
    width += relation.plan.columns.length
    return relation.plan
  })
  return { plans, scope }
}

/** `a CROSS JOIN b` is `a, b`. */
function crossed(node: Node): readonly Node[] {
  if (!('JoinExpr' in node)) return [node]
  const { jointype, quals, usingClause, isNatural, alias, larg, rarg } = node.JoinExpr
  if (jointype !== 'JOIN_INNER' || quals !== undefined || usingClause !== undefined || isNatural || alias) return [node]
  return larg === undefined || rarg === undefined ? [node] : [...crossed(larg), ...crossed(rarg)]
}

const refused: Readonly<Record<string, readonly [string, string]>> = {
  RangeTableSample: ['TABLESAMPLE is not supported', 'filter the rows by a condition'],
  RangeTableFunc: ['XMLTABLE is not supported', 'use jsonb'],
  JsonTable: ['JSON_TABLE is not supported', 'take fields with ->>'],
}

export function bindFromItem(node: Node, environment: Environment): Relation {
  if ('RangeVar' in node) return bindRangeVar(node.RangeVar, environment)
  if ('RangeSubselect' in node) return bindSubselect(node.RangeSubselect, environment)
  if ('RangeFunction' in node) return bindTableFunction(node.RangeFunction, environment)
  if ('JoinExpr' in node) return bindJoinExpr(node.JoinExpr, environment)
  const [what, hint] = refused[Object.keys(node)[0]] ?? [
    'this in FROM is not supported',
    'name a relation, or write (SELECT …) AS name',
  ]
  throw refuse(environment, locationOf(node), what, hint)
}

function bindJoinExpr(node: JoinExpr, environment: Environment): Relation {
  const left = bindFromItem(node.larg as Node, environment)
  const right = bindFromItem(node.rarg as Node, environment)
  if (node.alias !== undefined || node.join_using_alias !== undefined) {
    throw refuse(environment, locationOf(node.larg), 'an alias of a JOIN is not supported', 'alias its relations')
  }
  return bindJoin(node, left, right, environment)
}

function bindRangeVar(node: RangeVar, environment: Environment): Relation {
  const { statement } = environment
  if (node.schemaname !== undefined || node.catalogname !== undefined) {
    throw refuse(environment, node.location, 'a schema before a name is not supported', 'write the name alone')
  }
  const name = spelling(statement, node.location)
  const cte = findCte(environment, fold(node.relname ?? name))
  if (cte === null)
    return aliased(scanRelation(name, environment, node.location), node.alias, node.location, environment)
  if (cte.query === null) {
    throw refuse(
      environment,
      node.location,
      'a WITH query that reads itself is not supported',
      'WITH RECURSIVE has no bound',
    )
  }
  const { plan } = bindQuery(cte.query, cte.environment, null)
  const columnNames = cte.columnNames
  const relation = { plan, scope: scopeOf(plan, name) }
  if (columnNames.length > plan.columns.length) {
    throw refusal(
      'sql/definition',
      `WITH query "${name}" has ${plan.columns.length} columns, but ${columnNames.length} names`,
      place(environment, node.location),
      'leave out names',
    )
  }
  return aliased(renamed(relation, columnNames), node.alias, node.location, environment)
}

function bindSubselect(node: RangeSubselect, environment: Environment): Relation {
  const location = locationOf(node.subquery)
  if (node.lateral) throw refuse(environment, location, 'LATERAL is not supported', 'join the relations with ON')
  if (node.subquery === undefined || !('SelectStmt' in node.subquery)) {
    throw refuse(environment, location, 'this subquery in FROM is not supported', 'write (SELECT …) AS name')
  }
  const { plan } = bindQuery(node.subquery.SelectStmt, environment, null)
  const relation = { plan, scope: scopeOf(plan, null) }
  return aliased(relation, node.alias, location, environment)
}

function renamed(relation: Relation, names: readonly string[]): Relation {
  if (names.length === 0) return relation
  let next = 0
  const columns = relation.scope.columns.map((column) =>
    column.star && next < names.length ? { ...column, name: names[next++] } : column,
  )
  return { plan: relation.plan, scope: { ...relation.scope, columns } }
}

/** A relation under its alias, if it has one. */
export function aliased(
  relation: Relation,
  alias: Alias | undefined,
  location: number | undefined,
  environment: Environment,
): Relation {
  if (alias === undefined) return relation
  const table = alias.aliasname ?? ''
  const folded = (alias.colnames ?? []).map((name) => ('String' in name ? (name.String.sval ?? '') : ''))
  const names = folded.length === 0 ? [] : listSpelling(environment.statement, location, folded)
  const visible = relation.scope.columns.filter((column) => column.star).length
  if (names.length > visible) {
    throw refusal(
      'sql/definition',
      `relation "${table}" has ${visible} columns, but ${names.length} names`,
      place(environment, location),
      'leave out names',
    )
  }
  const { plan, scope } = renamed(relation, names)
  return {
    plan,
    scope: {
      columns: scope.columns.map((column) => ({ ...column, table })),
      tables: [{ alias: table, key: scope.tables[0]?.key ?? [] }],
    },
  }
}
