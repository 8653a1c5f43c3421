import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { type App, defineApp } from './app.ts'
import { chart } from './chart.ts'
import { t } from './column-type.ts'
import type { DatabaseShape } from './database-shape.ts'
import { type InferInput, type InferKey, type InferRow, query, table, topic, view } from './definitions.ts'
import { sql } from './sql-text.ts'

const orders = topic('orders', {
  schema: z.object({
    id: z.string(),
    userId: z.string(),
    amount: z.number(),
    status: z.enum(['new', 'paid']),
    at: z.coerce.date(),
    note: z.string().optional(),
    count: z.bigint().nullable(),
    flag: z.boolean().default(false),
  }),
  time: 'at',
  lateness: '30s',
})
const bids = topic('bids', {
  schema: { auction: t.bigint(), price: t.numeric(12, 2), channel: t.text().nullable(), at: t.timestamptz() },
  time: 'at',
})
const accounts = table('accounts', {
  schema: { id: t.bigint(), region: t.text(), owner: t.text().nullable(), meta: t.jsonb<{ tags: string[] }>() },
  key: ['id', 'region'],
})
const spent = view('spent', sql<{ userId: string; total: number }>`SELECT 1 FROM ${orders}`)
const untyped = view('untyped', sql`SELECT 1 FROM ${orders}`, { emit: 'final' })
const big = query('big', sql`SELECT 1 FROM ${bids}`)
declare module './definitions.ts' {
  interface SqlRows {
    generated: { userId: string; n: number | bigint }
  }
}
const generated = view('generated', sql`SELECT 1 FROM ${orders}`)
const app = defineApp({ orders, bids, accounts, spent, untyped, big })
declare const db: DatabaseShape<typeof app>

/** Only compiled, never run: nothing is behind `db` here. */
function compiled(body: () => unknown): void {
  expectTypeOf(body).toBeFunction()
}

