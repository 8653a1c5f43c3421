import { compareDecimal, trimDecimal } from '../../data/decimal.ts'
import { compareInterval, decodeInterval, type Interval, intervalKeyBytes } from '../../data/interval.ts'
import { jsonbKey } from '../../data/jsonb.ts'
import type { SqlType } from '../../data/sql-type.ts'
import type { Builder } from '../builder.ts'
import { and, type BinaryOperator, binary, choose, type Expr, f64, falsehood, i32, not, or } from '../kernel.ts'
import { compareStrings } from '../runtime.ts'
import type { Value } from '../value.ts'
import { decimalOf, define, helper, type Implementation } from './definition.ts'
import { keyFunction } from './signatures.ts'

/** Comparison of equal types, GREATEST and LEAST, and the form that equal values share. */

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

const operators: Readonly<Record<Comparison, BinaryOperator>> = {
  '=': '==',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}

/** The comparison as a flag, for arguments that are values. */
export function compare(
  b: Builder,
  comparison: Comparison,
  left: Value,
  leftType: SqlType,
  right: Value,
  rightType: SqlType,
): Expr {
  const op = operators[comparison]
  switch (leftType.kind) {
    case 'real':
    case 'double':
      return compareDoubles(op, left.value, right.value)
    case 'numeric':
      return compareNumerics(b, op, left, leftType, right, rightType)
    case 'interval':
      return binary(op, b.invoke(compareInterval, 'f64', [left.value, right.value]), f64(0))
    case 'jsonb': {
      const [a, c] = [left, right].map((value) => b.invoke(jsonbKey, 'any', [b.string(value)]))
      return binary(op, a, c)
    }
    case 'text':
    case 'varchar':
    case 'bytea':
    case 'uuid':
      return compareBytes(b, op, left, right)
    default:
      return binary(op, left.value, right.value)
  }
}

/** PostgreSQL's order: NaN equals itself and is greater than everything else. */
function compareDoubles(op: BinaryOperator, left: Expr, right: Expr): Expr {
  const constant = (e: Expr): boolean => e.k === 'number' && !Number.isNaN(e.value)
  const isNone = (e: Expr): Expr => (constant(e) ? { k: 'flag', type: 'flag', value: false } : binary('!=', e, e))
  switch (op) {
    case '==':
      return constant(left) || constant(right)
        ? binary('==', left, right)
        : or(binary('==', left, right), and(isNone(left), isNone(right)))
    case '!=':
      return not(compareDoubles('==', left, right))
    case '<':
      return constant(right) ? binary('<', left, right) : or(binary('<', left, right), smallerThanNaN(left, right))
    case '>':
      return compareDoubles('<', right, left)
    case '<=':
      return not(compareDoubles('<', right, left))
    default:
      return not(compareDoubles('<', left, right))
  }
}

function smallerThanNaN(left: Expr, right: Expr): Expr {
  return and(binary('!=', right, right), binary('==', left, left))
}

function compareNumerics(
  b: Builder,
  op: BinaryOperator,
  left: Value,
  leftType: SqlType,
  right: Value,
  rightType: SqlType,
): Expr {
  if (left.shape === 'int' && right.shape === 'int') {
    const [a, c] = b.aligned(left, leftType, right, rightType)
    return binary(op, a.value, c.value)
  }
  const [a, c] = [decimalOf(b, left, leftType), decimalOf(b, right, rightType)]
  return binary(op, b.invoke(compareDecimal, 'f64', [a.value, c.value]), f64(0))
}

function compareBytes(b: Builder, op: BinaryOperator, left: Value, right: Value): Expr {
  const equality = op === '==' || op === '!='
  if (left.shape === 'string' || right.shape === 'string') {
    const [a, c] = [b.string(left), b.string(right)]
    return equality ? binary(op, a, c) : binary(op, b.invoke(compareStrings, 'f64', [a, c]), f64(0))
  }
  const [a, c] = [b.ref(left), b.ref(right)]
  const operands = [a.value, a.length!, c.value, c.length!]
  if (!equality) return binary(op, b.invoke('compareBytes', 'f64', operands), f64(0))
  const same = b.invoke('equalBytes', 'flag', operands)
  return op === '==' ? same : not(same)
}

/** What is there, as some number, even where it is no value. */
const plainShapes: ReadonlySet<string> = new Set(['flag', 'i32', 'f64', 'int'])

const kinds =
  `boolean smallint integer bigint numeric real double text bytea date time timestamp timestamptz interval uuid
jsonb`.split(/\s+/)

for (const kind of kinds) {
  for (const comparison of Object.keys(operators) as Comparison[]) {
    if (kind === 'jsonb' && comparison !== '=' && comparison !== '<>') continue
    define(comparison, `${kind},${kind}`, (b, args, site) => {
      const [left, right] = args
      const [leftType, rightType] = site.args.map(({ type }) => type)
      // What makes objects of its arguments is left out where there is nothing to compare.
      if (b.merged(args) === null || args.every(({ shape }) => plainShapes.has(shape))) {
        return b.total(args, 'flag', compare(b, comparison, left, leftType, right, rightType))
      }
      return b.guarded(args, 'flag', () => compare(b, comparison, left, leftType, right, rightType))
    })
  }
}

/** GREATEST and LEAST: NULLs count for nothing, an error for everything. */
export function extremeOf(name: 'greatest' | 'least'): Implementation {
  const comparison = name === 'greatest' ? '>' : '<'
  return (b, args, site) =>
    args
      .map((arg) => (arg.shape === 'string' || arg.shape === 'octets' ? b.ref(arg) : arg))
      .reduce((best, arg, i) => {
        const better = (): Expr => compare(b, comparison, arg, site.args[i].type, best, site.type)
        return pick(b, best, arg, b.guarded([best, arg], 'flag', better).value)
      })
}

/** `arg` where it is the better value or the only one, else `best`. */
function pick(b: Builder, best: Value, arg: Value, better: Expr): Value {
  const none = (value: Value): Expr => (value.state === null ? falsehood : binary('==', value.state, i32(1)))
  const isError = (value: Value): Expr => (value.state === null ? falsehood : binary('>', value.state, i32(1)))
  const take = b.atom(and(not(none(arg)), or(none(best), better)))
  const value = b.atom(choose(take, arg.value, best.value))
  const length = best.length === null || arg.length === null ? null : b.atom(choose(take, arg.length, best.length))
  let state: Expr | null = null
  if (best.state !== null || arg.state !== null) {
    const [a, c] = [best.state ?? i32(0), arg.state ?? i32(0)]
    const failed = or(isError(best), isError(arg))
    const bothNone = choose(and(none(best), none(arg)), i32(1), i32(0))
    state = b.atom(choose(failed, b.worst(a, c), bothNone))
  }
  return { shape: best.shape, value, length, state, bound: Math.max(best.bound, arg.bound) }
}

define(keyFunction, 'numeric', helper(trimDecimal))
define(
  keyFunction,
  'interval',
  helper((value: Interval) => decodeInterval(intervalKeyBytes(value), 0)),
)
define(keyFunction, 'jsonb', helper(jsonbKey))
