import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { appToSql, defineApp } from '../app/app.ts'
import { asc, desc, rowNumber } from '../app/builder/direction.ts'
import { from } from '../app/builder/from.ts'
import { exists, inQuery, scalar } from '../app/builder/subquery.ts'
import { hop, session, tumble } from '../app/builder/window.ts'
import { t } from '../app/column-type.ts'
import { query, table, topic, view } from '../app/definitions.ts'
import { avg, boolOr, count, countDistinct, max, min, sum } from '../app/functions/aggregates.ts'
import { add, mul, sub } from '../app/functions/arithmetic.ts'
import { caseWhen, cast, coalesce, literal } from '../app/functions/choice.ts'
import { and, between, eq, gt, inList, isNull, lt, ne, not, or } from '../app/functions/comparison.ts'
import { dateTrunc, extract, interval, now } from '../app/functions/datetime.ts'
import { lower } from '../app/functions/text.ts'
import { type Sql, sql } from '../app/sql-text.ts'
import { MillraceError } from '../data/errors.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import type { Catalog } from './catalog.ts'
import { defineProgram } from './definition.ts'
import { explainPlan } from './explain.ts'
import { planSelect } from './optimise.ts'

const orders = topic('orders', {
  schema: z.object({
    id: z.string(),
    userId: z.string(),
    amount: z.number(),
    count: z.int(),
    status: z.enum(['new', 'paid']),
    note: z.string().nullable(),
    at: z.coerce.date(),
  }),
  time: 'at',
  lateness: '30s',
})
const bids = topic('bids', {
  schema: { auction: t.bigint(), price: t.numeric(12, 2), qty: t.integer().nullable(), at: t.timestamp() },
  time: 'at',
})
const customers = table('customers', {
  schema: { id: t.text(), name: t.text().nullable(), vip: t.boolean() },
  key: 'id',
})
const odd = topic('Odd "name"', { schema: { select: t.text(), 'a b': t.integer(), Ünï: t.text(), user: t.text() } })
const spent = view(
  'spent',
  from({ o: orders })
    .groupBy(({ o }) => ({ userId: o.userId }))
    .select(({ o, key }) => ({ userId: key.userId, total: sum(o.amount) })),
)
const paid = query(
  'paid',
  from({ o: orders })
    .where(({ o }) => eq(o.status, 'paid'))
    .select(({ o }) => o),
)
const text = view(
  'text',
  sql<{ userId: string; n: number }>`SELECT userId, count(*) AS n FROM ${orders} GROUP BY userId`,
)
const app = defineApp({ orders, bids, customers, [odd.name]: odd, spent, paid, text } as never)

let catalog: Catalog
beforeAll(async () => {
  await loadParser()
  catalog = defineProgram(parseSql(appToSql(app)), planSelect).catalog
})

function planOf(text: string): string {
  const [statement] = parseSql(text)
  if (statement.kind !== 'select') throw new Error(`no query: ${text}`)
  const { plan, columns, order } = planSelect(catalog, statement.node, statement, {})
  return `${JSON.stringify([columns, order])}\n${explainPlan(plan, (id) => catalog.byId(id).name)}`
}

