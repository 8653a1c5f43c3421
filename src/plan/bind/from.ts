import type { Alias, JoinExpr, Node, RangeSubselect, RangeVar } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { listSpelling, spelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { join, values } from '../nodes.ts'
import { type Environment, place, refuse } from './block.ts'
import { bindJoin } from './join.ts'
import { locationOf } from './node.ts'
import { bindQuery } from './query.ts'
import { findCte, scanRelation } from './relation.ts'
import { beside, emptyScope, type Relation, scopeOf } from './scope.ts'
import { bindWindowed } from './windowed.ts'

/** Binds a FROM clause: relations side by side, in the order they are written. Without one there is a single row. */
export function bindFrom(items: readonly Node[] | undefined, environment: Environment): Relation {
  const [first, ...others] = items ?? []
  if (first === undefined) return { plan: values([[]], []), scope: emptyScope }
  return others.reduce<Relation>(
    (left, item) => {
      const right = bindFromItem(item, environment)
      const at = place(environment, locationOf(item))
      const scope = beside(left.scope, right.scope, left.plan.columns.length, at)
      return { plan: join('inner', left.plan, right.plan, [], [], null), scope }
    },
    bindFromItem(first, environment),
  )
}

const refused: Readonly<Record<string, readonly [string, string?]>> = {
  RangeTableSample: ['TABLESAMPLE is not supported', 'filter the rows by a condition'],
  RangeTableFunc: ['XMLTABLE is not supported'],
  JsonTable: ['JSON_TABLE is not supported', 'take fields with ->>'],
}

export function bindFromItem(node: Node, environment: Environment): Relation {
  if ('RangeVar' in node) return bindRangeVar(node.RangeVar, environment)
  if ('RangeSubselect' in node) return bindSubselect(node.RangeSubselect, environment)
  if ('RangeFunction' in node) return bindWindowed(node.RangeFunction, environment)
  if ('JoinExpr' in node) return bindJoinExpr(node.JoinExpr, environment)
  const [what, hint] = refused[Object.keys(node)[0]] ?? ['this in FROM is not supported']
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
    )
  }
  return aliased(renamed(relation, columnNames), node.alias, node.location, environment)
}

function bindSubselect(node: RangeSubselect, environment: Environment): Relation {
  const location = locationOf(node.subquery)
  if (node.lateral) throw refuse(environment, location, 'LATERAL is not supported', 'join the relations with ON')
  if (node.subquery === undefined || !('SelectStmt' in node.subquery)) {
    throw refuse(environment, location, 'this subquery in FROM is not supported')
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
