import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CaseEvent } from '../law/case-file.ts'
import { compare, printDifference } from '../law/compare.ts'
import { readDefinition } from '../law/definition.ts'
import { EngineSubject } from '../law/engine-subject.ts'
import { Random } from '../law/fuzz/random.ts'
import { type Oracle, sharedOracle } from '../law/oracle.ts'
import type { ViewStates } from '../law/subject.ts'
import { suitesFolder } from './records.ts'

// TPC-H's queries as views over tables that fill in a random order, lose a part of their rows and get them back, in
// a few ticks; PostgreSQL is asked after each.
const folder = path.join(suitesFolder ?? '', 'tpch')
const queries = Array.from({ length: 22 }, (_, i) => `q${i + 1}`)
const tickCount = 5

interface Tables {
  readonly schema: string
  readonly ticks: CaseEvent[][]
  /** What PostgreSQL's tables hold after each tick: statements that make it so. */
  readonly states: string[]
}

describe.skipIf(suitesFolder === undefined)('TPC-H (skipped where MILLRACE_SUITES is not set)', () => {
  let oracle: Oracle
  let subject: EngineSubject
  let tables: Tables
  const tallies: string[] = []

  beforeAll(async () => {
    oracle = await sharedOracle()
    subject = await EngineSubject.load()
    tables = readTables()
    await oracle.exec(`CREATE SCHEMA tpch; SET search_path = tpch; ${tables.schema}`)
  })

  afterAll(async () => {
    console.log(tallies.join('\n'))
    await oracle?.exec('DROP SCHEMA tpch CASCADE; RESET search_path')
  })

  // The states are made once, and all that is not refused is asked of each.
  it('holds for every query that is not refused', { timeout: 600_000 }, async () => {
    const wrong: string[] = []
    const rows = new Map<string, number>()
    const running = new Map<string, AsyncIterator<ViewStates>>()
    for (const name of queries) {
      const text = viewText(name)
      const definition = `${tables.schema}\n${text};`
      try {
        subject.define(definition)
        running.set(name, subject.run(definition, tables.ticks, {})[Symbol.asyncIterator]())
        await oracle.exec(text.replace(/materialized\s+/i, ''))
      } catch (error) {
        tallies.push(`${name}: refused: ${(error as Error).message}`)
      }
    }
    for (let tick = 0; tick < tickCount; tick++) {
      await oracle.exec(tables.states[tick])
      for (const [name, states] of running) {
        const view = `tpch_${name}`
        const { value } = await states.next()
        const wanted = await oracle.ask(`SELECT * FROM ${view}`)
        const difference = compare(view, wanted, value.get(view))
        rows.set(name, Math.max(rows.get(name) ?? 0, wanted.rows.length))
        if (difference) wrong.push(`tick ${tick}: ${printDifference(difference)}`)
      }
    }
    const counts = [...rows].map(([name, count]) => `${name} ${count}`).join(', ')
    tallies.push(`TPC-H: ${running.size} of ${queries.length} queries answered; most rows: ${counts}`)
    expect(wrong).toEqual([])
  })
})

function viewText(name: string): string {
  const text = readFileSync(path.join(folder, 'views/tpch/views', `${name}.slt.part`), 'utf8')
  return text
    .slice(text.search(/create\s+materialized/i))
    .split(/\n\s*\n/)[0]
    .trim()
    .replace(/;$/, '')
}

function readTables(): Tables {
  const schema = readFileSync(path.join(folder, 'schema.sql'), 'utf8')
  const random = new Random(7)
  const held = new Map<string, Map<string, string>>()
  const rows: { table: string; key: string; event: CaseEvent; remove: CaseEvent }[] = []
  for (const { name, columns, primaryKey } of readDefinition(schema).tables) {
    held.set(name, new Map())
    const text = gunzipSync(readFileSync(path.join(folder, 'sf-0.001', `${name}.tbl.gz`))).toString('utf8')
    for (const line of text.split('\n')) {
      if (line === '') continue
      const cells = line.split('|')
      const fields = columns.map((column, i) => [column, jsonOf(schema, column, cells[i])] as const)
      const keyFields = fields.filter(([column]) => primaryKey.includes(column))
      const event = { topic: name, operation: 'upsert', fields, at: null } as const
      const remove = { topic: name, operation: 'delete', fields: keyFields, at: null } as const
      rows.push({ table: name, key: JSON.stringify(keyFields), event, remove })
    }
  }
  const ticks: CaseEvent[][] = []
  const states: string[] = []
  const close = (tick: CaseEvent[]): void => {
    ticks.push(tick)
    states.push([...held].map(([table, now]) => fill(table, [...now.values()])).join('\n'))
  }
  const put = ({ table, key, event }: (typeof rows)[number]): CaseEvent => {
    const object = event.fields.map(([column, value]) => `${JSON.stringify(column)}:${value}`).join(',')
    held.get(table)?.set(key, `{${object}}`)
    return event
  }
  const take = ({ table, key, remove }: (typeof rows)[number]): CaseEvent => {
    held.get(table)?.delete(key)
    return remove
  }
  const shuffled = random.shuffle(rows)
  const half = shuffled.length >> 1
  const gone = shuffled.filter(() => random.chance(0.2))
  close(shuffled.slice(0, half).map(put))
  close(shuffled.slice(half).map(put))
  close(gone.map(take))
  close(gone.slice(0, gone.length >> 1).map(put))
  close(gone.slice(gone.length >> 1).map(put))
  return { schema, ticks, states }
}

function jsonOf(schema: string, column: string, cell: string): string {
  return new RegExp(`\\b${column} (int|numeric)`).test(schema) ? cell : JSON.stringify(cell)
}

function fill(table: string, rows: readonly string[]): string {
  const json = `[${rows.join(',')}]`.replaceAll("'", "''")
  return `TRUNCATE ${table}; INSERT INTO ${table} SELECT * FROM json_populate_recordset(null::${table}, '${json}');`
}
