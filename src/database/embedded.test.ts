import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineApp } from '../app/app.ts'
import { t } from '../app/column-type.ts'
import type { DatabaseShape } from '../app/database-shape.ts'
import { table, topic, view } from '../app/definitions.ts'
import { sql } from '../app/sql-text.ts'
import { Database } from '../database.ts'
import { appDefinition } from '../engine/definitions.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { embed } from './embedded.ts'

const orders = topic('orders', {
  schema: z.object({ id: z.string(), amount: z.number(), at: z.coerce.date(), note: z.string().optional() }),
  time: 'at',
})
const stock = table('stock', { schema: { sku: t.text(), count: t.bigint(), price: t.numeric(20, 4) }, key: 'sku' })
const total = view(
  'total',
  sql<{ n: number; sum: number | null }>`SELECT count(*) AS n, sum(amount) AS sum FROM ${orders}`,
)
const items = view(
  'items',
  sql<{ sku: string; count: number; price: number }>`SELECT * FROM ${stock} ORDER BY count DESC`,
)
const app = defineApp({ orders, stock, total, items })

async function open(): Promise<DatabaseShape<typeof app>> {
  const database = await Database.open({
    io: simulatedIo(1, { idle: 'advance' }),
    definition: appDefinition(app),
    data: null,
    engine: 'inline',
  })
  return embed(database, app)
}

