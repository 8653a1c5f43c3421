// A random case as data: easy to print, easy to make smaller.

import type { CaseEvent, LawCase } from '../case-file.ts'
import type { Mode } from '../subject.ts'

/**
 * `num` has two digits behind the point in every value; the digits of `numx` differ from value to value, so that SQL
 * leaves open which of two equal ones stands for both: no key, no extreme and no order is made of it. Sums of `double`
 * are exact in binary, those of `dblx` are not.
 */
export type FuzzType =
  | 'int'
  | 'bigint'
  | 'num'
  | 'numx'
  | 'double'
  | 'dblx'
  | 'text'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | StoredType

/** Stored, compared and returned, but hardly computed with. */
export type StoredType =
  | 'smallint'
  | 'real'
  | 'wide'
  | 'varchar'
  | 'uuid'
  | 'bytea'
  | 'time'
  | 'timestamptz'
  | 'interval'

/** Prints as parts[0] args[0] parts[1] args[1] … */
export interface Expression {
  readonly type: FuzzType
  readonly parts: readonly string[]
  readonly args: readonly Expression[]
}

export interface Output {
  readonly name: string
  readonly expression: Expression
}

export interface Select {
  readonly kind: 'select'
  readonly from: From
  readonly where: readonly Expression[]
  /** null: no GROUP BY, and no aggregates among the outputs either, unless `global`. */
  readonly keys: readonly Expression[] | null
  readonly having: Expression | null
  readonly outputs: readonly Output[]
  readonly distinct: boolean
}

export interface Union {
  readonly kind: 'union'
  readonly operator: 'UNION ALL' | 'UNION' | 'INTERSECT' | 'EXCEPT'
  readonly left: Query
  readonly right: Query
}

export interface Order {
  readonly column: string
  readonly direction: string
}

/** LIMIT over everything, or row_number() within a partition. */
export interface Top {
  readonly kind: 'top'
  readonly input: Query
  readonly columns: readonly Output[]
  readonly partition: string | null
  readonly order: readonly Order[]
  readonly limit: number
  readonly offset: number
  /** Puts the row number out. */
  readonly rank: boolean
  /** Written as DISTINCT ON, which takes the first of each partition. */
  readonly distinctOn: boolean
}

export type Query = Select | Union | Top

export type From =
  | { readonly kind: 'relation'; readonly name: string; readonly alias: string }
  | { readonly kind: 'window'; readonly call: string; readonly relation: string; readonly alias: string }
  | { readonly kind: 'query'; readonly query: Query; readonly alias: string }
  | {
      readonly kind: 'join'
      readonly join: string
      readonly left: From
      readonly right: From
      readonly on: readonly Expression[]
    }

export interface FuzzTable {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly sqlType: string; readonly type: FuzzType }[]
  readonly keyed: boolean
  readonly options: string
}

export interface FuzzView {
  readonly name: string
  readonly materialized: boolean
  readonly final: boolean
  readonly query: Query
}

export interface Scenario {
  readonly seed: number
  readonly tables: readonly FuzzTable[]
  readonly views: readonly FuzzView[]
  readonly events: readonly CaseEvent[]
  /** How many events each tick takes. */
  readonly sizes: readonly number[]
  readonly state: Mode | null
  readonly weakHash: boolean
  /** Without the optimiser. */
  readonly plain: boolean
}

export function printExpression({ parts, args }: Expression): string {
  let text = parts[0]
  for (let i = 0; i < args.length; i++) text += printExpression(args[i]) + parts[i + 1]
  return text
}

/** @param completed orders are completed by all columns, as Millrace completes them by itself */
export function printQuery(query: Query, completed: boolean): string {
  switch (query.kind) {
    case 'select':
      return printSelect(query, completed)
    case 'union': {
      const side = (part: Query): string => `(${printQuery(part, completed)})`
      return `${side(query.left)} ${query.operator} ${side(query.right)}`
    }
    case 'top':
      return printTop(query, completed)
  }
}

