import type { SqlType } from '../../data/sql-type.ts'
import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type {
  A_Const,
  A_Expr,
  BooleanTest,
  CaseExpr,
  ColumnRef,
  Node,
  ParamRef,
  SQLValueFunction,
} from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { spelling } from '../../sql/source.ts'
import { type Block, located, place, refuse, standIn } from './block.ts'
import { bindCall } from './call.ts'
import { bindCast } from './cast.ts'
import { locationOf, nameOf } from './node.ts'
import { findColumn, hasTable, type Scope, unknownColumn } from './scope.ts'
import { bindSubLink } from './subquery.ts'

/** Where an expression stands, and what may stand in it there. */
export interface Clause {
  readonly block: Block
  /** As in `aggregate functions are not allowed in WHERE`. */
  readonly name: string
  readonly aggregates: boolean
  readonly windows: boolean
  readonly now: boolean
  readonly subqueries: boolean
}

export const unknown: SqlType = { kind: 'unknown' }

/**
 * Binds an expression of the syntax tree over the columns of a block.
 * @throws MillraceError sql/… with the place
 */
export function bindExpression(node: Node, clause: Clause): Scalar {
  const { environment } = clause.block
  const at = place(environment, locationOf(node))
  const bind = (child: Node | undefined): Scalar => bindExpression(child as Node, clause)
  const all = (children: readonly Node[] | undefined): Scalar[] => (children ?? []).map(bind)
  if ('ColumnRef' in node) return bindColumn(node.ColumnRef, clause)
  if ('A_Const' in node) return located(at, () => constant(node.A_Const, clause))
  if ('A_Expr' in node) return bindOperator(node.A_Expr, clause)
  if ('FuncCall' in node) return bindCall(node.FuncCall, clause)
  if ('TypeCast' in node) return bindCast(node.TypeCast, clause)
  if ('BoolExpr' in node) {
    const args = all(node.BoolExpr.args)
    const { boolop } = node.BoolExpr
    return located(at, () =>
      boolop === 'AND_EXPR' ? resolve.and(args) : boolop === 'OR_EXPR' ? resolve.or(args) : resolve.not(args[0]),
    )
  }
  if ('NullTest' in node) {
    const negated = node.NullTest.nulltesttype === 'IS_NOT_NULL'
    const arg = node.NullTest.arg as Node
    if ('RowExpr' in arg)
      throw refuse(environment, locationOf(arg), 'IS NULL of a row is not supported', 'ask each column')
    return located(at, () => resolve.isNull(bind(arg), negated))
  }
  if ('BooleanTest' in node) return bindTruthTest(node.BooleanTest, clause)
  if ('CaseExpr' in node) return bindCase(node.CaseExpr, clause)
  if ('CoalesceExpr' in node) {
    const args = all(node.CoalesceExpr.args)
    return located(at, () => resolve.coalesce(args))
  }
  if ('MinMaxExpr' in node) {
    const args = all(node.MinMaxExpr.args)
    const greatest = node.MinMaxExpr.op === 'IS_GREATEST'
    return located(at, () => (greatest ? resolve.greatest(args) : resolve.least(args)))
  }
  if ('SubLink' in node) {
    if (!clause.subqueries)
      throw refuse(
        environment,
        locationOf(node),
        `a subquery in ${clause.name} is not supported`,
        'join with it instead',
      )
    return bindSubLink(node.SubLink, clause)
  }
  if ('SQLValueFunction' in node) return bindValueFunction(node.SQLValueFunction, clause)
  if ('ParamRef' in node) return bindParameter(node.ParamRef, clause)
  if ('CollateClause' in node) {
    const name = nameOf(node.CollateClause.collname)
    if (name === 'C' || name === 'POSIX' || name === 'default') return bind(node.CollateClause.arg)
    throw refuse(
      environment,
      locationOf(node),
      `COLLATE "${name}" is not supported`,
      'text compares by its bytes: COLLATE "C"',
    )
  }
  const [what, hint] = describe(node)
  throw refuse(environment, locationOf(node), `${what} is not supported`, hint)
}

