import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { cellText } from '../data/text-print.ts'
import { isNull } from '../expr/resolve.ts'
import type { Scalar } from '../expr/scalar.ts'
import { aggregate, bigint, columnOf, distinct, map, nodesOf, unionAll } from '../plan/nodes.ts'
import type { Plan } from '../plan/plan.ts'
import type { TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { type Known, knownLiteral, narrowed } from '../plan/why-narrow.ts'
import { type Trace, traceOf } from '../plan/why-trace.ts'
import { type CellText, jsonOf, rowOf } from '../plan/why-words.ts'
import type { EventRef, WhyBody, WhyEvents } from '../protocol/why.ts'
import { equalityOf } from '../views/read.ts'
import { Absence } from './why-absence.ts'
import { EventLookup, type Position } from './why-events.ts'
import { inOrder, positionColumns } from './why-groups.ts'
import type { FoundRow, WhyRun } from './why-run.ts'
import { Steps } from './why-steps.ts'
import { leastWatermark, watermarkText } from './why-watermark.ts'

/** Which row, and how much of it is told. */
export interface RowWanted {
  /** Columns that must equal a value, as text that PostgreSQL reads; null is NULL. */
  readonly where: ReadonlyMap<number, CellText>
  /** Events that are listed at most. */
  readonly limit: number
  /** Final views are as if every watermark were infinite. */
  readonly closed: boolean
}

/**
 * Why a view has a row: found by running instrumented copies of its plan over the log, at one tick. Exact, whatever is
 * listed; it costs what some ad-hoc queries cost, and nothing when nobody asks.
 * @throws MillraceError request/parameter for values that are none, or that several rows have
 */
export async function whyRow(run: WhyRun, view: ViewDefinition, wanted: RowWanted): Promise<WhyBody> {
  const { tick } = run.source.moment
  const where = canonical(view.columns, wanted.where)
  const asked: Known = new Map(
    [...where].map(([column, text]) => [column, knownLiteral(text, view.columns[column].type)]),
  )
  const lookup = new EventLookup(run.source.log)
  const rows = await rowsLike(run, view, asked)
  if (rows.length > 1 && where.size < view.columns.length) throw severalRows(view, rows)
  const head = { tick, view: view.name }
  if (rows.length === 0) {
    const steps = await stepsFor(run, view.plan, lookup, wanted.closed)
    const absent = await new Absence(run, steps).of(view.plan, asked)
    return { ...head, found: false, row: null, copies: 0, step: null, events: noEvents, absent }
  }
  // Equal numerics may be written in several ways: the one that was asked for counts.
  const asWritten = rows.find(({ cells: each }) => [...where].every(([column, text]) => each[column] === text))
  const { cells, weight } = asWritten ?? rows[0]
  const known: Known = new Map(cells.map((cell, column) => [column, knownLiteral(cell, view.columns[column].type)]))
  const trace = traceOf(run.program, view.plan, known, false)
  const by = positionColumns(trace)
  const [steps, [first], events] = await Promise.all([
    stepsFor(run, view.plan, lookup, wanted.closed),
    run.first(trace.plan, 1, by).then((found) => inOrder(found, by)),
    eventsOf(run, traceOf(run.program, view.plan, known, true), lookup, wanted.limit),
  ])
  const step = await steps.of(trace, first)
  return { ...head, found: true, row: rowOf(view.columns, cells), copies: weight, step, events }
}

/** The first few rows of a view that have what is asked for, each once with how often it is there. */
async function rowsLike(run: WhyRun, view: ViewDefinition, asked: Known): Promise<readonly FoundRow[]> {
  const plan = narrowed(run.program, view.plan, asked)
  const call = { fn: 'count', argument: null, distinct: false, filter: null } as const
  const keys = plan.columns.map((_, i) => i)
  const counted = aggregate(plan, keys, [call], [{ name: 'copies', type: bigint, nullable: false }])
  const rows = await run.first(counted, severalMost)
  return rows.map(({ cells }) => ({ cells: cells.slice(0, -1), weight: Number(cells.at(-1)) }))
}

const severalMost = 10

const noEvents: WhyEvents = { count: 0, first: null, last: null, listed: [], gone: 0 }

async function stepsFor(run: WhyRun, plan: Plan, lookup: EventLookup, closed: boolean): Promise<Steps> {
  if (closed) return new Steps(run, lookup, 'the input has ended')
  const isFinal = nodesOf(plan).some((node) => node.op === 'final')
  return new Steps(run, lookup, isFinal ? watermarkText(await leastWatermark(run, plan)) : '')
}

/** Values as PostgreSQL prints them. @throws MillraceError request/parameter for a text that the type can't be read from */
export function canonical(
  columns: readonly ColumnSchema[],
  where: ReadonlyMap<number, CellText>,
): Map<number, CellText> {
  const { page } = equalityOf(columns, where)
  return new Map([...where.keys()].map((i) => [i, cellText(page.memory, page.columns[i], 0, columns[i].type)]))
}

function severalRows(view: ViewDefinition, rows: readonly FoundRow[]): MillraceError {
  const differs = view.columns.findIndex((_, i) => rows.some(({ cells }) => cells[i] !== rows[0].cells[i]))
  const { name, type } = view.columns[differs]
  const some = [...new Set(rows.map(({ cells }) => cells[differs]))].slice(0, 3)
  const values = some.map((text) => JSON.stringify(jsonOf(text, type))).join(', ')
  return new MillraceError(
    'request/parameter',
    `several rows of ${view.name} are like that: one is explained at a time`,
    {
      hint: `say which ${name}: there are ${values}${rows.length > some.length ? ' and others' : ''}`,
    },
  )
}

/** Counts the events of all derivations exactly, and lists the first of them. */
async function eventsOf(run: WhyRun, trace: Trace, lookup: EventLookup, limit: number): Promise<WhyEvents> {
  const topics = [...new Set(trace.positions.map(({ topic }) => topic))]
  const found = await Promise.all(topics.map((topic) => eventsOfTopic(run, trace, topic, limit)))
  const ends = async (position: 'first' | 'last'): Promise<EventRef[]> =>
    lookup.all(found.flatMap((each) => (each[position] === null ? [] : [each[position]])))
  const firsts = (await ends('first')).sort(byTime)
  const lasts = (await ends('last')).sort(byTime)
  const listed = (await lookup.all(found.flatMap((each) => each.listed))).sort(byTime)
  return {
    count: found.reduce((sum, { count }) => sum + count, 0),
    first: firsts[0] ?? null,
    last: lasts.at(-1) ?? null,
    listed: listed.slice(0, limit),
    gone: 0,
  }
}

function byTime(a: EventRef, b: EventRef): number {
  if (a.tick !== b.tick) return a.tick - b.tick
  if (a.appended_at !== b.appended_at) return a.appended_at < b.appended_at ? -1 : 1
  return a.topic === b.topic ? a.offset - b.offset : a.topic < b.topic ? -1 : 1
}

interface TopicEvents {
  readonly count: number
  readonly first: Position | null
  readonly last: Position | null
  readonly listed: readonly Position[]
}

async function eventsOfTopic(run: WhyRun, trace: Trace, topic: TopicDefinition, limit: number): Promise<TopicEvents> {
  const inputs = trace.positions.flatMap((position) => {
    if (position.topic !== topic) return []
    const cell = (column: number): Scalar => ({ ...columnOf(trace.plan, column), nullable: true }) as Scalar
    const there = isNull(cell(position.offset), true)
    return [map(trace.plan, there, [cell(position.partition), cell(position.offset)])]
  })
  const all = distinct(inputs.length === 1 ? inputs[0] : unionAll(inputs))
  const call = (fn: 'count' | 'min' | 'max') =>
    ({ fn, argument: fn === 'count' ? null : 1, distinct: false, filter: null }) as const
  const column = (name: string): ColumnSchema => ({ name, type: bigint, nullable: true })
  const sums = aggregate(all, [], [call('count'), call('min'), call('max')], ['count', 'first', 'last'].map(column))
  const [[{ cells }], rows] = await Promise.all([run.rows(sums), run.first(all, limit, [0, 1])])
  const position = (offset: CellText): Position | null =>
    offset === null ? null : { topic, partition: 0, offset: Number(offset) }
  return {
    count: Number(cells[0]),
    first: position(cells[1]),
    last: position(cells[2]),
    listed: rows.map(({ cells: [partition, offset] }) => ({
      topic,
      partition: Number(partition),
      offset: Number(offset),
    })),
  }
}
