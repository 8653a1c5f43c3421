import { formatInterval, parseInterval } from '../../data/interval.ts'
import * as resolve from '../../expr/resolve.ts'
import type { FuncCall, Node, RangeFunction } from '../../sql/parse.ts'
import { refusal } from '../../sql/refuse.ts'
import { spelling } from '../../sql/source.ts'
import { fold } from '../../sql/tokens.ts'
import { hop, values } from '../nodes.ts'
import { type Environment, located, newBlock, place, refuse } from './block.ts'
import { bindExpression } from './expression.ts'
import { aliased, bindFromItem } from './from.ts'
import { locationOf, nameOf } from './node.ts'
import { emptyScope, findColumn, type Relation, scopeOf, unknownColumn } from './scope.ts'
import { clauseOf } from './select.ts'

const forms: Readonly<Record<string, string>> = {
  tumble: "tumble(relation, time, interval '1 minute')",
  hop: "hop(relation, time, interval '1 minute', interval '10 minutes')",
}

/** A function in FROM: tumble, hop, or generate_series of constants. */
export function bindTableFunction(node: RangeFunction, environment: Environment): Relation {
  const call = callOf(node, environment)
  const name = nameOf(call.funcname)
  const form = forms[name]
  if (name === 'generate_series')
    return aliased(series(call, node.alias?.aliasname, environment), node.alias, call.location, environment)
  if (name === 'session') {
    throw refuse(environment, call.location, 'session() is not supported', 'tumble() and hop() are')
  }
  if (form === undefined) {
    throw refuse(environment, call.location, `the function ${name} in FROM is not supported`, 'tumble() and hop() are')
  }
  if (node.ordinality) throw refuse(environment, call.location, 'WITH ORDINALITY is not supported', 'leave it out')
  if (node.coldeflist !== undefined)
    throw refuse(environment, call.location, 'a column definition list is not supported', 'leave it out')
  const args = call.args ?? []
  const wanted = name === 'tumble' ? 3 : 4
  if (args.length !== wanted) {
    throw refusal(
      'sql/type',
      `${name} takes ${wanted} arguments, not ${args.length}`,
      place(environment, call.location),
      `write ${form}`,
    )
  }
  const input = relationArgument(args[0], environment, form)
  const time = timeArgument(args[1], input, environment, form)
  const micros = args.slice(2).map((arg) => sizeArgument(arg, name, environment))
  const plan = hop(input.plan, time, String(micros[0]), String(micros[micros.length - 1]))
  const table = input.scope.tables[0]?.alias ?? name
  const added = [plan.columns.length - 2, plan.columns.length - 1].map((index) => ({
    ...plan.columns[index],
    index,
    table,
    bare: true,
    star: true,
    tableStar: true,
  }))
  const scope = { columns: [...input.scope.columns, ...added], tables: [{ alias: table, key: [] }] }
  return aliased({ plan, scope }, node.alias, call.location, environment)
}

function callOf(node: RangeFunction, environment: Environment): FuncCall {
  const functions = node.functions ?? []
  const first = functions[0]
  const call = first !== undefined && 'List' in first ? first.List.items?.[0] : undefined
  if (call === undefined || !('FuncCall' in call)) {
    throw refuse(environment, locationOf(first), 'this function in FROM is not supported', 'tumble() and hop() are')
  }
  if (functions.length > 1 || node.is_rowsfrom) {
    throw refuse(environment, call.FuncCall.location, 'ROWS FROM is not supported', 'join the functions')
  }
  return call.FuncCall
}

function relationArgument(arg: Node, environment: Environment, form: string): Relation {
  const fields = 'ColumnRef' in arg ? (arg.ColumnRef.fields ?? []) : []
  if (!('ColumnRef' in arg) || fields.length !== 1 || !('String' in fields[0])) {
    const hint = `write ${form}; give a subquery a name by WITH`
    throw refuse(
      environment,
      locationOf(arg),
      'a window over anything but the name of a relation is not supported',
      hint,
    )
  }
  const { location } = arg.ColumnRef
  const relname = fields[0].String.sval ?? ''
  return bindFromItem({ RangeVar: { relname, ...(location === undefined ? {} : { location }) } }, environment)
}

