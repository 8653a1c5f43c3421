import { batchRows } from '../data/batch.ts'
import { openBlock } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import { olderBlocks } from '../data/older-blocks.ts'
import { columnIds } from '../data/stored-column.ts'
import { type EngineHost, startEngine } from '../engine/host.ts'
import type { GoneTimes, TopicBlock } from '../engine/port.ts'
import type { Io } from '../io/io.ts'
import { endOf, type Log, type ReadBlock } from '../log/log.ts'
import { mayTakeLong } from '../plan/effort.ts'
import { nodesOf } from '../plan/nodes.ts'
import { systemColumn } from '../plan/plan.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../plan/program.ts'
import { readVersion } from './read.ts'
import type { Restriction } from './restriction.ts'
import type { Rows } from './rows.ts'
import type { View } from './view.ts'
import { rowBlocks } from './view-blocks.ts'
import { type Moment, ViewSet } from './view-set.ts'

export interface AdHocOptions {
  /** More rows than this are refused. */
  readonly maxRows: number
  /** Where an engine for much input runs. */
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  readonly signal?: AbortSignal
  /** The result is what can be computed; otherwise an error row beside it fails the query. */
  readonly besideErrors?: boolean
}

/** What a query sees: one moment of the views, and the log up to the same tick. */
export interface AdHocSource {
  readonly io: Io
  readonly program: Program
  readonly views: ViewSet
  readonly moment: Moment
  readonly log: Log
  /** What the reader sees of relations, by id; what isn't here he sees whole. */
  readonly restrictions?: ReadonlyMap<number, Restriction>
  /** What counts of events that are gone. */
  readonly gone: readonly GoneTimes[]
  /** Final views are as if every watermark were infinite: the end of a batch run. */
  readonly closed?: boolean
}

/** Events of one step of the engine: between two steps others get a turn. */
const stepRows = 65536
const readRows = 262_144
/** Up to so many events an engine in this thread is quicker than starting another one. */
const inlineRows = 20_000
/** Rows that a query's result may have on the way, as a multiple of those that it may have in the end. */
const onTheWay = 20

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
  const scans = queries.flatMap(({ plan }) => nodesOf(plan)).filter((node) => node.op === 'scan')
  const relations = new Set(scans.map((scan) => scan.relation))
  const { restrictions = new Map<number, Restriction>() } = source
  const topics = source.program.topics.filter((topic) => relations.has(topic.id))
  const inputs = source.views.views.filter((view) => relations.has(view.definition.id))
  const firstId = 1 + Math.max(0, ...relations)
  const views = queries.map(
    ({ plan, order }, i): ViewDefinition => ({
      id: firstId + i,
      name: i === 0 ? 'query' : `query ${i + 1}`,
      columns: plan.columns,
      plan,
      order,
      emit: 'continuous',
      sql: '',
    }),
  )
  const program: Program = {
    topics: [
      ...topics.map((topic) => seenTopic(topic, restrictions.get(topic.id))),
      ...inputs.map(({ definition }) => asTopic(definition, restrictions.get(definition.id))),
    ],
    views,
  }
  const counts = new Map(inputs.map((input) => [input.definition.id, source.moment.version(input).rows]))
  for (const { id } of topics) counts.set(id, source.log.position().offsets.get(id) ?? 0)
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0)
  // What takes long in this thread holds everybody up, and can't be stopped.
  const long = rows > inlineRows || queries.some(({ plan }) => mayTakeLong(plan, (id) => counts.get(id) ?? 0))
  const engine = long ? options.engine : 'inline'
  const host = startEngine(source.io, program, { engine, memoryBytes: options.memoryBytes, gone: source.gone })
  const stop = (): void => void host.stop()
  options.signal?.addEventListener('abort', stop, { once: true })
  try {
    const feed = new Feed(
      host,
      new ViewSet(source.io.clock, views, { micros: null, bytes: 0 }),
      source.moment.timeMicros,
      options,
    )
    for (const input of inputs) await feed.viewRows(source, input.definition)
    const byTick = scans.some((scan) => scan.reads.includes(systemColumn.tick))
    await (byTick ? feed.topicsByTick(source, topics) : feed.topics(source, topics))
    if (source.closed === true) await feed.closeWindows()
    return await feed.results()
  } finally {
    options.signal?.removeEventListener('abort', stop)
    await host.stop()
  }
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

class Feed {
  readonly #host: EngineHost
  readonly #results: ViewSet
  readonly #timeMicros: bigint
  readonly #options: AdHocOptions
  #tick = 0
  #offset = 0

  constructor(host: EngineHost, results: ViewSet, timeMicros: bigint, options: AdHocOptions) {
    this.#host = host
    this.#results = results
    this.#timeMicros = timeMicros
    this.#options = options
  }