describe('an embedded database', () => {
  it('appends what the schema takes and gives rows as the types say', async () => {
    const db = await open()
    const receipt = await db.orders.append([
      { id: 'a', amount: 1.5, at: '2026-01-01T10:00:00Z' },
      { id: 'b', amount: 2, at: new Date(0), note: 'late' },
    ])
    expect(receipt).toMatchObject({ firstOffset: 0, lastOffset: 1 })
    const { rows, tick, errors } = await db.total.get({ minTick: receipt.tick })
    expect({ rows, errors }).toEqual({ rows: [{ n: 2, sum: 3.5 }], errors: 0 })
    expect(tick).toBeGreaterThanOrEqual(receipt.tick)
    const page = await db.orders.read({ from: 1 })
    expect(page.next).toBe(2)
    expect(page.events[0]).toMatchObject({ offset: 1, op: 'append', tick: receipt.tick })
    expect(page.events[0].data).toEqual({ id: 'b', amount: 2, at: new Date(0), note: 'late' })
    await db.close()
  })

  it('says why a row is there, what became of an event, and where it is', async () => {
    const db = await open()
    await db.stock.append({ sku: 'a', count: 1, price: 2 })
    const { tick } = await db.stock.append({ sku: 'a', count: 5, price: 2 })
    await db.items.get({ minTick: tick })
    const why = await db.items.why({ sku: 'a', count: 5 })
    expect(why).toMatchObject({ found: true, row: { sku: 'a', count: 5 }, events: { count: 1, first: { offset: 1 } } })
    expect((await db.items.why({ sku: 'a' }, { asOf: tick - 1 })).row).toMatchObject({ count: 1 })
    expect((await db.items.why({ sku: 'b' })).absent?.reason).toBe("no row of stock has sku = 'b'.")
    const { changes } = await db.stock.journey(1)
    expect(changes).toMatchObject([{ view: 'items', before: { count: 1 }, after: { count: 5 } }])
    expect((await db.stock.find({ sku: 'a' })).events.map(({ offset }) => offset)).toEqual([1, 0])
    await db.close()
  })

  it('shows what was at a tick or a time', async () => {
    const db = await open()
    const then: { tick: number; n: number }[] = []
    for (let n = 1; n <= 3; n++) {
      const { tick } = await db.orders.append({ id: `${n}`, amount: n, at: new Date(0) })
      await db.total.get({ minTick: tick })
      then.push({ tick, n })
    }
    for (const { tick, n } of then) {
      const past = await db.total.get({ asOf: tick })
      expect([past.tick, past.rows[0].n]).toEqual([tick, n])
      const asked = await db.sql<{ n: number }>('SELECT count(*) AS n FROM orders', { asOf: tick, replay: true })
      expect([asked.tick, asked.rows]).toEqual([tick, [{ n }]])
    }
    const future = new Date(Date.UTC(2999))
    await expect(db.total.get({ asOf: future })).rejects.toMatchObject({ code: 'tick/future' })
    await expect(db.sql('SELECT 1 AS a', { asOf: 99 })).rejects.toMatchObject({ code: 'tick/future' })
    await expect(db.total.get({ asOf: 'soon' })).rejects.toMatchObject({ code: 'request/parameter' })
    await expect(db.total.get({ asOf: new Date(0) })).rejects.toMatchObject({ code: 'tick/expired' })
    await db.close()
  })

  it('keeps numbers exact', async () => {
    const db = await open()
    const { tick } = await db.stock.append([
      { sku: 'x', count: 9007199254740993n, price: '1234567890123456.7891' },
      { sku: 'y', count: 3, price: 2.5 },
    ])
    const { rows } = await db.items.get({ minTick: tick })
    expect(rows).toEqual([
      { sku: 'x', count: 9007199254740993n, price: '1234567890123456.7891' },
      { sku: 'y', count: 3, price: 2.5 },
    ])
    expect((await db.items.get({ where: { sku: 'y' } })).rows).toHaveLength(1)
    expect((await db.items.get({ order: ['sku'], limit: 1 })).rows[0].sku).toBe('x')
    expect((await db.items.get({ order: '-sku', limit: 1 })).rows[0].sku).toBe('y')
    await db.close()
  })

  it('deletes by key and streams changes', async () => {
    const db = await open()
    const first = await db.stock.append({ sku: 'x', count: 1, price: 1 })
    await db.items.get({ minTick: first.tick })
    const steps = db.items.live()[Symbol.asyncIterator]()
    const row = { sku: 'x', count: 1, price: 1 }
    expect((await steps.next()).value).toMatchObject({ kind: 'snapshot', changes: [{ row, weight: 1 }] })
    await db.stock.delete({ sku: 'x' })
    expect((await steps.next()).value).toMatchObject({ kind: 'change', changes: [{ row, weight: -1 }] })
    await steps.return?.()
    const { events } = await db.stock.read({ from: 1 })
    expect(events).toMatchObject([{ op: 'delete', data: { sku: 'x' } }])
    await db.close()
  })

  it('refuses what the schema or a column refuses, with a pointer to it', async () => {
    const db = await open()
    const bad = await db.orders.append([{ id: 'a', amount: 'x', at: 'soon' } as never]).catch((error: unknown) => error)
    expect(bad).toMatchObject({ code: 'event/invalid' })
    expect((bad as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer).sort()).toEqual([
      '/0/amount',
      '/0/at',
    ])
    await expect(db.stock.append({ sku: 'x', count: 1.5, price: 1 })).rejects.toMatchObject({ code: 'event/invalid' })
    await db.close()
  })

  it('answers a repeated append once', async () => {
    const db = await open()
    const event = { sku: 'x', count: 1, price: 1 }
    const first = await db.stock.append(event, { idempotencyKey: 'k' })
    expect(await db.stock.append(event, { idempotencyKey: 'k' })).toEqual(first)
    const other = db.stock.append({ ...event, count: 2 }, { idempotencyKey: 'k' })
    await expect(other).rejects.toMatchObject({ code: 'append/idempotency-conflict' })
    await db.close()
  })

  it('runs SQL with parameters', async () => {
    const db = await open()
    const { tick } = await db.stock.append([1, 2, 3].map((count) => ({ sku: `s${count}`, count, price: count })))
    await db.items.get({ minTick: tick })
    const answer = await db.sql('SELECT sku, count * 2 AS double FROM stock WHERE count >= $1 ORDER BY sku', {
      params: [2],
    })
    expect(answer.columns.map(({ name, type }) => `${name} ${type}`)).toEqual(['sku text', 'double bigint'])
    expect(answer.rows).toEqual([
      { sku: 's2', double: 4 },
      { sku: 's3', double: 6 },
    ])
    const typed = await db.sql(sql<{ n: number }>`SELECT count(*) AS n FROM ${stock} WHERE sku = ${'s1'}`)
    expect(typed.rows[0].n).toBe(1)
    await db.close()
  })
})
