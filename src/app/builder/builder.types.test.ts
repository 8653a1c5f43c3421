import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineApp } from '../app.ts'
import { type Json, t } from '../column-type.ts'
import type { DatabaseShape } from '../database-shape.ts'
import { type InferRow, query, table, topic, view } from '../definitions.ts'
import type { Expr } from '../expression.ts'
import { avg, boolAnd, count, max, min, sum } from '../functions/aggregates.ts'
import { abs, add, div, mul, round, sub } from '../functions/arithmetic.ts'
import { caseWhen, cast, coalesce, greatest, literal, nullif } from '../functions/choice.ts'
import { and, between, eq, gt, inList, isNull, not } from '../functions/comparison.ts'
import { dateTrunc, extract, interval, now } from '../functions/datetime.ts'
import { contains, field, fieldText } from '../functions/json.ts'
import { cat, length, like, lower } from '../functions/text.ts'
import { fn } from '../scalar-function.ts'
import { type AnyRow, type Sql, sql } from '../sql-text.ts'
import { desc, rowNumber } from './direction.ts'
import { from } from './from.ts'
import { exists, inQuery, scalar } from './subquery.ts'
import { hop, tumble } from './window.ts'

const orders = topic('orders', {
  schema: z.object({
    id: z.string(),
    userId: z.string(),
    amount: z.number(),
    count: z.int(),
    big: z.bigint(),
    status: z.enum(['new', 'paid']),
    note: z.string().optional(),
    at: z.coerce.date(),
  }),
  time: 'at',
})
const bids = topic('bids', {
  schema: {
    auction: t.bigint(),
    price: t.numeric(12, 2),
    qty: t.integer().nullable(),
    ratio: t.double(),
    at: t.timestamptz(),
    day: t.date(),
    open: t.boolean(),
    meta: t.jsonb<{ tags: string[]; size?: number }>(),
    raw: t.bytea(),
    id: t.uuid(),
  },
  time: 'at',
})
const customers = table('customers', {
  schema: { id: t.text(), name: t.text().nullable(), vip: t.boolean() },
  key: 'id',
})
const spent = view(
  'spent',
  from({ o: orders })
    .groupBy(({ o }) => ({ userId: o.userId }))
    .select(({ o, key }) => ({ userId: key.userId, total: sum(o.amount) })),
)
const untyped = view('untyped', sql`SELECT 1 FROM ${orders}`)
const stated = view('stated', sql<{ userId: string; n: number | bigint; at: Date | null }>`SELECT 1 FROM ${orders}`)

type Row<Q> = Q extends Sql<infer R> ? R : never

/** Only compiled, never run. */
function compiled(body: () => unknown): void {
  expectTypeOf(body).toBeFunction()
}

