import { parseTimestamp } from '../../data/datetime.ts'
import { MillraceError } from '../../data/errors.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { operatorId } from '../../engine/names.ts'
import { type Itinerary, inputProbes, itineraryOf, keyColumns } from '../../plan/journey.ts'
import type { TopicDefinition, ViewDefinition } from '../../plan/program.ts'
import { type OperatorNode, type TopologyNode, topologyOf } from '../../plan/topology.ts'
import { counted, displayNames, durationText, rowOf } from '../../plan/why-words.ts'
import type {
  EventRef,
  JourneyBody,
  JourneyChangeBody,
  JourneyStepBody,
  JourneyTimes,
  StepOperator,
} from '../../protocol/why.ts'
import { partOf } from '../../views/replay.ts'
import type { TickTimes, TickTimesKnown } from '../telemetry/tick-times.ts'
import { EventLookup, timeText } from './events.ts'
import { type ChangedRow, type Effect, effectOf, type JourneySource } from './journey-run.ts'
import { JourneyWords, type Passage } from './journey-words.ts'
import type { WhyRun } from './run.ts'

/** Rows that are listed of one step, and of one view. */
const listed = 20

/**
 * What became of an event: what it did at each operator that it came by, and which rows it changed. Found by running
 * all views that read its topic over what came before it, then over the event alone.
 * @throws MillraceError not-found where there is no such event
 */
export async function journeyOf(
  run: WhyRun,
  source: JourneySource & { readonly times: TickTimes | null; readonly beyond: ReadonlySet<number> },
  topic: TopicDefinition,
  offset: number,
): Promise<JourneyBody> {
  const { program } = run
  const position = { topic, partition: 0, offset }
  const event = await new EventLookup(source.log).at(position)
  if (event === null || event.tick > run.source.moment.tick) throw noEvent(run, topic, offset)
  const itinerary = itineraryOf(program, topologyOf(program, operatorId), topic.id, partOf)
  const [effect, mark] = await Promise.all([
    effectOf(source, itinerary.program, position, event.tick),
    source.log.findTick({ tick: event.tick }),
  ])
  const beyond = itinerary.views.filter(({ id }) => source.beyond.has(id)).map(({ name }) => name)
  const teller = new Teller(run, itinerary, effect, event, topic)
  return {
    event,
    times: {
      appended_at: event.appended_at,
      tick: event.tick,
      sealed_at: mark === null ? event.appended_at : timeText(mark.timeMicros),
      ...seenTimes(source.times?.of(event.tick) ?? null),
    },
    steps: await teller.steps(),
    // What is left of the log doesn't make the rows of views that hold more.
    changes: itinerary.views.flatMap((view) => (source.beyond.has(view.id) ? [] : teller.changesOf(view))),
    ...(beyond.length === 0 ? {} : { beyond }),
  }
}

function seenTimes(known: TickTimesKnown | null): Pick<JourneyTimes, 'visible_at' | 'pushed_at'> {
  if (known === null) return {}
  const { visibleMicros, pushedMicros } = known
  return {
    visible_at: timeText(visibleMicros),
    ...(pushedMicros === null ? {} : { pushed_at: timeText(pushedMicros) }),
  }
}

function noEvent(run: WhyRun, { id, name }: TopicDefinition, offset: number): MillraceError {
  const { log } = run.source
  const start = log.starts().get(id)
  if (start !== undefined && offset < start.firstOffset) {
    const what = `event ${offset} of ${name} was thrown away by retention`
    return new MillraceError('not-found', what, { hint: `the oldest that is there is ${start.firstOffset}` })
  }
  const next = log.position().offsets.get(id) ?? 0
  return new MillraceError('not-found', `${name} has no event at offset ${offset}`, {
    hint: next === 0 ? 'it has no events yet' : `its offsets go up to ${next - 1}`,
  })
}

class Teller {
  readonly #run: WhyRun
  readonly #itinerary: Itinerary
  readonly #effect: Effect
  readonly #event: EventRef
  readonly #topic: TopicDefinition

  constructor(run: WhyRun, itinerary: Itinerary, effect: Effect, event: EventRef, topic: TopicDefinition) {
    this.#run = run
    this.#itinerary = itinerary
    this.#effect = effect
    this.#event = event
    this.#topic = topic
  }

