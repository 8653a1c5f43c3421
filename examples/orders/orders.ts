import { z } from 'zod'
import { count, defineApp, eq, from, open, sql, sum, topic, tumble, view } from '../../src/index.ts'

const orders = topic('orders', {
  schema: z.object({
    id: z.string(),
    userId: z.string(),
    amount: z.number(),
    status: z.enum(['new', 'paid']),
    at: z.coerce.date(),
  }),
  time: 'at',
  lateness: '30s',
})
const revenue = view(
  'revenue',
  from({ o: orders })
    .where(({ o }) => eq(o.status, 'paid'))
    .groupBy(({ o }) => ({ minute: tumble(o.at, '1m') }))
    .select(({ o, key }) => ({ minute: key.minute, revenue: sum(o.amount), orders: count() })),
)
const byUser = view('byUser', sql`SELECT userId, sum(amount) AS spent FROM ${orders} GROUP BY userId`)

await using db = await open(defineApp({ orders, revenue, byUser }), { data: './data' })
const { tick } = await db.orders.append({
  id: 'a',
  userId: 'ada',
  amount: 9.5,
  status: 'paid',
  at: '2026-11-21T10:00:30Z',
})
const { rows } = await db.revenue.get({ minTick: tick })
console.log(rows) // [ { minute: 2026-11-21T10:00:00.000Z, revenue: 9.5, orders: 1 } ]
