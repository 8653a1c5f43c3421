import { defineApp, sql, t, table, topic, view } from 'millrace'

/** A topic: what happened. Its events never change. */
export const orders = topic('orders', {
  schema: { id: t.text(), customer: t.text(), amount: t.numeric(12, 2), at: t.timestamptz() },
  time: 'at',
  lateness: '30 seconds',
})

/** A table: what is. The newest row of each key counts. */
export const customers = table('customers', {
  schema: { id: t.text(), name: t.text(), country: t.text().nullable() },
  key: 'id',
})

/** Views: what follows. They are right at every tick, however the events come. */
export const spent = view(
  'spent',
  sql`SELECT c.id, c.name, count(*) AS orders, sum(o.amount) AS total
      FROM ${orders} o JOIN ${customers} c ON c.id = o.customer
      GROUP BY c.id, c.name
      ORDER BY total DESC`,
)

export const revenue = view(
  'revenue',
  sql`SELECT window_start AS minute, count(*) AS orders, sum(amount) AS revenue
      FROM tumble(${orders}, at, interval '1 minute')
      GROUP BY window_start
      ORDER BY window_start`,
)

export default defineApp({ orders, customers, spent, revenue })
