import type { ColumnSchema } from '../../data/sql-type.ts'
import { resolveAggregate } from '../../expr/aggregates.ts'
import { isNull } from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import { conjunction } from '../../plan/conjuncts.ts'
import { aggregate, bigint, columnOf, distinct, filtered, map } from '../../plan/nodes.ts'
import type { Aggregate, AggregateCall, Distinct, Plan } from '../../plan/plan.ts'
import { equals, type Known, knownLiteral, narrowed } from '../../plan/why-narrow.ts'
import { type Trace, traceOf } from '../../plan/why-trace.ts'
import { type CellText, callLabel, counted, grouped, jsonOf, shownCell, sumShown } from '../../plan/why-words.ts'
import type { ArithmeticBody, EventRef, TermBody } from '../../protocol/why.ts'
import type { FoundRow, WhyRun } from './run.ts'

/** Terms that are listed of one sum. */
const listedTerms = 20

/** What is known of a group: its rows, as far as they are listed, and its sums, taken apart. */
export interface Group {
  readonly members: Trace
  /** In the order of their events. */
  readonly rows: readonly FoundRow[]
  readonly count: number
  readonly arithmetic: readonly ArithmeticBody[]
}

/** The event that a column of a row comes from, if it is one. */
export type EventOf = (trace: Trace, row: FoundRow, column: number) => Promise<EventRef | null>

/**
 * Takes the group apart that put out one row of an aggregate or a DISTINCT.
 * @param cells the row's
 * @param names of the row's columns
 */
export async function groupOf(
  run: WhyRun,
  node: Aggregate | Distinct,
  cells: readonly CellText[],
  names: readonly string[],
  eventOf: EventOf,
): Promise<Group> {
  const keys = node.op === 'aggregate' ? node.keys : node.columns.map((_, i) => i)
  const calls = node.op === 'aggregate' ? node.calls : []
  const known: Known = new Map(keys.map((key, i) => [key, knownLiteral(cells[i], node.input.columns[key].type)]))
  const members = traceOf(run.program, node.input, known, false)
  const by = positionColumns(members)
  const totals = totalsOf(narrowed(run.program, node.input, known), calls)
  const [rows, [sums], ...terms] = await Promise.all([
    run.first(members.plan, listedTerms, by),
    run.rows(totals),
    ...calls.map((call, i) => termsOf(run, members, call, cells[keys.length + i], node.columns[keys.length + i])),
  ])
  const arithmetic = await Promise.all(
    calls.map(async (call, i): Promise<ArithmeticBody> => {
      const at = keys.length + i
      const { type } = node.columns[at]
      const found = terms[i]
      const count = Number(sums.cells[1 + 2 * i])
      const list: TermBody[] = []
      for (const row of inOrder(found.rows, found.by)) {
        const event = found.trace === null ? null : await eventOf(found.trace, row, call.argument!)
        const value = jsonOf(row.cells[found.column], found.type)
        list.push({ value, weight: row.weight, ...(event === null ? {} : { event }) })
      }
      const texts = inOrder(found.rows, found.by).flatMap(({ cells: c, weight }) =>
        Array.from({ length: Math.min(weight, listedTerms) }, () => c[found.column] ?? ''),
      )
      return {
        column: names[at],
        expression: callLabel(call, node.input),
        value: jsonOf(cells[at], type),
        terms: list,
        count,
        shown: shownCall(call, texts, count, cells[at], node.columns[at], sums.cells[2 + 2 * i], found.type),
      }
    }),
  )
  return { members, rows: inOrder(rows, by), count: Number(sums.cells[0]), arithmetic }
}

export function positionColumns(trace: Trace): number[] {
  return trace.positions.flatMap(({ partition, offset }) => [partition, offset])
}

/** Rows in the order of their positions: an answer's own order is another. */
export function inOrder(rows: readonly FoundRow[], by: readonly number[]): readonly FoundRow[] {
  return [...rows].sort((a, b) => {
    for (const column of by) {
      const [x, y] = [a.cells[column], b.cells[column]]
      if (x === y) continue
      if (x === null || y === null) return x === null ? 1 : -1
      return Number(x) - Number(y)
    }
    return 0
  })
}

