import { describe, expect, it } from 'vitest'
import { printRow } from '../../../src/data/json-print.ts'
import { Database, type DatabaseOptions } from '../../../src/database.ts'
import { sqlDefinition } from '../../../src/engine/definitions.ts'
import { engineThread } from '../../../src/engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../../../src/io/twin/simulated-io.ts'
import { openFileLog } from '../../../src/log/file-log.ts'
import { defaultLimits } from '../../../src/server/limits.ts'
import { readEvents } from '../../../src/server/topic-events.ts'
import { keeperThread } from '../../../src/state/snapshots/keeper-thread.ts'
import type { Rows } from '../../../src/views/rows.ts'
import { Random } from '../fuzz/random.ts'
import { sharedOracle } from '../oracle.ts'
import { ChangingTable } from './changing-schema.ts'

// view(n) = query(log[0..n]) for a log that was written under several schemas: what PostgreSQL says of the same events
// after ALTER TABLE, where a column that is added finds what events had had under its name.

const sums = ['count', 'amount', 'must', 'size']
const extremes = ['count', 'word', 'ratio', 'note', 'day', 'must']

/** @param star what stands for `*` of a table */
function viewsOf(t: ChangingTable, u: ChangingTable, star: (table: ChangingTable) => string): Map<string, string> {
  const aggregates = t.columns.flatMap(({ name }) => [
    `count(${name}) AS n_${name}`,
    ...(sums.includes(name) ? [`sum(${name}) AS s_${name}`] : []),
    ...(extremes.includes(name) ? [`max(${name}) AS m_${name}`] : []),
  ])
  const views = new Map([
    ['all_t', `SELECT ${star(t)} FROM t`],
    ['all_u', `SELECT ${star(u)} FROM u`],
    ['per_k', `SELECT ${['k', 'count(*) AS n', ...aggregates].join(', ')} FROM t GROUP BY k`],
    ['joined', `SELECT t.k, ${u.columns.map(({ name }) => `u.${name}`).join(', ')} FROM t JOIN u ON t.k = u.id`],
  ])
  for (const { name } of [...t.columns, ...u.columns]) {
    if (!['count', 'word', 'note', 'day'].includes(name)) continue
    const from = t.columns.some((column) => column.name === name) ? 't' : 'u'
    views.set(`by_${name}`, `SELECT ${name}, count(*) AS n FROM ${from} WHERE ${name} IS NOT NULL GROUP BY ${name}`)
  }
  return views
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < weight; n++) lines.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return lines.sort()
}

async function answerOf(sql: string): Promise<string[]> {
  const { rows } = await (await sharedOracle()).ask(`SELECT row_to_json(v)::text FROM (${sql}) v`)
  return rows.map(([row]) => row!).sort()
}

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

class Scenario {
  readonly random: Random
  readonly t = new ChangingTable('t', 'k', false)
  readonly u = new ChangingTable('u', 'id', true)
  readonly #options: Partial<DatabaseOptions>
  readonly #perAppend: number
  #io: SimulatedIo
  #db: Database | null = null
  #seconds = 0
  /** What `t` was told, in order. */
  readonly #told: string[] = []

  constructor(seed: number, perAppend: number, options: Partial<DatabaseOptions>) {
    this.random = new Random(seed)
    this.#io = machine(seed)
    this.#perAppend = perAppend
    this.#options = options
  }

  get db(): Database {
    return this.#db!
  }

