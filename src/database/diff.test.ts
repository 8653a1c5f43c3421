import { describe, expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions, type Difference } from '../database.ts'
import { type Definition, sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { Rows } from '../views/rows.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
`

/** What a view of this name may be; null: not there. */
const choices: Readonly<Record<string, readonly (string | null)[]>> = {
  totals: [
    'SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction',
    'SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction ORDER BY total DESC',
    'SELECT auction, count(*) AS bids, sum(price) AS total FROM bid WHERE price > 20 GROUP BY auction',
    'SELECT auction, count(*) AS bids, max(price) AS total FROM bid GROUP BY auction',
    'SELECT auction, count(*) AS bids FROM bid GROUP BY auction',
    null,
  ],
  prices: [
    'SELECT auction, price FROM bid',
    'SELECT auction % 3 AS auction, price FROM bid',
    'SELECT b.auction, b.price FROM bid b JOIN account a ON a.id = b.auction ORDER BY price',
    'SELECT auction, price AS cost FROM bid',
    'SELECT auction, NULLIF(price, 7) AS price FROM bid WHERE 100 / price > 2',
    null,
  ],
  owned: ['SELECT owner, count(*) AS accounts FROM account GROUP BY owner', 'SELECT DISTINCT owner FROM account', null],
  above: ['SELECT auction, bids FROM totals WHERE bids > 2', null],
}

function anyApp(prng: Prng): string {
  const views: string[] = []
  for (const [name, queries] of Object.entries(choices)) {
    const query = queries[prng.below(queries.length)]
    if (query === null || (name === 'above' && !views.some((view) => view.includes(' totals ')))) continue
    views.push(`CREATE MATERIALIZED VIEW ${name} AS ${query};`)
  }
  return topics + views.join('\n')
}

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, definition: Definition, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const snapshots = { everyBytes: 4000, closeBytes: 1 }
  return Database.open({ io, definition, data: 'data', engine: 'worker', snapshots, ...options })
}

async function feed(db: Database, prng: Prng, appends: number): Promise<void> {
  for (let i = 0; i < appends; i++) {
    const events = Array.from({ length: 1 + prng.below(6) }, () => {
      if (prng.chance(0.3)) return { topic: 'account', data: { id: prng.below(9), owner: `o${prng.below(4)}` } }
      const at = new Date(1_767_225_600_000 + prng.below(60_000)).toISOString()
      return { topic: 'bid', data: { auction: prng.below(9), price: prng.chance(0.1) ? null : prng.below(60), at } }
    })
    const { tick } = await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events })))
    if (prng.chance(0.3)) await db.waitForTick(tick)
  }
}

/** Rows as text with their weights, in their order. */
function weighed(rows: Rows): Map<string, number> {
  const all = new Map<string, number>()
  rows.forEach((page, row, weight) => {
    const text = printRow(rows.columns, page.memory, page.columns, row)
    all.set(text, (all.get(text) ?? 0) + weight)
  })
  return all
}

interface Seen {
  readonly columns: string
  readonly rows: ReadonlyMap<string, number>
  readonly errors: number
}

async function seenAt(db: Database, tick: number): Promise<Map<string, Seen>> {
  const names = db.catalog().views.map(({ name }) => name)
  const answers = await db.readAll(names, { asOf: { at: { tick }, replay: {} } })
  return new Map(
    answers.map(({ view, rows, errors }) => {
      const columns = view.columns.map(({ name, type }) => `${name} ${type.kind}`).join()
      return [view.name, { columns, rows: weighed(rows), errors }]
    }),
  )
}

function countOf(rows: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const weight of rows.values()) sum += weight
  return sum
}

/** The difference of two bags of rows, made the plain way. */
function naive(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> {
  const net = new Map<string, number>()
  for (const text of new Set([...before.keys(), ...after.keys()])) {
    const weight = (after.get(text) ?? 0) - (before.get(text) ?? 0)
    if (weight !== 0) net.set(text, weight)
  }
  return net
}

function check(told: Difference, before: Seen | undefined, after: Seen | undefined, most: number): void {
  const counts = (seen: Seen | undefined) =>
    seen === undefined ? null : { rows: countOf(seen.rows), errors: seen.errors }
  expect(told).toMatchObject({ before: counts(before), after: counts(after) })
  if (before === undefined || after === undefined) {
    expect(told).toMatchObject({ kind: before === undefined ? 'new' : 'dropped', changes: null })
    return
  }
  if (before.columns !== after.columns) {
    expect(told).toMatchObject({ kind: 'reshaped', changes: null })
    return
  }
  const net = naive(before.rows, after.rows)
  if (told.changes === null) {
    expect(told.kind).toBe('same')
    expect(net.size).toBe(0)
    return
  }
  const weights = [...net.values()]
  expect(told.kind).toBe('changed')
  expect(told.changes.added).toBe(weights.filter((w) => w > 0).reduce((a, b) => a + b, 0))
  expect(told.changes.removed).toBe(weights.filter((w) => w < 0).reduce((a, b) => a - b, 0))
  const listed = weighed(told.changes.rows)
  expect(told.changes.rows.length).toBe(Math.min(most, net.size))
  for (const [text, weight] of listed) expect(net.get(text)).toBe(weight)
}

describe.each(['worker', 'inline'] as const)('other definitions, the engine %s', (engine) => {
  it.each([1, 2, 3, 4, 5, 6])('are compared with those at work while events come (seed %i)', async (seed) => {
    const prng = new Prng(seed * (engine === 'worker' ? 1 : 101))
    const io = machine(seed)
    const db = await open(io, sqlDefinition(anyApp(prng)), { engine, ...(seed % 2 === 0 ? {} : { snapshots: false }) })
    await feed(db, prng, 30)
    for (let round = 0; round < 4; round++) {
      const next = sqlDefinition(anyApp(prng))
      const most = prng.below(3) === 0 ? 3 : 1000
      const { text } = db.catalog()
      const [told] = await Promise.all([db.diff(next, { rows: most }), feed(db, prng, 20)])
      expect(db.catalog().text).toBe(text)
      const before = await seenAt(db, told.tick)
      const made = await db.redefine(next)
      const after = await seenAt(db, told.tick)
      const names = new Set([...before.keys(), ...after.keys()])
      expect(told.views.map(({ view }) => view).sort()).toEqual([...names].sort())
      for (const each of told.views) check(each, before.get(each.view), after.get(each.view), most)
      // The take-over tells the same of its own tick.
      expect(made.map(({ view, kind }) => [view, kind])).toEqual(told.views.map(({ view, kind }) => [view, kind]))
      for (const { changes } of made) expect(changes?.rows.length ?? 0).toBe(0)
    }
    await db.close()
  })

  it('are told by the first rows that differ, in the order that the view would have', async () => {
    const prng = new Prng(61)
    const view = (query: string): Definition =>
      sqlDefinition(`${topics}CREATE MATERIALIZED VIEW prices AS SELECT auction, price FROM bid ${query};`)
    const db = await open(machine(61), view('WHERE price > 10'), { engine })
    await feed(db, prng, 60)
    for (const order of ['', 'ORDER BY price DESC', 'ORDER BY auction DESC, price']) {
      const next = view(`WHERE price < 50 ${order}`)
      const listed = async (rows: number) => {
        const { views } = await db.diff(next, { rows })
        return [...weighed(views[0].changes!.rows)]
      }
      const all = await listed(1000)
      expect(all.length).toBeGreaterThan(20)
      const keys = all.map(([text]) => JSON.parse(text) as { auction: number; price: number })
      const sign = order === '' ? 1 : -1
      const byAuction = (a: { auction: number }, b: { auction: number }): number => a.auction - b.auction
      const byPrice = (a: { price: number }, b: { price: number }): number => a.price - b.price
      expect(keys).toEqual(
        [...keys].sort((a, b) =>
          order.includes('price DESC')
            ? sign * byPrice(a, b) || byAuction(a, b)
            : sign * byAuction(a, b) || byPrice(a, b),
        ),
      )
      for (const rows of [0, 1, 7]) expect(await listed(rows)).toEqual(all.slice(0, rows))
      await feed(db, prng, 5)
    }
    await db.close()
  })

  it('leave nothing behind, however comparing them ends', async () => {
    const prng = new Prng(71)
    const io = machine(71)
    const db = await open(io, sqlDefinition(topics), { engine })
    await feed(db, prng, 60)
    const better = sqlDefinition(`${topics}CREATE MATERIALIZED VIEW totals AS ${choices.totals[0]};`)
    await db.makeTick()
    await new Promise((resolve) => io.clock.after(1000, () => resolve(null)))
    const before = db.status().sealedTick
    for (const [text, code] of [
      [`${topics}CREATE MATERIALIZED VIEW v AS SELECT nobody FROM bid;`, 'sql/unknown-column'],
      [topics.replace('price bigint', 'price boolean'), 'schema/incompatible'],
    ] as const) {
      await expect(db.diff(sqlDefinition(text))).rejects.toMatchObject({ code })
    }
    const reason = new Error('enough')
    await expect(db.diff(better, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const stop = new AbortController()
    const stopped = db.diff(better, { signal: stop.signal, told: () => stop.abort(reason) })
    // Who waits behind it gets his turn.
    const behind = db.diff(better)
    await expect(stopped).rejects.toBe(reason)
    expect(await behind).toMatchObject({ views: [{ view: 'totals', kind: 'new' }] })
    // Not even a tick was made of all this.
    expect(await db.makeTick()).toBe(before + 1)
    expect(db.catalog().views).toEqual([])
    const closed = db.diff(better, { told: () => void db.close() })
    await expect(closed).rejects.toMatchObject({ code: 'log/closed' })
    await db.close()
    const again = await open(io, sqlDefinition(topics), { engine })
    expect(again.status().tick).toBeGreaterThanOrEqual(before + 1)
    await again.close()
  })

  it('are not compared while others take over, which a close ends', async () => {
    const prng = new Prng(81)
    const db = await open(machine(81), sqlDefinition(topics), { engine })
    await feed(db, prng, 30)
    const first = sqlDefinition(`${topics}CREATE MATERIALIZED VIEW totals AS ${choices.totals[0]};`)
    const second = sqlDefinition(`${topics}CREATE MATERIALIZED VIEW totals AS ${choices.totals[2]};`)
    const [made, told] = await Promise.all([db.redefine(first), db.diff(second)])
    expect(made).toMatchObject([{ view: 'totals', kind: 'new' }])
    expect(told).toMatchObject({ views: [{ view: 'totals', kind: 'changed' }] })
    const ended = db.redefine(second, () => void db.close())
    await expect(ended).rejects.toMatchObject({ code: 'log/closed' })
    await db.close()
  })
})
