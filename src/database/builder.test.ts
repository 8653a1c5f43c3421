import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineApp } from '../app/app.ts'
import { from } from '../app/builder/from.ts'
import { tumble } from '../app/builder/window.ts'
import { t } from '../app/column-type.ts'
import type { DatabaseShape } from '../app/database-shape.ts'
import { table, topic, view } from '../app/definitions.ts'
import { count, max, sum } from '../app/functions/aggregates.ts'
import { add } from '../app/functions/arithmetic.ts'
import { coalesce } from '../app/functions/choice.ts'
import { eq, gt } from '../app/functions/comparison.ts'
import { sql } from '../app/sql-text.ts'
import { Database } from '../database.ts'
import { appDefinition } from '../engine/definitions.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { embed } from './embedded.ts'

const orders = topic('orders', {
  schema: z.object({
    id: z.string(),
    userId: z.string(),
    amount: z.number(),
    pieces: z.int(),
    serial: z.bigint(),
    status: z.enum(['new', 'paid']),
    at: z.coerce.date(),
  }),
  time: 'at',
  lateness: '30s',
})
const users = table('users', { schema: { id: t.text(), name: t.text().nullable(), pay: t.numeric(12, 2) }, key: 'id' })
const revenue = view(
  'revenue',
  from({ o: orders })
    .where(({ o }) => eq(o.status, 'paid'))
    .groupBy(({ o }) => ({ minute: tumble(o.at, '1m') }))
    .select(({ o, key }) => ({
      minute: key.minute,
      revenue: sum(o.amount),
      orders: count(),
      pieces: sum(o.pieces),
      serials: sum(o.serial),
      last: max(o.at),
    })),
)
const byUser = view('byUser', sql`SELECT userId, sum(amount) AS spent FROM ${orders} GROUP BY userId`)
const named = view(
  'named',
  from({ o: orders })
    .leftJoin({ u: users }, ({ o, u }) => eq(o.userId, u.id))
    .select(({ o, u }) => ({ at: o.at, who: coalesce(u.name, 'nobody'), pay: u.pay, next: add(o.serial, 1) }))
    .orderBy('-at'),
)
const app = defineApp({ orders, users, revenue, byUser, named })

async function open(): Promise<DatabaseShape<typeof app>> {
  const io = simulatedIo(1, { idle: 'advance' })
  return embed(await Database.open({ io, definition: appDefinition(app), data: null, engine: 'inline' }), app)
}

const at = new Date('2026-01-01T10:00:10Z')
const order = { userId: 'u', pieces: 3, serial: 2n ** 62n, status: 'paid' as const }

describe('an app of the builder', () => {
  it('has rows of the types that it says, as the schema reads them', async () => {
    const db = await open()
    await db.users.append({ id: 'u', name: 'Ada', pay: '1234567890.50' })
    const { tick } = await db.orders.append([
      { ...order, id: 'a', amount: 1.5, at },
      { ...order, id: 'b', amount: 2, at: new Date(at.getTime() + 1000), serial: 5n },
      { ...order, id: 'c', amount: 9, at: new Date(at.getTime() + 60_000), status: 'new', userId: 'x' },
    ])
    const { rows } = await db.revenue.get({ minTick: tick })
    const minute = new Date('2026-01-01T10:00:00Z')
    const last = new Date('2026-01-01T10:00:11Z')
    expect(rows).toEqual([{ minute, revenue: 3.5, orders: 2, pieces: 6, serials: 2n ** 62n + 5n, last }])
    expect((await db.named.get()).rows).toEqual([
      { at: new Date('2026-01-01T10:01:10Z'), who: 'nobody', pay: null, next: 2n ** 62n + 1n },
      { at: last, who: 'Ada', pay: 1234567890.5, next: 6n },
      { at, who: 'Ada', pay: 1234567890.5, next: 2n ** 62n + 1n },
    ])
    expect((await db.revenue.get({ where: { minute } })).rows).toHaveLength(1)
    await db.close()
  })

  it('answers a query once', async () => {
    const db = await open()
    const { tick } = await db.orders.append({ ...order, id: 'a', amount: 1.5, at })
    await db.revenue.get({ minTick: tick })
    const query = from({ o: orders })
      .where(({ o }) => gt(o.amount, 1))
      .select(({ o }) => ({ id: o.id, at: o.at }))
    expect((await db.sql(query)).rows).toEqual([{ id: 'a', at }])
    const wrapped = await db.sql(sql<{ n: number }>`SELECT count(*) AS n FROM (${query}) AS q`)
    expect(wrapped.rows).toEqual([{ n: 1 }])
    await db.close()
  })

  it('tells live readers the same', async () => {
    const db = await open()
    const { tick } = await db.orders.append({ ...order, id: 'a', amount: 1.5, at })
    await db.revenue.get({ minTick: tick })
    for await (const { changes } of db.revenue.live()) {
      expect(changes[0].row.minute).toEqual(new Date('2026-01-01T10:00:00Z'))
      break
    }
    await db.close()
  })
})
