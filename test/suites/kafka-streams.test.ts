import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { printRow } from '../../src/data/json-print.ts'
import { Database } from '../../src/database.ts'
import { sqlDefinition } from '../../src/engine/definitions.ts'
import { simulatedIo } from '../../src/io/twin/simulated-io.ts'
import { suitesFolder } from './records.ts'

// Kafka Streams' joins of two tables, step by step: after each record the view holds what their changelog adds up to.
// Left out: stores with versions, which order records by their own time. Their joins of streams are over sliding windows, and those of a stream with a table depend on the order of arrival:
// Millrace has neither.

interface Input {
  readonly side: 'left' | 'right'
  readonly key: number
  readonly value: string | null
}

interface JoinCase {
  readonly file: string
  readonly test: string
  readonly variant: number
  readonly joins: readonly string[]
  readonly input: string
  readonly expected: readonly (readonly { readonly value: string | null }[])[]
}

interface JoinCases {
  readonly inputs: Readonly<Record<string, readonly Input[]>>
  readonly cases: readonly JoinCase[]
}

const kinds: Readonly<Record<string, string>> = { join: 'JOIN', leftJoin: 'LEFT JOIN', outerJoin: 'FULL JOIN' }

function readCases(): JoinCases {
  if (suitesFolder === undefined) return { inputs: {}, cases: [] }
  return JSON.parse(readFileSync(path.join(suitesFolder, 'kafka-streams/join-cases.json'), 'utf8')) as JoinCases
}

async function openJoin(kind: string): Promise<Database> {
  const definition = sqlDefinition(`
    CREATE TABLE l (key bigint PRIMARY KEY, value text);
    CREATE TABLE r (key bigint PRIMARY KEY, value text);
    CREATE MATERIALIZED VIEW joined AS
      SELECT coalesce(l.value, 'null') || '-' || coalesce(r.value, 'null') AS value
      FROM l ${kind} r ON l.key = r.key;`)
  return Database.open({ io: simulatedIo(1, { idle: 'advance' }), definition, data: null, engine: 'inline' })
}

async function rowsAfter(db: Database, { side, key, value }: Input): Promise<string[]> {
  const event = {
    topic: side === 'left' ? 'l' : 'r',
    ...(value === null ? { op: 'delete' } : {}),
    data: { key, value },
  }
  const { tick } = await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events: [event] })))
  const { rows } = await db.read('joined', { minTick: tick })
  const lines: string[] = []
  rows.forEach((page, row) => {
    lines.push(JSON.parse(printRow(rows.columns, page.memory, page.columns, row)).value)
  })
  return lines
}

describe.skipIf(suitesFolder === undefined)('Kafka Streams (skipped where MILLRACE_SUITES is not set)', () => {
  const { inputs, cases } = readCases()
  const ours = cases.filter(
    ({ file, test, joins }) => file.startsWith('TableTable') && !test.includes('Versioned') && joins.length === 1,
  )

  it.each(ours)('$test $variant', async ({ joins, input, expected }) => {
    const db = await openJoin(kinds[joins[0]])
    let current: string | null = null
    for (const [i, record] of inputs[input].entries()) {
      current = (expected[i] ?? []).reduce<string | null>((_, { value }) => value, current)
      expect(await rowsAfter(db, record), `record ${i + 1}`).toEqual(current === null ? [] : [current])
    }
    await db.close()
  })
})