const pairs: Readonly<Record<string, readonly [built: () => Sql, written: string]>> = {
  'a filter': [
    () =>
      from({ o: orders })
        .where(({ o }) => and(eq(o.status, 'paid'), or(gt(o.amount, 10), isNull(o.note))))
        .select(({ o }) => ({ id: o.id, at: o.at })),
    `SELECT id, at FROM orders WHERE status = 'paid' AND (amount > 10 OR note IS NULL)`,
  ],
  'all columns': [() => from({ o: orders }).select(({ o }) => o), 'SELECT * FROM orders'],
  arithmetic: [
    () =>
      from({ b: bids }).select(({ b }) => ({
        x: mul(add(b.price, 1), sub(b.price, sub(b.price, 2))),
        y: cast(mul(b.price, b.qty), t.text()),
        z: caseWhen(gt(b.price, '10.50'), 'dear').when(lt(b.price, 1), 'cheap').else('so so'),
      })),
    `SELECT (price + 1) * (price - (price - 2)) AS x, (price * qty)::text AS y,
       CASE WHEN price > '10.50' THEN 'dear' WHEN price < 1 THEN 'cheap' ELSE 'so so' END AS z FROM bids`,
  ],
  'a left join': [
    () =>
      from({ o: orders })
        .leftJoin({ c: customers }, ({ o, c }) => and(eq(o.userId, c.id), c.vip))
        .select(({ o, c }) => ({ id: o.id, name: coalesce(c.name, 'nobody') })),
    `SELECT o.id, coalesce(c.name, 'nobody') AS name
     FROM orders o LEFT JOIN customers c ON o.userId = c.id AND c.vip`,
  ],
  'three relations': [
    () =>
      from({ o: orders, b: bids })
        .join({ c: customers }, ({ o, c }) => eq(o.userId, c.id))
        .where(({ o, b }) => eq(o.count, b.auction))
        .select(({ o, b, c }) => ({ id: o.id, price: b.price, name: c.name })),
    `SELECT o.id, b.price, c.name FROM orders o CROSS JOIN bids b JOIN customers c ON o.userId = c.id
     WHERE o.count = b.auction`,
  ],
  'a full join': [
    () =>
      from({ a: customers })
        .fullJoin({ b: customers }, ({ a, b }) => eq(a.name, b.id))
        .select(({ a, b }) => ({ a: a.id, b: b.id })),
    'SELECT a.id AS a, b.id AS b FROM customers a FULL JOIN customers b ON a.name = b.id',
  ],
  'a right join': [
    () =>
      from({ o: orders })
        .rightJoin({ c: customers }, ({ o, c }) => eq(o.userId, c.id))
        .select(({ o, c }) => ({ o: o.id, c: c.id })),
    'SELECT o.id AS o, c.id AS c FROM orders o RIGHT JOIN customers c ON o.userId = c.id',
  ],
  groups: [
    () =>
      from({ o: orders })
        .groupBy(({ o }) => ({ user: o.userId, hour: dateTrunc('hour', o.at) }))
        .having(({ o }) => gt(sum(o.amount), 5))
        .select(({ o, key }) => ({
          ...key,
          n: count(),
          notes: count(o.note),
          kinds: countDistinct(o.status),
          paid: sum(o.amount).filter(eq(o.status, 'paid')),
          least: min(o.at),
          any: boolOr(ne(o.status, 'new')),
          mean: avg(o.count),
        })),
    `SELECT userId AS "user", date_trunc('hour', at) AS hour, count(*) AS n, count(note) AS notes,
       count(DISTINCT status) AS kinds, sum(amount) FILTER (WHERE status = 'paid') AS paid, min(at) AS least,
       bool_or(status <> 'new') AS "any", avg(count) AS mean
     FROM orders GROUP BY userId, date_trunc('hour', at) HAVING sum(amount) > 5`,
  ],
  'HAVING over outputs': [
    () =>
      from({ o: orders })
        .groupBy(({ o }) => ({ user: o.userId }))
        .select(({ key }) => ({ user: key.user, n: count() }))
        .having(({ n }) => gt(n, 5)),
    'SELECT userId AS "user", count(*) AS n FROM orders GROUP BY userId HAVING count(*) > 5',
  ],
  'windows as keys': [
    () =>
      from({ o: orders })
        .where(({ o }) => eq(o.status, 'paid'))
        .groupBy(({ o }) => ({ minute: tumble(o.at, '1m'), until: tumble(o.at, '1m').end }))
        .select(({ o, key }) => ({ minute: key.minute, until: key.until, revenue: sum(o.amount) })),
    `SELECT window_start AS minute, window_end AS until, sum(amount) AS revenue
     FROM tumble(orders, at, interval '1 minute') WHERE status = 'paid' GROUP BY window_start, window_end`,
  ],
  'windows as relations': [
    () =>
      from({ w: hop(bids, 'at', '1 minute', '10 minutes') })
        .groupBy(({ w }) => ({ start: w.window_start, auction: w.auction }))
        .select(({ w, key }) => ({ ...key, top: max(w.price) })),
    `SELECT window_start AS start, auction, max(price) AS top
     FROM hop(bids, at, interval '1 minute', interval '10 minutes') GROUP BY window_start, auction`,
  ],
  'windows over a query, and a join': [
    () =>
      from({
        o: from({ o: orders })
          .where(({ o }) => gt(o.amount, 1))
          .select(({ o }) => o),
      })
        .join({ c: customers }, ({ o, c }) => eq(o.userId, c.id))
        .groupBy(({ o, c }) => ({ hour: tumble(o.at, '1h'), vip: c.vip }))
        .select(({ key }) => ({ ...key, n: count() })),
    `WITH rich AS (SELECT * FROM orders WHERE amount > 1)
     SELECT o.window_start AS hour, c.vip, count(*) AS n FROM tumble(rich, at, interval '1 hour') o
     JOIN customers c ON o.userId = c.id GROUP BY o.window_start, c.vip`,
  ],
  'order, limit, offset': [
    () =>
      from({ o: orders })
        .select(({ o }) => ({ id: o.id, note: o.note }))
        .orderBy('-note', asc('id', { nulls: 'first' }))
        .limit(10)
        .offset(5),
    'SELECT id, note FROM orders ORDER BY note DESC, id ASC NULLS FIRST LIMIT 10 OFFSET 5',
  ],
  'an order behind a limit': [
    () =>
      from({ o: orders })
        .select(({ o }) => ({ id: o.id }))
        .limit(3)
        .orderBy('-id')
        .limit(2),
    'SELECT id FROM (SELECT id FROM orders LIMIT 3) AS x ORDER BY id DESC LIMIT 2',
  ],
  distinct: [
    () =>
      from({ o: orders })
        .select(({ o }) => ({ user: o.userId }))
        .distinct(),
    'SELECT DISTINCT userId AS "user" FROM orders',
  ],
  'distinct on': [
    () =>
      from({ o: orders })
        .select(({ o }) => ({ userId: o.userId, amount: o.amount }))
        .distinctOn('userId')
        .orderBy('userId', '-amount'),
    'SELECT DISTINCT ON (userId) userId, amount FROM orders ORDER BY userId, amount DESC',
  ],
  unions: [
    () => {
      const one = (status: 'new' | 'paid') =>
        from({ o: orders })
          .where(({ o }) => eq(o.status, status))
          .select(({ o }) => ({ id: o.id, n: literal(1) }))
      const other = from({ c: customers }).select(({ c }) => ({ n: literal(2), id: c.id }))
      return one('new').unionAll(one('paid')).unionAll(other).except(one('new')).orderBy('id')
    },
    `(SELECT id, 1 AS n FROM orders WHERE status = 'new' UNION ALL SELECT id, 1 AS n FROM orders WHERE status = 'paid'
      UNION ALL SELECT id, n FROM (SELECT 2 AS n, id FROM customers) x)
      EXCEPT SELECT id, 1 FROM orders WHERE status = 'new' ORDER BY id`,
  ],
  'top of partitions': [
    () =>
      from({ b: bids })
        .select(({ b }) => ({ auction: b.auction, price: b.price }))
        .top(3, { by: '-price', per: 'auction' }),
    `SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place
       FROM (SELECT auction, price FROM bids) x) y WHERE place <= 3`,
  ],
  'numbered rows': [
    () =>
      from({
        n: from({ b: bids }).select(({ b }) => ({
          ...b,
          place: rowNumber({ by: [desc(b.price), b.at], per: b.auction }),
        })),
      })
        .where(({ n }) => eq(n.place, 1))
        .select(({ n }) => ({ auction: n.auction })),
    `SELECT auction FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, at) AS place FROM bids) n
     WHERE place = 1`,
  ],
  subqueries: [
    () =>
      from({ o: orders })
        .where(({ o }) =>
          and(
            exists(from({ c: customers }).where(({ c }) => and(eq(c.id, o.userId), c.vip))),
            not(
              inQuery(
                o.id,
                from({ c: customers }).select(({ c }) => ({ id: c.id })),
              ),
            ),
            gt(o.amount, scalar(from({ p: orders }).select(({ p }) => ({ mean: avg(p.amount) })))),
          ),
        )
        .select(({ o }) => ({ id: o.id })),
    `SELECT id FROM orders o WHERE EXISTS (SELECT true FROM customers c WHERE c.id = o.userId AND c.vip)
       AND NOT id IN (SELECT id FROM customers) AND amount > (SELECT avg(amount) FROM orders)`,
  ],
  'views, named queries and SQL text': [
    () =>
      from({ s: spent })
        .join({ p: paid }, ({ s, p }) => eq(s.userId, p.userId))
        .join({ t: text }, ({ s, t: counted }) => eq(s.userId, counted.userId))
        .join({ x: sql<{ id: string }>`SELECT id FROM ${customers} -- all` }, ({ x, s }) => eq(x.id, s.userId))
        .select(({ s, p, t: counted }) => ({ total: s.total, id: p.id, n: counted.n })),
    `SELECT s.total, p.id, t.n FROM spent s JOIN paid p ON s.userId = p.userId JOIN text t ON s.userId = t.userId
     JOIN (SELECT id FROM customers) x ON x.id = s.userId`,
  ],
  'now() and intervals': [
    () =>
      from({ o: orders })
        .where(({ o }) => gt(o.at, sub(now(), interval('1 hour'))))
        .select(({ o }) => ({ id: o.id, hour: extract('hour', o.at) })),
    `SELECT id, extract(hour FROM at) AS hour FROM orders WHERE at > now() - interval '1 hour'`,
  ],
  'templates as expressions': [
    () =>
      from({ o: orders })
        .where(({ o }) => sql<boolean>`${lower(o.note)} LIKE ${'%x%'} OR ${o.amount} > ${3}`)
        .select(({ o }) => ({ a: mul(sql<number>`${o.count} + 1`, 2), b: sql<number>`${add(o.count, 1)} * 2` })),
    `SELECT (count + 1) * 2 AS a, (count + 1) * 2 AS b FROM orders WHERE lower(note) LIKE '%x%' OR amount > 3`,
  ],
  'odd names': [
    () =>
      from({ order: odd })
        .where(({ order }) => and(eq(order.select, 'x'), between(order['a b'], 1, 5), inList(order['Ünï'], ['a', 'b'])))
        .select(({ order }) => ({ select: order.select, 'c"d': order['a b'], user: order.user }))
        .orderBy('-c"d'),
    `SELECT "select", "a b" AS "c""d", "user" FROM "Odd ""name""" WHERE "select" = 'x' AND "a b" BETWEEN 1 AND 5
     AND "Ünï" IN ('a', 'b') ORDER BY "c""d" DESC`,
  ],
  'an aggregate of all rows': [
    () => from({ o: orders }).select(({ o }) => ({ n: count(), total: coalesce(sum(o.amount), 0) })),
    'SELECT count(*) AS n, coalesce(sum(amount), 0) AS total FROM orders',
  ],
  dates: [
    () =>
      from({ o: orders })
        .where(({ o }) => between(o.at, new Date(0), new Date('2026-01-01')))
        .select(({ o }) => ({ id: o.id })),
    `SELECT id FROM orders WHERE at BETWEEN '1970-01-01T00:00:00.000Z' AND '2026-01-01T00:00:00.000Z'`,
  ],
}

