/**
 * The demo under kill -9, and its views against DuckDB's answers over the same files:
 * npm --prefix bench run check-flights [-- --kills N]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { flightsFile } from './flights-load.ts'
import { load } from './millrace.ts'
import { si } from './print.ts'

const flights = 3_000_000
const demo = fileURLToPath(new URL('../examples/flights/demo.ts', import.meta.url))

/** Scaled integers: DuckDB's averages are doubles, and a rounded double is not what exact arithmetic gives. */
const rounded = (sum: string, count: string, scale: number): string =>
  `(sign(${sum})::HUGEINT * ((2 * ${scale} * abs(${sum})::HUGEINT + ${count}) // (2 * ${count})))`

const flight = `'${flightsFile('flights-3m.parquet')}'`
const airport = `read_csv('${flightsFile('airports.csv')}', header = true, all_varchar = true)`
const time = (expression: string): string => `strftime(${expression}, '%Y-%m-%d %H:%M:%S')`

/** One line a row, with decimals as scaled integers. */
const theirs: Readonly<Record<string, string>> = {
  origin_by_hour: `
    SELECT concat_ws('|', ${time(`date_trunc('hour', date)`)}, origin, count(*), ${rounded('sum(delay)', 'count(*)', 10)})
    FROM ${flight} GROUP BY date_trunc('hour', date), origin`,
  delay_by_state: `
    SELECT concat_ws('|', a.state, count(*), ${rounded('sum(f.delay)', 'count(*)', 100)})
    FROM ${flight} f JOIN ${airport} a ON a.iata = f.origin GROUP BY a.state`,
  worst_routes: `
    WITH route AS (
      SELECT date_trunc('day', date) AS day, origin, destination, count(*) AS flights,
             ${rounded('sum(delay)', 'count(*)', 10)} AS delay
      FROM ${flight} GROUP BY 1, 2, 3 HAVING count(*) >= 3),
    ranked AS (
      SELECT *, row_number() OVER (PARTITION BY day ORDER BY delay DESC, flights DESC, origin, destination) AS place
      FROM route)
    SELECT concat_ws('|', ${time('day')}, place, origin, destination, flights, delay) FROM ranked WHERE place <= 10`,
  late_share: `
    SELECT concat_ws('|', origin, count(*), count(*) FILTER (WHERE delay > 15),
                     ${rounded('(100 * count(*) FILTER (WHERE delay > 15))', 'count(*)', 100)})
    FROM ${flight} GROUP BY origin`,
}

const { values } = parseArgs({ options: { kills: { type: 'string', default: '3' } } })
const own = fileURLToPath(new URL('.millrace', import.meta.url))
mkdirSync(own, { recursive: true })
const folder = mkdtempSync(path.join(own, 'flights-check-'))
try {
  for (let i = 1; i <= Number(values.kills); i++) await killInTheMiddle(i)
  const first = await runDemo()
  const second = await runDemo()
  if (second.err.includes('loading flights')) throw new Error(`the second run loads again:\n${second.err}`)
  if (first.out !== second.out) throw new Error('the second run prints something else')
  await compare()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function startDemo(): ChildProcess {
  const args = [...process.execArgv, demo, '--exit', '--data', folder]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Waits for the load to begin, then kills without a warning, each time a little later. */
async function killInTheMiddle(time: number): Promise<void> {
  const child = startDemo()
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  let going = true
  void ended.then(() => {
    going = false
  })
  const before = await journalBytes()
  while (going && (await journalBytes()) < before + 4e6) await sleep(5)
  await sleep(Math.random() * 500)
  child.kill('SIGKILL')
  if ((await ended) !== null) throw new Error('the demo had ended before it could be killed')
  console.log(`kill ${time}: the journal has ${si(await journalBytes())}B`)
}

async function journalBytes(): Promise<number> {
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  const { disk } = nodeIo()
  let bytes = 0
  for (const name of await disk.list(path.join(folder, 'log'))) {
    if (!name.endsWith('.journal')) continue
    const file = await disk.open(path.join(folder, 'log', name), { readOnly: true })
    bytes += await file.size()
    await file.close()
  }
  return bytes
}

async function runDemo(): Promise<{ readonly out: string; readonly err: string }> {
  const child = startDemo()
  let out = ''
  let err = ''
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`the demo ended with ${code}: ${err}`)
  return { out, err }
}

async function compare(): Promise<void> {
  const { Database } = await load<typeof import('../src/database.ts')>('database')
  const { nodeIo } = await load<typeof import('../src/io/node.ts')>('io/node')
  const { textsOf } = await load<typeof import('../src/cli/print-views.ts')>('cli/print-views')
  const connection = await (await DuckDBInstance.create()).connect()
  const database = await Database.open({ io: nodeIo(), data: folder })
  try {
    const events = database.status().topics.find(({ name }) => name === 'flight')?.nextOffset
    if (events !== flights) throw new Error(`${events} flights in the log, not ${flights}`)
    console.log(`${events} flights in the log`)
    for (const [view, sql] of Object.entries(theirs)) {
      const { rows, errors } = await database.read(view)
      if (errors > 0) throw new Error(`${view} has ${errors} error rows`)
      const found = textsOf(rows).map((row) => row.map(scaled).join('|'))
      const wanted = (await connection.runAndReadAll(sql)).getRows().map(([line]) => String(line))
      found.sort()
      wanted.sort()
      const at = wanted.findIndex((line, i) => line !== found[i])
      if (at >= 0 || found.length !== wanted.length) {
        throw new Error(
          `${view}: row ${at} of ${found.length} is ${found[at]}, DuckDB's of ${wanted.length} ${wanted[at]}`,
        )
      }
      console.log(`${view}: ${found.length} rows, all as DuckDB's`)
    }
  } finally {
    await database.close()
    connection.closeSync()
  }
}

/** Decimals lose their point; all rows of a column have the same scale. */
function scaled(text: string | null): string {
  if (text === null) return ''
  return /^-?\d+\.\d+$/.test(text) ? String(BigInt(text.replace('.', ''))) : text
}
