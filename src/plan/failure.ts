import type { SqlType } from '../data/sql-type.ts'
import { keyFunction } from '../expr/functions/signatures.ts'
import * as resolve from '../expr/resolve.ts'
import { childrenOf, type Scalar } from '../expr/scalar.ts'
import type { Catalog } from './catalog.ts'
import { conjunction } from './conjuncts.ts'
import type { Plan } from './plan.ts'

/**
 * Which expressions can put out an error, so that rewrites know what must not be evaluated for other rows than
 * before: an error that a row meets in a filter is shown to the user. In doubt an expression can fail.
 */

/** Whether the column of a relation may hold errors: a view's may, a topic's where older events may not fit it. */
export type MayFail = (relation: number, ordinal: number) => boolean

/** By the catalog: a view's columns may fail where its plan's may, a topic's where it was added later. */
export function mayFailIn(catalog: Catalog): MayFail {
  const mayFail: MayFail = (id, ordinal) => {
    const relation = catalog.byId(id)
    if (relation.kind !== 'view') return relation.definition.columns[ordinal].added === true
    return failingColumns(relation.definition.plan, mayFail)[ordinal]
  }
  return mayFail
}

const comparisons = ['=', '<>', '<', '<=', '>', '>=']
const totalFunctions = new Set([
  ...comparisons,
  ...['&', '|', '#', '||', '^@', '->', '->>', '?', '@>', '<@', keyFunction],
  ...'length char_length character_length octet_length bit_length ascii lower upper initcap reverse md5'.split(' '),
  ...'btrim ltrim rtrim strpos position left right replace translate starts_with isfinite sign'.split(' '),
  ...'greatest least concat concat_ws jsonb_typeof jsonb_contains jsonb_contained jsonb_strip_nulls'.split(' '),
])
/** Total once their first argument is a constant, which was checked when it was bound. */
const totalByField = new Set(['extract', 'date_part'])
const likes = new Set(['~~', '!~~', '~~*', '!~~*'])

/** @param failing columns that may hold errors */
export function canFail(scalar: Scalar, failing: readonly boolean[]): boolean {
  if (scalar.op === 'column') return failing[scalar.index]
  if (scalar.op === 'call' && !isTotal(scalar)) return true
  if (scalar.op === 'cast' && !isTotalCast(scalar.arg.type, scalar.type)) return true
  return childrenOf(scalar).some((child) => canFail(child, failing))
}

function isTotal({ fn, args }: Extract<Scalar, { op: 'call' }>): boolean {
  const name = fn.slice(0, fn.lastIndexOf('('))
  if (totalFunctions.has(name)) return true
  const [first, second] = args
  if (totalByField.has(name)) return first.op === 'literal'
  // A path or a pattern that comes with the row may be none.
  if (name === '#>' || name === '#>>') return second.op === 'literal'
  if (name === '~') return args.length === 1
  if (likes.has(name)) return second?.op === 'literal' && !/(^|[^\\])(\\\\)*\\$/.test(second.text ?? '')
  if (name === '-') return args.length === 2 && args.every((arg) => arg.type.kind === 'date')
  if (name === 'substring' || name === 'substr') {
    return fn.includes('integer') && args.slice(2).every((arg) => arg.op === 'literal' && Number(arg.text) >= 0)
  }
  return false
}

const integerDigits: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }
/** Casts that every value survives, from a kind to kinds. */
const totalCasts: Readonly<Record<string, readonly SqlType['kind'][]>> = {
  boolean: ['integer'],
  smallint: ['integer', 'bigint', 'real', 'double'],
  integer: ['bigint', 'real', 'double'],
  bigint: ['real', 'double'],
  real: ['double'],
  text: ['varchar'],
  varchar: ['text'],
  timestamp: ['timestamptz', 'date', 'time'],
  timestamptz: ['timestamp', 'date', 'time'],
  time: ['interval'],
}

function isTotalCast(from: SqlType, to: SqlType): boolean {
  if (to.kind === 'numeric') return numericHolds(from, to)
  if (to.kind === 'text' || to.kind === from.kind) return true
  return totalCasts[from.kind]?.includes(to.kind) ?? false
}

