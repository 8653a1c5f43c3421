import { rmSync } from 'node:fs'
import type { Log, SealedTick } from '../../src/log/log.ts'
import type { Program, TopicDefinition } from '../../src/plan/program.ts'
import { type Took, took } from '../measure.ts'
import { load } from '../millrace.ts'
import { blockWriter } from './blocks.ts'
import { canonicalNumber, canonicalTimestamp } from './canonical.ts'
import { chunkEvents, type Generator } from './generator.ts'
import { topicsSql } from './topics.ts'

/** Neighbouring ticks of the journal become one up to so many rows, as in every replay (database.ts). */
export const tickRows = 262_144
/** Appends that are on their way at a time. */
const appendsUnderWay = 8

export async function programOf(sql: string): Promise<Program> {
  const { sqlDefinition } = await load<typeof import('../../src/engine/definitions.ts')>('engine/definitions')
  return (await sqlDefinition(sql).plan({ topics: [], views: [] })).program
}

/** A log that seals every commit at once, as an idle engine lets it. */
export async function openLog(folder: string): Promise<Log> {
  const { openFileLog } = await load<typeof import('../../src/log/file-log.ts')>('log/file-log')
  const { nodeIo } = await load<typeof import('../../src/io/node.ts')>('io/node')
  return openFileLog(nodeIo(), folder, { sealNow: () => true })
}

/** Writes the events to a new journal, one commit per chunk. @returns its bytes of blocks */
export async function writeJournal(folder: string, generator: Generator, events: number): Promise<number> {
  rmSync(folder, { recursive: true, force: true })
  const program = await programOf(topicsSql())
  const ids = new Map(program.topics.map((topic) => [topic.name, topic.id]))
  const blocks = await blockWriter()
  const log = await openLog(folder)
  const underWay: Promise<unknown>[] = []
  let bytes = 0
  while (generator.events < events) {
    generator.next(Math.min(chunkEvents, events - generator.events))
    const written = blocks(generator)
    for (const block of written) bytes += block.bytes.byteLength
    underWay.push(log.append({ blocks: written.map((block) => ({ ...block, topic: ids.get(block.topic)! })) }))
    if (underWay.length >= appendsUnderWay) await underWay.shift()
  }
  await Promise.all(underWay)
  await log.close()
  return bytes
}

export interface Run {
  readonly took: Took
  readonly stateBytes: number
  /** Rows in the view at the end. */
  readonly rows: number
}

/** Replays the journal through engine and view. The log is open already: only reading, checking and computing count. */
export async function runView(folder: string, sql: string): Promise<Run> {
  const program = await programOf(sql)
  checkTopics(program.topics)
  const { Engine } = await load<typeof import('../../src/engine/engine.ts')>('engine/engine')
  const { columnsRead } = await load<typeof import('../../src/views/replay.ts')>('views/replay')
  const { ViewSet } = await load<typeof import('../../src/views/view-set.ts')>('views/view-set')
  const { nodeIo } = await load<typeof import('../../src/io/node.ts')>('io/node')
  const log = await openLog(folder)
  const engine = new Engine(program)
  const views = new ViewSet(nodeIo().clock, program.views)
  let stateBytes = 0
  const each = (tick: SealedTick): void => {
    const output = engine.step({ kind: 'tick', ...wanted(tick, program) })
    views.apply(output)
    tick.release?.()
    stateBytes = output.stateBytes
    for (const { errors } of output.deltas) {
      if (errors.length > 0) throw new Error(`an error row: ${errors[0].reason}`)
    }
  }
  const time = await took(() => log.replay(each, tickRows, 0, undefined, columnsRead(program)))
  const { rows } = views.views[0].version
  views.close()
  engine.destroy()
  await log.close()
  return { took: time, stateBytes, rows }
}

/** The view's rows in canonical form, from the changes that the engine put out. */
export async function viewRows(folder: string, sql: string): Promise<string[][]> {
  const program = await programOf(sql)
  const { Engine } = await load<typeof import('../../src/engine/engine.ts')>('engine/engine')
  const { blockColumn, openBlock } = await load<typeof import('../../src/data/block.ts')>('data/block')
  const { blockCells } = await load<typeof import('../../src/data/cell-access.ts')>('data/cell-access')
  const { columnsRead } = await load<typeof import('../../src/views/replay.ts')>('views/replay')
  const { compileRowTexts } = await load<typeof import('../../src/data/text-print.ts')>('data/text-print')
  const [view] = program.views
  const texts = compileRowTexts(view.columns)
  const log = await openLog(folder)
  const engine = new Engine(program)
  const weights = new Map<string, number>()
  const each = (tick: SealedTick): void => {
    for (const delta of engine.step({ kind: 'tick', ...wanted(tick, program) }).deltas) {
      if (delta.errors.length > 0) throw new Error(`an error row: ${delta.errors[0].reason}`)
      for (const bytes of delta.blocks) {
        const block = openBlock(bytes)
        const cells = blockCells(block, view.columns.length)
        const weight = block.columns.get(blockColumn.weight)
        for (let i = 0; i < block.rows; i++) {
          const key = JSON.stringify(texts(block.memory, cells, i))
          const change = weight === undefined ? 1 : block.memory.i32[(weight.data >>> 2) + i]
          weights.set(key, (weights.get(key) ?? 0) + change)
        }
      }
    }
  }
  await log.replay(each, 0, 0, undefined, columnsRead(program))
  engine.destroy()
  await log.close()
  const kinds = view.columns.map(({ type }) => type.kind)
  const canonical = (text: string | null, i: number): string => {
    if (text === null) return 'NULL'
    if (kinds[i] === 'timestamp' || kinds[i] === 'date') return canonicalTimestamp(text)
    return kinds[i] === 'text' ? text : canonicalNumber(text)
  }
  return [...weights].flatMap(([key, weight]) =>
    Array<string[]>(weight).fill((JSON.parse(key) as (string | null)[]).map(canonical)),
  )
}

/** The journal holds topics by id: a query's program must number them alike. */
function checkTopics(topics: readonly TopicDefinition[]): void {
  const names = topics.map(({ name }) => name).join(' ')
  if (names !== 'person auction bid') throw new Error(`the topics are ${names}`)
}

/** Only blocks of the program's own topics: the log has others, such as definitions. */
function wanted(tick: SealedTick, program: Program): SealedTick {
  const known = new Set(program.topics.map(({ id }) => id))
  return { ...tick, blocks: tick.blocks.filter(({ topic }) => known.has(topic)) }
}
