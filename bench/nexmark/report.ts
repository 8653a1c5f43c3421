import { inChild } from '../child.ts'
import { installed } from '../peers/installed.ts'
import { megabytes, si, table, times } from '../print.ts'
import type { Fingerprint } from './canonical.ts'
import type { Measured, NexmarkAnswer, NexmarkTask } from './jobs.ts'
import { type Query, queries } from './queries.ts'

export interface NexmarkRun {
  readonly events: number
  /** db-ivm keeps rows as objects and is slower: it gets the first so many of the same events. */
  readonly ivmEvents: number
  readonly runs: number
  readonly only: readonly string[]
  readonly seed: number
  /** Events a second of event time. */
  readonly rate: number
  /** Without: the texts of events are empty, and queries that compute with them are left out. */
  readonly texts: boolean
  readonly folder: string
  /** All queries in one process, over few events: does everything still run? */
  readonly smoke: boolean
}

/** Events over which all answers are compared, and how many a second: slow enough to fill several windows. */
const checked = { events: 30_000, rate: 1000 }
const checkedInSmoke = { events: 6000, rate: 200 }

const script = new URL('./child-main.ts', import.meta.url)

/** Prints one table: each query's events/s/core in Millrace and its peers. @returns whether all answers agree */
export async function reportNexmark(run: NexmarkRun): Promise<boolean> {
  const chosen = queries
    .filter(({ name }) => run.only.length === 0 || run.only.includes(name))
    .filter(({ texts = false }) => run.texts || !texts)
  const peers = (['duckdb', 'db-ivm'] as const).filter(installed)
  const missing = (['duckdb', 'db-ivm'] as const).filter((peer) => !installed(peer))
  if (missing.length > 0) console.log(`Not installed, so left out: ${missing.join(', ')} (npm --prefix bench ci)\n`)

  const names = chosen.map(({ name }) => name)
  const wrong = await disagreements(run, names, peers)
  for (const [query, what] of wrong) console.log(`${query}: ${what}`)
  if (wrong.size > 0) console.log()
  const right = chosen.filter(({ name }) => !wrong.has(name))

  const task: Omit<NexmarkTask, 'system' | 'queries'> = {
    events: run.events,
    options: { seed: run.seed, rate: run.rate, texts: run.texts },
    runs: run.runs,
    folder: `${run.folder}/nexmark`,
  }
  const journal = await ask({ ...task, system: 'journal', queries: [] })
  console.log(`Nexmark: ${si(run.events)} events, ${megabytes(journal.measured['journal'].stateBytes)} of journal`)
  const one = run.smoke ? together : oneByOne
  const ours = await one({ ...task, system: 'millrace', queries: names }, right)
  const duckdb = peers.includes('duckdb')
    ? await ask({ ...task, system: 'duckdb', queries: right.map(({ name }) => name) })
    : nothing
  const ivmEvents = Math.min(run.events, run.ivmEvents)
  const ivm = peers.includes('db-ivm')
    ? await one({ ...task, system: 'db-ivm', queries: names, events: ivmEvents }, right)
    : nothing
  printTable(right, { ours, duckdb, ivm }, run.events, ivmEvents)
  return wrong.size === 0 && Object.keys(ours.failed).length === 0
}

const nothing: NexmarkAnswer = { fingerprints: {}, measured: {}, failed: {} }

function ask(task: NexmarkTask): Promise<NexmarkAnswer> {
  return inChild<NexmarkTask, NexmarkAnswer>(script, task)
}

function together(task: NexmarkTask, chosen: readonly Query[]): Promise<NexmarkAnswer> {
  return ask({ ...task, queries: chosen.map(({ name }) => name) })
}

/** A process per query, so that each one's memory is its own. */
async function oneByOne(task: NexmarkTask, chosen: readonly Query[]): Promise<NexmarkAnswer> {
  const measured: Record<string, Measured> = {}
  const failed: Record<string, string> = {}
  for (const { name } of chosen) {
    const answer = await ask({ ...task, queries: [name] })
    Object.assign(measured, answer.measured)
    Object.assign(failed, answer.failed)
  }
  return { fingerprints: {}, measured, failed }
}

/** Runs all systems over the same small input. @returns what is wrong, by query */
async function disagreements(
  run: NexmarkRun,
  names: readonly string[],
  peers: readonly ('duckdb' | 'db-ivm')[],
): Promise<Map<string, string>> {
  const { events, rate } = run.smoke ? checkedInSmoke : checked
  const task: Omit<NexmarkTask, 'system'> = {
    queries: names,
    events,
    options: { seed: run.seed, rate, texts: run.texts },
    runs: 0,
    folder: `${run.folder}/check`,
  }
  await ask({ ...task, system: 'journal' })
  const ours = await ask({ ...task, system: 'millrace' })
  const wrong = new Map(Object.entries(ours.failed))
  for (const peer of peers) {
    const theirs = await ask({ ...task, system: peer })
    for (const [query, why] of Object.entries(theirs.failed)) wrong.set(query, `${peer} failed: ${why}`)
    for (const [query, print] of Object.entries(theirs.fingerprints)) {
      const own = ours.fingerprints[query]
      if (own !== undefined && own.digest !== print.digest) wrong.set(query, difference(own, print, peer))
    }
  }
  return wrong
}

function difference(own: Fingerprint, theirs: Fingerprint, peer: string): string {
  const show = (sample: readonly string[]): string =>
    sample.map((row) => row.replaceAll('\u0001', ' | ')).join('\n    ')
  return `disagrees with ${peer}: ${own.rows} rows, ${peer} ${theirs.rows}
  Millrace:
    ${show(own.sample)}
  ${peer}:
    ${show(theirs.sample)}`
}

interface Answers {
  readonly ours: NexmarkAnswer
  readonly duckdb: NexmarkAnswer
  readonly ivm: NexmarkAnswer
}

function printTable(chosen: readonly Query[], { ours, duckdb, ivm }: Answers, events: number, ivmEvents: number): void {
  const rows = chosen.map(({ name, floor, goal }) => {
    const own = ours.measured[name]
    if (own === undefined) return [name, ours.failed[name] ?? 'failed', ...Array<string>(9).fill('')]
    const rate = events / own.cpuSeconds
    const duck = events / (duckdb.measured[name]?.cpuSeconds ?? Number.NaN)
    const objects = ivmEvents / (ivm.measured[name]?.cpuSeconds ?? Number.NaN)
    const figure = (value: number): string => (Number.isNaN(value) ? '–' : si(value))
    const reached = rate >= goal ? 'goal' : rate >= floor ? 'floor' : 'below'
    return [
      name,
      si(rate),
      si(events / own.seconds),
      figure(objects),
      times(rate / objects),
      figure(duck),
      times(rate / duck),
      `${si(floor)} / ${si(goal)}`,
      reached,
      megabytes(own.peakBytes),
      megabytes(own.stateBytes),
    ]
  })
  table(
    [
      'query',
      'Millrace',
      'on the wall',
      'db-ivm',
      'ratio',
      'DuckDB',
      'ratio',
      'floor / goal',
      'reached',
      'RSS',
      'state',
    ],
    rows,
  )
  console.log(
    'Events per second of processor time; Millrace also on the wall. Millrace: journal → decode → engine → changes of the view.',
  )
  console.log(
    `db-ivm: rows in memory as objects, the first ${si(ivmEvents)} events. DuckDB: rows in its own table, one shot.\n`,
  )
}