/** The rows of a group, then per call its terms and, for an average, their sum. */
function totalsOf(input: Plan, calls: readonly AggregateCall[]): Plan {
  const all: AggregateCall[] = [{ fn: 'count', argument: null, distinct: false, filter: null }]
  const columns: ColumnSchema[] = [{ name: 'rows', type: bigint, nullable: false }]
  calls.forEach((call, i) => {
    all.push({ ...call, fn: 'count' })
    columns.push({ name: `terms${i}`, type: bigint, nullable: false })
    const summed = call.fn === 'avg' ? call.argument : null
    const sum = summed === null ? null : resolveAggregate('sum', input.columns[summed].type)
    all.push(sum === null ? { ...call, fn: 'count' } : { ...call, fn: 'sum' })
    columns.push({ name: `sum${i}`, type: sum?.type ?? bigint, nullable: sum !== null })
  })
  return aggregate(input, [], all, columns)
}

interface FoundTerms {
  readonly rows: readonly FoundRow[]
  readonly column: number
  readonly type: ColumnSchema['type']
  /** Where rows are rows of the group. */
  readonly trace: Trace | null
  readonly by: readonly number[]
}

/** The first terms of a call; of a least or greatest, the first that is it. */
async function termsOf(
  run: WhyRun,
  members: Trace,
  { fn, argument, distinct: isDistinct, filter }: AggregateCall,
  value: CellText,
  result: ColumnSchema,
): Promise<FoundTerms> {
  if (argument === null) return { rows: [], column: 0, type: result.type, trace: null, by: [] }
  const column = members.root.at[argument]
  const { type } = members.plan.columns[column]
  const conditions: Scalar[] = [isNull(columnOf(members.plan, column), true)]
  if (filter !== null) conditions.push(columnOf(members.plan, members.root.at[filter]))
  const decides = decidedBy(fn, value)
  if (decides !== null) conditions.push(equals(columnOf(members.plan, column), knownLiteral(decides, type)))
  const plan = filtered(members.plan, conjunction(conditions))
  if (isDistinct) {
    const values = distinct(map(plan, null, [columnOf(plan, column)]))
    return { rows: await run.first(values, listedTerms, [0]), column: 0, type, trace: null, by: [] }
  }
  const by = positionColumns(members)
  const rows = await run.first(plan, decides === null ? listedTerms : 1, by)
  return { rows, column, type, trace: { ...members, plan }, by }
}

/** The value of the one term that a result follows from. */
function decidedBy(fn: AggregateCall['fn'], value: CellText): CellText {
  if (fn === 'min' || fn === 'max') return value
  if (fn === 'boolAnd') return value === 'f' ? 'f' : null
  return fn === 'boolOr' && value === 't' ? 't' : null
}

function shownCall(
  { fn, argument, distinct: isDistinct }: AggregateCall,
  texts: readonly string[],
  count: number,
  value: CellText,
  { type }: ColumnSchema,
  sum: CellText,
  termType: ColumnSchema['type'],
): string {
  const result = shownCell(value, type)
  const terms = texts.map((text) => shownCell(text, termType))
  const values = counted(count, isDistinct ? 'different value' : 'value')
  switch (fn) {
    case 'count':
      if (argument === null) return counted(count, 'row')
      if (!isDistinct || count === 0) return values
      return `${values}: ${terms.slice(0, 6).join(', ')}${count > 6 ? ', …' : ''}`
    case 'sum':
      return sumShown(terms, count, result)
    case 'avg':
      return count === 0
        ? `no values: ${result}`
        : `${grouped(sum ?? 'NULL')} / ${grouped(String(count))} = ${grouped(result)}`
    case 'min':
    case 'max':
      return count === 0 ? `no values: ${result}` : `the ${fn === 'min' ? 'least' : 'greatest'} of ${values}: ${result}`
    case 'boolAnd':
    case 'boolOr': {
      if (count === 0) return `no values: ${result}`
      const decided = (fn === 'boolAnd') === (value === 'f')
      return decided ? `one of ${values} is ${result}` : `all of ${values} are ${result}`
    }
  }
}
