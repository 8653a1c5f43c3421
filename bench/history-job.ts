import { readdirSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import type { AppendBlock, ColumnsRead, Log } from '../src/log/log.ts'
import { answerParent } from './child.ts'
import { flightsFile, flightsSql } from './flights-load.ts'
import { median, type Took, took } from './measure.ts'
import { load } from './millrace.ts'
import { blockWriter } from './nexmark/blocks.ts'
import { Generator } from './nexmark/generator.ts'
import { topicsSql } from './nexmark/topics.ts'

export interface HistoryTask {
  readonly data: 'bids' | 'flights' | 'single'
  readonly folder: string
  readonly events: number
  readonly runs: number
}

export interface HistoryAnswer {
  readonly events: number
  readonly journalBytes: number
  readonly historyBytes: number
  readonly rewriting: Took
  /** Replays of the same events, merged as at a start, all columns read. */
  readonly fromJournal: Took
  readonly fromHistory: Took
  /** The same for two columns of the topic. */
  readonly twoColumns: Took
  /** Of one event at a random offset. */
  readonly readMs: number
}

const underWay = 8
const tickRows = 262_144
const reads = 300

/** What is appended, one commit each. */
async function* commitsOf({ data, events }: HistoryTask): AsyncGenerator<AppendBlock> {
  const { programOf } = await import('./nexmark/ours.ts')
  let rows = 0
  if (data === 'flights') {
    const { readInput } = await load<typeof import('../src/connectors/files/input.ts')>('connectors/files/input')
    const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
    const topic = (await programOf(flightsSql())).topics.find(({ name }) => name === 'flight')!
    for await (const block of readInput(nodeIo().disk, flightsFile('flights-3m.parquet'), topic)) {
      yield { topic: topic.id, ...block }
      rows += block.rows
      if (rows >= events) return
    }
    return
  }
  const topic = (await programOf(topicsSql())).topics.find(({ name }) => name === 'bid')!
  const generator = new Generator()
  const blocks = await blockWriter()
  while (rows < events) {
    generator.next(data === 'single' ? 1 : 5500)
    for (const block of blocks(generator)) {
      if (block.topic !== 'bid') continue
      yield { ...block, topic: topic.id }
      rows += block.rows
    }
  }
}

async function openStore(folder: string, rewrite: boolean) {
  const { openFileStore } = await load<typeof import('../src/log/file-log.ts')>('log/file-log')
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  const history = { rewrite, share: 1, busyShare: 1 }
  return openFileStore(nodeIo(), folder, { sealNow: () => true, history })
}

/** So many bytes of the journal were written to, or of history. */
function bytesOf(folder: string, ending: string): number {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0)
}

async function replay(log: Log, throughTick: number, columns?: ColumnsRead): Promise<Took> {
  const { openBlock, readBlock } = await load<typeof import('../src/data/block.ts')>('data/block')
  const { Arena, LinearMemory } = await load<typeof import('../src/data/memory.ts')>('data/memory')
  const arena = new Arena(new LinearMemory())
  return took(() =>
    log.replay(
      (tick) => {
        for (const { bytes } of tick.blocks) {
          const block = openBlock(bytes)
          const wanted = [...block.columns].map(([id, { lane }]) => ({ id, lane }))
          readBlock(arena, block, wanted)
          arena.reset()
        }
        tick.release?.()
      },
      tickRows,
      0,
      throughTick,
      columns,
    ),
  )
}

async function job(task: HistoryTask): Promise<HistoryAnswer> {
  const { folder, runs } = task
  rmSync(folder, { recursive: true, force: true })
  const first = await openStore(folder, false)
  const waiting: Promise<unknown>[] = []
  let topic = 0
  for await (const block of commitsOf(task)) {
    topic = block.topic
    waiting.push(first.log.append({ blocks: [block] }))
    if (waiting.length >= (task.data === 'single' ? 2000 : underWay)) await waiting.shift()
  }
  await Promise.all(waiting)
  await first.log.close()
  const writer = await openStore(folder, true)
  const journalBefore = bytesOf(folder, '.journal')
  const rewriting = await took(() => writer.store.settle())
  const historyBytes = bytesOf(folder, '.history')
  // The newest file, which is being written to, and what it shares with the one before stay as they are.
  const journalBytes = journalBefore - bytesOf(folder, '.journal')
  const { endTick } = writer.store
  const events = writer.store.endOffset(topic)
  const fromHistory: Took[] = []
  const twoColumns: Took[] = []
  for (let i = 0; i < runs; i++) {
    fromHistory.push(await replay(writer.log, endTick))
    twoColumns.push(await replay(writer.log, endTick, new Map([[topic, new Set([0, 2])]])))
  }
  const ms: number[] = []
  for (let i = 0; i < reads; i++) {
    const offset = Math.floor(Math.random() * events)
    const start = performance.now()
    const [block] = await writer.log.readTopic(topic, offset, 1)
    ms.push(performance.now() - start)
    if (block.firstOffset > offset) throw new Error('another event was read')
  }
  await writer.log.close()
  const fromJournal = await journalReplays(task, endTick)
  const least = (all: readonly Took[]): Took => all.reduce((a, b) => (a.cpuSeconds < b.cpuSeconds ? a : b))
  return {
    events,
    journalBytes,
    historyBytes,
    rewriting,
    fromJournal: least(fromJournal),
    fromHistory: least(fromHistory),
    twoColumns: least(twoColumns),
    readMs: median(ms),
  }
}

/** The same events once more, in a log that keeps its journal. */
async function journalReplays(task: HistoryTask, throughTick: number): Promise<Took[]> {
  const folder = `${task.folder}-journal`
  rmSync(folder, { recursive: true, force: true })
  const { log } = await openStore(folder, false)
  const waiting: Promise<unknown>[] = []
  for await (const block of commitsOf(task)) {
    waiting.push(log.append({ blocks: [block] }))
    if (waiting.length >= (task.data === 'single' ? 2000 : underWay)) await waiting.shift()
  }
  await Promise.all(waiting)
  const times: Took[] = []
  for (let i = 0; i < task.runs; i++) times.push(await replay(log, throughTick))
  await log.close()
  return times
}

await answerParent(job)
