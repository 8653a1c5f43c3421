import { rmSync } from 'node:fs'
import path from 'node:path'
import type { Batch } from '../src/data/batch.ts'
import type { AppendBlock, Log } from '../src/log/log.ts'
import { writeBlocks } from './calibrate.ts'
import { answerParent } from './child.ts'
import { median, quantile, took } from './measure.ts'
import { load } from './millrace.ts'
import { schemaOf } from './nexmark/blocks.ts'
import { Generator } from './nexmark/generator.ts'
import { NdjsonWriter } from './nexmark/ndjson.ts'
import { openLog } from './nexmark/ours.ts'
import { bid, topicsSql } from './nexmark/topics.ts'

export interface LogTask {
  readonly job: 'batches' | 'read' | 'appenders' | 'whole'
  readonly folder: string
  readonly runs: number
  readonly smoke: boolean
}

export interface LogAnswer {
  readonly eventsPerSecond: number
  readonly eventsPerCoreSecond: number
  readonly bytesPerSecond: number
  readonly shareOfFresh: number
  readonly shareOfRecycled: number
  readonly p50: number
  readonly p99: number
}

const nothing: LogAnswer = {
  eventsPerSecond: 0,
  eventsPerCoreSecond: 0,
  bytesPerSecond: 0,
  shareOfFresh: 0,
  shareOfRecycled: 0,
  p50: 0,
  p99: 0,
}

/** Bids of about 1 MiB as a block. */
const batchRows = 5000
const topicId = 7
const batchesUnderWay = 4

function empty(folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  return folder
}

/** Blocks of bids; the log keeps what it is given, so they are never written to again. */
async function bidBlocks(count: number, rows: number): Promise<AppendBlock[]> {
  const { writeBlock } = await load<typeof import('../src/data/block.ts')>('data/block')
  const generator = new Generator()
  const blocks: AppendBlock[] = []
  while (blocks.length < count) {
    generator.next()
    const { memory, batch } = generator.bid
    for (let from = 0; from + rows <= batch.rows && blocks.length < count; from += rows) {
      blocks.push({ topic: topicId, rows, bytes: writeBlock(memory, slice(batch, from, rows)) })
    }
  }
  return blocks
}

/** Rows of a batch whose lanes all have 8 bytes a cell. */
function slice(batch: Batch, from: number, rows: number): Batch {
  return { rows, weights: 0, columns: batch.columns.map((column) => ({ ...column, data: column.data + from * 8 })) }
}

async function appendAll(log: Log, blocks: readonly AppendBlock[], underWay: number): Promise<void> {
  const waiting: Promise<unknown>[] = []
  for (const block of blocks) {
    waiting.push(log.append({ blocks: [block] }))
    if (waiting.length >= underWay) await waiting.shift()
  }
  await Promise.all(waiting)
}

/** Each run writes raw blocks before, so that disk and share are of the same seconds. */
async function batches({ folder, runs, smoke }: LogTask): Promise<LogAnswer> {
  const blocks = await bidBlocks(smoke ? 4 : 256, batchRows)
  const bytes = blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0)
  const raw = `${folder}-raw`
  const figures: { readonly rate: number; readonly fresh: number; readonly recycled: number }[] = []
  for (let i = 0; i < runs; i++) {
    rmSync(raw, { force: true })
    const log = await openLog(empty(folder))
    const fresh = writeBlocks(raw, blocks.length)
    const recycled = writeBlocks(raw, blocks.length)
    const { seconds } = await took(() => appendAll(log, blocks, batchesUnderWay))
    figures.push({ rate: bytes / seconds, fresh: bytes / seconds / fresh, recycled: bytes / seconds / recycled })
    await log.close()
  }
  rmSync(raw, { force: true })
  const bytesPerSecond = median(figures.map(({ rate }) => rate))
  return {
    ...nothing,
    bytesPerSecond,
    eventsPerSecond: (bytesPerSecond / bytes) * blocks.length * batchRows,
    shareOfFresh: median(figures.map(({ fresh }) => fresh)),
    shareOfRecycled: median(figures.map(({ recycled }) => recycled)),
  }
}

