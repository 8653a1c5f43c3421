import { type Node, parseSync } from 'libpg-query'
import type { ColumnSchema, SqlType } from '../../src/data/sql-type.ts'
import * as resolve from '../../src/expr/resolve.ts'
import type { Scalar } from '../../src/expr/scalar.ts'

/** Binds the text of one expression over some columns: what tests of expressions need, and no more. */
export function bindText(sql: string, columns: readonly ColumnSchema[]): Scalar {
  const { stmts } = parseSync(`SELECT ${sql}`)
  const statement = stmts![0].stmt as { SelectStmt: { targetList: { ResTarget: { val: Node } }[] } }
  return bind(statement.SelectStmt.targetList[0].ResTarget.val, columns)
}

// biome-ignore lint/suspicious/noExplicitAny: the tree is walked by what is found in it
type Any = any

const typeNames: Record<string, SqlType> = {
  bool: { kind: 'boolean' },
  int2: { kind: 'smallint' },
  int4: { kind: 'integer' },
  int8: { kind: 'bigint' },
  float4: { kind: 'real' },
  float8: { kind: 'double' },
}

export function typeOf(node: Any): SqlType {
  const name = node.names.at(-1).String.sval
  const modifiers = (node.typmods ?? []).map((mod: Any) => mod.A_Const.ival.ival ?? 0)
  if (name === 'numeric' && modifiers.length > 0) {
    return { kind: 'numeric', precision: modifiers[0], scale: modifiers[1] ?? 0 }
  }
  if (name === 'varchar' && modifiers.length > 0) return { kind: 'varchar', length: modifiers[0] }
  return typeNames[name] ?? ({ kind: name } as SqlType)
}

function constant(node: Any): Scalar {
  if (node.isnull) return resolve.literal(null, { kind: 'unknown' })
  if (node.ival !== undefined) return resolve.numberLiteral(String(node.ival.ival ?? 0))
  if (node.fval !== undefined) return resolve.numberLiteral(node.fval.fval)
  if (node.boolval !== undefined) return resolve.literal(node.boolval.boolval ? 'true' : 'false', { kind: 'boolean' })
  return resolve.literal(node.sval.sval ?? '', { kind: 'unknown' })
}

function operator(node: Any, columns: readonly ColumnSchema[]): Scalar {
  const of = (child: Any): Scalar => bind(child, columns)
  const name = node.name.at(-1).String.sval
  switch (node.kind) {
    case 'AEXPR_DISTINCT':
      return resolve.distinctFrom(of(node.lexpr), of(node.rexpr))
    case 'AEXPR_NOT_DISTINCT':
      return resolve.distinctFrom(of(node.lexpr), of(node.rexpr), true)
    case 'AEXPR_NULLIF':
      return resolve.nullif(of(node.lexpr), of(node.rexpr))
    case 'AEXPR_IN':
      return resolve.inList(of(node.lexpr), node.rexpr.List.items.map(of), name === '<>')
    case 'AEXPR_BETWEEN':
    case 'AEXPR_NOT_BETWEEN': {
      const [low, high] = node.rexpr.List.items.map(of)
      return resolve.between(of(node.lexpr), low, high, node.kind === 'AEXPR_NOT_BETWEEN')
    }
    default:
      return resolve.call(name, [...(node.lexpr === undefined ? [] : [of(node.lexpr)]), of(node.rexpr)])
  }
}

function bind(node: Any, columns: readonly ColumnSchema[]): Scalar {
  const of = (child: Any): Scalar => bind(child, columns)
  const [kind] = Object.keys(node)
  const body = node[kind]
  switch (kind) {
    case 'ColumnRef': {
      const index = columns.findIndex(({ name }) => name === body.fields[0].String.sval)
      if (index < 0) throw new Error(`no column ${body.fields[0].String.sval}`)
      return resolve.column(index, columns[index].type, columns[index].nullable)
    }
    case 'A_Const':
      return constant(body)
    case 'TypeCast':
      return resolve.cast(of(body.arg), typeOf(body.typeName), 'explicit')
    case 'A_Expr':
      return operator(body, columns)
    case 'FuncCall':
      return resolve.call(body.funcname.at(-1).String.sval, (body.args ?? []).map(of))
    case 'BoolExpr':
      if (body.boolop === 'NOT_EXPR') return resolve.not(of(body.args[0]))
      return body.boolop === 'AND_EXPR' ? resolve.and(body.args.map(of)) : resolve.or(body.args.map(of))
    case 'NullTest':
      return resolve.isNull(of(body.arg), body.nulltesttype === 'IS_NOT_NULL')
    case 'BooleanTest': {
      const test = body.booltesttype.replace('IS_', '')
      if (test.endsWith('UNKNOWN')) return resolve.isNull(of(body.arg), test.startsWith('NOT'))
      return resolve.isTruth(of(body.arg), test.endsWith('TRUE'), test.startsWith('NOT'))
    }
    case 'CaseExpr': {
      const subject = body.arg === undefined ? null : of(body.arg)
      const whens = body.args.map(({ CaseWhen }: Any) => ({
        when: subject === null ? of(CaseWhen.expr) : resolve.call('=', [subject, of(CaseWhen.expr)]),
        result: of(CaseWhen.result),
      }))
      return resolve.caseOf(whens, body.defresult === undefined ? null : of(body.defresult))
    }
    case 'CoalesceExpr':
      return resolve.coalesce(body.args.map(of))
    case 'MinMaxExpr':
      return body.op === 'IS_GREATEST' ? resolve.greatest(body.args.map(of)) : resolve.least(body.args.map(of))
    default:
      throw new Error(`no binding of ${kind}`)
  }
}