describe('a query of the builder has the plan of its SQL:', () => {
  it.each(Object.entries(pairs))('%s', (_, [built, written]) => {
    expect(planOf(built().text)).toBe(planOf(written))
  })
})

function refused(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return `${error.code}: ${error.message}`
    throw error
  }
  throw new Error('accepted')
}

describe('values are literals, whatever is in them:', () => {
  const hostile = [
    `'; DROP TABLE orders; --`,
    `''`,
    `\\'`,
    `$1 $$ $x$`,
    `/* */ -- x`,
    'line\nbreak',
    `"`,
    '${x}',
    'tab\t\u2028 \u{1F600}',
    `E'\\n'`,
    `U&'\\0041'`,
    '%_\\',
  ]
  it.each(hostile)('%j', (value) => {
    const inner = from({ o: orders })
      .where(({ o }) => ne(o.note, value))
      .select(({ o }) => ({ id: o.id, said: literal(value) }))
    // Nested, so that indentation would show if it changed what is quoted.
    const outer = from({ i: inner }).select(({ i }) => ({ said: i.said, id: i.id }))
    const quoted = `'${value.replaceAll("'", "''")}'`
    const flat = `SELECT said, id FROM (SELECT id, ${quoted}::text AS said FROM orders WHERE note <> ${quoted}) x`
    expect(planOf(outer.text).replaceAll('::text', '')).toBe(planOf(flat).replaceAll('::text', ''))
  })

  it('refuses text with a NUL, which PostgreSQL has no form for', () => {
    const built = from({ o: orders }).select(() => ({ x: literal('a\u0000b') }))
    expect(() => planOf(built.text)).toThrow(MillraceError)
  })

  it.each([
    [Number.NaN, `'NaN'::double precision`],
    [Number.POSITIVE_INFINITY, `'Infinity'::double precision`],
    [-1, '-1'],
    [1e21, '1e21'],
    [2n ** 70n, '1180591620717411303424'],
    [-(2n ** 63n), '-9223372036854775808'],
  ])('%s', (value, written) => {
    const built = from({ o: orders }).select(({ o }) => ({ x: sub(o.amount, value), y: sub(-1, value) }))
    expect(planOf(built.text)).toBe(planOf(`SELECT amount - (${written}) AS x, -1 - (${written}) AS y FROM orders`))
  })
})