describe('rows of a query', () => {
  it('are what its expressions show', () => {
    const q = from({ b: bids }).select(({ b }) => ({
      ...b,
      next: add(b.auction, 1),
      half: mul(b.price, 0.5),
      twice: mul(b.qty, 2),
      fraction: mul(b.qty, 0.5),
      share: div(b.ratio, b.qty),
      later: add(b.at, interval('1 hour')),
      tomorrow: add(b.day, 1),
      since: sub(now(), b.at),
      hour: dateTrunc('hour', b.at),
      h: extract('hour', b.at),
      rounded: round(b.price, 1),
      positive: abs(b.qty),
      text: cat('#', b.id),
      size: length(lower(fieldText(b.meta, 'name'))),
      tags: field(b.meta, 'tags'),
      place: rowNumber({ by: desc(b.price), per: b.auction }),
      isOpen: and(b.open, gt(b.price, 1)),
      code: cast(b.auction, t.text()),
      same: sql<number>`1 + 1`,
    }))
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{
      readonly auction: number | bigint
      readonly price: number | string
      readonly qty: number | null
      readonly ratio: number
      readonly at: string
      readonly day: string
      readonly open: boolean
      readonly meta: { tags: string[]; size?: number }
      readonly raw: Uint8Array
      readonly id: string
      readonly next: number | bigint
      readonly half: number | string
      readonly twice: number | null
      readonly fraction: number | string | null
      readonly share: number | null
      readonly later: string
      readonly tomorrow: string
      readonly since: string
      readonly hour: string
      readonly h: number | string
      readonly rounded: number | string
      readonly positive: number | null
      readonly text: string
      readonly size: number | null
      readonly tags: string[] | null
      readonly place: number
      readonly isOpen: boolean
      readonly code: string
      readonly same: number
    }>()
  })

  it('have what a schema says of its columns', () => {
    const q = from({ o: orders }).select(({ o }) => ({
      ...o,
      total: mul(o.amount, 1.5),
      n: add(o.count, 1),
      b: add(o.big, 1n),
      hour: dateTrunc('hour', o.at),
      first: coalesce(o.note, o.status, 'none'),
    }))
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{
      readonly id: string
      readonly userId: string
      readonly amount: number
      readonly count: number
      readonly big: bigint
      readonly status: 'new' | 'paid'
      readonly note: string | null
      readonly at: Date
      readonly total: number
      readonly n: number
      readonly b: bigint
      readonly hour: Date
      readonly first: string
    }>()
  })

  it('can be NULL where an outer join, a choice or an empty group makes them', () => {
    const q = from({ o: orders })
      .leftJoin({ c: customers }, ({ o, c }) => eq(o.userId, c.id))
      .select(({ o, c }) => ({
        id: o.id,
        vip: c.vip,
        who: coalesce(c.name, 'nobody'),
        either: coalesce(c.name, c.id),
        greater: greatest(o.count, 3),
        word: caseWhen(gt(o.amount, 9), 'big').else('small'),
        open: caseWhen(gt(o.amount, 9), o.id).end(),
        none: nullif(o.id, ''),
        isMissing: isNull(c.id),
        known: eq(c.name, 'x'),
      }))
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{
      readonly id: string
      readonly vip: boolean | null
      readonly who: string
      readonly either: string | null
      readonly greater: number
      readonly word: string
      readonly open: string | null
      readonly none: string | null
      readonly isMissing: boolean
      readonly known: boolean | null
    }>()
    const all = from({ b: bids }).select(({ b }) => ({
      n: count(),
      total: sum(b.price),
      zero: coalesce(sum(b.qty), 0),
      first: min(b.at),
      open: boolAnd(b.open),
    }))
    expectTypeOf<Row<typeof all>>().toEqualTypeOf<{
      readonly n: number
      readonly total: number | string | null
      readonly zero: number | bigint
      readonly first: string | null
      readonly open: boolean | null
    }>()
    const both = from({ a: customers })
      .fullJoin({ b: customers }, ({ a, b }) => eq(a.id, b.id))
      .select(({ a, b }) => ({ a: a.id, b: b.vip }))
    expectTypeOf<Row<typeof both>>().toEqualTypeOf<{ readonly a: string | null; readonly b: boolean | null }>()
  })

  it('of groups are keys and aggregates, which have a value', () => {
    const q = from({ b: bids })
      .groupBy(({ b }) => ({ auction: b.auction, minute: tumble(b.at, '1m') }))
      .select(({ b, key }) => ({
        ...key,
        bids: count(),
        top: max(b.price),
        pieces: sum(b.qty),
        some: sum(b.price).filter(b.open),
        many: count().filter(b.open),
        mean: avg(b.qty),
        ratio: sum(b.ratio),
        text: cat('n=', cast(count(), t.text())),
      }))
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{
      readonly auction: number | bigint
      readonly minute: string
      readonly bids: number
      readonly top: number | string
      readonly pieces: number | bigint | null
      readonly some: number | string | null
      readonly many: number
      readonly mean: number | string | null
      readonly ratio: number
      readonly text: string
    }>()
    const u = from({ o: orders })
      .groupBy(({ o }) => ({ minute: hop(o.at, '1m', '5m') }))
      .select(({ o, key }) => ({ minute: key.minute, sum: sum(o.count), big: sum(o.big), last: max(o.at) }))
    expectTypeOf<Row<typeof u>>().toEqualTypeOf<{
      readonly minute: Date
      readonly sum: number
      readonly big: bigint
      readonly last: Date
    }>()
  })

  it('of views, windows, unions and subqueries', () => {
    expectTypeOf<InferRow<typeof spent>>().toEqualTypeOf<{ readonly userId: string; readonly total: number }>()
    const w = from({ w: tumble(orders, 'at', '1m') }).select(({ w }) => ({ start: w.window_start, id: w.id }))
    expectTypeOf<Row<typeof w>>().toEqualTypeOf<{ readonly start: Date; readonly id: string }>()
    const joined = from({ s: spent, x: stated }).select(({ s, x }) => ({ total: s.total, n: x.n, at: x.at }))
    expectTypeOf<Row<typeof joined>>().toEqualTypeOf<{
      readonly total: number
      readonly n: number | bigint
      readonly at: Date | null
    }>()
    const union = from({ s: spent })
      .select(({ s }) => ({ id: s.userId, n: s.total }))
      .unionAll(from({ b: bids }).select(({ b }) => ({ id: cast(b.id, t.text()), n: b.qty })))
    expectTypeOf<Row<typeof union>>().toEqualTypeOf<{ readonly id: string; readonly n: number | null }>()
    const q = from({ o: orders })
      .where(({ o }) => exists(from({ c: customers }).where(({ c }) => eq(c.id, o.userId))))
      .where(({ o }) =>
        inQuery(
          o.userId,
          from({ c: customers }).select(({ c }) => ({ id: c.id })),
        ),
      )
      .select(({ o }) => ({ id: o.id, max: scalar(from({ b: bids }).select(({ b }) => ({ x: max(b.ratio) }))) }))
      .top(3, { by: '-max', per: ['id'] })
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{ readonly id: string; readonly max: number | null }>()
    const loose = from({ u: untyped }).select(({ u }) => ({ x: add(u.n, 1), y: lower(u.name) }))
    expectTypeOf<Row<typeof loose>>().toExtend<AnyRow>()
    const named = query('named', q)
    const over = from({ n: named }).select(({ n }) => n)
    expectTypeOf<Row<typeof over>>().toEqualTypeOf<{ readonly id: string; readonly max: number | null }>()
  })

  it('are the rows of reads', () => {
    const app = defineApp({ orders, bids, customers, spent, untyped, stated })
    compiled(async () => {
      const db = null as unknown as DatabaseShape<typeof app>
      const { rows } = await db.spent.get({ order: '-total', where: { userId: 'a' } })
      expectTypeOf(rows[0]).toEqualTypeOf<{ readonly userId: string; readonly total: number }>()
      const answer = await db.sql(from({ o: orders }).select(({ o }) => ({ id: o.id })))
      expectTypeOf(answer.rows[0]).toEqualTypeOf<{ readonly id: string }>()
      // @ts-expect-error a view can't be appended to
      await db.spent.append({ userId: 'a', total: 1 })
    })
  })
})

