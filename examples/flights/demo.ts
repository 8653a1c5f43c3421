/**
 * npm start: loads three million flights through the durable log into the views of flights.sql, prints them, serves
 * them. Started again it goes on where it was.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, styleText } from 'node:util'
import { loadApp } from '../../src/cli/load-app.ts'
import { describeError, exitCodeOf } from '../../src/cli/report.ts'
import { MillraceError } from '../../src/data/errors.ts'
import type { ReplayProgress } from '../../src/database/contract.ts'
import { Database } from '../../src/database.ts'
import type { Io } from '../../src/io/io.ts'
import { nodeIo } from '../../src/io/node.ts'
import { type RunningServer, startServer } from '../../src/server/listen.ts'
import { Bar } from './bar.ts'
import { eventsIn, type Loaded, loadFile, type Progress, replay } from './load.ts'
import { printRelations, printViews } from './tables.ts'

const usage = `npm start -- [options]
  --exit       load, print the tables, end
  --live       hold the last day back and replay it in event time
  --speed N    how many times faster than it was (default 600)
  --port N     port to serve on (default 4280, 0 picks one)
  --data DIR   folder of the log (default .millrace/flights, with --live .millrace/flights-live)`

/** Events in the file. */
const flights = 3_000_000
/** Where the last whole day begins, in microseconds. */
const lastDay = Date.UTC(2001, 5, 30) * 1000
const interruptedCode = 130

interface Options {
  readonly exit: boolean
  readonly live: boolean
  readonly speed: number
  readonly port: number
  readonly data: string
}

async function main(options: Options): Promise<number> {
  const stop = new AbortController()
  const bars = { open: new Bar('replaying the log', 1), load: new Bar('loading flights', flights) }
  listenToSignals(stop, () => {
    for (const bar of Object.values(bars)) bar.stop()
  })
  const io = nodeIo()
  const here = path.dirname(fileURLToPath(import.meta.url))
  const { definition } = await loadApp(io.disk, path.join(here, 'flights.sql'))
  const onProgress = (progress: ReplayProgress): void => replayed(bars.open, progress)
  const onFailure = (error: MillraceError): void => console.error(describeError(error).trimEnd())
  const database = await Database.open({ io, definition, data: options.data, eager: true, onProgress, onFailure })
  let server: RunningServer | null = null
  try {
    if (!options.exit) server = await startServer(database, { port: options.port, io })
    // A replay needs no good end: there is nothing that it could leave half done.
    await Promise.race([database.caughtUp(), aborted(stop.signal)])
    bars.open.stop()
    const loaded = await load(io, database, options, bars.load, stop.signal)
    if (!stop.signal.aborted) {
      await printViews(database)
      printRelations(database)
      if (server !== null) await serve(io, database, server.url, options, loaded, stop.signal)
    }
    return stop.signal.reason === 'SIGINT' ? interruptedCode : 0
  } finally {
    for (const bar of Object.values(bars)) bar.stop()
    await server?.close()
    await database.close()
  }
}

/** The first signal ends in good order, a second one at once: the log is made for that. */
function listenToSignals(stop: AbortController, leave: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) {
        leave()
        process.exit(signal === 'SIGINT' ? interruptedCode : 1)
      }
      stop.abort(signal)
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function replayed(bar: Bar, { events, lastEvent }: ReplayProgress): void {
  if (lastEvent > 0)
    bar.update(
      events / lastEvent,
      (_, seconds) => `${count(events)} events · ${(events / seconds / 1e6).toFixed(2)} M/s`,
    )
}

