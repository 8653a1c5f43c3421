import { formatInterval } from '../data/interval.ts'
import { type ColumnSchema, typeName } from '../data/sql-type.ts'
import type { Scalar } from '../expr/scalar.ts'
import { inputsOf } from './nodes.ts'
import type { AggregateCall, Order, Plan } from './plan.ts'

/**
 * Prints plans for people: a node a line, what it reads indented below it. Columns of the same name are told apart by
 * their number.
 */

export interface Stages {
  readonly sql: string
  readonly bound: Plan
  readonly optimised: Plan
}

/** A query at each stage of its planning. @param nameOf the name of a relation's id */
export function explainStages({ sql, bound, optimised }: Stages, nameOf: (relation: number) => string): string {
  const parts = [
    ['SQL', `${sql}\n`],
    ['bound', explainPlan(bound, nameOf)],
    ['optimised', explainPlan(optimised, nameOf)],
  ]
  return parts.map(([stage, text]) => `-- ${stage}\n${text}`).join('\n')
}

/** @param nameOf the name of a relation's id */
export function explainPlan(plan: Plan, nameOf: (relation: number) => string): string {
  const lines: string[] = []
  const visit = (node: Plan, depth: number): void => {
    lines.push(`${'  '.repeat(depth)}${describe(node, nameOf)}`)
    for (const input of inputsOf(node)) visit(input, depth + 1)
  }
  visit(plan, 0)
  return `${lines.join('\n')}\n`
}

function describe(plan: Plan, nameOf: (relation: number) => string): string {
  switch (plan.op) {
    case 'scan': {
      const events = plan.events === 'all' ? '' : plan.events === 'onTime' ? ' (events on time)' : ' (late events)'
      return `scan ${nameOf(plan.relation)}${events}: ${plan.columns.map(columnText).join(', ')}`
    }
    case 'values':
      return `values ${plan.rows.map((row) => `(${row.map((cell) => printScalar(cell, [])).join(', ')})`).join(', ')}`
    case 'map':
      return mapLine(plan)
    case 'hop': {
      const time = plan.input.columns[plan.time].name
      const [slide, size] = [plan.slideMicros, plan.sizeMicros].map(durationText)
      return slide === size ? `tumble ${time} by ${size}` : `hop ${time} by ${slide}, windows of ${size}`
    }
    case 'aggregate': {
      const by =
        plan.keys.length === 0 ? '' : ` by ${plan.keys.map((key) => namesIn(plan.input.columns)[key]).join(', ')}`
      const calls = plan.calls.map((call) => callText(call, plan.input))
      return `aggregate${by}${calls.length === 0 ? '' : `: ${calls.join(', ')}`}`
    }
    case 'distinct':
      return 'distinct'
    case 'join':
      return joinLine(plan)
    case 'topN':
      return topLine(plan)
    case 'unionAll':
      return 'union all'
    case 'final':
      return `final when ${plan.input.columns[plan.windowEnd].name} is reached`
    case 'temporal': {
      const bounds = [
        plan.from === null ? '' : `${plan.input.columns[plan.from].name} <= now()`,
        plan.until === null ? '' : `now() < ${plan.input.columns[plan.until].name}`,
      ]
      return `temporal ${bounds.filter((bound) => bound !== '').join(' and ')}`
    }
  }
}

function durationText(micros: string): string {
  return formatInterval({ months: 0, days: 0, micros: BigInt(micros) })
}

/** Types by their short names: `typeName` has `timestamp without time zone`. */
function columnText({ name, type }: ColumnSchema): string {
  return `${name} ${type.kind === 'numeric' || type.kind === 'varchar' ? typeName(type) : type.kind}`
}

/** The columns' names; those that stand more than once with their number. */
export function namesIn(columns: Plan['columns']): string[] {
  const all = columns.map((column) => column.name)
  return all.map((name, i) => (all.indexOf(name) === all.lastIndexOf(name) ? name : `${name}#${i + 1}`))
}

