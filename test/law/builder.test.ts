import { beforeAll, describe, expect, it } from 'vitest'
import { appDefinitions, defineApp } from '../../src/app/app.ts'
import { from } from '../../src/app/builder/from.ts'
import { exists, inQuery, scalar } from '../../src/app/builder/subquery.ts'
import { hop, tumble } from '../../src/app/builder/window.ts'
import { t } from '../../src/app/column-type.ts'
import { table, topic, view } from '../../src/app/definitions.ts'
import { avg, boolAnd, count, countDistinct, max, min, sum } from '../../src/app/functions/aggregates.ts'
import { add, div, mod, mul } from '../../src/app/functions/arithmetic.ts'
import { caseWhen, cast, coalesce, literal, nullif } from '../../src/app/functions/choice.ts'
import { and, eq, gt, isNull, lt, ne, not, or } from '../../src/app/functions/comparison.ts'
import { dateTrunc, extract } from '../../src/app/functions/datetime.ts'
import { fieldText } from '../../src/app/functions/json.ts'
import { cat, lower, upper } from '../../src/app/functions/text.ts'
import type { CaseEvent, LawCase } from './case-file.ts'
import { EngineSubject } from './engine-subject.ts'
import { type Oracle, sharedOracle } from './oracle.ts'
import { runCase } from './run-case.ts'

const bid = topic('bid', {
  schema: {
    id: t.bigint(),
    auction: t.integer(),
    price: t.numeric(12, 2).nullable(),
    qty: t.integer(),
    note: t.text(),
    doc: t.jsonb(),
    at: t.timestamp(),
  },
  time: 'at',
  lateness: '4 seconds',
})
const account = table('account', {
  schema: { id: t.integer(), owner: t.text().nullable(), vip: t.boolean() },
  key: 'id',
})

const plain = view(
  'plain',
  from({ b: bid })
    .where(({ b }) => or(gt(b.price, 5), isNull(b.price), eq(b.note, `it's "x"`)))
    .select(({ b }) => ({
      id: b.id,
      double: mul(b.price, 2),
      rest: mod(b.qty, 3),
      size: caseWhen(gt(b.qty, 5), 'big').when(gt(b.qty, 2), 'middling').else('small'),
      label: cat(upper(b.note), '#', cast(b.auction, t.text())),
      color: fieldText(b.doc, 'color'),
      share: div(b.price, nullif(b.qty, 0)),
    })),
)
const per_window = view(
  'per_window',
  from({ b: bid })
    .where(({ b }) => ne(b.qty, 4))
    .groupBy(({ b }) => ({ start: tumble(b.at, '10s'), until: tumble(b.at, '10s').end, auction: b.auction }))
    .having(({ b }) => gt(sum(b.qty), 1))
    .select(({ b, key }) => ({
      ...key,
      n: count(),
      prices: count(b.price),
      kinds: countDistinct(b.note),
      top: max(b.price),
      first: min(b.at),
      mean: avg(b.qty),
      big: sum(b.qty).filter(gt(b.price, 5)),
      all_priced: boolAnd(not(isNull(b.price))),
    })),
)
const hopping = view(
  'hopping',
  from({ w: hop(bid, 'at', '5s', '15s') })
    .groupBy(({ w }) => ({ start: w.window_start }))
    .select(({ w, key }) => ({ start: key.start, qty: sum(w.qty) })),
)
const closed = view(
  'closed',
  from({ b: bid })
    .groupBy(({ b }) => ({ start: tumble(b.at, '10s'), window_end: tumble(b.at, '10s').end }))
    .select(({ b, key }) => ({ ...key, qty: sum(b.qty) })),
  { emit: 'final' },
)
const owners = view(
  'owners',
  from({ b: bid })
    .leftJoin({ a: account }, ({ b, a }) => and(eq(b.auction, a.id), gt(b.qty, 1)))
    .groupBy(({ a }) => ({ owner: coalesce(a.owner, 'nobody'), vip: a.vip }))
    .select(({ b, key }) => ({ ...key, total: coalesce(sum(b.price), 0) })),
)
const best = view(
  'best',
  from({ b: bid, a: account })
    .where(({ b, a }) => eq(b.auction, a.id))
    .select(({ b, a }) => ({ owner: a.owner, price: b.price, id: b.id }))
    .top(2, { by: ['-price', 'id'], per: 'owner' }),
)
const either = view(
  'either',
  from({ a: account })
    .where(({ a }) => exists(from({ b: bid }).where(({ b }) => and(eq(b.auction, a.id), lt(b.qty, 3)))))
    .select(({ a }) => ({ id: a.id, why: literal('small bids') }))
    .union(
      from({ a: account })
        .where(({ a }) =>
          inQuery(
            a.id,
            from({ b: bid }).select(({ b }) => ({ id: add(b.auction, 1) })),
          ),
        )
        .select(({ a }) => ({ why: literal('its neighbour'), id: a.id })),
    ),
)
const above = view(
  'above',
  from({ b: bid })
    .where(({ b }) => gt(b.price, scalar(from({ x: bid }).select(({ x }) => ({ mean: avg(x.price) })))))
    .select(({ b }) => ({ note: lower(b.note), minute: extract('minute', dateTrunc('minute', b.at)) }))
    .distinct(),
)
const over = view(
  'over',
  from({ o: owners })
    .fullJoin({ a: account }, ({ o, a }) => eq(o.owner, a.owner))
    .select(({ o, a }) => ({ owner: o.owner, id: a.id, total: o.total })),
)
const app = defineApp({ bid, account, plain, per_window, hopping, closed, owners, best, either, above, over })

