import { invariant, MillraceError } from '../../data/errors.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { cellText, compileRowTexts } from '../../data/text-print.ts'
import { isNull } from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import { aggregate, bigint, columnOf, distinct, map, nodesOf, unionAll } from '../../plan/nodes.ts'
import type { Plan } from '../../plan/plan.ts'
import type { TopicDefinition, ViewDefinition } from '../../plan/program.ts'
import { broughtColumns, type Known, knownLiteral, narrowed } from '../../plan/why-narrow.ts'
import { type Trace, traceOf } from '../../plan/why-trace.ts'
import { type CellText, counted, jsonOf, rowOf } from '../../plan/why-words.ts'
import type { AbsenceBody, EventRef, StepBody, WhyBody, WhyEvents, WhyRow } from '../../protocol/why.ts'
import { equalityOf, readVersion } from '../../views/read.ts'
import { Absence } from './absence.ts'
import { EventLookup, type Position } from './events.ts'
import { inOrder, positionColumns } from './groups.ts'
import type { FoundRow, WhyRun } from './run.ts'
import { Steps } from './steps.ts'
import { leastWatermark, topicsOf, watermarkText } from './watermark.ts'

/** Which row, and how much of it is told. */
export interface RowWanted {
  /** Columns that must equal a value, as text that PostgreSQL reads; null is NULL. */
  readonly where: ReadonlyMap<number, CellText>
  /** Events that are listed at most. */
  readonly limit: number
  /** Final views are as if every watermark were infinite. */
  readonly closed: boolean
  /** The view is at the moment, and has the row if anybody has. */
  readonly fromView: boolean
  /** The view holds events that are gone: what is left of the log alone does not make its rows. */
  readonly beyond: boolean
}

/**
 * Why a view has a row: found by running instrumented copies of its plan over the log, at one tick. Exact, whatever is
 * listed; it costs what some ad-hoc queries cost, and nothing when nobody asks.
 * @throws MillraceError request/parameter for values that are none, or that several rows have
 */
export async function whyRow(run: WhyRun, view: ViewDefinition, wanted: RowWanted): Promise<WhyBody> {
  const { source, program } = run
  const where = canonical(view.columns, wanted.where)
  const asked = knownOf(view, where)
  const gone = wanted.beyond ? goneEvents(run, view.plan) : 0
  const fromView = wanted.fromView || gone > 0
  const rows = await (fromView ? rowsOfView(run, view, where) : rowsLike(run, view, asked))
  if (rows.length > 1 && where.size < view.columns.length) throw severalRows(view, rows)
  const head = { tick: source.moment.tick, view: view.name }
  const lookup = new EventLookup(source.log)
  if (rows.length === 0) {
    const steps = await stepsFor(run, view.plan, lookup, wanted.closed)
    const absent = await new Absence(run, steps).of(view.plan, asked)
    const events = { ...noEvents, gone }
    return { ...head, found: false, row: null, copies: 0, step: null, events, absent: unlessGone(absent, gone) }
  }
  // Equal numerics may be written in several ways: the one that was asked for counts.
  const asWritten = rows.find(({ cells: each }) => [...where].every(([column, text]) => each[column] === text))
  const { cells, weight } = asWritten ?? rows[0]
  // What is left of the log adds up to something else where a part of it is gone.
  const brought = gone === 0 ? null : broughtColumns(program, view.plan)
  const known = knownOf(
    view,
    [...cells.entries()].filter(([column]) => brought === null || brought[column]),
  )
  const trace = traceOf(program, view.plan, known, false)
  const by = positionColumns(trace)
  const [steps, [first], events] = await Promise.all([
    stepsFor(run, view.plan, lookup, wanted.closed),
    run.first(trace.plan, 1, by).then((found) => inOrder(found, by)),
    eventsOf(run, traceOf(program, view.plan, known, true), lookup, wanted.limit),
  ])
  invariant(first !== undefined || gone > 0, `a row of ${view.name} that the log does not make`)
  const row = rowOf(view.columns, cells)
  const step = first === undefined ? null : await steps.of(trace, first)
  const shown = gone === 0 ? step : partly(view, row, step, gone)
  return { ...head, found: true, row, copies: weight, step: shown, events: { ...events, gone } }
}

function knownOf({ columns }: ViewDefinition, cells: Iterable<readonly [number, CellText]>): Known {
  return new Map([...cells].map(([column, text]) => [column, knownLiteral(text, columns[column].type)]))
}

/** Events of the topics below that were thrown away, and that a row may be made of. */
function goneEvents({ source, program }: WhyRun, plan: Plan): number {
  const starts = source.log.starts()
  return topicsOf(program, plan).reduce((sum, { id }) => {
    const start = starts.get(id)
    return start === undefined || start.keeps === 'latest' ? sum : sum + start.firstOffset
  }, 0)
}

function partly({ name }: ViewDefinition, row: WhyRow, step: StepBody | null, gone: number): StepBody {
  const lost = `${counted(gone, 'event')} below it ${gone === 1 ? 'was' : 'were'} thrown away by retention`
  const rest = step === null ? 'what is left of the log adds nothing to this row' : 'what is left of the log adds this'
  return { op: 'view', label: name, detail: `${lost}; ${rest}`, row, inputs: step === null ? [] : [step] }
}

function unlessGone(absent: AbsenceBody, gone: number): AbsenceBody {
  if (gone === 0) return absent
  return { ...absent, reason: `${absent.reason} ${counted(gone, 'event')} below were thrown away by retention.` }
}

/** Rows that the view itself holds at the moment. */
async function rowsOfView(
  { source }: WhyRun,
  definition: ViewDefinition,
  where: ReadonlyMap<number, CellText>,
): Promise<readonly FoundRow[]> {
  const view = source.views.byId(definition.id)
  const equality = where.size === 0 ? null : equalityOf(definition.columns, where)
  const limit = where.size === definition.columns.length ? null : rowsRead
  const plan = { where: equality, order: [], limit }
  const rows = await readVersion(view, source.moment.version(view), plan, source.views.slices())
  const texts = compileRowTexts(definition.columns)
  const found: FoundRow[] = []
  rows.forEach((page, row, weight) => {
    if (found.length < severalMost) found.push({ cells: texts(page.memory, page.columns, row), weight })
  })
  return found
}

/** Rows of a view that are read to find the one that is meant. */
const rowsRead = 100_000

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
