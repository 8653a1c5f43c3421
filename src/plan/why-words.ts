import { formatInterval } from '../data/interval.ts'
import type { ColumnSchema, SqlType } from '../data/sql-type.ts'
import { columnsOf, type Scalar } from '../expr/scalar.ts'
import { namesIn, printOrder, printScalar } from './explain.ts'
import type { AggregateCall, Join, Map_, Plan, TopN } from './plan.ts'

/** What an explanation says: values, conditions and sums in words. Cells are text as PostgreSQL prints it. */

export type CellText = string | null

/** A cell as a value of JSON: exact, so that what a double can't hold is text. */
export function jsonOf(text: CellText, type: SqlType): unknown {
  if (text === null) return null
  switch (type.kind) {
    case 'boolean':
      return text === 't'
    case 'smallint':
    case 'integer':
      return Number(text)
    case 'bigint': {
      const value = Number(text)
      return Number.isSafeInteger(value) ? value : text
    }
    case 'real':
    case 'double': {
      const value = Number(text)
      return Number.isFinite(value) ? value : text
    }
    case 'timestamp':
      return text.replace(' ', 'T')
    case 'timestamptz':
      return text.replace(' ', 'T').replace(/\+00$/, '+00:00')
    case 'jsonb':
      return JSON.parse(text)
    default:
      return text
  }
}

export function rowOf(
  columns: readonly ColumnSchema[],
  texts: readonly CellText[],
  names: readonly string[] = namesIn(columns),
): Record<string, unknown> {
  return Object.fromEntries(columns.map(({ type }, i) => [names[i], jsonOf(texts[i], type)]))
}

/** A cell as it would stand in a sentence: text in quotes. */
export function shownCell(text: CellText, type: SqlType): string {
  if (text === null) return 'NULL'
  switch (type.kind) {
    case 'boolean':
      return text === 't' ? 'true' : 'false'
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'real':
    case 'double':
    case 'numeric':
      return text
    default:
      return `'${text.length > 80 ? `${text.slice(0, 80)}…` : text}'`
  }
}

/** `1240` as `1,240`, for people; what is no plain number stays as it is. */
export function grouped(number: string): string {
  const parts = /^(-?)(\d{4,})(\.\d+)?$/.exec(number)
  if (parts === null) return number
  return `${parts[1]}${parts[2].replace(/\B(?=(\d{3})+$)/g, ',')}${parts[3] ?? ''}`
}

/** `1 row`, `1,240 rows` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(String(count))} ${count === 1 ? one : many}`
}

const unnamed = /^(_(\d+|order_\w+)|\?column\?)(#\d+)?$/

/** Whether nobody named the column of this name, PostgreSQL's or ours: it is called by what it is. */
export function isUnnamed(name: string): boolean {
  return unnamed.test(name)
}

/** Tags of EXCEPT and INTERSECT: which side a row is of. */
const sideTags: Readonly<Record<string, string>> = { _left: 'the left side', _right: 'the right side' }

/** A plan's columns, each by a name of its own; those that nobody named by what they are. */
export function displayNames(plan: Plan): readonly string[] {
  const names = namesIn(plan.columns)
  if (!names.some((name) => isUnnamed(name))) return names
  return names.map((name, i) => (isUnnamed(name) ? (computedName(plan, i) ?? name) : name))
}

function computedName(plan: Plan, column: number): string | undefined {
  switch (plan.op) {
    case 'map':
      return printScalar(plan.outputs[column], readNames(plan.input))
    case 'aggregate':
      return column < plan.keys.length ? displayNames(plan.input)[plan.keys[column]] : undefined
    case 'hop':
    case 'topN':
    case 'distinct':
    case 'final':
    case 'temporal':
      return displayNames(plan.input)[column]
    case 'join': {
      const width = plan.left.columns.length
      return column < width ? displayNames(plan.left)[column] : displayNames(plan.right)[column - width]
    }
    default:
      return undefined
  }
}

