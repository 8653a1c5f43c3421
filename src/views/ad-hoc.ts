import { type EngineHost, runStopped, startEngine } from '../engine/host.ts'
import type { GoneTimes } from '../engine/port.ts'
import type { Io } from '../io/io.ts'
import type { LogReads } from '../log/log.ts'
import { mayTakeLong } from '../plan/effort.ts'
import { nodesOf } from '../plan/nodes.ts'
import { systemColumn } from '../plan/plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { appendOnly } from '../plan/properties.ts'
import { Feed } from './ad-hoc-feed.ts'
import type { Restriction } from './restriction.ts'
import type { Rows } from './rows.ts'
import type { View } from './view.ts'
import { type Moment, ViewSet } from './view-set.ts'

export interface AdHocOptions {
  /** More rows than this are refused. */
  readonly maxRows: number
  /** Where an engine runs that may take long. */
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  readonly signal?: AbortSignal
  /** The result is what can be computed; otherwise an error row beside it fails the query. */
  readonly besideErrors?: boolean
  /** What comes behind the moment is fed, too: changes of views have weights. */
  readonly goesOn?: boolean
}

/** What a query sees: one moment of the views, and the log up to the same tick. */
export interface AdHocSource {
  readonly io: Io
  readonly program: Program
  readonly views: ViewSet
  readonly moment: Moment
  /** A reader that goes on as it began: it is read in several steps. */
  readonly log: LogReads
  /** What the reader sees of relations, by id; what isn't here he sees whole. */
  readonly restrictions?: ReadonlyMap<number, Restriction>
  /** What counts of events that are gone. */
  readonly gone: readonly GoneTimes[]
  /** Final views are as if every watermark were infinite: the end of a batch run. */
  readonly closed?: boolean
}

/** A plan to run, and the order of its rows. */
export type AdHocQuery = Pick<ViewDefinition, 'plan' | 'order'>

/** Runs a plan once over what is there: the same engine as for views, over the same events, and then it is gone. */
export async function runOnce(source: AdHocSource, query: AdHocQuery, options: AdHocOptions): Promise<Rows> {
  const [rows] = await runTogether(source, [query], options)
  return rows
}

/** Runs several plans in one go: what they read is read once, and what they have in common is computed once. */
export async function runTogether(
  source: AdHocSource,
  queries: readonly AdHocQuery[],
  options: AdHocOptions,
): Promise<readonly Rows[]> {
  const run = new AdHocRun(source, queries, options)
  return runStopped(run, options.signal, async () => {
    await run.fill()
    if (source.closed === true) await run.feed.closeWindows()
    return run.feed.results()
  })
}

/** An engine of its own for some plans: it takes what is there at the moment and, if anybody goes on, what follows. */
export class AdHocRun {
  /** Of the topics and views that the plans read. */
  readonly relations: ReadonlySet<number>
  /** What is made of the plans, in their order. */
  readonly views: readonly ViewDefinition[]
  /** Somebody looks at the numbers of ticks: they are the log's. */
  readonly byTick: boolean
  readonly feed: Feed
  readonly #source: AdHocSource
  readonly #topics: readonly TopicDefinition[]
  readonly #inputs: readonly View[]
  readonly #host: EngineHost

  constructor(source: AdHocSource, queries: readonly AdHocQuery[], options: AdHocOptions) {
    const scans = queries.flatMap(({ plan }) => nodesOf(plan)).filter((node) => node.op === 'scan')
    const relations = new Set(scans.map((scan) => scan.relation))
    const { restrictions = new Map<number, Restriction>() } = source
    const topics = source.program.topics.filter((topic) => relations.has(topic.id))
    const inputs = source.views.views.filter((view) => relations.has(view.definition.id))
    const views = viewsOf(queries, 1 + Math.max(0, ...relations))
    const retract = inputs.filter(({ definition }) => !appendOnly(definition.plan, source.program))
    const program: Program = {
      topics: [
        ...topics.map((topic) => seenTopic(topic, restrictions.get(topic.id))),
        ...inputs.map(({ definition }) => asTopic(definition, restrictions.get(definition.id))),
      ],
      views,
      ...(options.goesOn === true ? { changing: retract.map(({ definition }) => definition.id) } : {}),
    }
    const counts = new Map(inputs.map((input) => [input.definition.id, source.moment.version(input).rows]))
    for (const { id } of topics) counts.set(id, source.log.position().offsets.get(id) ?? 0)
    // What comes later nobody knows.
    const long = options.goesOn === true || mayTakeLong(program, (id) => counts.get(id) ?? 0)
    const engine = long ? options.engine : 'inline'
    this.relations = relations
    this.views = views
    this.byTick = scans.some((scan) => scan.reads.includes(systemColumn.tick))
    this.#source = source
    this.#topics = topics
    this.#inputs = inputs
    this.#host = startEngine(source.io, program, { engine, memoryBytes: options.memoryBytes, gone: source.gone })
    const results = new ViewSet(source.io.clock, views, { micros: null, bytes: 0 })
    this.feed = new Feed(this.#host, results, source.moment.timeMicros, options)
  }

  /** Takes all that is there at the moment. @throws MillraceError sql/…, engine/…; the signal's reason */
  async fill(): Promise<void> {
    const { feed } = this
    for (const input of this.#inputs) await feed.viewRows(this.#source, input.definition)
    await (this.byTick ? feed.topicsByTick(this.#source, this.#topics) : feed.topics(this.#source, this.#topics))
    await feed.begin()
  }

  stop(): Promise<void> {
    return this.#host.stop()
  }
}

function viewsOf(queries: readonly AdHocQuery[], firstId: number): readonly ViewDefinition[] {
  return queries.map(({ plan, order }, i) => ({
    id: firstId + i,
    name: i === 0 ? 'query' : `query ${i + 1}`,
    columns: plan.columns,
    plan,
    order,
    emit: 'continuous',
    sql: '',
  }))
}

/** The engine reads a view's rows as the events of a topic. */
function asTopic({ id, name, columns }: ViewDefinition, restriction: Restriction | undefined): TopicDefinition {
  const seen = restriction?.columns ?? columns
  return { id, name, columns: seen, primaryKey: [], eventTime: null, latenessMicros: '0' }
}

/** A topic as its reader sees it: its rows are sifted before the engine gets them, and have columns of their own. */
export function seenTopic(topic: TopicDefinition, restriction: Restriction | undefined): TopicDefinition {
  if (restriction === undefined) return topic
  const { id, name, columns, primaryKey } = topic
  const seen = restriction.columns.map(({ name: own, type, nullable }, i) => ({
    ...{ name: own, type, nullable },
    ...(columns[i].added === true ? { added: true as const } : {}),
  }))
  return { id, name, columns: seen, primaryKey, eventTime: null, latenessMicros: '0' }
}
