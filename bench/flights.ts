import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type FlightsMessage, type FlightsTask, flightsFile } from './flights-load.ts'
import { HttpClient } from './http-client.ts'
import { quantile } from './measure.ts'
import { installed } from './peers/installed.ts'
import { megabytes, milliseconds, si, table } from './print.ts'

export interface FlightsRun {
  readonly folder: string
  readonly smoke: boolean
}

type Loaded = Extract<FlightsMessage, { kind: 'loaded' }>

/** One read every so many milliseconds, whether or not the last one has been answered. */
const everyMs = 20

const reads = [
  { name: 'delay_by_state, all rows', target: '/v1/views/delay_by_state' },
  { name: 'late_share, 10 rows', target: '/v1/views/late_share?limit=10' },
  { name: 'origin_by_hour of one airport, 100 rows', target: '/v1/views/origin_by_hour?origin=ORD&limit=100' },
] as const

/**
 * Loads three million flights through the log into four views, in a process that serves them, and reads the views
 * over HTTP meanwhile.
 */
export async function reportFlights({ folder, smoke }: FlightsRun): Promise<void> {
  const own = path.join(folder, 'flights')
  mkdirSync(own, { recursive: true })
  const task: FlightsTask = { folder: own, most: smoke ? 50_000 : Number.MAX_SAFE_INTEGER }
  const child = fork(fileURLToPath(new URL('./flights-load.ts', import.meta.url)), [JSON.stringify(task)], {
    execArgv: process.execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  try {
    const { url } = await message(child, 'serving')
    const loading = message(child, 'loaded')
    const client = new HttpClient(new URL(url))
    const latencies = await readWhile(client, loading)
    const loaded = await loading
    const checked = await check(client, loaded.flights)
    client.close()
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.send('end')
    await ended
    print(loaded, latencies, checked)
  } finally {
    child.kill()
  }
}

function message<K extends FlightsMessage['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<FlightsMessage, { kind: K }>> {
  return new Promise((resolve, reject) => {
    child.on('message', (told: FlightsMessage) => {
      if (told.kind === kind) resolve(told as Extract<FlightsMessage, { kind: K }>)
    })
    child.on('exit', (code) => reject(new Error(`the loading process ended with ${code}`)))
  })
}

/** Counts from when a read was due: a server that stands still can't hide it by keeping us from asking. */
async function readWhile(client: HttpClient, loading: Promise<unknown>): Promise<Map<string, number[]>> {
  let over = false
  const end = (): void => {
    over = true
  }
  loading.then(end, end)
  const found = new Map<string, number[]>(reads.map(({ name }) => [name, []]))
  const underWay: Promise<void>[] = []
  const start = performance.now()
  for (let i = 0; !over; i++) {
    const due = start + i * everyMs
    await sleep(Math.max(0, due - performance.now()))
    const { name, target } = reads[i % reads.length]
    const read = client.expect('GET', target).then(() => {
      found.get(name)!.push(performance.now() - due)
    })
    // Looked at when all are over: until then a failure is nobody's surprise.
    read.catch(end)
    underWay.push(read)
  }
  await Promise.all(underWay)
  return found
}

/** DuckDB reads the same file: flights and mean delay per state must agree. @returns what was found */
async function check(client: HttpClient, flights: number): Promise<string> {
  const { rows } = JSON.parse(await client.expect('GET', '/v1/views/delay_by_state')) as {
    rows: readonly { state: string; flights: number; delay: number }[]
  }
  if (!installed('duckdb')) return 'not compared: DuckDB is not installed'
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const connection = await (await DuckDBInstance.create()).connect()
  const file = flightsFile('flights-3m.parquet')
  const reader = await connection.runAndReadAll(`
    SELECT a.state, count(*)::INTEGER AS flights, round(avg(f.delay), 2) AS delay
    FROM (SELECT * FROM '${file}' LIMIT ${flights}) f
    JOIN read_csv('${flightsFile('airports.csv')}', header = true) a ON a.iata = f.origin
    GROUP BY a.state`)
  const own = rows.map(({ state, flights, delay }) => `${state} ${flights} ${delay}`).sort()
  const theirs = reader
    .getRows()
    .map((row) => row.join(' '))
    .sort()
  connection.closeSync()
  if (own.join('\n') !== theirs.join('\n')) {
    throw new Error(`delay_by_state is not what DuckDB says:\n${own.join('\n')}\n\n${theirs.join('\n')}`)
  }
  return `delay_by_state equals DuckDB's answer (${own.length} rows)`
}

function print(loaded: Loaded, latencies: ReadonlyMap<string, readonly number[]>, checked: string): void {
  table(
    ['flights-3m, four views', 'figure'],
    [
      ['flights', si(loaded.flights)],
      ['load until visible', `${loaded.seconds.toFixed(1)} s`],
      ['flights/s', si(loaded.flights / loaded.seconds)],
      ['processor time', `${loaded.cpuSeconds.toFixed(1)} s`],
      ['event-loop delay of the server, p99', milliseconds(loaded.loopDelayP99Ms)],
      ['event-loop delay of the server, longest', milliseconds(loaded.loopDelayMaxMs)],
      ['RSS', megabytes(loaded.peakBytes)],
      ['state', megabytes(loaded.stateBytes)],
    ],
  )
  const rows = [...latencies].map(([name, ms]) => [
    name,
    String(ms.length),
    ms.length === 0 ? '–' : milliseconds(quantile(ms, 0.5)),
    ms.length === 0 ? '–' : milliseconds(quantile(ms, 0.99)),
  ])
  table(['reads during the load', 'reads', 'p50', 'p99'], rows)
  console.log(`${checked}\n`)
}