  closeWindows(): Promise<void> {
    return this.step([], this.#tick + 1, true)
  }

  async step(blocks: readonly TopicBlock[], tick = this.#tick + 1, closeWindows = false): Promise<void> {
    this.#options.signal?.throwIfAborted()
    this.#tick = tick
    const output = await this.#host.step({ kind: 'tick', tick, timeMicros: this.#timeMicros, blocks, closeWindows })
    this.#results.apply(output)
    for (const { version } of this.#results.views) {
      if (version.errors === 0 && version.rows > this.#options.maxRows * onTheWay + 100_000) throw this.#tooMany()
    }
  }

  /** The rows that a view has at the moment, each as often as it is there. */
  async viewRows({ views, moment, restrictions }: AdHocSource, definition: ViewDefinition): Promise<void> {
    const view = views.views.find((other) => other.definition.id === definition.id)!
    const version = moment.version(view)
    const restriction = restrictions?.get(definition.id)
    if (version.errors > 0) {
      const what = `view ${definition.name} has ${restriction === undefined ? version.errors : 'some'} error rows, so that a query over it has no answer`
      throw new MillraceError('sql/error-rows', what, {
        hint: `mend what causes them, or read ${definition.name} itself`,
      })
    }
    const whole = await readVersion(view, version, { where: null, order: [], limit: null }, views.slices())
    const rows = restriction === undefined ? whole : restriction.apply(whole)
    for (const bytes of rowBlocks(rows)) {
      await this.step([this.#block(definition.id, bytes, 0n)])
    }
  }

  #block(topic: number, bytes: Uint8Array, appendedAtMicros: bigint): TopicBlock {
    const firstOffset = this.#offset
    this.#offset += batchRows
    return { topic, partition: 0, firstOffset, appendedAtMicros, bytes }
  }

  async topics(source: AdHocSource, topics: readonly TopicDefinition[]): Promise<void> {
    for (const topic of topics) {
      let blocks: ReadBlock[] = []
      let rows = 0
      for await (const block of eventsUpTo(source, topic)) {
        blocks.push(block)
        rows += block.rows
        if (rows < stepRows) continue
        await this.step(blocks)
        blocks = []
        rows = 0
      }
      if (blocks.length > 0) await this.step(blocks)
    }
  }

  /** Each tick as it was, for queries that look at it. */
  async topicsByTick(source: AdHocSource, topics: readonly TopicDefinition[]): Promise<void> {
    const ticks = new Map<number, ReadBlock[]>()
    for (const topic of topics) {
      for await (const block of eventsUpTo(source, topic)) {
        const of = ticks.get(block.tick)
        if (of === undefined) ticks.set(block.tick, [block])
        else of.push(block)
      }
    }
    // What views brought came first, in ticks of its own: those of the log go on after it.
    const base = this.#tick
    for (const tick of [...ticks.keys()].sort((a, b) => a - b)) {
      if (tick <= base) throw new MillraceError('sql/unsupported', '_tick beside a view in one query is not supported')
      await this.step(ticks.get(tick)!, tick)
    }
  }

  /** @throws MillraceError sql/error-rows, sql/too-many-rows */
  async results(): Promise<readonly Rows[]> {
    if (this.#tick === 0) await this.step([])
    this.#results.close()
    const results: Rows[] = []
    for (const view of this.#results.views) results.push(await this.#result(view))
    return results
  }

  async #result(view: View): Promise<Rows> {
    const { maxRows } = this.#options
    if (view.version.errors > 0 && this.#options.besideErrors !== true) {
      const reason = [...view.errorRows()][0]?.reason ?? ''
      throw new MillraceError('sql/error-rows', `the query fails: ${reason}`, {
        hint: 'leave the rows out that cause it',
      })
    }
    if (view.version.rows > maxRows) throw this.#tooMany()
    return readVersion(view, view.version, { where: null, order: [], limit: null }, this.#results.slices())
  }

  #tooMany(): MillraceError {
    const { maxRows } = this.#options
    return new MillraceError(
      'sql/too-many-rows',
      `the query has more than the ${maxRows} rows that one answer may have`,
      {
        hint: 'add a LIMIT or a filter, or aggregate',
      },
    )
  }
}

async function* eventsUpTo(source: AdHocSource, topic: TopicDefinition): AsyncIterable<ReadBlock> {
  const { log, moment } = source
  const restriction = source.restrictions?.get(topic.id)
  const asNow = restriction === undefined ? null : olderBlocks(topic.columns)
  const end = log.position().offsets.get(topic.id) ?? 0
  // Between two pieces a compacted table's files may be rewritten: a delete could go whose row was read already.
  const limit = log.starts().get(topic.id)?.keeps === 'latest' ? Number.MAX_SAFE_INTEGER : readRows
  for (let offset = 0; offset < end; ) {
    const blocks = await log.readTopic(topic.id, offset, limit)
    if (blocks.length === 0) return
    for (const block of blocks) {
      if (block.tick > moment.tick) return
      const seen = restriction === undefined ? block : seenBlock(block, restriction, topic, asNow)
      if (seen !== null) yield seen
      offset = endOf(block)
    }
  }
}

/** Positions are not kept: no query over sifted events may ask for them. */
function seenBlock(
  block: ReadBlock,
  restriction: Restriction,
  { columns, primaryKey }: TopicDefinition,
  asNow: ((bytes: Uint8Array) => Uint8Array) | null,
): ReadBlock | null {
  const { offsets: _, commits: __, ...rest } = block
  const bytes = asNow === null ? block.bytes : asNow(block.bytes)
  const ids = columnIds(columns)
  const seen = primaryKey.length > 0 ? restriction.seenUpserts(bytes, ids) : restriction.seen(bytes, ids).bytes
  return seen === null ? null : { ...rest, bytes: seen, rows: openBlock(seen).rows }
}
