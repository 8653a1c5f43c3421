import * as resolve from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import type { Node, TypeCast } from '../../sql/parse.ts'
import { sqlTypeOf } from '../../sql/type-name.ts'
import { type Environment, located, place, refuse } from './block.ts'
import { bindExpression, type Clause, unknown } from './expression.ts'
import { locationOf, nameOf } from './node.ts'

/** PostgreSQL's bits for `interval '…' unit`. */
const intervalUnits = new Map([
  [1 << 1, 'months'],
  [1 << 2, 'years'],
  [1 << 3, 'days'],
  [1 << 10, 'hours'],
  [1 << 11, 'minutes'],
  [1 << 12, 'seconds'],
])

/** CAST, `::` and `type 'text'`. */
export function bindCast(node: TypeCast, clause: Clause): Scalar {
  const { environment } = clause.block
  const typeName = node.typeName ?? {}
  const location = node.location !== undefined && node.location >= 0 ? node.location : typeName.location
  const at = place(environment, location)
  const fields = nameOf(typeName.names) === 'interval' ? typeName.typmods : undefined
  if (fields !== undefined) {
    const text = intervalText(node, fields, environment, location)
    return located(at, () => resolve.cast(resolve.literal(text, unknown), { kind: 'interval' }, 'explicit'))
  }
  const arg = bindExpression(node.arg as Node, clause)
  const type = sqlTypeOf(typeName, environment.statement)
  return located(at, () => resolve.cast(arg, type, 'explicit'))
}

/** `interval '3' month` is `interval '3 months'`. */
function intervalText(node: TypeCast, fields: Node[], environment: Environment, location: number | undefined): string {
  const bits = 'A_Const' in fields[0] ? (fields[0].A_Const.ival?.ival ?? 0) : 0
  const text = node.arg !== undefined && 'A_Const' in node.arg ? node.arg.A_Const.sval?.sval : undefined
  const unit = intervalUnits.get(bits)
  const number = unit === 'seconds' ? /^\s*[-+]?\d+(\.\d{1,6})?\s*$/ : /^\s*[-+]?\d+\s*$/
  if (fields.length > 1 || unit === undefined || text === undefined || !number.test(text)) {
    throw refuse(
      environment,
      location ?? locationOf(node.arg),
      'this form of interval is not supported',
      "write the units in the text: interval '1 day 2 hours'",
    )
  }
  return `${text} ${unit}`
}
