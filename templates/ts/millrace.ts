import { chart, count, defineApp, eq, from, sum, t, table, topic, tumble, view } from 'millrace'

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
  from({ o: orders })
    .join({ c: customers }, ({ o, c }) => eq(c.id, o.customer))
    .groupBy(({ c }) => ({ id: c.id, name: c.name }))
    .select(({ o, key }) => ({ id: key.id, name: key.name, orders: count(), total: sum(o.amount) }))
    .orderBy('-total'),
)

export const revenue = view(
  'revenue',
  from({ o: orders })
    .groupBy(({ o }) => ({ minute: tumble(o.at, '1m') }))
    .select(({ o, key }) => ({ minute: key.minute, orders: count(), revenue: sum(o.amount) }))
    .orderBy('minute'),
)

/** Charts: what the console draws, at /dashboards. */
export const revenueChart = chart(revenue, { x: 'minute', y: 'revenue', mark: 'line', title: 'Revenue per minute' })

export default defineApp({ orders, customers, spent, revenue, revenueChart })
