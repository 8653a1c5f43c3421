import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { appToSql, defineApp } from '../app/app.ts'
import { t } from '../app/column-type.ts'
import { query, table, topic, view } from '../app/definitions.ts'
import { sql } from '../app/sql-text.ts'
import { MillraceError } from '../data/errors.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { appStatements } from './app-statements.ts'
import { type BindSelect, defineProgram } from './definition.ts'

beforeAll(loadParser)

/** Stands in for the binder: every query has one column. */
const bindSelect: BindSelect = () => {
  const columns = [{ name: 'x', type: { kind: 'integer' } as const, nullable: true }]
  return { plan: { op: 'values', rows: [], columns }, columns, order: [] }
}

const orders = topic('orders', {
  schema: z.object({ id: z.uuid(), userId: z.string(), amount: z.number().nullish(), at: z.coerce.date() }),
  time: 'at',
  lateness: '30s',
})
const allTypes = table('allTypes', {
  schema: {
    a: t.boolean(),
    b: t.smallint(),
    c: t.integer(),
    d: t.bigint(),
    e: t.real(),
    f: t.double(),
    g: t.numeric(),
    h: t.numeric(12, 2),
    i: t.text(),
    j: t.varchar(3),
    k: t.bytea(),
    l: t.date(),
    m: t.time(),
    n: t.timestamp(),
    o: t.timestamptz(),
    p: t.interval(),
    q: t.uuid(),
    r: t.jsonb().nullable(),
    s: t.varchar(),
  },
  key: ['d', 'q'],
})
const paid = query('paid', sql`SELECT * FROM ${orders}`)
const byUser = view('byUser', sql`SELECT 1 FROM ${paid} -- comment`, { emit: 'final', late: 'drop' })

function refused(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('appStatements', () => {
  it('give the catalog that the SQL file gives', () => {
    const app = defineApp({ byUser, paid, orders, allTypes })
    const { program, catalog } = defineProgram(appStatements(app), bindSelect)
    const file = defineProgram(parseSql(appToSql(app)), bindSelect)
    expect(program).toEqual(file.program)
    expect(catalog.relations.map(({ kind, name }) => [kind, name])).toEqual([
      ['topic', 'orders'],
      ['table', 'allTypes'],
      ['query', 'paid'],
      ['view', 'byUser'],
    ])
    expect(program.topics[0]).toMatchObject({ eventTime: 3, latenessMicros: '30000000' })
    for (const definition of [orders, allTypes]) {
      expect(catalog.resolve(definition.name, {}).columns).toEqual(
        definition.columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
      )
    }
  })

  it('count lines as the template has them', () => {
    const wrong = view(
      'wrong',
      sql`
        SELECT 1
        FROM FROM`,
    )
    const error = refused(() => appStatements(defineApp({ wrong })))
    expect(error.code).toBe('sql/syntax')
    expect(error.place).toEqual({ file: 'wrong', line: 3, column: 14, source: '        FROM FROM' })
  })

  it('refuse more than one query in a view', () => {
    const two = view('two', sql`SELECT 1; DROP TABLE x`)
    const error = refused(() => appStatements(defineApp({ two })))
    expect(error.message).toContain('more than one query')
    expect(error.place).toMatchObject({ file: 'two', line: 1, column: 11 })
  })

  it('refuse options that are not what they say', () => {
    const late = topic('late', { schema: { at: t.timestamptz() }, time: 'at', lateness: 'a while' })
    const error = refused(() => defineProgram(appStatements(defineApp({ late })), bindSelect))
    expect(error.message).toContain('"a while" is not an interval')
    expect(error.place.file).toBe('late')
  })
})
