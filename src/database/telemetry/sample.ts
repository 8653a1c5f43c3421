import { cellState } from '../../data/batch.ts'
import { blockColumn, openBlock } from '../../data/block.ts'
import { ByteWriter } from '../../data/byte-writer.ts'
import { cellNull } from '../../data/cell.ts'
import { blockCells } from '../../data/cell-access.ts'
import { compilePrinter, type PrintOptions } from '../../data/json-print.ts'
import { olderBlocks } from '../../data/older-blocks.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { storedCells } from '../../data/stored-column.ts'
import { defaultMemoryBytes, runStopped, startEngine } from '../../engine/host.ts'
import type { TappedBlock } from '../../engine/port.ts'
import { type Log, type LogReads, readInSteps } from '../../log/log.ts'
import { mayTakeLong } from '../../plan/effort.ts'
import type { Program, TopicDefinition, ViewDefinition } from '../../plan/program.ts'
import type { OperatorNode } from '../../plan/topology.ts'
import { TickDriver } from '../../views/driver.ts'
import { netChange } from '../../views/read.ts'
import { columnsRead, mergeableRows, partOf } from '../../views/replay.ts'
import { usualBytes } from '../../views/retained.ts'
import type { View } from '../../views/view.ts'
import { ViewSet } from '../../views/view-set.ts'
import type { DatabaseOptions } from '../contract.ts'
import type { Running } from '../running.ts'

/** A change as JSON text: `{"tick": …, "row": …, "weight": …}`. */
export interface Sample {
  readonly columns: readonly ColumnSchema[]
  /** The latest ones, the newest last. */
  readonly changes: readonly string[]
}

/** Changes that a sample has at most. */
export const sampleChanges = 20
/** Of so many events all are run once more through the part that is asked about; of more it is watched for a while. */
const replayEvents = 300_000
const watchMs = 1000
/** The latest ticks, which are run one by one. */
const singleTicks = 2000
const mergeRows = 65_536

/**
 * The latest changes that left an operator. The running engine keeps none: where the log is short, the part of the plan
 * is run over it by an engine of its own; else the running one is watched for a second.
 * @throws the signal's reason; MillraceError as the engine
 */
export async function sampleOperator(
  options: DatabaseOptions,
  log: Log,
  running: Running,
  node: OperatorNode,
  print: PrintOptions,
  signal: AbortSignal,
): Promise<Sample> {
  const { columns } = node.plan
  const part = partWith(running.program, node)
  const { offsets } = log.position()
  const events = part.topics.reduce((sum, { id }) => sum + (offsets.get(id) ?? 0), 0)
  const whole = part.topics.every(({ id }) => !log.starts().has(id))
  if (!whole || events > replayEvents) return { columns, changes: await watch(options, running, node, print, signal) }
  const engine = mayTakeLong(part, (id) => offsets.get(id) ?? 0) ? (options.engine ?? 'worker') : 'inline'
  const { tick } = running.views
  const views = await readInSteps(log, (reader) => replay({ ...options, engine }, reader, part, tick, signal))
  const view = views.views[views.views.length - 1]
  return { columns, changes: await latestChanges(views, view, view.retained.expiredTick, print) }
}

/** A topic's latest events: rows that came, and keys of rows that went. */
export async function sampleTopic(
  log: Log,
  topic: TopicDefinition,
  tick: number,
  print: PrintOptions,
): Promise<Sample> {
  const { columns, primaryKey } = topic
  const end = log.position().offsets.get(topic.id) ?? 0
  // Where events are missing, those behind the gap are fewer.
  const blocks = await log.readTopic(topic.id, Math.max(0, end - sampleChanges), sampleChanges)
  const whole = compilePrinter(columns, print)
  const key = compilePrinter(
    primaryKey.map((column) => columns[column]),
    print,
  )
  const changes: string[] = []
  for (const logged of blocks) {
    if (logged.tick > tick) continue
    const block = openBlock(olderBlocks(columns)?.(logged.bytes) ?? logged.bytes)
    const { memory } = block
    const cells = storedCells(block, columns)
    const operations = block.columns.get(blockColumn.operation)
    for (let row = 0; row < block.rows; row++) {
      // A field of old that doesn't fit its column has no value.
      if (cells.some((cell) => cell !== null && cellState(memory, cell, row) > cellNull)) continue
      const deletes = operations !== undefined && memory.i32[(operations.data >>> 2) + row] === 1
      const out = new ByteWriter(256)
      if (deletes)
        key(
          memory,
          primaryKey.map((column) => cells[column]),
          row,
          out,
        )
      else whole(memory, cells, row, out)
      changes.push(changeText(logged.tick, out.takeText(), deletes ? -1 : 1))
    }
  }
  return { columns, changes: changes.slice(-sampleChanges) }
}

