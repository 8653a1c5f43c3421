import { gatherCommits, sliceBlock } from '../../src/cli/feed.ts'
import { readInput } from '../../src/connectors/files/input.ts'
import { type Block, openBlock } from '../../src/data/block.ts'
import type { Database } from '../../src/database.ts'
import type { Io } from '../../src/io/io.ts'
import type { AppendAnswer } from '../../src/log/log.ts'
import type { TopicDefinition } from '../../src/plan/program.ts'

export interface Progress {
  /** Events of the file that are in the log or on their way there. */
  readonly events: number
  /** Bytes of blocks appended by this run. */
  readonly bytes: number
}

export interface LoadOptions {
  readonly onProgress?: (progress: Progress) => void
  /** Holds back what happened at or after this time (µs). */
  readonly until?: number
  /** Loads so many of the file's events at most. */
  readonly most?: number
  /** Events of one commit. */
  readonly commitRows?: number
  /** Stops after the commit that is on its way. */
  readonly signal?: AbortSignal
}

export interface Loaded {
  /** What was held back, in order. */
  readonly rest: readonly Block[]
  /** The tick at which the last event becomes visible; 0 if nothing was appended. */
  readonly tick: number
}

export function eventsIn(database: Database, name: string): number {
  return database.status().topics.find((topic) => topic.name === name)?.nextOffset ?? 0
}

/**
 * Appends a file's events from the first that is not in the log yet: the topic's next offset says how far an earlier
 * run came, so a load that was killed goes on without losing or doubling an event. That holds because the log has a
 * beginning of the file at any time: a commit is appended when the one before it is durable, while the next is read.
 */
export async function loadFile(
  io: Io,
  database: Database,
  name: string,
  path: string,
  options: LoadOptions = {},
): Promise<Loaded> {
  const { onProgress, commitRows = null, signal } = options
  const topic = database.topic(name)
  const rest: Block[] = []
  let events = eventsIn(database, name)
  let bytes = 0
  let underWay: Promise<AppendAnswer> | null = null
  let tick = 0
  const missing = beginning(readMissing(io, path, topic, events, options.most), topic, options.until, rest)
  for await (const blocks of gatherCommits(topic.id, missing, commitRows)) {
    if (underWay !== null) tick = (await underWay).tick
    underWay = null
    if (signal?.aborted === true) break
    underWay = database.append({ blocks })
    // It is awaited above or below; until then a failure must not count as unhandled.
    underWay.catch(() => {})
    for (const block of blocks) {
      events += block.rows
      bytes += block.bytes.length
    }
    onProgress?.({ events, bytes })
  }
  if (underWay !== null) tick = (await underWay).tick
  return { rest, tick }
}

/** The blocks of a file from the event `done` on. */
async function* readMissing(
  io: Io,
  path: string,
  topic: TopicDefinition,
  done: number,
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<Block> {
  let at = 0
  for await (const { rows, bytes } of readInput(io.disk, path, topic)) {
    const from = Math.max(0, done - at)
    const to = Math.min(rows, most - at)
    if (from < to) yield from === 0 && to === rows ? openBlock(bytes) : openBlock(sliceBlock(bytes, from, to))
    at += rows
    if (at >= most) return
  }
}

/** What happened before `until`, in a file that is in order of time; everything after it goes to `rest`. */
async function* beginning(
  blocks: AsyncIterable<Block>,
  topic: TopicDefinition,
  until: number | undefined,
  rest: Block[],
): AsyncGenerator<Block> {
  for await (const block of blocks) {
    let to = rest.length > 0 ? 0 : block.rows
    if (until !== undefined) while (to > 0 && timeOf(block, topic, to - 1) >= until) to--
    if (to === block.rows) {
      yield block
      continue
    }
    if (to > 0) yield openBlock(sliceBlock(block.bytes, 0, to))
    rest.push(openBlock(sliceBlock(block.bytes, to, block.rows)))
  }
}

export interface ReplayOptions {
  /** Seconds of event time that pass in one second. */
  readonly speed: number
  readonly signal: AbortSignal
  /** Told the event time that was reached (µs) and how many events were appended. */
  readonly onProgress: (micros: number, events: number) => void
}

const replayStepMs = 50

/** Appends blocks in event time. */
export async function replay(
  io: Io,
  database: Database,
  name: string,
  blocks: readonly Block[],
  { speed, signal, onProgress }: ReplayOptions,
): Promise<void> {
  if (blocks.length === 0) return
  const topic = database.topic(name)
  const start = io.clock.monotonicMs()
  const first = timeOf(blocks[0], topic, 0)
  let events = 0
  for (const block of blocks) {
    let from = 0
    while (from < block.rows && !signal.aborted) {
      const now = first + (io.clock.monotonicMs() - start) * 1000 * speed
      let to = from
      while (to < block.rows && timeOf(block, topic, to) <= now) to++
      if (to > from) {
        const bytes = sliceBlock(block.bytes, from, to)
        await database.append({ blocks: [{ topic: topic.id, rows: to - from, bytes }] })
        events += to - from
      }
      onProgress(to < block.rows ? now : timeOf(block, topic, to - 1), events)
      from = to
      if (from < block.rows) await new Promise<void>((resolve) => io.clock.after(replayStepMs, resolve))
    }
  }
}

function timeOf(block: Block, topic: TopicDefinition, row: number): number {
  const column = topic.eventTime === null ? undefined : block.columns.get(topic.eventTime)
  return column === undefined ? Number.NEGATIVE_INFINITY : Number(block.memory.i64[column.data / 8 + row])
}
