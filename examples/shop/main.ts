import { eq, from, open, sql } from '../../src/index.ts'
import app, { orders, revenue } from './app.ts'

await using db = await open(app)
await db.users.append({ id: 'u1', name: 'Ada L.', region: 'eu', credit: '120.00' })
const { tick } = await db.orders.append([
  { id: 'a', userId: 'u1', amount: 9.5, status: 'paid', at: '2026-11-21T10:00:30Z' },
  { id: 'b', userId: 'u2', amount: 3, status: 'new', at: new Date('2026-11-21T10:00:40Z') },
])

const { rows } = await db.revenue.get({ minTick: tick, order: '-minute', limit: 10 })
console.log(rows) // [ { minute: 2026-11-21T10:00:00.000Z, revenue: 9.5, orders: 1 } ]

const stop = new AbortController()
for await (const { kind, changes } of db.pages.live({ signal: stop.signal })) {
  console.log(kind, changes) // snapshot [ { row: { page: 'ada-l-', size: 'big', next: 241, initial: 'U' }, weight: 1 } ]
  stop.abort()
}

const once = from({ r: revenue })
  .where(({ r }) => eq(r.orders, 1))
  .select(({ r }) => ({ at: r.minute }))
console.log((await db.sql(once)).rows) // [ { at: 2026-11-21T10:00:00.000Z } ]

const spending = sql<{
  userId: string
  spent: number
}>`SELECT userId, sum(amount) AS spent FROM ${orders} GROUP BY userId`
const enough = new AbortController()
for await (const { changes } of db.sql.live(spending, { signal: enough.signal })) {
  console.log(changes) // [ { row: { userId: 'u1', spent: 9.5 }, weight: 1 }, { row: { userId: 'u2', spent: 3 }, weight: 1 } ]
  enough.abort()
}

const paid = from({ o: orders })
  .where(({ o }) => eq(o.status, 'paid'))
  .select(({ o }) => ({ id: o.id, amount: o.amount }))
  .orderBy('-amount')
  .limit(3)
console.log(paid.toSql())