  async steps(): Promise<JourneyStepBody[]> {
    const steps = [this.#arrival()]
    for (const node of this.#itinerary.nodes) {
      if (node.kind === 'view') steps.push(...this.#atView(node))
      else if (node.kind === 'operator') steps.push(...(await this.#atOperator(node)))
    }
    return steps
  }

  #changes(id: number): readonly ChangedRow[] {
    return this.#effect.changes.get(id) ?? []
  }

  /** Why a row of it can't be computed any more; null if none is new. */
  #error(id: number): string | null {
    const fresh = (this.#effect.errors.get(id) ?? []).find(({ weight }) => weight > 0)
    return fresh === undefined ? null : fresh.reason
  }

  /** How far behind the watermark it came, in words; null if it didn't. */
  get #lateness(): string | null {
    const { eventTime, columns, id } = this.#topic
    const lateBy = (standing: Effect['before']): number => standing.late.find(({ topic }) => topic === id)?.events ?? 0
    const { before, after } = this.#effect
    if (eventTime === null || lateBy(after) === lateBy(before)) return null
    const watermark = before.watermarks.find(({ topic }) => topic === id)?.micros ?? null
    const text = this.#event.data[columns[eventTime].name]
    const time = typeof text === 'string' ? parseTimestamp(text.replace(/\+00:00$/, '')) : null
    if (watermark === null || time === null) return 'late'
    return `late by ${durationText(watermark - time)}: the watermark was ${timeText(watermark).slice(0, -6)}`
  }

  #arrival(): JourneyStepBody {
    const { rows } = this.#itinerary
    const changed = this.#changes(rows.id)
    const isTable = this.#topic.primaryKey.length > 0
    const gone = changed.some(({ weight }) => weight < 0)
    const [outcome, said] = !isTable
      ? (['passed', ''] as const)
      : changed.length === 0
        ? ([
            'nothing changed',
            this.#event.op === 'delete' ? 'there was no such row' : 'the row was like that already',
          ] as const)
        : !gone
          ? (['passed', 'a new row'] as const)
          : ([
              'superseded',
              this.#event.op === 'delete' ? 'takes the row away' : 'takes the place of the row before',
            ] as const)
    return {
      ...{ node: `topic-${this.#topic.id}`, views: [], op: 'scan', label: this.#topic.name, outcome },
      detail: [said, this.#lateness ?? ''].filter((part) => part !== '').join('; '),
      rows_out: changedRows(rows.columns, changed, displayNames(rows.plan)),
    }
  }

  #atView({ id, view, views }: Extract<TopologyNode, { kind: 'view' }>): JourneyStepBody[] {
    const changed = this.#changes(view.id)
    const error = this.#error(view.id)
    if (changed.length === 0 && error === null) return []
    const detail = error === null ? `${counted(changed.length, 'row')} changed` : error
    const rows_out = changedRows(view.columns, changed)
    const outcome = error === null ? 'passed' : 'error'
    return [{ node: id, views: [...views].sort(), op: 'view', label: view.name, outcome, detail, rows_out }]
  }

  async #atOperator(node: OperatorNode): Promise<JourneyStepBody[]> {
    const { plan } = node
    const { program } = this.#run
    const probe = this.#itinerary.probes.get(node.meaning)!
    const inputs = inputProbes(program, this.#itinerary, node).map(({ id }) => this.#changes(id))
    if (plan.op !== 'scan' && inputs.every((rows) => rows.length === 0)) return []
    const changed = this.#changes(probe.id)
    const passage: Passage = { plan, inputs, changed, lateness: this.#lateness, effect: this.#effect }
    const error = this.#error(probe.id)
    const { outcome, detail } =
      error === null ? await new JourneyWords(this.#run).of(passage) : ({ outcome: 'error', detail: error } as const)
    return [
      {
        ...{ node: node.id, views: [...node.views].sort(), op: operatorOf(node), outcome, detail },
        label: node.detail === '' ? node.label : `${node.label} ${node.detail}`,
        rows_out: changedRows(plan.columns, changed, displayNames(plan)),
      },
    ]
  }

  /** The rows of a view that the event changed, each before and after. */
  changesOf(view: ViewDefinition): JourneyChangeBody[] {
    const keys = keyColumns(this.#run.program, view)
    const columns = keys.map((key) => view.columns[key])
    const groups = new Map<string, { gone: ChangedRow[]; come: ChangedRow[] }>()
    for (const row of this.#changes(view.id)) {
      const name = JSON.stringify(keys.map((key) => row.cells[key]))
      const group = groups.get(name) ?? { gone: [], come: [] }
      groups.set(name, group)
      for (let n = Math.abs(row.weight); n > 0; n--) (row.weight < 0 ? group.gone : group.come).push(row)
    }
    const shown = (row: ChangedRow | undefined) => (row === undefined ? null : rowOf(view.columns, row.cells))
    return [...groups.values()].slice(0, listed).flatMap(({ gone, come }) =>
      Array.from({ length: Math.min(listed, Math.max(gone.length, come.length)) }, (_, i): JourneyChangeBody => {
        const { cells } = (gone[i] ?? come[i])!
        const key = rowOf(
          columns,
          keys.map((column) => cells[column]),
        )
        return { view: view.name, key, before: shown(gone[i]), after: shown(come[i]), tick: this.#event.tick }
      }),
    )
  }
}

function changedRows(columns: readonly ColumnSchema[], rows: readonly ChangedRow[], names?: readonly string[]) {
  return rows.slice(0, listed).map(({ cells, weight }) => ({ row: rowOf(columns, cells, names), weight }))
}

function operatorOf({ plan }: OperatorNode): StepOperator {
  switch (plan.op) {
    case 'map':
      return plan.filter === null ? 'project' : 'filter'
    case 'hop':
      return 'window'
    case 'topN':
      return 'top'
    case 'unionAll':
      return 'union'
    default:
      return plan.op
  }
}
