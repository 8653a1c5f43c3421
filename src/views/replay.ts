import { blockColumn } from '../data/block.ts'
import { columnId, type StoredColumn } from '../data/stored-column.ts'
import { runStopped, startEngine } from '../engine/host.ts'
import type { GoneTimes, StateFiles } from '../engine/port.ts'
import type { Io } from '../io/io.ts'
import type { ColumnsRead, LogReading, SealedTick, TickMark } from '../log/log.ts'
import { nodesOf } from '../plan/nodes.ts'
import { systemColumn } from '../plan/plan.ts'
import type { Program } from '../plan/program.ts'
import { TickDriver } from './driver.ts'
import type { ViewState } from './view.ts'
import type { ViewSet } from './view-set.ts'

export interface ReplayOptions {
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  readonly signal: AbortSignal
  /** Told where it stands: the last tick that went through, and events so far. */
  readonly onTick: (tick: number, events: number) => void
  /** State to go on from; null: at the log's beginning. */
  readonly from: {
    readonly timeMicros: bigint
    readonly events: number
    readonly from: StateFiles
    readonly views: readonly ViewState[]
  } | null
  /** What counts of events that are gone, for who begins at the log's beginning. */
  readonly gone: readonly GoneTimes[]
  /** Of the program's views, without a past. */
  readonly views: ViewSet
}

type LogReplay = Pick<LogReading, 'replay'>

/** Rows of neighbouring ticks that go through as one: few, so that this thread serves others in between. */
const mergeRows = 65_536

/** Neighbouring ticks may be replayed as one, unless somebody looks at their numbers. */
export function mergeableRows(program: Program, rows: number): number {
  const looks = program.views.some(({ plan }) =>
    nodesOf(plan).some((node) => node.op === 'scan' && node.reads.includes(systemColumn.tick)),
  )
  return looks ? 0 : rows
}

/** What the engine reads of each topic: whatever its views scan, and what it needs to know of keys and times. */
export function columnsRead({ topics, views }: Program): ColumnsRead {
  const ordinals = new Map(
    topics.map(({ id, columns, primaryKey, eventTime }) => [
      id,
      // A table keeps its rows whole, whoever reads them (engine/source.ts).
      new Set(primaryKey.length > 0 ? columns.keys() : eventTime === null ? [] : [eventTime]),
    ]),
  )
  for (const { plan } of views) {
    for (const node of nodesOf(plan)) {
      if (node.op === 'scan') for (const column of node.reads) ordinals.get(node.relation)?.add(column)
    }
  }
  return new Map(topics.map(({ id, columns }) => [id, idsRead(columns, ordinals.get(id)!)]))
}

/** Columns by their numbers in blocks; what was added later may stand among the unknown fields. */
function idsRead(columns: readonly StoredColumn[], ordinals: ReadonlySet<number>): ReadonlySet<number> {
  const read = [...ordinals].filter((ordinal) => ordinal >= 0)
  const ids = new Set(read.map((ordinal) => columnId(columns, ordinal)))
  if (read.some((ordinal) => columns[ordinal].added === true)) ids.add(blockColumn.rest)
  return ids
}

/** What of a program makes some of its views: they, the views below them and the topics that these read. */
export function partOf(program: Program, views: ReadonlySet<number>): Program {
  const needed = new Set(views)
  const kept = [...program.views].reverse().filter(({ id, plan }) => {
    if (!needed.has(id)) return false
    for (const node of nodesOf(plan)) if (node.op === 'scan') needed.add(node.relation)
    return true
  })
  return { topics: program.topics.filter(({ id }) => needed.has(id)), views: kept.reverse() }
}

/**
 * Makes views anew as they were at a past tick: an engine of its own goes through the log up to there, beside the
 * one that is live.
 * @throws MillraceError log/corrupt, engine/memory, engine/stopped; the signal's reason
 */
export async function replayViews(io: Io, log: LogReplay, part: Program, to: TickMark, options: ReplayOptions) {
  await replayThrough(io, log, part, [to.tick], options, async () => {})
  return options.views
}

/**
 * The same through several ticks.
 * @param ticks ascending, none before the one that is gone on from
 * @param visit awaited at each of them, while the views stand there
 * @throws as replayViews, and what `visit` does
 */
export async function replayThrough(
  io: Io,
  log: LogReplay,
  part: Program,
  ticks: readonly number[],
  options: ReplayOptions,
  visit: (tick: number) => Promise<void>,
): Promise<void> {
  const { engine, memoryBytes, signal, onTick, from, gone, views } = options
  signal.throwIfAborted()
  const state = from === null ? {} : { state: { from: from.from } }
  const host = startEngine(io, part, { engine, memoryBytes, gone, ...state })
  const topics = new Set(part.topics.map(({ id }) => id))
  const driver = new TickDriver(io.clock, views, topics, () => {})
  const each = async (tick: SealedTick): Promise<void> => {
    driver.take(tick)
    await driver.room()
    if (driver.failure !== null) throw driver.failure
    signal.throwIfAborted()
    onTick(views.tick, driver.events)
  }
  const run = async (): Promise<void> => {
    if (from === null) driver.start(host)
    else {
      const standing = await host.status()
      views.restore(from.from.tick, from.timeMicros, new Map(views.views.map((view, i) => [view, from.views[i]])))
      driver.start(host, { tick: from.from.tick, events: from.events, standing })
    }
    for (const to of ticks) {
      if (to > views.tick) await log.replay(each, mergeableRows(part, mergeRows), views.tick, to, columnsRead(part))
      await driver.drained()
      signal.throwIfAborted()
      onTick(views.tick, driver.events)
      await visit(to)
    }
  }
  await runStopped(host, signal, run).finally(() => views.close())
}