function mapLine(plan: Extract<Plan, { op: 'map' }>): string {
  const inputNames = namesIn(plan.input.columns)
  const filter = plan.filter === null ? '' : ` where ${printScalar(plan.filter, inputNames)}`
  const identity =
    plan.outputs.length === plan.input.columns.length &&
    plan.outputs.every(
      (output, i) =>
        output.op === 'column' && output.index === i && plan.input.columns[i].name === plan.columns[i].name,
    )
  if (identity) return plan.filter === null ? 'same' : `filter${filter}`
  const outputs = plan.outputs.map((output, i) => {
    const text = printScalar(output, inputNames)
    const { name } = plan.columns[i]
    return text === name || text.replace(/#\d+$/, '') === name ? text : `${text} AS ${name}`
  })
  return `map ${outputs.join(', ')}${filter}`
}

function callText({ fn, argument, distinct, filter }: AggregateCall, input: Plan): string {
  const name = fn === 'boolAnd' ? 'bool_and' : fn === 'boolOr' ? 'bool_or' : fn
  const inputNames = namesIn(input.columns)
  const of = argument === null ? '*' : inputNames[argument]
  return `${name}(${distinct ? 'distinct ' : ''}${of})${filter === null ? '' : ` filter (${inputNames[filter]})`}`
}

function joinLine(plan: Extract<Plan, { op: 'join' }>): string {
  const both = namesIn([...plan.left.columns, ...plan.right.columns])
  const keys = plan.leftKeys.map((key, i) => `${both[key]} = ${both[plan.left.columns.length + plan.rightKeys[i]]}`)
  const residual = plan.residual === null ? [] : [printScalar(plan.residual, both)]
  const on = [...keys, ...residual].join(' and ')
  return `${plan.kind} join${on === '' ? '' : ` on ${on}`}`
}

function topLine(plan: Extract<Plan, { op: 'topN' }>): string {
  const of = (column: number): string => namesIn(plan.input.columns)[column]
  const parts = ['top']
  if (plan.limit !== null) parts.push(String(plan.limit))
  if (plan.offset > 0) parts.push(`after ${plan.offset}`)
  if (plan.partition.length > 0) parts.push(`per ${plan.partition.map(of).join(', ')}`)
  if (plan.order.length > 0) parts.push(`by ${plan.order.map((order) => printOrder(order, of)).join(', ')}`)
  if (plan.rank) parts.push('with row_number')
  return parts.join(' ')
}

export function printOrder({ column, descending, nullsFirst }: Order, of: (column: number) => string): string {
  const nulls = nullsFirst === descending ? '' : nullsFirst ? ' nulls first' : ' nulls last'
  return `${of(column)}${descending ? ' desc' : ''}${nulls}`
}

/** An expression in the manner of SQL. @param names of the columns it reads */
export function printScalar(scalar: Scalar, names: readonly string[]): string {
  const print = (part: Scalar): string => printScalar(part, names)
  const operand = (part: Scalar): string => (isSimple(part) ? print(part) : `(${print(part)})`)
  switch (scalar.op) {
    case 'column':
      return names[scalar.index] ?? `#${scalar.index}`
    case 'literal':
      return printLiteral(scalar)
    case 'now':
      return 'now()'
    case 'call':
      return printCall(scalar, print, operand)
    case 'cast':
      return `${operand(scalar.arg)}::${typeName(scalar.type)}`
    case 'and':
    case 'or':
      return scalar.args.map(operand).join(scalar.op === 'and' ? ' AND ' : ' OR ')
    case 'not':
      return `NOT ${operand(scalar.arg)}`
    case 'isNull':
      return `${operand(scalar.arg)} IS ${scalar.negated ? 'NOT ' : ''}NULL`
    case 'distinct':
      if (scalar.right.op === 'literal' && scalar.right.type.kind === 'boolean') {
        return `${operand(scalar.left)} IS ${scalar.negated ? '' : 'NOT '}${print(scalar.right).toUpperCase()}`
      }
      return `${operand(scalar.left)} IS ${scalar.negated ? 'NOT ' : ''}DISTINCT FROM ${operand(scalar.right)}`
    case 'case': {
      const whens = scalar.whens.map(({ when, result }) => `WHEN ${print(when)} THEN ${print(result)}`)
      const otherwise = scalar.otherwise === null ? '' : ` ELSE ${print(scalar.otherwise)}`
      return `CASE ${whens.join(' ')}${otherwise} END`
    }
    case 'coalesce':
      return `coalesce(${scalar.args.map(print).join(', ')})`
  }
}

function isSimple(scalar: Scalar): boolean {
  if (scalar.op === 'column' || scalar.op === 'literal' || scalar.op === 'now' || scalar.op === 'coalesce') return true
  if (scalar.op === 'cast') return true
  return scalar.op === 'call' && /^[a-z_$]/.test(scalar.fn)
}

function printLiteral({ text, type }: Extract<Scalar, { op: 'literal' }>): string {
  if (text === null) return 'NULL'
  switch (type.kind) {
    case 'boolean':
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric':
      return text
    case 'text':
    case 'unknown':
      return quoted(text)
    default:
      return `${typeName(type)} ${quoted(text)}`
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const infix: Readonly<Record<string, string>> = { '~~': 'LIKE', '!~~': 'NOT LIKE', '~~*': 'ILIKE', '!~~*': 'NOT ILIKE' }

function printCall(
  { fn, args }: Extract<Scalar, { op: 'call' }>,
  print: (part: Scalar) => string,
  operand: (part: Scalar) => string,
): string {
  const name = fn.slice(0, fn.lastIndexOf('('))
  if (/^[a-z_$]/.test(name)) return `${name.replace('$', '')}(${args.map(print).join(', ')})`
  const written = infix[name] ?? name
  return args.length === 1 ? `${written}${operand(args[0])}` : args.map(operand).join(` ${written} `)
}
