import { peakMemory } from '../child.ts'
import { medianTook, type Took, took } from '../measure.ts'
import { canonicalRows, type Fingerprint, fingerprint } from './canonical.ts'
import { Generator } from './generator.ts'
import { type Run, runView, viewRows, writeJournal } from './ours.ts'
import { duckdbSql, millraceSql } from './queries.ts'
import type { NexmarkOptions } from './rules.ts'

/** What the benchmark asks a child process to do with one or more queries. */
export interface NexmarkTask {
  readonly system: 'millrace' | 'duckdb' | 'db-ivm' | 'journal'
  readonly queries: readonly string[]
  readonly events: number
  readonly options: Partial<NexmarkOptions>
  /** 0: answer with fingerprints of the rows; else measure so many runs. */
  readonly runs: number
  /** Folder of the journal. */
  readonly folder: string
}

/** Medians of all runs, and what the process needed at most. */
export interface Measured extends Took {
  /** Rows of the answer, where they were counted. */
  readonly rows: number
  readonly peakBytes: number
  readonly stateBytes: number
}

export interface NexmarkAnswer {
  readonly fingerprints: Readonly<Record<string, Fingerprint>>
  readonly measured: Readonly<Record<string, Measured>>
  /** Why a query could not be run. */
  readonly failed: Readonly<Record<string, string>>
}

class Answers implements NexmarkAnswer {
  readonly fingerprints: Record<string, Fingerprint> = {}
  readonly measured: Record<string, Measured> = {}
  readonly failed: Record<string, string> = {}

  async forEach(queries: readonly string[], work: (query: string) => Promise<void>): Promise<this> {
    for (const query of queries) {
      try {
        await work(query)
      } catch (error) {
        this.failed[query] = error instanceof Error ? error.message : String(error)
      }
    }
    return this
  }
}

async function journal({ events, options, folder }: NexmarkTask): Promise<NexmarkAnswer> {
  const answers = new Answers()
  let bytes = 0
  const time = await took(async () => {
    bytes = await writeJournal(folder, new Generator(options), events)
  })
  answers.measured['journal'] = { ...time, rows: 0, peakBytes: peakMemory(), stateBytes: bytes }
  return answers
}

async function millrace({ queries, runs, folder }: NexmarkTask): Promise<NexmarkAnswer> {
  const answers = new Answers()
  return await answers.forEach(queries, async (query) => {
    const sql = millraceSql(query)
    if (runs === 0) {
      answers.fingerprints[query] = fingerprint(canonicalRows(await viewRows(folder, sql)))
      return
    }
    const times: Took[] = []
    let last: Run | undefined
    for (let i = 0; i < runs; i++) {
      globalThis.gc?.()
      last = await runView(folder, sql)
      times.push(last.took)
    }
    const { rows = 0, stateBytes = 0 } = last ?? {}
    answers.measured[query] = { ...medianTook(times), rows, peakBytes: peakMemory(), stateBytes }
  })
}

async function duckdb({ queries, events, options, runs }: NexmarkTask): Promise<NexmarkAnswer> {
  const { DuckDb } = await import('../peers/duckdb.ts')
  const database = await DuckDb.load(new Generator(options), events)
  const answers = new Answers()
  await answers.forEach(queries, async (query) => {
    if (runs === 0) {
      answers.fingerprints[query] = fingerprint(canonicalRows(await database.rows(duckdbSql(query))))
      return
    }
    const times: Took[] = []
    for (let i = 0; i < runs; i++) times.push(await database.run(duckdbSql(query)))
    answers.measured[query] = { ...medianTook(times), rows: 0, peakBytes: peakMemory(), stateBytes: 0 }
  })
  database.close()
  return answers
}

async function dbIvm({ queries, events, options, runs }: NexmarkTask): Promise<NexmarkAnswer> {
  const { expressible, run, rows, steps } = await import('../peers/db-ivm.ts')
  const input = steps(new Generator(options), events)
  const answers = new Answers()
  return await answers.forEach(queries.filter(expressible), async (query) => {
    if (runs === 0) {
      answers.fingerprints[query] = fingerprint(canonicalRows(rows(query, input)))
      return
    }
    const times: Took[] = []
    for (let i = 0; i < runs; i++) {
      globalThis.gc?.()
      times.push(run(query, input, () => {}))
    }
    answers.measured[query] = { ...medianTook(times), rows: 0, peakBytes: peakMemory(), stateBytes: 0 }
  })
}

const systems = { millrace, journal, duckdb, 'db-ivm': dbIvm }

export function runJob(task: NexmarkTask): Promise<NexmarkAnswer> {
  return systems[task.system](task)
}