/** Reads the journal again, checks it and copies every column into an engine's memory. */
async function read({ folder, runs, smoke }: LogTask): Promise<LogAnswer> {
  const { openBlock, readBlock } = await load<typeof import('../src/data/block.ts')>('data/block')
  const { Arena, LinearMemory } = await load<typeof import('../src/data/memory.ts')>('data/memory')
  const { laneOf } = await load<typeof import('../src/data/sql-type.ts')>('data/sql-type')
  const wanted = schemaOf(bid).map(({ type }, id) => ({ id, lane: laneOf(type) }))
  const count = smoke ? 4 : 256
  const blocks = await bidBlocks(count, batchRows)
  const bytes = blocks.reduce((sum, block) => sum + block.bytes.byteLength, 0)
  const log = await openLog(empty(folder))
  await appendAll(log, blocks, batchesUnderWay)
  await log.close()
  const arena = new Arena(new LinearMemory())
  const rates: number[] = []
  for (let i = 0; i < runs; i++) {
    const again = await openLog(folder)
    let rows = 0
    const { seconds } = await took(() =>
      again.replay((tick) => {
        for (const block of tick.blocks) {
          if (block.topic !== topicId) continue
          rows += readBlock(arena, openBlock(block.bytes), wanted).rows
          arena.reset()
        }
      }),
    )
    if (rows !== count * batchRows) throw new Error(`${rows} events of ${count * batchRows} came back`)
    rates.push(bytes / seconds)
    await again.close()
  }
  const bytesPerSecond = median(rates)
  return { ...nothing, bytesPerSecond, eventsPerSecond: (bytesPerSecond / bytes) * count * batchRows }
}

/** Each appender waits for its event to be durable before it sends the next one. */
async function appenders({ folder, runs, smoke }: LogTask): Promise<LogAnswer> {
  const appenders = 1024
  const each = smoke ? 2 : 500
  const blocks = await bidBlocks(appenders, 1)
  const rates: number[] = []
  const p50: number[] = []
  const p99: number[] = []
  for (let run = 0; run < runs; run++) {
    const log = await openLog(empty(folder))
    const ms: number[] = []
    const { seconds } = await took(async () => {
      await Promise.all(
        blocks.map(async (block) => {
          const append = { blocks: [block] }
          for (let i = 0; i < each; i++) {
            const start = performance.now()
            await log.append(append)
            ms.push(performance.now() - start)
          }
        }),
      )
    })
    await log.close()
    rates.push((appenders * each) / seconds)
    p50.push(quantile(ms, 0.5))
    p99.push(quantile(ms, 0.99))
  }
  return { ...nothing, eventsPerSecond: median(rates), p50: median(p50), p99: median(p99) }
}

const wholeSql = `${topicsSql()}
CREATE MATERIALIZED VIEW per_window AS
  SELECT window_start, auction, count(*) AS bids, max(price) AS best
  FROM tumble(bid, date_time, interval '10 seconds')
  GROUP BY window_start, auction;
`

/** One process, engine in its thread: text in, until the view shows the last event. */
async function whole({ folder, runs, smoke }: LogTask): Promise<LogAnswer> {
  const { Database } = await load<typeof import('../src/database.ts')>('database')
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  const { sqlDefinition } = await load<typeof import('../src/engine/definitions.ts')>('engine/definitions')
  const definition = sqlDefinition(wholeSql)
  const generator = new Generator()
  const bodies: Buffer[] = []
  let events = 0
  for (let i = 0; i < (smoke ? 2 : 64); i++) {
    const writer = new NdjsonWriter()
    generator.next(4600)
    events += generator.bid.rows
    writer.write(generator.bid)
    bodies.push(Buffer.from(writer.bytes.subarray(0, writer.length)))
  }
  const rounds = smoke ? 1 : 4
  const rates: number[] = []
  const coreRates: number[] = []
  for (let i = 0; i < runs; i++) {
    const database = await Database.open({ io: nodeIo(), data: path.join(empty(folder), 'data'), definition })
    const time = await took(async () => {
      let last = 0
      const waiting: Promise<{ readonly tick: number }>[] = []
      for (let round = 0; round < rounds; round++) {
        for (const body of bodies) {
          waiting.push(database.appendText('bid', body, 'ndjson'))
          if (waiting.length >= batchesUnderWay) last = (await waiting.shift()!).tick
        }
      }
      for (const { tick } of await Promise.all(waiting)) last = Math.max(last, tick)
      await database.waitForTick(last, 600_000)
    })
    const counted = await database.query('SELECT sum(bids) AS bids FROM per_window')
    if (counted.rows.length !== 1) throw new Error('the view does not count')
    await database.close()
    rates.push((events * rounds) / time.seconds)
    coreRates.push((events * rounds) / time.cpuSeconds)
  }
  return { ...nothing, eventsPerSecond: median(rates), eventsPerCoreSecond: median(coreRates) }
}

const jobs = { batches, read, appenders, whole }

await answerParent((task: LogTask) => jobs[task.job](task))