function timeArgument(arg: Node, input: Relation, environment: Environment, form: string): number {
  const at = place(environment, locationOf(arg))
  if (!('ColumnRef' in arg))
    throw refusal('sql/type', 'the time of a window is the name of a column', at, `write ${form}`)
  const { fields, location } = arg.ColumnRef
  const parts = (fields ?? []).map((_, part) => spelling(environment.statement, location, part))
  const table = parts.length > 1 ? parts[0] : null
  const name = parts[parts.length - 1]
  const column = findColumn(input.scope, table, name, at)
  if (column === null) throw unknownColumn([input.scope], table, name, at)
  const { kind } = column.type
  if (kind === 'timestamp' || kind === 'timestamptz') return column.index
  const hint = `cast it in a named query: CREATE VIEW … AS SELECT *, ${name}::timestamp AS ${fold(name)}_time …`
  throw refusal('sql/type', `the time of a window is a timestamp, but "${name}" is a ${kind}`, at, hint)
}

/** Microseconds of a constant interval. */
function sizeArgument(arg: Node, name: string, environment: Environment): bigint {
  const at = place(environment, locationOf(arg))
  const block = newBlock(environment, null, emptyScope)
  const clause = clauseOf(block, `${name}()`)
  const bound = bindExpression(arg, clause)
  const scalar = located(at, () => resolve.foldConstant(resolve.cast(bound, { kind: 'interval' }, 'implicit')))
  const interval = scalar.op === 'literal' && scalar.text !== null ? parseInterval(scalar.text) : null
  if (interval === null)
    throw refusal('sql/type', 'the size of a window is a constant interval', at, "write interval '1 minute'")
  if (interval.months !== 0) {
    throw refuse(environment, locationOf(arg), 'a window of months or years is not supported', 'give its size in days')
  }
  const micros = BigInt(interval.days) * 86_400_000_000n + interval.micros
  if (micros > 0n) return micros
  throw refusal(
    'sql/value',
    `the size of a window is more than 0, not ${formatInterval(interval)}`,
    at,
    'give a positive interval',
  )
}

/** The longest series that is written out as rows. */
const maxSeries = 10_000

/** generate_series of constant integers: its one column takes the name of its alias. */
function series(call: FuncCall, alias: string | undefined, environment: Environment): Relation {
  const at = place(environment, call.location)
  const block = newBlock(environment, null, emptyScope)
  const clause = clauseOf(block, 'generate_series()')
  const bounds = (call.args ?? []).map((arg) => resolve.foldConstant(bindExpression(arg, clause)))
  const numbers = bounds.map((bound) =>
    bound.op === 'literal' && /^(integer|bigint)$/.test(bound.type.kind) ? (bound.text ?? '') : '',
  )
  if (numbers.length < 2 || numbers.length > 3 || numbers.includes('')) {
    const hint = 'write generate_series(1, 10), or VALUES'
    throw refuse(environment, call.location, 'generate_series of anything but constant integers is not supported', hint)
  }
  const type = resolve.commonType(bounds)
  const [first, last, step = 1n] = numbers.map(BigInt)
  if (step === 0n) throw refusal('sql/value', 'step size cannot equal zero', at, 'give another step')
  const count = (last - first) / step + 1n
  if (count > maxSeries) {
    throw refuse(
      environment,
      call.location,
      `a series of more than ${maxSeries} rows is not supported`,
      'append events instead',
    )
  }
  const steps = (last - first) * step < 0n ? 0 : Number(count)
  const rows = Array.from({ length: steps }, (_, i) => [resolve.literal(String(first + BigInt(i) * step), type)])
  const plan = values(rows, [{ name: alias ?? 'generate_series', type, nullable: false }])
  return { plan, scope: scopeOf(plan, 'generate_series') }
}
