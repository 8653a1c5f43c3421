import { defineApp, open, sql, t, topic, view } from '../../src/index.ts'

const orders = topic('orders', { schema: { id: t.bigint(), user: t.text(), amount: t.numeric(12, 2) } })
const spent = view('spent', sql`SELECT "user", sum(amount) AS total FROM ${orders} GROUP BY "user"`)

await using db = await open(defineApp({ orders, spent }), { data: './data' })
const { tick } = await db.orders.append({ id: 1n, user: 'ada', amount: '9.50' })
console.log((await db.spent.get({ minTick: tick })).rows) // [ { user: 'ada', total: 9.5 } ]