/** The operator as the last of some views, with all that it needs. */
function partWith(program: Program, { plan, id: name }: OperatorNode): Program {
  const id = 1 + Math.max(0, ...[...program.topics, ...program.views].map((relation) => relation.id))
  const columns = plan.columns
  const view: ViewDefinition = { id, name, columns, plan, order: [], emit: 'continuous', sql: '' }
  return partOf({ topics: program.topics, views: [...program.views, view] }, new Set([id]))
}

/** Runs the log up to a tick through a program, its latest ticks one by one. */
async function replay(
  { io, engine = 'worker', memoryBytes = defaultMemoryBytes }: DatabaseOptions,
  log: LogReads,
  part: Program,
  tick: number,
  signal: AbortSignal,
): Promise<ViewSet> {
  signal.throwIfAborted()
  const views = new ViewSet(io.clock, part.views, { micros: null, bytes: usualBytes })
  const host = startEngine(io, part, { engine, memoryBytes })
  const driver = new TickDriver(io.clock, views, new Set(part.topics.map(({ id }) => id)), () => {})
  driver.start(host)
  const each: Parameters<Log['replay']>[0] = async (sealed) => {
    driver.take(sealed)
    await driver.room()
    if (driver.failure !== null) throw driver.failure
    signal.throwIfAborted()
  }
  return runStopped(host, signal, async () => {
    const single = Math.max(0, tick - singleTicks)
    const columns = columnsRead(part)
    if (single > 0) {
      await log.replay(each, mergeableRows(part, mergeRows), 0, single, columns)
      await driver.drained()
      for (const view of views.views) view.retained.expireThrough(views.tick)
    }
    await log.replay(each, 0, single, tick, columns)
    await driver.drained()
    return views
  }).finally(() => views.close())
}

/** The latest changes of a view behind a tick, as far as it remembers. */
export async function latestChanges(
  views: ViewSet,
  view: View,
  afterTick: number,
  print: PrintOptions,
): Promise<readonly string[]> {
  const { columns } = view.definition
  const row = compilePrinter(columns, print)
  const latest: string[] = []
  for (let change = view.retained.next(afterTick); change; change = view.retained.next(change.tick)) {
    const { tick, pages } = change
    const rows = await netChange(view, pages, 1, views.slices())
    const from = Math.max(0, rows.length - sampleChanges)
    rows.forEach((page, at, weight) => {
      const out = new ByteWriter(256)
      row(page.memory, page.columns, at, out)
      latest.push(changeText(tick, out.takeText(), weight))
    }, from)
    latest.splice(0, latest.length - sampleChanges)
  }
  return latest
}

async function watch(
  { io }: DatabaseOptions,
  running: Running,
  { id, plan }: OperatorNode,
  print: PrintOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await running.tap(id)
  await new Promise<void>((resolve) => {
    const cancel = io.clock.after(watchMs, resolve)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    })
  })
  const blocks = await running.tap(null)
  signal.throwIfAborted()
  // The engine may be ahead of the views, by a tick that is not durable yet, and may never be.
  const seen = blocks.filter(({ tick }) => tick <= running.views.tick)
  return seen.flatMap((block) => tappedChanges(block, plan.columns, print)).slice(-sampleChanges)
}

function tappedChanges({ tick, bytes }: TappedBlock, columns: readonly ColumnSchema[], print: PrintOptions): string[] {
  const block = openBlock(bytes)
  const { memory } = block
  const cells = blockCells(block, columns.length)
  const weights = block.columns.get(blockColumn.weight)
  const row = compilePrinter(columns, print)
  return Array.from({ length: block.rows }, (_, i) => {
    const out = new ByteWriter(256)
    row(memory, cells, i, out)
    return changeText(tick, out.takeText(), weights === undefined ? 1 : memory.i32[(weights.data >>> 2) + i])
  })
}

function changeText(tick: number, row: string, weight: number): string {
  return `{"tick":${tick},"row":${row},"weight":${weight}}`
}
