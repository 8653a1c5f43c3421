import { readInput } from '../../src/connectors/files/input.ts'
import type { Batch, Column } from '../../src/data/batch.ts'
import { type Block, openBlock, writeBlock } from '../../src/data/block.ts'
import { laneWidth } from '../../src/data/sql-type.ts'
import type { Database } from '../../src/database.ts'
import type { Io } from '../../src/io/io.ts'
import type { TopicDefinition } from '../../src/plan/program.ts'

export interface Progress {
  /** Events in the log so far. */
  readonly events: number
  /** Bytes of blocks appended by this run. */
  readonly bytes: number
}

export interface Loaded {
  /** The blocks that were held back. */
  readonly rest: Block[]
  /** The tick at which the last event becomes visible; 0 if nothing was appended. */
  readonly tick: number
}

/** Appends on their way to the disk at a time: enough to keep it busy, few enough to bound memory. */
const underWayMax = 8

export function topicOf(database: Database, name: string): TopicDefinition {
  const topic = database.catalog().topics.find((each) => each.name === name)
  if (topic === undefined) throw new Error(`the app has no topic ${name}`)
  return topic
}

export function eventsIn(database: Database, name: string): number {
  return database.status().topics.find((topic) => topic.name === name)?.nextOffset ?? 0
}

/**
 * Appends a file's events from the first that is not in the log yet: the topic's next offset says how far an earlier
 * run came, so a load that was killed goes on without losing or doubling an event.
 * @param until stops before the first block that holds an event at or after this time (µs)
 */
export async function loadFile(
  io: Io,
  database: Database,
  name: string,
  path: string,
  onProgress: (progress: Progress) => void,
  until = Number.POSITIVE_INFINITY,
): Promise<Loaded> {
  const topic = topicOf(database, name)
  const done = eventsIn(database, name)
  const underWay: Promise<{ readonly tick: number }>[] = []
  const rest: Block[] = []
  let at = 0
  let bytes = 0
  for await (const input of readInput(io.disk, path, topic)) {
    const from = Math.max(0, done - at)
    at += input.rows
    if (from >= input.rows) continue
    const block = slice(openBlock(input.bytes), from, input.rows)
    if (rest.length > 0 || lastTime(block, topic) >= until) {
      rest.push(block)
      continue
    }
    bytes += block.bytes.length
    underWay.push(database.append({ blocks: [{ topic: topic.id, rows: block.rows, bytes: block.bytes }] }))
    if (underWay.length >= underWayMax) await underWay.shift()
    onProgress({ events: at, bytes })
  }
  const answers = await Promise.all(underWay)
  return { rest, tick: answers.at(-1)?.tick ?? 0 }
}

/** Appends blocks in event time: `speed` seconds of it pass in one. */
export async function replay(
  io: Io,
  database: Database,
  name: string,
  blocks: readonly Block[],
  speed: number,
  signal: AbortSignal,
): Promise<void> {
  const topic = topicOf(database, name)
  const start = io.clock.monotonicMs()
  const first = blocks.length === 0 ? 0 : timeOf(blocks[0], topic, 0)
  for (const block of blocks) {
    let from = 0
    while (from < block.rows && !signal.aborted) {
      const now = first + (io.clock.monotonicMs() - start) * 1000 * speed
      let to = from
      while (to < block.rows && timeOf(block, topic, to) <= now) to++
      if (to > from) {
        const part = slice(block, from, to)
        await database.append({ blocks: [{ topic: topic.id, rows: part.rows, bytes: part.bytes }] })
      }
      from = to
      if (from < block.rows) await new Promise<void>((resolve) => io.clock.after(50, resolve))
    }
  }
}

function slice(block: Block, from: number, to: number): Block {
  if (from === 0 && to === block.rows) return block
  const ids = [...block.columns.keys()]
  const columns = [...block.columns.values()].map(
    (column): Column => ({
      ...column,
      data: column.data + from * laneWidth(column.lane),
      state: column.state === 0 ? 0 : column.state + from,
    }),
  )
  const batch: Batch = { rows: to - from, columns, weights: 0 }
  return openBlock(writeBlock(block.memory, batch, ids))
}

function timeOf(block: Block, topic: TopicDefinition, row: number): number {
  const column = topic.eventTime === null ? undefined : block.columns.get(topic.eventTime)
  return column === undefined ? Number.NEGATIVE_INFINITY : Number(block.memory.i64[column.data / 8 + row])
}

function lastTime(block: Block, topic: TopicDefinition): number {
  return timeOf(block, topic, block.rows - 1)
}
