import { MillraceError } from '../data/errors.ts'
import { type SqlType, typeName } from '../data/sql-type.ts'
import { digitsOf, numericType } from './coercion.ts'

/** Names the plan's AggregateFunction has, without importing a room above. */
export type AggregateName = 'count' | 'sum' | 'avg' | 'min' | 'max' | 'boolAnd' | 'boolOr'

export interface ResolvedAggregate {
  readonly fn: AggregateName
  /** What to cast the argument to; null for count(*). */
  readonly argumentType: SqlType | null
  readonly type: SqlType
  /** NULL over no rows. */
  readonly nullable: boolean
}

const functions: Readonly<Record<string, AggregateName>> = {
  count: 'count',
  sum: 'sum',
  avg: 'avg',
  min: 'min',
  max: 'max',
  bool_and: 'boolAnd',
  every: 'boolAnd',
  bool_or: 'boolOr',
}

/** PostgreSQL's other aggregates, which are refused by name. */
const refused = new Set(
  `any_value array_agg bit_and bit_or bit_xor corr covar_pop covar_samp cume_dist dense_rank grouping json_agg
  json_arrayagg json_object_agg json_objectagg jsonb_agg jsonb_object_agg mode percent_rank percentile_cont
  percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
  regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg var_pop var_samp variance xmlagg`.split(/\s+/),
)

export function isAggregate(name: string): boolean {
  return Object.hasOwn(functions, name) || refused.has(name)
}

/** A sum can have this many digits more than its summands: 2^63 of them. */
const sumDigits = 19

/**
 * @param argument the argument's type, null for count(*)
 * @throws MillraceError sql/unsupported for an aggregate there isn't yet, sql/type for an argument it doesn't take
 */
export function resolveAggregate(name: string, argument: SqlType | null): ResolvedAggregate {
  const fn = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (fn === undefined) {
    throw new MillraceError('sql/unsupported', `the aggregate ${name} is not supported`, {
      hint: `there are ${Object.keys(functions).join(', ')}`,
    })
  }
  if (argument === null) {
    if (fn === 'count') return { fn, argumentType: null, type: { kind: 'bigint' }, nullable: false }
    throw new MillraceError('sql/type', `${name}(*) must be used with an argument`, { hint: `write ${name}(column)` })
  }
  const given: SqlType = argument.kind === 'unknown' ? { kind: 'text' } : argument
  const result = resultOf(fn, given)
  if (result === null) {
    throw new MillraceError('sql/type', `function ${name}(${typeName(given)}) does not exist`, {
      hint:
        given.kind === 'boolean'
          ? 'for booleans there are bool_and and bool_or; count(*) FILTER (WHERE …) counts'
          : `cast the argument to a type that ${name} takes`,
    })
  }
  return { fn, ...result }
}

type Result = Omit<ResolvedAggregate, 'fn'>

function resultOf(fn: AggregateName, given: SqlType): Result | null {
  switch (fn) {
    case 'count':
      return { argumentType: given, type: { kind: 'bigint' }, nullable: false }
    case 'sum':
      return sumOf(given)
    case 'avg':
      return averageOf(given)
    case 'min':
    case 'max':
      return extremeOf(given)
    case 'boolAnd':
    case 'boolOr':
      return given.kind === 'boolean' ? { argumentType: given, type: given, nullable: true } : null
  }
}

function sumOf(given: SqlType): Result | null {
  switch (given.kind) {
    case 'smallint':
    case 'integer':
      return { argumentType: given, type: { kind: 'bigint' }, nullable: true }
    case 'bigint':
    case 'numeric': {
      const digits = digitsOf(given)
      const type = digits === null ? given : numericType(digits.precision + sumDigits, digits.scale)
      return { argumentType: given, type, nullable: true }
    }
    case 'real':
    case 'double':
    case 'interval':
      return { argumentType: given, type: given, nullable: true }
    case 'time':
      return { argumentType: { kind: 'interval' }, type: { kind: 'interval' }, nullable: true }
    default:
      return null
  }
}

function averageOf(given: SqlType): Result | null {
  switch (given.kind) {
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric':
      return { argumentType: given, type: { kind: 'numeric' }, nullable: true }
    case 'real':
    case 'double':
      return { argumentType: given, type: { kind: 'double' }, nullable: true }
    case 'interval':
    case 'time':
      return { argumentType: { kind: 'interval' }, type: { kind: 'interval' }, nullable: true }
    default:
      return null
  }
}

function extremeOf(given: SqlType): Result | null {
  switch (given.kind) {
    case 'boolean':
    case 'uuid':
    case 'jsonb':
    case 'unknown':
      return null
    case 'varchar':
      return { argumentType: { kind: 'text' }, type: { kind: 'text' }, nullable: true }
    default:
      return { argumentType: given, type: given, nullable: true }
  }
}