const columnsInstead = 'use a column for each value'
const constructs: Readonly<Record<string, readonly [string, string]>> = {
  RowExpr: ['a row as a value', columnsInstead],
  A_ArrayExpr: ['ARRAY[…]', columnsInstead],
  A_Indirection: ['a subscript or a field of a value', 'take fields of jsonb with ->>'],
  GroupingFunc: ['GROUPING()', 'GROUP BY has one list of keys: use UNION ALL'],
  SetToDefault: ['DEFAULT in an expression', 'write the value'],
  XmlExpr: ['XML', 'use jsonb'],
  XmlSerialize: ['XML', 'use jsonb'],
  CurrentOfExpr: ['CURRENT OF', 'compare with the key'],
  MergeSupportFunc: ['merge_action()', 'leave it out'],
}

function describe(node: Node): readonly [string, string] {
  const tag = Object.keys(node)[0]
  if (tag.startsWith('Json')) return ['the SQL/JSON syntax', 'use -> and ->>']
  return constructs[tag] ?? [`this expression (${tag})`, 'write it with functions and operators']
}

function bindColumn(node: ColumnRef, clause: Clause): Scalar {
  const { block } = clause
  const { environment } = block
  const fields = node.fields ?? []
  const last = fields[fields.length - 1]
  const at = place(environment, node.location)
  if (last === undefined || 'A_Star' in last) {
    throw refuse(environment, node.location, `* in ${clause.name} is not supported`, 'name the columns')
  }
  if (fields.length > 2)
    throw refuse(environment, node.location, 'a column with a schema is not supported', 'write relation.column')
  const names = fields.map((_, part) => spelling(environment.statement, node.location, part))
  const name = names[names.length - 1]
  const table = names.length === 2 ? names[0] : null
  const found = resolveColumn(block, table, name, at)
  if (found !== null) return found
  const scopes: Scope[] = []
  for (let around: Block | null = block; around !== null; around = around.parent) scopes.push(around.scope)
  if (table === null && scopes.some((scope) => hasTable(scope, name))) {
    throw refuse(environment, node.location, `the row of "${name}" as a value is not supported`, 'name the columns')
  }
  throw unknownColumn(scopes, table, name, at)
}

/** A column of the block, or one of a query around it. */
function resolveColumn(block: Block, table: string | null, name: string, at: ReturnType<typeof place>): Scalar | null {
  const column = findColumn(block.scope, table, name, at)
  if (column !== null) {
    const scalar = resolve.column(column.index, column.type, column.nullable)
    block.places.set(scalar, at)
    return scalar
  }
  if (block.parent === null) return null
  const outer = resolveColumn(block.parent, table, name, at)
  return outer === null ? null : standIn(block, { kind: 'outer', outer, place: at }, outer.type, outer.nullable)
}

function constant(node: A_Const, clause: Clause): Scalar {
  if (node.isnull) return resolve.literal(null, unknown)
  if (node.ival !== undefined) return resolve.literal(String(node.ival.ival ?? 0), { kind: 'integer' })
  if (node.boolval !== undefined) return resolve.literal(node.boolval.boolval ? 'true' : 'false', { kind: 'boolean' })
  if (node.sval !== undefined) return resolve.literal(node.sval.sval ?? '', unknown)
  if (node.fval !== undefined) return resolve.numberLiteral(decimal(node.fval.fval ?? '0'))
  throw refuse(clause.block.environment, node.location, 'a bit string is not supported', "write bytes as '\\x…'::bytea")
}

/** Digits as PostgreSQL's types read them: without separators, in base ten. */
function decimal(text: string): string {
  const plain = text.replaceAll('_', '')
  const [, sign, digits] = /^([-+]?)(0[xob].*)$/i.exec(plain) ?? []
  return digits === undefined ? plain : `${sign}${BigInt(digits)}`
}

