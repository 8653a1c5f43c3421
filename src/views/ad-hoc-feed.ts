import { batchRows } from '../data/batch.ts'
import { openBlock } from '../data/block.ts'
import { MillraceError } from '../data/errors.ts'
import { olderBlocks } from '../data/older-blocks.ts'
import { columnIds } from '../data/stored-column.ts'
import type { EngineHost } from '../engine/host.ts'
import type { TickOutput, TopicBlock } from '../engine/port.ts'
import { endOf, type LoggedBlock, type ReadBlock } from '../log/log.ts'
import type { TopicDefinition, ViewDefinition } from '../plan/program.ts'
import type { AdHocOptions, AdHocSource } from './ad-hoc.ts'
import { readVersion } from './read.ts'
import type { Restriction } from './restriction.ts'
import type { Rows } from './rows.ts'
import type { View, ViewState } from './view.ts'
import { rowBlocks } from './view-blocks.ts'
import type { ViewSet } from './view-set.ts'

/** Events of one step of the engine: between two steps others get a turn. */
const stepRows = 65536
const readRows = 262_144
/** Rows that a query's result may have on the way, as a multiple of those that it may have in the end. */
const onTheWay = 20

/** Feeds an engine, and keeps what comes out. */
export class Feed {
  readonly #host: EngineHost
  readonly #results: ViewSet
  readonly #timeMicros: bigint
  readonly #options: AdHocOptions
  #tick = 0
  #offset = 0
  #dueMicros: bigint | null = null

  constructor(host: EngineHost, results: ViewSet, timeMicros: bigint, options: AdHocOptions) {
    this.#host = host
    this.#results = results
    this.#timeMicros = timeMicros
    this.#options = options
  }

  closeWindows(): Promise<void> {
    return this.step([], this.#tick + 1, true)
  }

  /** The next time at which the passing of time alone changes something, if any. */
  get dueMicros(): bigint | null {
    return this.#dueMicros
  }

  /** Makes the first step if there was nothing to feed: a query without relations has rows, too. */
  async begin(): Promise<void> {
    if (this.#tick === 0) await this.step([])
  }

  /**
   * A tick of the log behind the moment: what came of it is told, and kept by whoever asks.
   * @param tick null: nobody looks at its number
   */
  async follow(blocks: readonly TopicBlock[], tick: number | null, timeMicros: bigint): Promise<TickOutput> {
    this.#tick = tick ?? this.#tick + 1
    const output = await this.#host.step({ kind: 'tick', tick: this.#tick, timeMicros, blocks })
    this.#dueMicros = output.dueMicros
    return output
  }

  /** What the views hold. @throws MillraceError sql/error-rows, sql/too-many-rows */
  states(): readonly ViewState[] {
    this.#results.close()
    return this.#results.views.map((view) => {
      this.check(view)
      return view.state()
    })
  }

  async step(blocks: readonly TopicBlock[], tick = this.#tick + 1, closeWindows = false): Promise<void> {
    this.#options.signal?.throwIfAborted()
    this.#tick = tick
    const output = await this.#host.step({ kind: 'tick', tick, timeMicros: this.#timeMicros, blocks, closeWindows })
    this.#results.apply(output)
    this.#dueMicros = output.dueMicros
    for (const { version } of this.#results.views) {
      if (version.errors === 0 && version.rows > this.#options.maxRows * onTheWay + 100_000) throw this.#tooMany()
    }
  }

  /** The rows that a view has at the moment, each as often as it is there. */
  async viewRows({ views, moment, restrictions }: AdHocSource, definition: ViewDefinition): Promise<void> {
    const view = views.views.find((other) => other.definition.id === definition.id)!
    const version = moment.version(view)
    const restriction = restrictions?.get(definition.id)
    if (version.errors > 0) throw inputErrors(definition.name, restriction === undefined ? version.errors : null)
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
    this.#results.close()
    const results: Rows[] = []
    for (const view of this.#results.views) results.push(await this.#result(view))
    return results
  }

  async #result(view: View): Promise<Rows> {
    this.check(view)
    return readVersion(view, view.version, { where: null, order: [], limit: null }, this.#results.slices())
  }

  /** @throws MillraceError where a view is no answer */
  check(view: View): void {
    if (view.version.errors > 0 && this.#options.besideErrors !== true) {
      const reason = [...view.errorRows()][0]?.reason ?? ''
      throw new MillraceError('sql/error-rows', `the query fails: ${reason}`, {
        hint: 'leave the rows out that cause it',
      })
    }
    if (view.version.rows > this.#options.maxRows) throw this.#tooMany()
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

/** @param errors how many there are; null where the reader must not know */
export function inputErrors(view: string, errors: number | null): MillraceError {
  const what = `view ${view} has ${errors ?? 'some'} error rows, so that a query over it has no answer`
  return new MillraceError('sql/error-rows', what, { hint: `mend what causes them, or read ${view} itself` })
}

async function* eventsUpTo(source: AdHocSource, topic: TopicDefinition): AsyncIterable<ReadBlock> {
  const { log, moment } = source
  const restriction = source.restrictions?.get(topic.id)
  const asNow = restriction === undefined ? null : olderBlocks(topic.columns)
  const end = log.position().offsets.get(topic.id) ?? 0
  for (let offset = 0; offset < end; ) {
    const blocks = await log.readTopic(topic.id, offset, readRows)
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
export function seenBlock<B extends LoggedBlock>(
  block: B,
  restriction: Restriction,
  { columns, primaryKey }: TopicDefinition,
  asNow: ((bytes: Uint8Array) => Uint8Array) | null,
): Omit<B, 'offsets' | 'commits'> | null {
  const { offsets: _, commits: __, ...rest } = block
  const bytes = asNow === null ? block.bytes : asNow(block.bytes)
  const ids = columnIds(columns)
  const seen = primaryKey.length > 0 ? restriction.seenUpserts(bytes, ids) : restriction.seen(bytes, ids).bytes
  return seen === null ? null : { ...rest, bytes: seen, rows: openBlock(seen).rows }
}