it('leaves session windows to the binder, which refuses them by name', () => {
  const built = from({ o: orders })
    .groupBy(({ o }) => ({ start: session(o.at, '5m') }))
    .select(({ key }) => ({ start: key.start, n: count() }))
  expect(() => planOf(built.toSql())).toThrow('session() is not supported')
})

describe('the builder refuses', () => {
  const rows = from({ o: orders })
  const cases: Readonly<Record<string, readonly [run: () => unknown, message: string]>> = {
    'a column that is not there': [
      () => rows.select(({ o }) => ({ x: (o as never as Record<string, never>).amout })),
      'sql/unknown-column: o has no column amout',
    ],
    'a column of another query': [
      () =>
        rows
          .where(({ o }) => eq(o.id, 'x'))
          .select(() => ({ x: foreign() }))
          .toSql(),
      `sql/definition: a column of c stands in a query that doesn't read it`,
    ],
    'a name that would mean another relation': [
      () =>
        rows
          .where(({ o }) => exists(from({ o: customers }).where(({ o: inner }) => eq(inner.id, o.userId))))
          .select(({ o }) => o).text,
      'sql/ambiguous: o is a relation of this query and of one around it',
    ],
    'a group key that is a place in the list': [
      () => rows.groupBy(() => ({ one: literal(1) as never })),
      'sql/grouping: the key one reads no column',
    ],
    'two kinds of windows over one relation': [
      () => rows.groupBy(({ o }) => ({ a: tumble(o.at, '1m'), b: tumble(o.at, '2m') })).select(({ key }) => key).text,
      'sql/definition: o is cut into different windows in one query',
    ],
    'a window over an expression': [
      () => rows.groupBy(({ o }) => ({ a: tumble(dateTrunc('hour', o.at), '1m') })),
      'sql/type: the time of tumble() is a column, not an expression',
    ],
    'a query as a value': [
      () => rows.select(() => ({ x: rows.select(({ o }) => o) as never })),
      'sql/definition: a query stands where an expression belongs',
    ],
    'a union of other names': [
      () => rows.select(({ o }) => ({ a: o.id })).union(rows.select(({ o }) => ({ b: o.id })) as never),
      'sql/type: UNION: one query has a, the other b',
    ],
    'the same name twice': [
      () => rows.join({ O: customers }, ({ o, O }) => eq(o.userId, O.id)),
      'sql/definition: O names two relations of one query',
    ],
    'a limit that is no number of rows': [
      () => rows.select(({ o }) => o).limit(1.5),
      'sql/value: limit(1.5): not a whole number from 0 on',
    ],
    'an order by what is not shown': [
      () => rows.select(({ o }) => ({ id: o.id })).orderBy('amount' as never),
      'sql/unknown-column: the query has no output amount',
    ],
    'all columns of SQL text': [
      () => from({ x: text }).select(({ x }) => ({ ...x })),
      'sql/definition: which columns x has is not known here',
    ],
    'undefined as a value': [
      () => rows.where(({ o }) => eq(o.id, undefined as never)),
      'sql/value: undefined has no form in SQL',
    ],
  }
  function foreign(): never {
    let found: unknown
    from({ c: customers }).where(({ c }) => {
      found = c.name
      return c.vip
    })
    return found as never
  }
  it.each(Object.entries(cases))('%s', (_, [run, message]) => {
    expect(refused(run)).toBe(message)
  })
})
