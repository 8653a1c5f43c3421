import { MillraceError } from '../../data/errors.ts'
import { defaultMemoryBytes } from '../../engine/host.ts'
import { type Log, readInSteps } from '../../log/log.ts'
import type { Program, TopicDefinition } from '../../plan/program.ts'
import type { FindBody, JourneyBody, WhyBody } from '../../protocol/why.ts'
import type { DatabaseOptions, FindOptions, WhyOptions } from '../contract.ts'
import type { LogPast } from '../log-past.ts'
import { byName, known, ordinalOf } from '../names.ts'
import type { Past } from '../past.ts'
import type { Queries, QueryPlan } from '../queries.ts'
import type { Sight } from '../sight.ts'
import type { TickTimes } from '../telemetry/tick-times.ts'
import { searchEvents } from './event-search.ts'
import { journeyOf } from './journey.ts'
import { WhyRun } from './run.ts'
import { canonical, whyRow } from './why.ts'

/** What explanations look into. */
interface Explained {
  readonly options: DatabaseOptions
  readonly program: Program
  readonly past: Past
  readonly log: Log
  readonly queries: Queries
  readonly gone: LogPast
}

const eventsDefault = 20
/** Events that one search looks at, at most. */
const searchedMost = 5_000_000

/** Explains rows and events by running plans over the log: nothing is kept for it, and nothing it costs unless asked. */
export class Explanations {
  readonly #of: Explained
  readonly #promised: number
  readonly #closed: boolean
  readonly #times: TickTimes | null

  /**
   * @param promised the newest tick that an append was told
   * @param closed whether final views show what infinite watermarks would
   * @param times what is known of the latest ticks
   */
  constructor(of: Explained, promised = 0, closed = false, times: TickTimes | null = null) {
    this.#of = of
    this.#times = times
    this.#promised = promised
    this.#closed = closed
  }

  after(promised: number, closed: boolean, times: TickTimes): Explanations {
    return new Explanations(this.#of, promised, closed, times)
  }

  /** How a SELECT would be computed: nothing of it is run. @throws MillraceError sql/… */
  plan(sql: string, sight?: Sight): Promise<QueryPlan> {
    return this.#of.queries.explain(sql, sight)
  }

  /**
   * Why a view has a row, down to its events, or why it hasn't.
   * @throws MillraceError view/unknown, tick/…; request/parameter for values that are none, or that several rows have
   */
  async why(name: string, { where, limit = eventsDefault, asOf, signal }: WhyOptions): Promise<WhyBody> {
    const { program } = this.#of
    const view = byName(program.views, name)
    if (view === null) {
      throw new MillraceError('view/unknown', `there is no view ${name}`, { hint: known(program.views, name) })
    }
    const wanted = new Map(Object.entries(where).map(([column, text]) => [ordinalOf(view, column), text]))
    // Where a part of the log is gone, only the view itself knows what it was.
    const beyond = this.#of.gone.viewsBeyond(program).has(view.id)
    const views = new Set(beyond ? [view.id] : [])
    const moment = asOf === undefined ? {} : { asOf }
    const how = { limit, closed: this.#closed, fromView: asOf === undefined, beyond }
    return this.#run({ ...moment, ...(signal === undefined ? {} : { signal }) }, views, (run) =>
      whyRow(run, view, { where: wanted, ...how }),
    )
  }

  /**
   * What became of an event: what it did at each operator, and which rows it changed.
   * @throws MillraceError topic/unknown; not-found where there is no such event
   */
  async journey(
    name: string,
    offset: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<JourneyBody> {
    const topic = this.#topic(name)
    const { options, program, gone } = this.#of
    const { io, engine = 'worker', memoryBytes = defaultMemoryBytes } = options
    const asked = signal === undefined ? {} : { signal }
    return this.#run(asked, new Set(), (run) => {
      const { log, gone: own } = run.source
      const source = { io, log, engine, memoryBytes, gone: own, beyond: gone.viewsBeyond(program), ...asked }
      return journeyOf(run, { ...source, times: this.#times }, topic, offset)
    })
  }

  /**
   * Events of a topic by what is in them, the newest first.
   * @throws MillraceError topic/unknown; request/parameter for values that are none
   */
  async find(name: string, { where, offset, before, limit = eventsDefault, signal }: FindOptions): Promise<FindBody> {
    const topic = this.#topic(name)
    const wanted = new Map(Object.entries(where).map(([column, text]) => [ordinalOf(topic, column), text]))
    const search = {
      topic,
      where: canonical(topic.columns, wanted),
      limit,
      most: offset === undefined ? searchedMost : 1,
      before: Math.min(
        before ?? Number.POSITIVE_INFINITY,
        offset === undefined ? Number.POSITIVE_INFINITY : offset + 1,
      ),
      ...(signal === undefined ? {} : { signal }),
    }
    const found = await this.#run({}, new Set(), ({ source }) => searchEvents(source, search))
    if (offset === undefined) return found
    return { ...found, events: found.events.filter((event) => event.offset === offset), more: false }
  }

  /** @throws MillraceError topic/unknown */
  #topic(name: string): TopicDefinition {
    const { topics } = this.#of.program
    const topic = byName(topics, name)
    if (topic !== null) return topic
    throw new MillraceError('topic/unknown', `there is no topic ${name}`, { hint: known(topics, name) })
  }

  #run<T>(
    { asOf, signal }: Pick<WhyOptions, 'asOf' | 'signal'>,
    views: ReadonlySet<number>,
    work: (run: WhyRun) => Promise<T>,
  ): Promise<T> {
    const { options, program, past, log, gone } = this.#of
    const { io, engine = 'worker', memoryBytes = defaultMemoryBytes } = options
    const how = { maxRows: 0, engine, memoryBytes, ...(signal === undefined ? {} : { signal }) }
    return gone.reading(async () => {
      const scene = await past.scene(asOf, this.#promised, views)
      return readInSteps(log, (reader) => {
        const seen = { io, program, log: reader, gone: gone.watermarks(program) }
        return work(new WhyRun({ ...seen, ...scene, closed: this.#closed }, how))
      })
    })
  }
}