function bindParameter(node: ParamRef, clause: Clause): Scalar {
  const { environment } = clause.block
  const at = place(environment, node.location)
  const { parameters } = environment
  const number = node.number ?? 0
  if (parameters === null) {
    throw refusal('sql/parameter', `$${number} has no value in a definition`, at, 'write the value itself')
  }
  if (number < 1 || number > parameters.length) {
    throw refusal(
      'sql/parameter',
      `$${number} has no value: ${parameters.length} were given`,
      at,
      'give as many params',
    )
  }
  return resolve.literal(parameters[number - 1], unknown)
}

const timestamptz: SqlType = { kind: 'timestamptz' }

/** now(), where a filter may have it. */
export function bindNow(clause: Clause, location: number | undefined, written: string): Scalar {
  if (!clause.now) {
    throw refuse(
      clause.block.environment,
      location,
      `${written} in ${clause.name} is not supported`,
      "compare it with a column in WHERE, such as ts > now() - interval '1 hour'",
    )
  }
  const scalar: Scalar = { op: 'now', type: timestamptz, nullable: false }
  clause.block.places.set(scalar, place(clause.block.environment, location))
  return scalar
}

function bindValueFunction(node: SQLValueFunction, clause: Clause): Scalar {
  const op = (node.op ?? '').replace(/^SVFOP_/, '').replace(/_N$/, '')
  if (op === 'CURRENT_TIMESTAMP') return bindNow(clause, node.location, 'CURRENT_TIMESTAMP')
  if (op === 'LOCALTIMESTAMP') {
    return resolve.cast(bindNow(clause, node.location, 'LOCALTIMESTAMP'), { kind: 'timestamp' }, 'explicit')
  }
  const hint =
    op.startsWith('CURRENT_') && /DATE|TIME/.test(op) ? 'compare now() with a column in WHERE' : 'leave it out'
  throw refuse(clause.block.environment, node.location, `${op} is not supported`, hint)
}

function bindTruthTest(node: BooleanTest, clause: Clause): Scalar {
  const arg = bindExpression(node.arg as Node, clause)
  const [, negated, value] = /^IS_(NOT_)?(.*)$/.exec(node.booltesttype ?? 'IS_TRUE') ?? []
  return located(place(clause.block.environment, node.location ?? locationOf(node.arg as Node)), () => {
    if (value === 'UNKNOWN') return resolve.isNull(resolve.predicate(arg, 'IS UNKNOWN'), negated !== undefined)
    return resolve.isTruth(arg, value === 'TRUE', negated !== undefined)
  })
}

function bindCase(node: CaseExpr, clause: Clause): Scalar {
  const { environment } = clause.block
  const subject = node.arg === undefined ? null : bindExpression(node.arg, clause)
  const whens = (node.args ?? []).map((item) => {
    if (!('CaseWhen' in item))
      throw refuse(environment, locationOf(item), 'this branch of CASE is not supported', 'write WHEN … THEN …')
    const when = bindExpression(item.CaseWhen.expr as Node, clause)
    const result = bindExpression(item.CaseWhen.result as Node, clause)
    const at = place(environment, locationOf(item.CaseWhen.expr as Node))
    return { when: subject === null ? when : located(at, () => resolve.call('=', [subject, when])), result }
  })
  const otherwise = node.defresult === undefined ? null : bindExpression(node.defresult, clause)
  return located(place(environment, node.location), () => resolve.caseOf(whens, otherwise))
}