function numericHolds(from: SqlType, to: Extract<SqlType, { kind: 'numeric' }>): boolean {
  const digits = integerDigits[from.kind]
  if (to.precision === undefined || to.scale === undefined) return digits !== undefined || from.kind === 'numeric'
  const room = to.precision - to.scale
  if (digits !== undefined) return room >= digits
  if (from.kind !== 'numeric' || from.precision === undefined || from.scale === undefined) return false
  // A number that loses digits is rounded, and may grow by one in front.
  return room >= from.precision - from.scale + (to.scale < from.scale ? 1 : 0)
}

/** Which columns of a plan may hold errors. */
export function failingColumns(plan: Plan, mayFail: MayFail): readonly boolean[] {
  switch (plan.op) {
    case 'scan':
      return plan.reads.map((ordinal) => ordinal >= 0 && mayFail(plan.relation, ordinal))
    case 'values':
      return plan.columns.map((_, i) => plan.rows.some((row) => canFail(row[i], [])))
    case 'map': {
      const below = failingColumns(plan.input, mayFail)
      return plan.outputs.map((output) => canFail(output, below))
    }
    case 'hop': {
      const below = failingColumns(plan.input, mayFail)
      return [...below, below[plan.time], below[plan.time]]
    }
    case 'aggregate': {
      const below = failingColumns(plan.input, mayFail)
      const calls = plan.calls.map(
        ({ fn, argument, filter }) =>
          fn === 'sum' || fn === 'avg' || (argument !== null && below[argument]) || (filter !== null && below[filter]),
      )
      // A row with an error in a key is an error row already.
      return [...plan.keys.map(() => false), ...calls]
    }
    case 'join': {
      const left = failingColumns(plan.left, mayFail)
      if (plan.kind === 'semi' || plan.kind === 'anti') return left
      return [...left, ...failingColumns(plan.right, mayFail)]
    }
    case 'unionAll': {
      const inputs = plan.inputs.map((input) => failingColumns(input, mayFail))
      return plan.columns.map((_, i) => inputs.some((input) => input[i]))
    }
    case 'topN':
      return [...failingColumns(plan.input, mayFail), ...(plan.rank ? [false] : [])]
    default:
      return failingColumns(plan.input, mayFail)
  }
}

/** Whether a node's own work may turn a row into an error: in a key, an order or a condition. */
export function meetsErrors(plan: Plan, mayFail: MayFail): boolean {
  const any = (input: Plan, columns: readonly (number | null)[]): boolean => {
    const failing = failingColumns(input, mayFail)
    return columns.some((column) => column !== null && failing[column])
  }
  switch (plan.op) {
    case 'scan':
    case 'values':
    case 'unionAll':
      return false
    case 'map':
      return plan.filter !== null && canFail(plan.filter, failingColumns(plan.input, mayFail))
    case 'hop':
      return any(plan.input, [plan.time])
    case 'aggregate':
      return any(plan.input, plan.keys)
    case 'distinct':
      return failingColumns(plan.input, mayFail).includes(true)
    case 'topN':
      return any(plan.input, [...plan.partition, ...plan.order.map(({ column }) => column)])
    case 'final':
      return any(plan.input, [plan.windowEnd])
    case 'temporal':
      return any(plan.input, [plan.from, plan.until])
    case 'join': {
      if (any(plan.left, plan.leftKeys) || any(plan.right, plan.rightKeys)) return true
      if (plan.residual === null) return false
      return canFail(
        plan.residual,
        [plan.left, plan.right].flatMap((side) => failingColumns(side, mayFail)),
      )
    }
  }
}

/**
 * One filter of several conditions, some of which can fail: a row is dropped if another one is not true, be it false
 * or NULL.
 */
export function filterOf(conditions: readonly Scalar[], failing: readonly boolean[]): Scalar | null {
  const fails = conditions.map((condition) => canFail(condition, failing))
  if (!fails.includes(true)) return conjunction(conditions)
  return conjunction(
    conditions.map((condition, i) => (!fails[i] && condition.nullable ? resolve.isTruth(condition, true) : condition)),
  )
}
