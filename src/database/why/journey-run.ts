import { openBlock } from '../../data/block.ts'
import { rowsOfBlock } from '../../data/block-rows.ts'
import { cellText } from '../../data/text-print.ts'
import { type EngineHost, runStopped, startEngine } from '../../engine/host.ts'
import type { ErrorRow, GoneTimes, Standing, TickOutput, TopicBlock } from '../../engine/port.ts'
import type { Io } from '../../io/io.ts'
import { type LoggedBlock, type LogReads, offsetOf, type SealedTick } from '../../log/log.ts'
import { mayTakeLong } from '../../plan/effort.ts'
import type { Program, ViewDefinition } from '../../plan/program.ts'
import type { CellText } from '../../plan/why-words.ts'
import { openPage } from '../../views/page.ts'
import { columnsRead, mergeableRows } from '../../views/replay.ts'
import type { Position } from './events.ts'

/** What one event alone changed. */
export interface Effect {
  /** By the id of a view or probe. */
  readonly changes: ReadonlyMap<number, readonly ChangedRow[]>
  readonly errors: ReadonlyMap<number, readonly ErrorRow[]>
  /** How things stood just before it, and after it. */
  readonly before: Standing
  readonly after: Standing
}

export interface ChangedRow {
  readonly cells: readonly CellText[]
  readonly weight: number
}

export interface JourneySource {
  readonly io: Io
  /** A reader that goes on as it began: it is read in two steps. */
  readonly log: LogReads
  readonly engine: 'inline' | 'worker'
  readonly memoryBytes: number
  /** Where watermarks begin, where a part of the log is gone. */
  readonly gone: readonly GoneTimes[]
  readonly signal?: AbortSignal
}

const mergeRows = 65_536

/**
 * Runs a program over all that came before an event, then over the event alone, as a tick of its own: what that tick
 * changes is what the event did. By the law it doesn't matter to any result how events are cut into ticks.
 * @param tick that made the event visible
 */
export async function effectOf(
  source: JourneySource,
  program: Program,
  event: Position,
  tick: number,
): Promise<Effect> {
  const { io, log, memoryBytes, gone, signal } = source
  const { offsets } = log.position()
  const engine = mayTakeLong(program, (id) => offsets.get(id) ?? 0) ? source.engine : 'inline'
  const topics = new Set(program.topics.map(({ id }) => id))
  const own = gone.filter(({ topic }) => topics.has(topic))
  const host = startEngine(io, program, { engine, memoryBytes, gone: own })
  return runStopped(host, signal, async () => {
    const columns = columnsRead(program)
    const merge = mergeableRows(program, mergeRows)
    const step = async (sealed: SealedTick): Promise<void> => {
      signal?.throwIfAborted()
      await host.step(
        input(
          sealed,
          sealed.blocks.filter(({ topic }) => topics.has(topic)),
        ),
      )
      sealed.release?.()
    }
    if (tick > 1) await log.replay(step, merge, 0, tick - 1, columns)
    let effect: Effect | null = null
    const last = async (sealed: SealedTick): Promise<void> => {
      const { before, own } = cutAt(sealed, topics, event)
      effect = await around(host, program, sealed, before, own)
      sealed.release?.()
    }
    await log.replay(last, 0, tick - 1, tick, columns)
    return effect!
  })
}

function input({ tick, timeMicros }: SealedTick, blocks: readonly TopicBlock[], number = tick) {
  return { kind: 'tick', tick: number, timeMicros, blocks } as const
}

async function around(
  host: EngineHost,
  program: Program,
  sealed: SealedTick,
  before: readonly TopicBlock[],
  own: TopicBlock,
): Promise<Effect> {
  const standing = await host.step(input(sealed, before))
  const output = await host.step(input(sealed, [own], sealed.tick + 1))
  const { changes, errors } = readDeltas(program, output)
  return { changes, errors, before: standing, after: output }
}

function readDeltas(program: Program, { deltas }: TickOutput): Pick<Effect, 'changes' | 'errors'> {
  const views = new Map(program.views.map((view) => [view.id, view]))
  const changes = new Map<number, ChangedRow[]>()
  const errors = new Map<number, readonly ErrorRow[]>()
  for (const { view, blocks, errors: rows } of deltas) {
    const definition = views.get(view)!
    changes.set(
      view,
      blocks.flatMap((bytes) => rowsOf(bytes, definition)),
    )
    errors.set(view, rows)
  }
  return { changes, errors }
}

function rowsOf(bytes: Uint8Array, { columns }: ViewDefinition): ChangedRow[] {
  const { memory, rows, columns: cells, weights } = openPage(bytes, columns)
  return Array.from({ length: rows }, (_, row) => ({
    cells: columns.map(({ type }, i) => cellText(memory, cells[i], row, type)),
    weight: weights === null ? 1 : weights[row],
  }))
}

/** What of a tick came before an event, of the topics that count; of its own topic by offset. */
function cutAt(
  sealed: SealedTick,
  topics: ReadonlySet<number>,
  { topic, partition, offset }: Position,
): { before: TopicBlock[]; own: TopicBlock } {
  const before: TopicBlock[] = []
  let own: TopicBlock | null = null
  for (const block of sealed.blocks) {
    if (!topics.has(block.topic)) continue
    if (block.topic !== topic.id || block.partition !== partition) {
      before.push(block)
      continue
    }
    const rows = Array.from({ length: block.rows }, (_, row) => row)
    const earlier = rows.filter((row) => offsetOf(block, row) < offset)
    const at = rows.find((row) => offsetOf(block, row) === offset)
    if (earlier.length > 0) before.push(some(block, earlier, sealed.tick))
    if (at !== undefined) own = some(block, [at], sealed.tick)
  }
  return { before, own: own! }
}

/** @param rows ascending */
function some(block: LoggedBlock, rows: readonly number[], tick: number): TopicBlock {
  const { topic, partition, commits, appendedAtMicros } = block
  const commit = (row: number): number => commits?.ends.findIndex((end) => row < end) ?? 0
  const micros = rows.map((row) => (commits === undefined ? Number(appendedAtMicros) : commits.micros[commit(row)]))
  return {
    topic,
    partition,
    firstOffset: offsetOf(block, rows[0]),
    ...(block.offsets === undefined ? {} : { offsets: Float64Array.from(rows, (row) => offsetOf(block, row)) }),
    appendedAtMicros: BigInt(micros[0]),
    // The tick that the event is of, not the one that it is run as.
    commits: {
      ends: Uint32Array.from(rows, (_, i) => i + 1),
      micros: Float64Array.from(micros),
      ticks: Float64Array.from(rows, (row) => (commits === undefined ? tick : commits.ticks[commit(row)])),
    },
    bytes: rowsOfBlock(openBlock(block.bytes), rows),
  }
}