/** Numbers from a seed (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function events(seed: number, count_: number): CaseEvent[] {
  const random = randomOf(seed)
  const notes = [`it's "x"`, 'plain', '', 'Ünï --', 'a\\b']
  return Array.from({ length: count_ }, (_, i): CaseEvent => {
    const fields = (data: object): CaseEvent['fields'] =>
      Object.entries(data).map(([name, value]) => [name, JSON.stringify(value)] as const)
    if (random(4) === 0) {
      const id = random(5)
      if (random(4) === 0) return { topic: 'account', operation: 'delete', fields: fields({ id }), at: null }
      const owner = [null, 'ada', 'bob', 'cy'][random(4)]
      return { topic: 'account', operation: 'upsert', fields: fields({ id, owner, vip: random(2) === 0 }), at: null }
    }
    const seconds = String(Math.min(59, Math.max(0, i + random(9) - 4))).padStart(2, '0')
    const data = {
      id: i,
      auction: random(5),
      price: random(5) === 0 ? null : random(2000) / 100,
      qty: random(8),
      note: notes[random(notes.length)],
      doc: random(3) === 0 ? { color: 'red' } : {},
      at: `2026-01-01T10:00:${seconds}`,
    }
    return { topic: 'bid', operation: 'upsert', fields: fields(data), at: null }
  })
}

describe('views of the builder', () => {
  let oracle: Oracle
  let subject: EngineSubject
  beforeAll(async () => {
    oracle = await sharedOracle()
    subject = await EngineSubject.load()
  })

  it.each([1, 20261122])('are what PostgreSQL makes of their SQL, at every tick, from seed %i', async (seed) => {
    const texts = appDefinitions(app).map(({ name, text }) => ({
      text: `${text};\n`,
      isTopic: name === 'bid' || name === 'account',
    }))
    const item: LawCase = {
      name: `builder from seed ${seed}`,
      title: '',
      schema: texts
        .filter(({ isTopic }) => isTopic)
        .map(({ text }) => text)
        .join(''),
      views: texts
        .filter(({ isTopic }) => !isTopic)
        .map(({ text }) => text)
        .join(''),
      events: events(seed, 40),
      oracles: new Map(),
      errors: new Map(),
      refused: null,
    }
    expect(await runCase(oracle, subject, item)).toBeNull()
  })
})
