/**
 * npm start: loads three million flights through the durable log into the views of flights.sql, prints them, serves
 * them. Started again it goes on where it was.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, styleText } from 'node:util'
import cliProgress from 'cli-progress'
import { loadApp } from '../../src/cli/load-app.ts'
import { textsOf } from '../../src/cli/print-views.ts'
import { describeError, exitCodeOf } from '../../src/cli/report.ts'
import { textTable } from '../../src/data/text-print.ts'
import { Database } from '../../src/database.ts'
import { nodeIo } from '../../src/io/node.ts'
import { startServer } from '../../src/server/listen.ts'
import { eventsIn, loadFile, type Progress, replay } from './load.ts'

const usage = `npm start -- [options]
  --exit       load, print the tables, end
  --live       hold the last day back and replay it in event time
  --speed N    how many times faster than it was (default 600)
  --port N     port to serve on (default 4280, 0 picks one)
  --data DIR   folder of the log (default .millrace/flights)`

/** Events in the file. */
const flights = 3_000_000
const lastDay = Date.UTC(2001, 5, 30) * 1000

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      exit: { type: 'boolean', default: false },
      live: { type: 'boolean', default: false },
      speed: { type: 'string', default: '600' },
      port: { type: 'string', default: '4280' },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const io = nodeIo()
  const here = path.dirname(fileURLToPath(import.meta.url))
  const sources = path.join(here, '../../node_modules/vega-datasets/data')
  const data = values.data ?? (values.live ? '.millrace/flights-live' : '.millrace/flights')
  const { definition } = await loadApp(io.disk, path.join(here, 'flights.sql'))
  const opening = new Bar('replaying the log')
  const database = await Database.open({
    io,
    definition,
    data,
    onProgress: ({ events }) => opening.update({ events, bytes: 0 }),
  })
  opening.stop()
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort(signal))
  try {
    await loadFile(io, database, 'airport', path.join(sources, 'airports.csv'), () => {})
    const server = values.exit ? null : await startServer(database, { port: Number(values.port) })
    if (server !== null) console.error(`serving ${styleText('bold', server.url)}`)
    const bar = new Bar('loading flights')
    const { rest, tick } =
      eventsIn(database, 'flight') >= flights
        ? { rest: [], tick: 0 }
        : await loadFile(
            io,
            database,
            'flight',
            path.join(sources, 'flights-3m.parquet'),
            (progress) => bar.update(progress),
            values.live ? lastDay : undefined,
          )
    await database.waitForTick(tick, 600_000)
    bar.stop()
    await printViews(database)
    if (server === null) return 0
    console.error(`\n${eventsIn(database, 'flight').toLocaleString('en')} flights in the log in ${data}`)
    console.error(`open ${styleText('bold', server.url)} · stop with Ctrl-C`)
    if (rest.length > 0) {
      console.error(`replaying the last day at ${values.speed} times its speed`)
      await replay(io, database, 'flight', rest, Number(values.speed), stopped.signal)
    }
    await new Promise<void>((resolve) => {
      if (stopped.signal.aborted) resolve()
      else stopped.signal.addEventListener('abort', () => resolve())
    })
    await server.close()
    return stopped.signal.reason === 'SIGINT' ? 130 : 0
  } finally {
    await database.close()
  }
}

async function printViews(database: Database): Promise<void> {
  const shown = [
    { view: 'late_share', title: 'Airports by share of flights over 15 minutes late', limit: 10 },
    { view: 'delay_by_state', title: 'Delay by state', limit: 10 },
    { view: 'worst_routes', title: 'The ten worst routes of the first day', limit: 10 },
    { view: 'origin_by_hour', title: 'The first hours', limit: 5 },
  ]
  for (const { view, title, limit } of shown) {
    const { rows } = await database.read(view, { limit })
    const total = database.status().views.find(({ name }) => name === view)?.rows ?? 0
    console.log(`\n${styleText('bold', title)}  (${view}: ${total.toLocaleString('en')} rows)`)
    console.log(textTable(rows.columns, textsOf(rows)))
  }
}

/** A bar on a terminal, a line every few seconds elsewhere. */
class Bar {
  readonly #title: string
  #bar: cliProgress.SingleBar | null = null
  #started = 0
  #first = -1
  #said = 0

  constructor(title: string) {
    this.#title = title
  }

  update({ events, bytes }: Progress): void {
    const now = performance.now()
    if (this.#first < 0) {
      this.#first = events
      this.#started = now
    }
    const seconds = Math.max(0.001, (now - this.#started) / 1000)
    const rate = (events - this.#first) / seconds
    const left = rate === 0 ? 0 : Math.max(0, flights - events) / rate
    const figures = `${(rate / 1e6).toFixed(2)} M events/s${bytes === 0 ? '' : `, ${(bytes / seconds / 1e6).toFixed(0)} MB/s`}, ${left.toFixed(0)} s left`
    if (process.stderr.isTTY) {
      this.#bar ??= this.#open()
      this.#bar.update(Math.min(flights, events), { figures })
    } else if (now - this.#started > 1000 && now - this.#said > 3000) {
      this.#said = now
      console.error(`${this.#title}: ${events.toLocaleString('en')} of ${flights.toLocaleString('en')} (${figures})`)
    }
  }

  stop(): void {
    this.#bar?.stop()
  }

  #open(): cliProgress.SingleBar {
    const bar = new cliProgress.SingleBar({
      format: `${this.#title} {bar} {percentage} % · {figures}`,
      stream: process.stderr,
      hideCursor: true,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
    })
    bar.start(flights, 0, { figures: '' })
    return bar
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(describeError(error))
    process.exit(exitCodeOf(error))
  },
)
