import { readFileSync } from 'node:fs'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { DatabaseStatus } from '../src/database.ts'
import { peakMemory } from './child.ts'
import { took } from './measure.ts'
import { load } from './millrace.ts'

export interface FlightsTask {
  readonly folder: string
  /** The most flights to load. */
  readonly most: number
}

/** What the loading process tells: where it serves, then how the load went. It serves on until it is told to end. */
export type FlightsMessage =
  | { readonly kind: 'serving'; readonly url: string }
  | {
      readonly kind: 'loaded'
      readonly flights: number
      readonly seconds: number
      readonly cpuSeconds: number
      readonly loopDelayP99Ms: number
      readonly loopDelayMaxMs: number
      readonly peakBytes: number
      readonly stateBytes: number
    }

const resolutionMs = 1

export function flightsFile(name: string): string {
  return path.join(fileURLToPath(new URL('../node_modules/vega-datasets/data/', import.meta.url)), name)
}

export function flightsSql(): string {
  return readFileSync(new URL('../examples/flights/flights.sql', import.meta.url), 'utf8')
}

async function* atMost<B extends { readonly rows: number }>(blocks: AsyncIterable<B>, most: number): AsyncGenerator<B> {
  let rows = 0
  for await (const block of blocks) {
    yield block
    rows += block.rows
    if (rows >= most) return
  }
}

/** Loads the flights through the log while it serves the views, as a server does that is started on a new file. */
async function loadFlights({ folder, most }: FlightsTask): Promise<void> {
  const { Database } = await load<typeof import('../src/database.ts')>('database')
  const { sqlDefinition } = await load<typeof import('../src/engine/definitions.ts')>('engine/definitions')
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  const { startServer } = await load<typeof import('../src/server/listen.ts')>('server/listen')
  const { readInput } = await load<typeof import('../src/connectors/files/input.ts')>('connectors/files/input')
  const { feedFreely, gatherCommits } = await load<typeof import('../src/cli/feed.ts')>('cli/feed')
  const io = nodeIo()
  const database = await Database.open({ io, data: path.join(folder, 'data'), definition: sqlDefinition(flightsSql()) })
  const server = await startServer(database, { port: 0 })
  send({ kind: 'serving', url: server.url })
  const feed = async (topicName: string, file: string): Promise<number> => {
    const topic = database.topic(topicName)
    const blocks = atMost(readInput(io.disk, flightsFile(file), topic), most)
    return await feedFreely(database, gatherCommits(topic.id, blocks, null))
  }
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  let flights = 0
  const time = await took(async () => {
    await feed('airport', 'airports.csv')
    flights = await feed('flight', 'flights-3m.parquet')
    await untilVisible(() => database.status(), flights)
  })
  delay.disable()
  send({
    kind: 'loaded',
    flights,
    ...time,
    loopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - resolutionMs),
    loopDelayMaxMs: Math.max(0, delay.max / 1e6 - resolutionMs),
    peakBytes: peakMemory(),
    stateBytes: database.status().stateBytes,
  })
  process.once('message', () => {
    void server
      .close()
      .then(() => database.close())
      .then(() => process.exit(0))
  })
}

/** The feed ends when the log has everything; the views are a tick or two behind. */
async function untilVisible(status: () => DatabaseStatus, flights: number): Promise<void> {
  for (;;) {
    const { topics, tick, sealedTick, failure } = status()
    if (failure !== null) throw failure
    if (tick >= sealedTick && topics.find(({ name }) => name === 'flight')?.nextOffset === flights) return
    await sleep(1)
  }
}

function send(message: FlightsMessage): void {
  process.send?.(message)
}

if (process.send !== undefined) await loadFlights(JSON.parse(process.argv[2]) as FlightsTask)
