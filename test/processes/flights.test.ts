import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// The demo's loader and views over the first flights, killed on its way; bench/ compares all of them with DuckDB's.
const most = 20_000
const commitRows = 700
const sources = fileURLToPath(new URL('../../node_modules/vega-datasets/data/', import.meta.url))

let folder: string

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-flights-'))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Told {
  readonly before: number
  readonly flights: number
  readonly views: Readonly<Record<string, readonly (readonly (string | null)[])[]>>
}

/** @returns null when it was killed */
function load(killAfter: number): Promise<Told | null> {
  const child = fileURLToPath(new URL('flights-child.ts', import.meta.url))
  const args = ['--import', 'tsx', child, folder, most, commitRows, killAfter].map(String)
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { encoding: 'utf8', maxBuffer: 64 << 20 }, (error, out, err) => {
      if (error?.signal === 'SIGKILL') resolve(null)
      else if (error !== null) reject(new Error(`${error.message} ${err}`))
      else resolve(JSON.parse(out))
    })
  })
}

describe('the flights, killed in the middle of the load', () => {
  it('are all there, once, and the views are what they give', async () => {
    for (const commits of [3, 9]) expect(await load(commits), `after ${commits} commits`).toBeNull()
    const told = (await load(0))!
    expect(told.before).toBeGreaterThanOrEqual((3 - 1 + 9 - 1) * commitRows)
    expect(told.before % commitRows).toBe(0)
    expect(told.flights).toBe(most)
    const flights = await readFlights()
    const sorted = (rows: readonly (readonly (string | null)[])[]): string[] => rows.map((row) => row.join('|')).sort()
    const computed = viewsOf(flights)
    for (const [view, rows] of Object.entries(computed)) expect(sorted(told.views[view]), view).toEqual(rows.sort())
    expect(Object.keys(told.views).sort()).toEqual(Object.keys(computed).sort())
    // Once it is there, nothing is loaded again.
    expect(await load(0)).toEqual({ ...told, before: most })
  })
})

interface Flight {
  readonly date: Date
  readonly delay: bigint
  readonly origin: string
  readonly destination: string
}

async function readFlights(): Promise<readonly Flight[]> {
  const file = await asyncBufferFromFile(path.join(sources, 'flights-3m.parquet'))
  return (await parquetReadObjects({ file, compressors, rowStart: 0, rowEnd: most })) as unknown as Flight[]
}

/** The state of each airport, from lines whose cells may be quoted and hold commas. */
function states(): Map<string, string> {
  const [head, ...lines] = readFileSync(path.join(sources, 'airports.csv'), 'utf8').trim().split(/\r?\n/)
  const at = head.split(',').indexOf('state')
  const found = new Map<string, string>()
  for (const line of lines) {
    const cells = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell]) => cell.replace(/^"|"$/g, ''))
    found.set(cells[0], cells[at])
  }
  return found
}

interface Sum {
  count: bigint
  delay: bigint
  late: bigint
}

function sums(flights: readonly Flight[], key: (flight: Flight) => string | undefined): [string, Sum][] {
  const found = new Map<string, Sum>()
  for (const flight of flights) {
    const name = key(flight)
    if (name === undefined) continue
    let sum = found.get(name)
    if (sum === undefined) found.set(name, (sum = { count: 0n, delay: 0n, late: 0n }))
    sum.count++
    sum.delay += flight.delay
    if (flight.delay > 15n) sum.late++
  }
  return [...found]
}

/** A quotient in units of the last digit, half away from zero, as numeric's round() does it. */
function rounded(dividend: bigint, divisor: bigint, digits: number): bigint {
  const size = (2n * 10n ** BigInt(digits) * (dividend < 0n ? -dividend : dividend) + divisor) / (2n * divisor)
  return dividend < 0n ? -size : size
}

function decimal(units: bigint, digits: number): string {
  const text = String(units < 0n ? -units : units).padStart(digits + 1, '0')
  return `${units < 0n ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`
}

function viewsOf(flights: readonly Flight[]): Record<string, string[]> {
  const state = states()
  const time = ({ date }: Flight, length: number): string =>
    date.toISOString().slice(0, length).replace('T', ' ').padEnd(19, '0000-00-00 00:00:00'.slice(length))
  const average = ({ delay, count }: Sum, digits: number): string => decimal(rounded(delay, count, digits), digits)
  return {
    origin_by_hour: sums(flights, (flight) => `${time(flight, 13)}|${flight.origin}`).map(
      ([key, sum]) => `${key}|${sum.count}|${average(sum, 1)}`,
    ),
    delay_by_state: sums(flights, ({ origin }) => state.get(origin)).map(
      ([key, sum]) => `${key}|${sum.count}|${average(sum, 2)}`,
    ),
    worst_routes: worstRoutes(sums(flights, (flight) => `${time(flight, 10)}|${flight.origin}|${flight.destination}`)),
    late_share: sums(flights, ({ origin }) => origin).map(
      ([key, { count, late }]) => `${key}|${count}|${late}|${decimal(rounded(100n * late, count, 2), 2)}`,
    ),
  }
}

function worstRoutes(routes: readonly [string, Sum][]): string[] {
  const days = new Map<string, { readonly key: string; readonly count: bigint; readonly delay: bigint }[]>()
  for (const [key, { count, delay }] of routes) {
    if (count < 3n) continue
    const day = key.slice(0, 19)
    if (!days.has(day)) days.set(day, [])
    days.get(day)!.push({ key: key.slice(20), count, delay: rounded(delay, count, 1) })
  }
  const descending = (a: bigint, b: bigint): number => (a === b ? 0 : a > b ? -1 : 1)
  return [...days].flatMap(([day, all]) =>
    all
      .sort((a, b) => descending(a.delay, b.delay) || descending(a.count, b.count) || (a.key < b.key ? -1 : 1))
      .slice(0, 10)
      .map(({ key, count, delay }, i) => `${day}|${i + 1}|${key}|${count}|${decimal(delay, 1)}`),
  )
}