  get #definition(): string {
    const views = [...viewsOf(this.t, this.u, () => '*')]
    const made = views.map(([name, sql]) => `CREATE MATERIALIZED VIEW ${name} AS ${sql};`)
    return [this.t.definition, this.u.definition, ...made].join('\n')
  }

  #begin(): Promise<Database> {
    return Database.open({
      io: this.#io,
      data: 'd',
      definition: sqlDefinition(this.#definition),
      snapshots: { everyBytes: 3000, closeBytes: 1 },
      // Small files, so that blocks of several schemas become history.
      openLog: (io, path, options) =>
        openFileLog(io, path, {
          ...options,
          sizes: { fileBytes: 12_000, stepBytes: 2048, largeBytes: 3000, reserveBytes: 512 },
          history: { share: 1, busyShare: 1 },
        }),
      ...this.#options,
    })
  }

  /** Starts with the schema of now; sometimes it is killed on the way, and starts again. */
  async open(): Promise<void> {
    while (this.random.chance(0.3)) {
      this.#begin().catch(() => {})
      for (let turns = this.random.integer(0, 60); turns > 0; turns--) await new Promise(setImmediate)
      this.#io = this.#io.restart({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
    }
    this.#db = await this.#begin()
  }

  /** Lets the schema of now take over while the database is open. */
  async redefine(): Promise<void> {
    await this.db.redefine(sqlDefinition(this.#definition))
  }

  async close(): Promise<void> {
    await this.#db?.close()
    this.#db = null
  }

  async append(): Promise<void> {
    const { random, t, u } = this
    const statements: string[] = []
    const events = Array.from({ length: this.#perAppend }, () => {
      const key = random.integer(1, 6)
      if (random.chance(0.6)) {
        const at = new Date(1_767_225_600_000 + 1000 * this.#seconds++).toISOString().slice(0, 19)
        const data = t.event(random, key, at)
        this.#told.push(data)
        statements.push(t.insert(data))
        return `{"topic":"t","data":${data}}`
      }
      if (random.chance(0.2)) {
        statements.push(u.delete(key))
        return `{"topic":"u","op":"delete","data":{"id":${key}}}`
      }
      const data = u.event(random, key, '')
      statements.push(u.insert(data))
      return `{"topic":"u","data":${data}}`
    })
    await (await sharedOracle()).exec(statements.join(';\n'))
    const { tick } = await this.db.appendMixed(new TextEncoder().encode(`{"events":[${events.join()}]}`))
    await this.db.waitForTick(tick)
  }

  /** Views, a query, and the topic itself. */
  async check(): Promise<void> {
    const star = (table: ChangingTable): string => table.columnNames.join(', ')
    const oracle = viewsOf(this.t, this.u, star)
    for (const { view, errors, rows } of await this.db.readAll([...oracle.keys()])) {
      const expected = { errors: 0, rows: await answerOf(oracle.get(view.name)!) }
      expect({ errors, rows: printed(rows) }, `${view.name} of\n${this.#definition}`).toEqual(expected)
    }
    const { rows } = await this.db.query('SELECT * FROM t')
    const all = await answerOf(oracle.get('all_t')!)
    expect(printed(rows)).toEqual(all)
    await this.#checkEvents(star(this.t))
  }

  async #checkEvents(columns: string): Promise<void> {
    const { body } = await readEvents(this.db, defaultLimits, 't', 'limit=10000')
    const text = new TextDecoder().decode(body as Uint8Array)
    const rows = (await answerOf(`SELECT ${columns} FROM t`)).sort(byTime)
    const { events } = JSON.parse(text) as { events: { data: Record<string, unknown> }[] }
    expect(events.length).toBe(this.#told.length)
    for (const [i, { data }] of events.entries()) {
      const at = text.indexOf('"data":', text.indexOf(`{"offset":${i},`)) + '"data":'.length
      const row = rows[i].slice(0, -1)
      expect(text.slice(at, at + row.length), `event ${i}`).toBe(row)
      const told = JSON.parse(this.#told[i]) as Record<string, unknown>
      for (const [name, value] of Object.entries(data)) if (!columns.includes(name)) expect(value).toEqual(told[name])
    }
  }
}

function byTime(a: string, b: string): number {
  const timeOf = (row: string): string => /"at":"([^"]*)"/.exec(row)![1]
  return timeOf(a) < timeOf(b) ? -1 : 1
}

const ways: readonly (readonly [string, number, Partial<DatabaseOptions>, live: boolean])[] = [
  ['an event a tick', 1, {}, false],
  ['7 events a tick, replayed from the log', 7, { snapshots: false }, false],
  ['60 events a tick', 60, {}, false],
  ['7 events a tick, taking over from each other', 7, {}, true],
  ['7 events a tick, state rebuilt after each', 7, { reopen: true }, false],
]

describe.each(ways)('schemas that change: %s', (_, perAppend, options, live) => {
  it.each([1, 2, 3])("give PostgreSQL's answers (seed %i)", async (seed) => {
    const oracle = await sharedOracle()
    const scenario = new Scenario(seed, perAppend, options)
    const { t, u, random } = scenario
    await oracle.exec(`CREATE SCHEMA changing; SET search_path = changing; ${t.created} ${u.created}`)
    try {
      for (let round = 0; round < 8; round++) {
        if (round === 0 || !live) await scenario.open()
        else await scenario.redefine()
        await scenario.check()
        for (let i = 0; i < (perAppend === 60 ? 4 : 8); i++) await scenario.append()
        await scenario.check()
        if (!live) await scenario.close()
        const changes = random.integer(0, 3)
        for (let i = 0; i < changes; i++) await oracle.exec(random.pick([t, u]).change(random).join(';\n'))
      }
    } finally {
      await scenario.close()
      await oracle.exec('DROP SCHEMA changing CASCADE; RESET search_path')
    }
  })
})
