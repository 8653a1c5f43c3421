import type { Node, ResTarget } from '../../sql/parse.ts'
import { aliasSpelling, spelling } from '../../sql/source.ts'
import type { Environment } from './block.ts'
import { nameOf } from './node.ts'

/** The name of an output column, in the spelling first written. @param columnName of a plain column */
export function outputName(target: ResTarget, environment: Environment, columnName: string | null): string {
  if (target.name !== undefined) return aliasSpelling(environment.statement, target.location, target.name)
  return columnName ?? named(target.val, environment)?.name ?? '?column?'
}

interface Named {
  readonly name: string
  /** A weak name gives way to a better one inside. */
  readonly weak: boolean
}

/** PostgreSQL's choice of a name for an expression. */
function named(node: Node | undefined, environment: Environment): Named | null {
  if (node === undefined) return null
  const strong = (name: string): Named => ({ name, weak: false })
  if ('ColumnRef' in node) {
    const { fields, location } = node.ColumnRef
    return strong(spelling(environment.statement, location, (fields ?? []).length - 1))
  }
  if ('FuncCall' in node) return strong(nameOf(node.FuncCall.funcname))
  if ('A_Expr' in node) return node.A_Expr.kind === 'AEXPR_NULLIF' ? strong('nullif') : null
  if ('TypeCast' in node) {
    const inner = named(node.TypeCast.arg, environment)
    return inner !== null && !inner.weak ? inner : { name: nameOf(node.TypeCast.typeName?.names), weak: true }
  }
  if ('CollateClause' in node) return named(node.CollateClause.arg, environment)
  if ('CaseExpr' in node) {
    const inner = named(node.CaseExpr.defresult, environment)
    return inner !== null && !inner.weak ? inner : { name: 'case', weak: true }
  }
  if ('CoalesceExpr' in node) return strong('coalesce')
  if ('MinMaxExpr' in node) return strong(node.MinMaxExpr.op === 'IS_GREATEST' ? 'greatest' : 'least')
  if ('SubLink' in node) {
    const { subLinkType, subselect } = node.SubLink
    if (subLinkType === 'EXISTS_SUBLINK') return strong('exists')
    if (subLinkType !== 'EXPR_SUBLINK' || subselect === undefined || !('SelectStmt' in subselect)) return null
    const target = subselect.SelectStmt.targetList?.[0]
    if (target === undefined || !('ResTarget' in target)) return null
    return strong(outputName(target.ResTarget, environment, null))
  }
  return null
}