/** A plan's columns as expressions name them: those of an aggregate by their calls. */
export function readNames(plan: Plan): readonly string[] {
  const names = displayNames(plan)
  if (plan.op === 'aggregate') {
    return names.map((name, i) =>
      i < plan.keys.length ? name : callLabel(plan.calls[i - plan.keys.length], plan.input),
    )
  }
  if (plan.op !== 'map') return names
  const below = readNames(plan.input)
  return plan.outputs.map((output, i) => {
    const same = output.op === 'column' && plan.input.columns[output.index].name === plan.columns[i].name
    return same ? below[output.index] : names[i]
  })
}

/** Whether a projection's output only says which side of EXCEPT or INTERSECT its rows are of. */
export function isSideTag({ outputs, columns }: Map_, output: number): boolean {
  return outputs[output].op === 'literal' && sideTags[columns[output].name] !== undefined
}

/** Whether a projection only picks and renames, apart from tags. */
export function picksOnly(plan: Map_): boolean {
  return plan.outputs.every(({ op }, i) => op === 'column' || isSideTag(plan, i))
}

function isIdentity({ outputs, input }: Map_): boolean {
  return (
    outputs.length === input.columns.length &&
    outputs.every((output, i) => output.op === 'column' && output.index === i)
  )
}

/** An expression over a plan's columns, with their cells in their place, and the columns that it reads. */
export function filledIn(
  scalar: Scalar,
  plan: Plan,
  cells: readonly CellText[],
  names: readonly string[] = readNames(plan),
): { text: string; filled: string; read: string; values: Record<string, unknown> } {
  const { columns } = plan
  const read = [...columnsOf(scalar)].sort((a, b) => a - b)
  const shown = columns.map(({ type }, i) => shownCell(cells[i], type))
  return {
    text: printScalar(scalar, names),
    filled: printScalar(scalar, shown),
    read: read.map((i) => `${names[i]} = ${shown[i]}`).join(', '),
    values: Object.fromEntries(read.map((i) => [names[i], jsonOf(cells[i], columns[i].type)])),
  }
}

