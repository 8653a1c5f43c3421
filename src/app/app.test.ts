import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { MillraceError } from '../data/errors.ts'
import { appDefinitions, appToSql, checkApp, defineApp } from './app.ts'
import { t } from './column-type.ts'
import { query, table, topic, view } from './definitions.ts'
import { sql } from './sql-text.ts'

const orders = topic('orders', {
  schema: z.object({ id: z.string(), userId: z.string(), amount: z.number().nullable(), at: z.coerce.date() }),
  time: 'at',
  lateness: "30 o'clock",
})
const users = table('users', {
  schema: { id: t.text(), region: t.varchar(2).nullable(), 'a"b': t.jsonb() },
  key: ['id'],
})
const paid = query('paid', sql`SELECT * FROM ${orders}`)
const byUser = view('byUser', sql`SELECT userId FROM ${paid} JOIN ${users} ON true -- all of them`, { emit: 'final' })
const top = view('top', sql`SELECT * FROM ${byUser}`, { late: 'drop' })

function refused(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('appToSql', () => {
  it('says what the app says, readers behind what they read', () => {
    expect(appToSql(defineApp({ top, byUser, paid, users, orders }))).toBe(`CREATE TABLE "users" (
  "id" text NOT NULL,
  "region" character varying(2),
  "a""b" jsonb NOT NULL,
  PRIMARY KEY ("id")
)
;

CREATE TABLE "orders" (
  "id" text NOT NULL,
  "userId" text NOT NULL,
  "amount" double precision,
  "at" timestamp with time zone NOT NULL
) WITH (event_time = 'at', lateness = '30 o''clock')
;

CREATE VIEW "paid" AS
SELECT * FROM "orders"
;

CREATE MATERIALIZED VIEW "byUser" WITH (emit = 'final') AS
SELECT userId FROM "paid" JOIN "users" ON true -- all of them
;

CREATE MATERIALIZED VIEW "top" WITH (late = 'drop') AS
SELECT * FROM "byUser"
;
`)
  })

  it('keeps the order that was given where nothing else asks', () => {
    const a = view('a', sql`SELECT 1`)
    const b = view('b', sql`SELECT 2`)
    expect(appDefinitions(defineApp({ b, users, a })).map(({ name }) => name)).toEqual(['users', 'b', 'a'])
  })
})

describe('defineApp', () => {
  it('wants each definition under its own name', () => {
    const error = refused(() => defineApp({ order: orders } as never))
    expect(error.code).toBe('app/load')
    expect(error.message).toContain('orders stands under order')
  })

  it('refuses names that differ only in case', () => {
    const upper = view('ORDERS', sql`SELECT 1`)
    expect(refused(() => defineApp({ orders, ORDERS: upper })).message).toContain('differ only in case')
  })

  it.each(['close', 'sql', 'then', 'constructor', '__proto__'])('refuses the name %s', (name) => {
    const definitions = Object.fromEntries([[name, view(name, sql`SELECT 1`)]])
    expect(refused(() => defineApp(definitions)).message).toContain(name)
  })

  it('refuses a view of something that the app lacks', () => {
    const error = refused(() => defineApp({ paid }))
    expect(error.message).toBe('paid reads orders, which the app lacks')
    expect(error.hint).toContain('orders')
    const other = topic('orders', { schema: { id: t.bigint() } })
    expect(refused(() => defineApp({ orders: other, paid })).message).toContain('another orders')
  })

  it('refuses views that read each other in a circle', () => {
    const reads: unknown[] = []
    const a = view('a', { kind: 'sql', text: 'SELECT * FROM b', reads: reads as never, uses: [] })
    const b = view('b', sql`SELECT * FROM ${a}`)
    reads.push(b)
    const app = defineApp({ a, b })
    expect(refused(() => appDefinitions(app)).message).toContain('a → b → a')
  })
})

describe('what the compiler would refuse', () => {
  it.each<[string, () => unknown, string]>([
    ['a topic without a schema', () => topic('x', { columns: { id: t.text() } } as never), 'have no schema'],
    ['a schema that is null', () => table('x', { schema: null, key: 'id' } as never), 'have no schema'],
    ['a view of text', () => view('x', 'SELECT 1' as never), 'neither SQL nor made by the builder'],
    ['a query of nothing', () => query('x', undefined as never), 'neither SQL nor made by the builder'],
    ['an app of text', () => defineApp({ x: 'SELECT 1' as never }), 'x is no topic'],
    ['an app of nothing', () => defineApp({ x: undefined as never }), 'x is no topic'],
    ['no app at all', () => checkApp('CREATE TABLE x (id bigint)'), 'is no app'],
  ])('is refused by name when it is run: %s', (_, run, message) => {
    expect(refused(run).message).toContain(message)
  })
})

describe('definitions', () => {
  it('name the columns that are there for one that is not', () => {
    const error = refused(() => topic('x', { schema: { at: t.timestamptz() }, time: 'when' as never }))
    expect(error.message).toContain('no column when')
    expect(error.hint).toContain('at')
    expect(refused(() => table('x', { schema: { id: t.text() }, key: ['id', 'no'] as never })).message).toContain('no')
  })
})