describe('types', () => {
  it('of events are what the schema takes', () => {
    expectTypeOf<InferInput<typeof orders>>().toEqualTypeOf<{
      id: string
      userId: string
      amount: number
      status: 'new' | 'paid'
      at: unknown
      note?: string | undefined
      count: bigint | null
      flag?: boolean | undefined
    }>()
    expectTypeOf<InferInput<typeof bids>>().toEqualTypeOf<{
      auction: number | bigint
      price: number | bigint | string
      channel?: string | null | undefined
      at: string | Date
    }>()
  })

  it('of rows are what the schema gives, with null for what is missing', () => {
    expectTypeOf<InferRow<typeof orders>>().toEqualTypeOf<{
      id: string
      userId: string
      amount: number
      status: 'new' | 'paid'
      at: Date
      note: string | null
      count: bigint | null
      flag: boolean
    }>()
    expectTypeOf<InferRow<typeof bids>>().toEqualTypeOf<{
      auction: number | bigint
      price: number | string
      channel: string | null
      at: string
    }>()
    expectTypeOf<InferRow<typeof accounts>['meta']>().toEqualTypeOf<{ tags: string[] }>()
    expectTypeOf<InferRow<typeof spent>>().toEqualTypeOf<{ userId: string; total: number }>()
    expectTypeOf<InferRow<typeof untyped>>().toEqualTypeOf<Readonly<Record<string, unknown>>>()
    expectTypeOf<InferRow<typeof generated>>().toEqualTypeOf<{ userId: string; n: number | bigint }>()
    expectTypeOf<InferKey<typeof accounts>>().toEqualTypeOf<{ id: number | bigint; region: string }>()
  })

  it('refuse a wrong column or type at definition', () => {
    compiled(() => {
      // @ts-expect-error there is no such column
      topic('x', { schema: { at: t.timestamptz() }, time: 'att' })
      // @ts-expect-error a number is no event time
      topic('x', { schema: { at: t.bigint() }, time: 'at' })
      // @ts-expect-error an event time is never NULL
      topic('x', { schema: { at: t.timestamptz().nullable() }, time: 'at' })
      // @ts-expect-error there is no such column
      topic('x', { schema: z.object({ at: z.date() }), time: 'att' })
      // @ts-expect-error there is no such column
      table('x', { schema: { id: t.bigint() }, key: 'ids' })
      // @ts-expect-error there is no such column
      table('x', { schema: z.object({ id: z.string() }), key: ['id', 'ids'] })
      // @ts-expect-error a table has a key
      table('x', { schema: { id: t.bigint() } })
      // @ts-expect-error there is no such column
      topic('x', { schema: z.object({ id: z.string() }), columns: { ids: t.text() } })
      // @ts-expect-error a schema of strings is none
      topic('x', { schema: { id: 'text' } })
      // @ts-expect-error a schema of one value is none
      topic('x', { schema: z.string() })
      // @ts-expect-error there is no such way to emit
      view('x', sql`SELECT 1`, { emit: 'finally' })
      // @ts-expect-error SQL comes from the sql tag, not from strings
      view('x', 'SELECT 1')
      // @ts-expect-error an object has no form in SQL
      sql`SELECT ${{ a: 1 }}`
      // @ts-expect-error nor has undefined
      sql`SELECT ${undefined}`
    })
  })

  it('refuse a definition under another name', () => {
    compiled(() => {
      // @ts-expect-error the topic is named orders
      defineApp({ order: orders })
      // @ts-expect-error a schema is no definition
      defineApp({ orders: z.object({}) })
    })
    expectTypeOf(app).toExtend<App>()
  })

  it('know the columns that a chart may name, and give it no handle', () => {
    const drawn = chart(spent, { x: 'userId', y: 'total', mark: 'bar' })
    const charted = defineApp({ orders, bids, accounts, spent, untyped, big, drawn })
    expectTypeOf<DatabaseShape<typeof charted>>().toEqualTypeOf<typeof db>()
    compiled(() => {
      chart(untyped, { x: 'anything', y: 'goes', mark: 'line', series: 'here' })
      // @ts-expect-error there is no column totals
      chart(spent, { x: 'userId', y: 'totals', mark: 'bar' })
      // @ts-expect-error there is no column user
      chart(spent, { x: 'user', y: 'total', mark: 'bar' })
      // @ts-expect-error there is no column region
      chart(spent, { x: 'userId', y: 'total', mark: 'line', series: 'region' })
      // @ts-expect-error there is no such mark
      chart(spent, { x: 'userId', y: 'total', mark: 'pie' })
      // @ts-expect-error a topic is drawn by a view over it
      chart(orders, { x: 'at', y: 'amount', mark: 'line' })
    })
  })

  it('let topics and tables append, and views be read', () => {
    compiled(async () => {
      await db.orders.append({ id: 'a', userId: 'b', amount: 1, status: 'paid', at: '2026-01-01', count: null })
      await db.bids.append([{ auction: 1n, price: '1.50', at: new Date(0) }], { idempotencyKey: 'k' })
      await db.accounts.delete({ id: 1, region: 'eu' })
      const { tick, rows } = await db.spent.get({ minTick: 3, order: ['-total', 'userId'], where: { userId: 'a' } })
      expectTypeOf(tick).toEqualTypeOf<number>()
      expectTypeOf(rows).toEqualTypeOf<readonly { userId: string; total: number }[]>()
      for await (const { changes } of db.spent.live({ signal: AbortSignal.abort() })) {
        expectTypeOf(changes[0].row.total).toEqualTypeOf<number>()
      }
      for await (const { events, next } of db.bids.live({ from: 0 })) {
        expectTypeOf(next).toEqualTypeOf<number>()
        expectTypeOf(events).toEqualTypeOf<Awaited<ReturnType<typeof db.bids.read>>['events']>()
        expectTypeOf(events[0].op).toEqualTypeOf<'append' | 'upsert' | 'delete'>()
      }
      const answer = await db.sql(sql<{ n: number }>`SELECT count(*) AS n FROM ${orders}`)
      expectTypeOf(answer.rows).toEqualTypeOf<readonly { n: number }[]>()
      await db.close()
    })
  })

  it('refuse wrong use', () => {
    compiled(async () => {
      // @ts-expect-error amount is a number
      await db.orders.append({ id: 'a', userId: 'b', amount: '1', status: 'paid', at: new Date(0), count: null })
      // @ts-expect-error there is no such status
      await db.orders.append({ id: 'a', userId: 'b', amount: 1, status: 'old', at: new Date(0), count: null })
      // @ts-expect-error userId is missing
      await db.orders.append({ id: 'a', amount: 1, status: 'paid', at: new Date(0), count: null })
      // @ts-expect-error there is no column usrId
      await db.bids.append({ auction: 1, price: 1, at: new Date(0), usrId: 'a' })
      // @ts-expect-error a view can't be appended to
      await db.spent.append({ userId: 'a', total: 1 })
      // @ts-expect-error only a table has deletes
      await db.orders.delete({ id: 'a' })
      // @ts-expect-error the key has two columns
      await db.accounts.delete({ id: 1 })
      // @ts-expect-error there is no such column
      await db.spent.get({ order: '-totals' })
      // @ts-expect-error total is a number
      await db.spent.get({ where: { total: '1' } })
      // @ts-expect-error a named query keeps nothing
      db.big
      // @ts-expect-error there is no such definition
      db.refunds
      // @ts-expect-error a topic goes on from an offset, not behind a tick
      db.orders.live({ fromTick: 1 })
      // @ts-expect-error a view has no offsets
      db.spent.live({ from: 1 })
    })
  })

  it('work from a module too', () => {
    expectTypeOf<DatabaseShape<{ default: typeof app; orders: typeof orders }>>().toEqualTypeOf<typeof db>()
  })
})
