import { invariant } from '../data/errors.ts'
import { type ColumnSchema, type SqlType, sameType } from '../data/sql-type.ts'
import { childrenOf, type Scalar, withChildren } from '../expr/scalar.ts'
import {
  type Aggregate,
  type AggregateCall,
  type Distinct,
  type Final,
  type Hop,
  type Join,
  type Map_,
  type Order,
  type Plan,
  type Scan,
  systemColumn,
  type Temporal,
  type TopN,
  type UnionAll,
  type Values,
} from './plan.ts'

/** Makers of plan nodes: each works out the columns that its node puts out. */

export const bigint: SqlType = { kind: 'bigint' }

/** A reference to a column of what a plan puts out. */
export function columnOf(plan: Plan, index: number): Scalar {
  const schema = plan.columns[index]
  invariant(schema !== undefined, `column ${index} of ${plan.columns.length}`)
  return { op: 'column', index, type: schema.type, nullable: schema.nullable }
}

export function columnsAsScalars(plan: Plan): Scalar[] {
  return plan.columns.map((_, index) => columnOf(plan, index))
}

/** The same expression over columns with other numbers. */
export function renumbered(scalar: Scalar, to: (index: number) => number): Scalar {
  if (scalar.op === 'column') return { ...scalar, index: to(scalar.index) }
  const children = childrenOf(scalar)
  if (children.length === 0) return scalar
  return withChildren(
    scalar,
    children.map((child) => renumbered(child, to)),
  )
}

/** The columns that every topic has beside its schema's, by name. */
export const topicSystemColumns: readonly { readonly id: number; readonly schema: ColumnSchema }[] = [
  { id: systemColumn.partition, schema: { name: '_partition', type: { kind: 'integer' }, nullable: false } },
  { id: systemColumn.offset, schema: { name: '_offset', type: bigint, nullable: false } },
  { id: systemColumn.tick, schema: { name: '_tick', type: bigint, nullable: false } },
  { id: systemColumn.appendedAt, schema: { name: '_appended_at', type: { kind: 'timestamptz' }, nullable: false } },
]

export function scan(
  relation: number,
  reads: readonly number[],
  columns: readonly ColumnSchema[],
  events: Scan['events'] = 'all',
): Scan {
  // Of a topic's columns only what they are now belongs to a plan.
  const schemas = columns.map(({ name, type, nullable }) => ({ name, type, nullable }))
  return { op: 'scan', relation, reads, events, columns: schemas }
}

export function values(rows: readonly (readonly Scalar[])[], columns: readonly ColumnSchema[]): Values {
  return { op: 'values', rows, columns }
}

/** @param names of the outputs; without them plain columns keep theirs. */
export function map(input: Plan, filter: Scalar | null, outputs: readonly Scalar[], names?: readonly string[]): Map_ {
  const columns = outputs.map((output, i) => ({
    name: names?.[i] ?? (output.op === 'column' ? input.columns[output.index].name : `_${i + 1}`),
    type: output.type,
    nullable: output.nullable,
  }))
  return { op: 'map', input, filter, outputs, columns }
}

export function filtered(input: Plan, filter: Scalar | null): Plan {
  return filter === null ? input : map(input, filter, columnsAsScalars(input))
}

/** The input's columns, with more behind them. */
export function extended(input: Plan, outputs: readonly Scalar[]): Plan {
  return outputs.length === 0 ? input : map(input, null, [...columnsAsScalars(input), ...outputs])
}

export function hop(input: Plan, time: number, slideMicros: string, sizeMicros: string): Hop {
  const type = input.columns[time].type
  const columns = [
    ...input.columns,
    { name: 'window_start', type, nullable: false },
    { name: 'window_end', type, nullable: false },
  ]
  return { op: 'hop', input, time, slideMicros, sizeMicros, columns }
}

/** @param results what each call puts out. */
export function aggregate(
  input: Plan,
  keys: readonly number[],
  calls: readonly AggregateCall[],
  results: readonly ColumnSchema[],
): Aggregate {
  invariant(calls.length === results.length, 'an aggregate call without a column')
  return { op: 'aggregate', input, keys, calls, columns: [...keys.map((key) => input.columns[key]), ...results] }
}

export function distinct(input: Plan): Distinct {
  return { op: 'distinct', input, columns: input.columns }
}

const asNullable = (column: ColumnSchema): ColumnSchema => (column.nullable ? column : { ...column, nullable: true })

export function join(
  kind: Join['kind'],
  left: Plan,
  right: Plan,
  leftKeys: readonly number[],
  rightKeys: readonly number[],
  residual: Scalar | null,
): Join {
  invariant(leftKeys.length === rightKeys.length, 'join keys do not pair up')
  for (let i = 0; i < leftKeys.length; i++) {
    const types = [left.columns[leftKeys[i]].type, right.columns[rightKeys[i]].type] as const
    invariant(sameType(...types), `join keys of types ${types[0].kind} and ${types[1].kind}`)
  }
  const leftColumns = kind === 'full' ? left.columns.map(asNullable) : left.columns
  const rightColumns = kind === 'left' || kind === 'full' ? right.columns.map(asNullable) : right.columns
  const columns = kind === 'semi' || kind === 'anti' ? left.columns : [...leftColumns, ...rightColumns]
  return { op: 'join', kind, left, right, leftKeys, rightKeys, residual, columns }
}

export function topN(
  input: Plan,
  partition: readonly number[],
  order: readonly Order[],
  limit: number | null,
  offset: number,
  rank: boolean,
): TopN {
  const columns = rank ? [...input.columns, { name: 'row_number', type: bigint, nullable: false }] : input.columns
  return { op: 'topN', input, partition, order, limit, offset, rank, columns }
}

/** The inputs have the same types; names are the first one's. */
export function unionAll(inputs: readonly Plan[]): UnionAll {
  const columns = inputs[0].columns.map((column, i) => {
    invariant(
      inputs.every((input) => sameType(input.columns[i].type, column.type)),
      'a union of different types',
    )
    return { ...column, nullable: inputs.some((input) => input.columns[i].nullable) }
  })
  return { op: 'unionAll', inputs, columns }
}

export function final(input: Plan, windowEnd: number): Final {
  return { op: 'final', input, windowEnd, columns: input.columns }
}

export function temporal(input: Plan, from: number | null, until: number | null): Temporal {
  return { op: 'temporal', input, from, until, columns: input.columns }
}

/** The plans that a plan reads, left to right. */
export function inputsOf(plan: Plan): readonly Plan[] {
  switch (plan.op) {
    case 'scan':
    case 'values':
      return []
    case 'join':
      return [plan.left, plan.right]
    case 'unionAll':
      return plan.inputs
    default:
      return [plan.input]
  }
}

/** The same node over other inputs with the same columns. */
export function withInputs(plan: Plan, inputs: readonly Plan[]): Plan {
  switch (plan.op) {
    case 'scan':
    case 'values':
      return plan
    case 'join':
      return { ...plan, left: inputs[0], right: inputs[1] }
    case 'unionAll':
      return { ...plan, inputs }
    default:
      return { ...plan, input: inputs[0] }
  }
}

/** All nodes of a plan, inputs before what reads them. */
export function nodesOf(plan: Plan, into: Plan[] = []): Plan[] {
  for (const input of inputsOf(plan)) nodesOf(input, into)
  into.push(plan)
  return into
}