function printSelect(select: Select, completed: boolean): string {
  const outputs = select.outputs.map(({ name, expression }) => `${printExpression(expression)} AS ${name}`)
  const text = [`SELECT ${select.distinct ? 'DISTINCT ' : ''}${outputs.join(', ')}`]
  text.push(`FROM ${printFrom(select.from, completed)}`)
  if (select.where.length > 0) text.push(`WHERE ${select.where.map(printExpression).join(' AND ')}`)
  if (select.keys && select.keys.length > 0) text.push(`GROUP BY ${select.keys.map(printExpression).join(', ')}`)
  if (select.having) text.push(`HAVING ${printExpression(select.having)}`)
  return text.join(' ')
}

function printFrom(from: From, completed: boolean): string {
  switch (from.kind) {
    case 'relation':
      return `${from.name} ${from.alias}`
    case 'window':
      return `${from.call} ${from.alias}`
    case 'query':
      return `(${printQuery(from.query, completed)}) ${from.alias}`
    case 'join': {
      const sides = `${printFrom(from.left, completed)} ${from.join} ${printFrom(from.right, completed)}`
      return from.join === 'CROSS JOIN' ? sides : `${sides} ON ${from.on.map(printExpression).join(' AND ') || 'true'}`
    }
  }
}

function printTop(top: Top, completed: boolean): string {
  const inner = `(${printQuery(top.input, completed)}) x`
  const given = top.order.map(({ column, direction }) => `${column} ${direction}`)
  const rest = completed ? top.columns.map(({ name }) => name) : []
  const order = [...given, ...rest].join(', ')
  const by = order === '' ? '' : `ORDER BY ${order}`
  const names = top.columns.map(({ name }) => name).join(', ')
  if (top.partition === null && !top.rank) {
    const offset = top.offset > 0 ? ` OFFSET ${top.offset}` : ''
    return `SELECT ${names} FROM ${inner} ${by} LIMIT ${top.limit}${offset}`
  }
  if (top.partition !== null && top.distinctOn && !top.rank) {
    return `SELECT DISTINCT ON (${top.partition}) ${names} FROM ${inner} ORDER BY ${[top.partition, ...given, ...rest].join(', ')}`
  }
  const partition = top.partition === null ? '' : `PARTITION BY ${top.partition} `
  const rank = rankName(top.columns)
  const numbered = `SELECT ${names}, row_number() OVER (${partition}${by}) AS ${rank} FROM ${inner}`
  return `SELECT ${names}${top.rank ? `, ${rank}` : ''} FROM (${numbered}) y WHERE ${rank} <= ${top.limit}`
}

/** A top-N may be over another that puts its own rank out. */
export function rankName(columns: readonly Output[]): string {
  return `r${columns.filter(({ name }) => /^r\d/.test(name)).length}`
}

function incomplete(query: Query): boolean {
  switch (query.kind) {
    case 'top':
      return true
    case 'union':
      return incomplete(query.left) || incomplete(query.right)
    case 'select':
      return incompleteFrom(query.from)
  }
}

function incompleteFrom(from: From): boolean {
  if (from.kind === 'query') return incomplete(from.query)
  return from.kind === 'join' && (incompleteFrom(from.left) || incompleteFrom(from.right))
}

export function toCase(scenario: Scenario): LawCase {
  const tables = scenario.tables.map(({ name, columns, options, keyed }) => {
    const list = columns.map((column, i) => `${column.name} ${column.sqlType}${keyed && i === 0 ? ' PRIMARY KEY' : ''}`)
    return `CREATE TABLE ${name} (${list.join(', ')})${options};`
  })
  const views = scenario.views.map(({ name, materialized, final, query }) => {
    const head = `CREATE ${materialized ? 'MATERIALIZED ' : ''}VIEW ${name}${final ? " WITH (emit = 'final')" : ''}`
    return `${head} AS\n  ${printQuery(query, false)};`
  })
  const oracles = scenario.views
    .filter(({ query, final }) => !final && incomplete(query))
    .map(({ name, query }) => [name, printQuery(query, true)] as const)
  return {
    name: `regressions/fuzz-${scenario.seed}`,
    title: `Found by the fuzzer with seed ${scenario.seed}`,
    schema: tables.join('\n'),
    events: scenario.events,
    views: views.join('\n'),
    oracles: new Map(oracles),
    errors: new Map(),
    refused: null,
  }
}