async function load(io: Io, database: Database, options: Options, bar: Bar, signal: AbortSignal): Promise<Loaded> {
  const sources = fileURLToPath(new URL('../../node_modules/vega-datasets/data/', import.meta.url))
  if (signal.aborted) return { rest: [], tick: 0 }
  await loadFile(io, database, 'airport', path.join(sources, 'airports.csv'))
  if (eventsIn(database, 'flight') >= flights) return { rest: [], tick: 0 }
  const onProgress = ({ events, bytes }: Progress): void =>
    bar.update(events, (done, seconds) => figures(events, done, bytes, seconds))
  bar.begin(eventsIn(database, 'flight'))
  const loaded = await loadFile(io, database, 'flight', path.join(sources, 'flights-3m.parquet'), {
    ...(options.live ? { until: lastDay } : {}),
    signal,
    onProgress,
  })
  if (!signal.aborted) await database.waitForTick(loaded.tick, 600_000)
  bar.stop()
  if (signal.aborted) {
    console.error(`stopped with ${count(eventsIn(database, 'flight'))} flights in the log; start again to go on`)
  }
  return loaded
}

function figures(events: number, done: number, bytes: number, seconds: number): string {
  const rate = done / seconds
  const left = rate === 0 ? '' : ` · ${Math.ceil((flights - events) / rate)} s left`
  return `${count(events)} flights · ${(rate / 1e6).toFixed(2)} M/s · ${(bytes / seconds / 1e6).toFixed(1)} MB/s${left}`
}

async function serve(
  io: Io,
  database: Database,
  url: string,
  options: Options,
  { rest }: Loaded,
  signal: AbortSignal,
): Promise<void> {
  console.error(`Open ${styleText(['bold', 'cyan'], url)} in a browser, or ask:`)
  console.error(`  curl '${url}/v1/views/late_share?origin=SFO'`)
  console.error(`  npx millrace query 'SELECT * FROM delay_by_state ORDER BY delay DESC LIMIT 3' --url ${url}`)
  console.error(`The log is in ${options.data}. Ctrl-C stops; the same command goes on from there.\n`)
  if (options.live) await relive(io, database, rest, options, signal)
  await aborted(signal)
}

async function relive(
  io: Io,
  database: Database,
  rest: Loaded['rest'],
  { speed, data }: Options,
  signal: AbortSignal,
): Promise<void> {
  const total = rest.reduce((sum, { rows }) => sum + rows, 0)
  if (total === 0) {
    console.error(`The last day is in the log already: remove ${data} to see it again.`)
    return
  }
  const bar = new Bar(`30 June at ${speed} times its speed`, total)
  try {
    await replay(io, database, 'flight', rest, {
      speed,
      signal,
      onProgress: (micros, events) => {
        const clock = new Date(micros / 1000).toISOString().slice(11, 16)
        bar.update(events, () => `${clock} · ${count(events)} flights`)
      },
    })
  } finally {
    bar.stop()
  }
  if (!signal.aborted) console.error('The last day is over; the views stay. Ctrl-C stops.')
}

function count(n: number): string {
  return n.toLocaleString('en')
}

/** @returns null when only help was wanted @throws MillraceError usage */
function optionsOf(args: readonly string[]): Options | null {
  const { values } = parsed(args)
  if (values.help) return null
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_535) throw wrong(`--port is a number up to 65535, not ${values.port}`)
  const speed = Number(values.speed)
  if (!Number.isFinite(speed) || speed <= 0) throw wrong(`--speed is a number above 0, not ${values.speed}`)
  const data = values.data ?? (values.live ? '.millrace/flights-live' : '.millrace/flights')
  return { exit: values.exit, live: values.live, port, speed, data }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        exit: { type: 'boolean', default: false },
        live: { type: 'boolean', default: false },
        speed: { type: 'string', default: '600' },
        port: { type: 'string', default: '4280' },
        data: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw wrong((error as Error).message)
  }
}

function wrong(message: string): MillraceError {
  return new MillraceError('usage', message, { hint: 'npm start -- --help lists the options' })
}

async function run(): Promise<number> {
  const options = optionsOf(process.argv.slice(2))
  if (options !== null) return main(options)
  console.log(usage)
  return 0
}

run().then(
  (code) => process.exit(code),
  (error) => {
    console.error(describeError(error).trimEnd())
    process.exit(exitCodeOf(error))
  },
)