describe('the compiler refuses', () => {
  it('columns and relations that are not there', () => {
    compiled(() => {
      // @ts-expect-error there is no column amout
      from({ o: orders }).where(({ o }) => gt(o.amout, 1))
      // @ts-expect-error there is no relation c
      from({ o: orders }).where(({ c }) => isNull(c.id))
      // @ts-expect-error the view shows no amount
      from({ s: spent }).select(({ s }) => ({ a: s.amount }))
      const ids = from({ o: orders }).select(({ o }) => ({ id: o.id }))
      // @ts-expect-error there is no output amount
      ids.orderBy('amount')
      // @ts-expect-error id is no time
      from({ w: tumble(orders, 'userIds', '1m') })
      // @ts-expect-error an object is no relation
      from({ o: { id: 1 } })
      // @ts-expect-error a query without select shows nothing
      view('x', from({ o: orders }))
    })
  })

  it('values of the wrong type', () => {
    const q = from({ o: orders, b: bids })
    compiled(() => {
      // @ts-expect-error text can't be compared with a number
      q.where(({ o }) => eq(o.userId, 5))
      // @ts-expect-error nor a number with text
      q.where(({ o }) => eq(o.amount, 'five'))
      // @ts-expect-error nor a text column with a number column
      q.where(({ o, b }) => eq(o.userId, b.price))
      // @ts-expect-error there is no such status
      q.where(({ o }) => eq(o.status, 'payed'))
      // @ts-expect-error a time is no number
      q.where(({ b }) => gt(b.at, 5))
      // @ts-expect-error text is no condition
      q.where(({ o }) => o.userId)
      // @ts-expect-error a boolean has no lower case
      q.select(({ b }) => ({ x: lower(b.open) }))
      // @ts-expect-error text can't be added
      q.select(({ b }) => ({ x: add(b.auction, b.meta) }))
      // @ts-expect-error there is no sum of text
      q.select(({ o }) => ({ x: sum(o.userId) }))
      // @ts-expect-error there is no greatest JSON
      q.select(({ b }) => ({ x: max(b.meta) }))
      // @ts-expect-error a number has no fields
      q.select(({ b }) => ({ x: field(b.price, 'a') }))
      // @ts-expect-error a number is no list's member here
      q.where(({ o }) => inList(o.userId, [1, 2]))
      // @ts-expect-error text is no bound of numbers
      q.where(({ o }) => between(o.amount, 'a', 'b'))
      // @ts-expect-error a number matches no pattern
      q.where(({ o }) => like(o.amount, '5%'))
      // @ts-expect-error a text is not negated
      q.where(({ o }) => not(o.userId))
      // @ts-expect-error a date and a moment are not added
      q.select(({ b }) => ({ x: sql<number>`1`, y: lower(add(b.at, b.day)) }))
      // @ts-expect-error an array of text contains no number column
      q.where(({ b }) => contains(b.meta, b.price))
      // @ts-expect-error other names
      q.select(({ o }) => ({ a: o.id })).union(q.select(({ o }) => ({ b: o.id })))
      // @ts-expect-error other types
      q.select(({ o }) => ({ a: o.id })).union(q.select(({ o }) => ({ a: o.amount })))
    })
  })

  it('columns that are not grouped, and aggregates where none may be', () => {
    const grouped = from({ o: orders }).groupBy(({ o }) => ({ user: o.userId }))
    compiled(() => {
      // @ts-expect-error amount is in no key
      grouped.select(({ o, key }) => ({ user: key.user, amount: o.amount }))
      // @ts-expect-error nor is it within an expression
      grouped.select(({ o }) => ({ amount: add(o.amount, 1) }))
      // @ts-expect-error nor beside an aggregate
      grouped.select(({ o }) => ({ amount: add(sum(o.amount), o.amount) }))
      // @ts-expect-error there is no key status
      grouped.select(({ key }) => ({ s: key.status }))
      // @ts-expect-error HAVING is of groups
      grouped.having(({ o }) => gt(o.amount, 1))
      // @ts-expect-error a column stands beside an aggregate
      from({ o: orders }).select(({ o }) => ({ user: o.userId, n: count() }))
      // @ts-expect-error WHERE is of rows
      from({ o: orders }).where(({ o }) => gt(sum(o.amount), 1))
      // @ts-expect-error an aggregate of an aggregate
      grouped.select(({ o }) => ({ x: sum(sum(o.amount)) }))
      // @ts-expect-error a key is of rows
      from({ o: orders }).groupBy(({ o }) => ({ n: sum(o.amount) }))
    })
  })

  it('a function of the app what it does not take', () => {
    const slug = fn('slug', { args: [t.text(), t.integer()], returns: t.text() }, (s, n) => s.slice(n))
    const half = fn('half', { args: [t.double()], returns: t.double().nullable(), nulls: 'called' }, (x) =>
      x === null ? null : x / 2,
    )
    const q = from({ o: orders, b: bids }).select(({ o, b }) => ({
      slug: slug(o.id, 1),
      maybe: slug(o.note, b.qty),
      half: half(b.ratio),
    }))
    expectTypeOf<Row<typeof q>>().toEqualTypeOf<{
      readonly slug: string
      readonly maybe: string | null
      readonly half: number | null
    }>()
    compiled(() => {
      // @ts-expect-error a number is no text
      from({ o: orders }).select(({ o }) => ({ x: slug(o.amount, 1) }))
      // @ts-expect-error it takes two
      from({ o: orders }).select(({ o }) => ({ x: slug(o.id) }))
      const grouped = from({ o: orders }).groupBy(({ o }) => ({ id: o.id }))
      // @ts-expect-error amount is in no key
      grouped.select(({ o }) => ({ x: half(o.amount) }))
      // @ts-expect-error it gives text
      fn('wrong', { args: [t.text()], returns: t.text() }, (s) => s.length)
    })
  })

  it('nothing of a JSON column whose shape is not known', () => {
    const any = topic('any', { schema: { doc: t.jsonb() } })
    const q = from({ a: any }).select(({ a }) => ({ x: field(a.doc, 'x'), y: fieldText(a.doc, 0), z: literal('z') }))
    expectTypeOf<Row<typeof q>>().toExtend<{ readonly x: Json | null; readonly y: string | null; readonly z: string }>()
    expectTypeOf<Expr<number, 'double', never>>().toExtend<Expr>()
  })
})
