import { z } from 'zod'
import {
  add,
  and,
  avg,
  caseWhen,
  chart,
  coalesce,
  count,
  defineApp,
  desc,
  eq,
  exists,
  fn,
  from,
  gt,
  interval,
  literal,
  max,
  mul,
  ne,
  now,
  query,
  rowNumber,
  sql,
  sub,
  sum,
  t,
  table,
  topic,
  tumble,
  view,
} from '../../src/index.ts'

// A topic: append-only events. The schema is any Standard Schema's; here it is zod's.
export const orders = topic('orders', {
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

// A table: upserts and deletes by its key. Columns can be written with Millrace's own types.
export const users = table('users', {
  schema: { id: t.text(), name: t.text().nullable(), region: t.text(), credit: t.numeric(12, 2) },
  key: 'id',
})

export const revenue = view(
  'revenue',
  from({ o: orders })
    .where(({ o }) => eq(o.status, 'paid'))
    .groupBy(({ o }) => ({ minute: tumble(o.at, '1m') }))
    .select(({ o, key }) => ({ minute: key.minute, revenue: sum(o.amount), orders: count() })),
)

export const orderNames = view(
  'orderNames',
  from({ o: orders })
    .leftJoin({ u: users }, ({ o, u }) => eq(o.userId, u.id))
    .select(({ o, u }) => ({ ...o, name: coalesce(u.name, 'nobody'), region: u.region })),
)

export const spent = view(
  'spent',
  from({ o: orders })
    .groupBy(({ o }) => ({ userId: o.userId }))
    .having(({ o }) => gt(sum(o.amount), 1))
    .select(({ o, key }) => ({
      userId: key.userId,
      total: sum(o.amount),
      paid: sum(o.amount).filter(eq(o.status, 'paid')),
      last: max(o.at),
    })),
)

export const totals = view(
  'totals',
  from({ o: orders }).select(({ o }) => ({ orders: count(), mean: avg(o.amount) })),
)

export const best = view(
  'best',
  from({ o: orderNames })
    .select(({ o }) => ({ region: o.region, name: o.name, amount: o.amount }))
    .top(2, { by: '-amount', per: 'region' }),
)

export const numbered = query(
  'numbered',
  from({ o: orders }).select(({ o }) => ({
    id: o.id,
    userId: o.userId,
    place: rowNumber({ by: desc(o.amount), per: o.userId }),
  })),
)

export const people = view(
  'people',
  from({ u: users })
    .where(({ u }) => exists(from({ o: orders }).where(({ o }) => and(eq(o.userId, u.id), gt(o.amount, 5)))))
    .select(({ u }) => ({ id: u.id, why: literal('a big order') }))
    .union(
      from({ u: users })
        .where(({ u }) => gt(u.credit, 100))
        .select(({ u }) => ({ id: u.id, why: literal('credit') })),
    ),
)

export const recent = view(
  'recent',
  from({ o: orders })
    .where(({ o }) => gt(o.at, sub(now(), interval('1 hour'))))
    .select(({ o }) => o),
)

export const perMinute = view(
  'perMinute',
  from({ w: tumble(orders, 'at', '1m') })
    .groupBy(({ w }) => ({ window_start: w.window_start, window_end: w.window_end, status: w.status }))
    .select(({ key }) => ({ ...key, orders: count() })),
  { emit: 'final' },
)

export const slug = fn('slug', { args: [t.text()], returns: t.text() }, (name) =>
  name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
)

export const pages = view(
  'pages',
  from({ u: users })
    .where(({ u }) => ne(u.region, ''))
    .select(({ u }) => ({
      page: slug(u.name),
      size: caseWhen(gt(u.credit, 100), 'big').else('small'),
      next: add(mul(u.credit, 2), 1),
      initial: sql<string>`upper(left(${u.id}, 1))`,
    })),
)

export const byUser = view('byUser', sql`SELECT userId, sum(amount) AS spent FROM ${orders} GROUP BY userId`)

// Charts stand on the console's dashboards.
export const revenueChart = chart(revenue, { x: 'minute', y: 'revenue', mark: 'line', title: 'Revenue per minute' })

export default defineApp({
  orders,
  users,
  revenue,
  revenueChart,
  orderNames,
  spent,
  totals,
  best,
  numbered,
  people,
  recent,
  perMinute,
  pages,
  byUser,
})