function bindOperator(node: A_Expr, clause: Clause): Scalar {
  const { environment } = clause.block
  const at = place(environment, node.location)
  const name = nameOf(node.name)
  const bind = (child: Node | undefined): Scalar => bindExpression(child as Node, clause)
  const listOf = (list: Node | undefined): Node[] =>
    list !== undefined && 'List' in list ? (list.List.items ?? []) : []
  switch (node.kind) {
    case 'AEXPR_OP': {
      if (isRow(node.lexpr) || isRow(node.rexpr)) return rowComparison(node, name, clause)
      const args = node.lexpr === undefined ? [bind(node.rexpr)] : [bind(node.lexpr), bind(node.rexpr)]
      return located(at, () => resolve.call(name, args))
    }
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE': {
      const args = [bind(node.lexpr), bind(node.rexpr)]
      return located(at, () => resolve.call(name, args))
    }
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT': {
      const [left, right] = [bind(node.lexpr), bind(node.rexpr)]
      return located(at, () => resolve.distinctFrom(left, right, node.kind === 'AEXPR_NOT_DISTINCT'))
    }
    case 'AEXPR_NULLIF': {
      const [left, right] = [bind(node.lexpr), bind(node.rexpr)]
      return located(at, () => resolve.nullif(left, right))
    }
    case 'AEXPR_IN': {
      if (isRow(node.lexpr)) return rowIn(node, name, clause)
      const subject = bind(node.lexpr)
      const items = listOf(node.rexpr).map(bind)
      return located(at, () =>
        name === '<>' ? resolve.not(resolve.inList(subject, items)) : resolve.inList(subject, items),
      )
    }
    case 'AEXPR_BETWEEN':
    case 'AEXPR_NOT_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
    case 'AEXPR_NOT_BETWEEN_SYM': {
      const subject = bind(node.lexpr)
      const [low, high] = listOf(node.rexpr).map(bind)
      return located(at, () => {
        const plain = resolve.between(subject, low, high)
        const within = node.kind?.endsWith('_SYM') ? resolve.or([plain, resolve.between(subject, high, low)]) : plain
        return node.kind?.includes('NOT') ? resolve.not(within) : within
      })
    }
    case 'AEXPR_SIMILAR':
      throw refuse(environment, node.location, 'SIMILAR TO is not supported', 'use LIKE or a regular expression with ~')
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL':
      throw refuse(
        environment,
        node.location,
        `${name} ${node.kind === 'AEXPR_OP_ANY' ? 'ANY' : 'ALL'} (array) is not supported`,
        'use IN (…)',
      )
    default:
      throw refuse(environment, node.location, `the operator ${name} is not supported`, 'write it with other operators')
  }
}

const isRow = (node: Node | undefined): boolean => node !== undefined && 'RowExpr' in node

function rowItems(node: Node | undefined, clause: Clause): Scalar[] {
  if (node === undefined || !('RowExpr' in node)) {
    throw refuse(
      clause.block.environment,
      locationOf(node),
      'comparing a row with this is not supported',
      'compare the columns one by one',
    )
  }
  return (node.RowExpr.args ?? []).map((item) => bindExpression(item, clause))
}

function rowComparison(node: A_Expr, name: string, clause: Clause): Scalar {
  const { environment } = clause.block
  if (name !== '=' && name !== '<>') {
    throw refuse(environment, node.location, `${name} between rows is not supported`, 'compare the columns one by one')
  }
  const equal = rowsEqual(rowItems(node.lexpr, clause), rowItems(node.rexpr, clause), node, clause)
  return name === '=' ? equal : resolve.not(equal)
}

function rowIn(node: A_Expr, name: string, clause: Clause): Scalar {
  const left = rowItems(node.lexpr, clause)
  const items = node.rexpr !== undefined && 'List' in node.rexpr ? (node.rexpr.List.items ?? []) : []
  const any = resolve.or(items.map((item) => rowsEqual(left, rowItems(item, clause), node, clause)))
  return name === '<>' ? resolve.not(any) : any
}

function rowsEqual(left: Scalar[], right: Scalar[], node: A_Expr, clause: Clause): Scalar {
  const at = place(clause.block.environment, node.location)
  if (left.length !== right.length)
    throw refusal('sql/type', 'the rows have different numbers of columns', at, 'compare as many')
  return located(at, () => resolve.and(left.map((item, i) => resolve.call('=', [item, right[i]]))))
}