/** What a projection puts out, as a list behind SELECT. */
export function selectLabel(plan: Map_): string {
  const names = readNames(plan.input)
  const outputs = plan.outputs.map((output, i) => {
    const text = printScalar(output, names)
    const { name } = plan.columns[i]
    return text === name || text.replace(/#\d+$/, '') === name || isUnnamed(name) ? text : `${text} AS ${name}`
  })
  const list = outputs.join(', ')
  return `SELECT ${list.length > 160 ? `${list.slice(0, 160)}…` : list}`
}

/** Whether a filter stands behind an aggregate, as HAVING does. */
export function isHaving({ input }: Map_): boolean {
  return input.op === 'aggregate' || (input.op === 'map' && isIdentity(input) && isHaving(input))
}

export function keyText(
  columns: readonly ColumnSchema[],
  cells: readonly CellText[],
  names: readonly string[] = namesIn(columns),
): string {
  return columns.map(({ type }, i) => `${names[i]} = ${shownCell(cells[i], type)}`).join(', ')
}

const functionNames: Readonly<Record<string, string>> = { boolAnd: 'bool_and', boolOr: 'bool_or' }

/** An aggregate's call; its argument as the expression that it is, where the input computes it. */
export function callLabel({ fn, argument, distinct, filter }: AggregateCall, input: Plan): string {
  const of = argument === null ? '*' : inputExpression(input, argument)
  const side = filter === null || argument !== null ? undefined : sideTags[input.columns[filter].name]
  if (side !== undefined) return `rows of ${side}`
  const where = filter === null ? '' : ` FILTER (WHERE ${inputExpression(input, filter)})`
  return `${functionNames[fn] ?? fn}(${distinct ? 'DISTINCT ' : ''}${of})${where}`
}

/** A column as the expression that it is, where the input computes it. */
export function inputExpression(input: Plan, column: number): string {
  if (input.op !== 'map') return readNames(input)[column]
  return printScalar(input.outputs[column], readNames(input.input))
}

/** A relation joined with itself: its two sides are called by where they stand. */
function toldApart(sides: readonly string[]): readonly string[] {
  return sides[0] === sides[1] && sides[0] !== '' ? ['left', 'right'] : sides
}

/** The columns of both sides, each with its side's name before it. */
function sideColumns(plan: Join, sides: readonly string[]): readonly (readonly string[])[] {
  const names = toldApart(sides)
  return [plan.left, plan.right].map((input, side) =>
    displayNames(input).map((name) => (names[side] === '' || !/^\w+$/.test(name) ? name : `${names[side]}.${name}`)),
  )
}

/** The columns that a join's condition reads: with their side's name where the other side has such a column, too. */
export function joinColumns(plan: Join, sides: readonly string[]): readonly string[] {
  const own = [displayNames(plan.left), displayNames(plan.right)]
  const full = sideColumns(plan, sides)
  return own.flatMap((names, side) => names.map((name, i) => (own[1 - side].includes(name) ? full[side][i] : name)))
}

/** @param sides what each is called; empty: its columns stand alone */
export function joinCondition(plan: Join, sides: readonly string[] = ['', '']): string {
  const [left, right] = sideColumns(plan, sides)
  const keys = plan.leftKeys.map((key, i) => `${left[key]} = ${right[plan.rightKeys[i]]}`)
  const residual = plan.residual === null ? [] : [printScalar(plan.residual, joinColumns(plan, sides))]
  return [...keys, ...residual].join(' AND ')
}

const joinNames = { inner: 'JOIN', left: 'LEFT JOIN', full: 'FULL JOIN', semi: 'IN', anti: 'NOT IN' } as const

export function joinLabel(plan: Join, sides?: readonly string[]): string {
  const on = joinCondition(plan, sides)
  return `${joinNames[plan.kind]}${on === '' ? '' : ` ON ${on}`}`
}

export function topLabel(plan: TopN): string {
  const names = displayNames(plan.input)
  const of = (column: number): string => names[column]
  const parts = [plan.limit === null ? 'rows in order' : `the first ${plan.limit}`]
  if (plan.rank) parts[0] = plan.limit === null ? 'row_number' : `row_number up to ${plan.limit + plan.offset}`
  if (plan.offset > 0) parts.push(`after ${plan.offset}`)
  if (plan.partition.length > 0) parts.push(`per ${plan.partition.map(of).join(', ')}`)
  if (plan.order.length > 0) parts.push(`by ${plan.order.map((order) => printOrder(order, of)).join(', ')}`)
  return parts.join(' ')
}

export function durationText(micros: string | bigint): string {
  return formatInterval({ months: 0, days: 0, micros: BigInt(micros) })
}

export function windowLabel(plan: Extract<Plan, { op: 'hop' }>): string {
  const time = plan.input.columns[plan.time].name
  const [slide, size] = [plan.slideMicros, plan.sizeMicros].map(durationText)
  return slide === size ? `tumble(${time}, ${size})` : `hop(${time}, ${slide}, ${size})`
}

export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13
  const ending = teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')
  return `${grouped(String(n))}${ending}`
}

/** `12 + 5 − 3 + … (1,204 terms) = 1,240` */
export function sumShown(terms: readonly string[], count: number, value: string): string {
  const listed = terms.slice(0, shownTerms)
  let text = ''
  listed.forEach((term, i) => {
    const negative = term.startsWith('-')
    const size = grouped(negative ? term.slice(1) : term)
    text += i === 0 ? (negative ? `−${size}` : size) : `${negative ? ' − ' : ' + '}${size}`
  })
  if (count > listed.length) text += ` + … (${counted(count, 'term')})`
  return count === 0 ? `no terms: ${value}` : `${text} = ${grouped(value)}`
}

export const shownTerms = 6
