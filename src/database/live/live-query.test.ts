import { describe, expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database, type DatabaseOptions, type LiveMessage } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import type { Rows } from '../../views/rows.ts'
import type { LiveQueryOptions } from '../contract.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at', lateness = '5 seconds');
CREATE TABLE account (id bigint PRIMARY KEY, owner text, city text);
`
const views = `
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW dear AS SELECT auction, price FROM bid WHERE price > 20;
CREATE MATERIALIZED VIEW per_window WITH (emit = 'final') AS
  SELECT window_start, window_end, count(*) AS n FROM tumble(bid, at, interval '10 seconds') GROUP BY window_start, window_end;
CREATE VIEW rich AS SELECT auction, total FROM totals WHERE total > 60;
`
const definition = sqlDefinition(topics + views)

/** Each kind of input, and each kind of operator over what is taken back. */
const queries: readonly (readonly [string, (readonly string[])?])[] = [
  ['SELECT * FROM bid WHERE price > 30'],
  ['SELECT auction, count(*), min(price), max(price) FROM bid GROUP BY auction'],
  ['SELECT count(*) FROM bid WHERE auction = $1', ['3']],
  ['SELECT * FROM totals'],
  ['SELECT bids, count(*), max(total), min(auction) FROM totals GROUP BY bids'],
  ['SELECT auction FROM totals ORDER BY total DESC NULLS LAST, auction LIMIT 3'],
  ['SELECT DISTINCT bids FROM totals'],
  ['SELECT t.auction, t.total, a.owner FROM totals t LEFT JOIN account a ON a.id = t.auction'],
  ['SELECT b.auction, b.price, t.total FROM bid b JOIN totals t ON t.auction = b.auction WHERE b.price * 3 > t.total'],
  ['SELECT * FROM account WHERE NOT EXISTS (SELECT 1 FROM totals t WHERE t.auction = account.id)'],
  ['SELECT city, count(*) FROM account GROUP BY city'],
  ['SELECT auction FROM totals UNION ALL SELECT id FROM account'],
  ['SELECT * FROM per_window'],
  ['SELECT max(n) FROM per_window'],
  ['SELECT * FROM rich'],
  ['SELECT count(*) FROM dear'],
  ['SELECT topic, distance FROM _late'],
  ["SELECT window_start, sum(price) FROM tumble(bid, at, interval '7 seconds') GROUP BY window_start"],
  ['SELECT auction, price, _tick FROM bid WHERE price < 10'],
  ["SELECT auction, at FROM bid WHERE at > now() - interval '20 seconds'"],
  [
    "SELECT count(*), sum(total) FROM totals, bid WHERE totals.auction = bid.auction AND at > now() - interval '30 seconds'",
  ],
  ['SELECT 1 AS one'],
  [
    'SELECT auction FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bid) x WHERE r = 1',
  ],
]

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const snapshots = { everyBytes: 4000, closeBytes: 1 }
  return Database.open({ io, definition, data: 'data', engine: 'worker', snapshots, ...options })
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function event(io: SimulatedIo, prng: Prng): object {
  if (prng.chance(0.1)) return { topic: 'account', op: 'delete', data: { id: prng.below(9) } }
  if (prng.chance(0.3))
    return { topic: 'account', data: { id: prng.below(9), owner: `o${prng.below(4)}`, city: `c${prng.below(3)}` } }
  const at = new Date(Number(io.clock.nowMicros() / 1000n) - prng.below(20_000)).toISOString()
  return { topic: 'bid', data: { auction: prng.below(9), price: prng.chance(0.1) ? null : prng.below(60), at } }
}

async function append(db: Database, events: readonly object[]): Promise<number> {
  const { tick } = await db.appendMixed(bytes(JSON.stringify({ events })))
  await db.waitForTick(tick)
  return tick
}

function listed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < weight; n++) lines.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return lines
}

/** What a reader has, by the ticks at which it was told something. */
class Reader {
  readonly kinds: string[] = []
  readonly states = new Map<number, readonly string[]>()
  tick = 0
  /** The last snapshot, in its order. */
  snapshot: string[] = []
  failure: unknown = null
  readonly done: Promise<void>
  readonly stop = new AbortController()
  #rows = new Map<string, number>()

  constructor(messages: AsyncIterable<LiveMessage>) {
    this.done = this.#read(messages).catch((error: unknown) => {
      this.failure = error
    })
  }

  static async of(db: Database, sql: string, options: LiveQueryOptions = {}): Promise<Reader> {
    const { messages } = await db.liveQuery(sql, options)
    return new Reader(messages)
  }

  async #read(messages: AsyncIterable<LiveMessage>): Promise<void> {
    for await (const message of messages) {
      if (this.kinds.at(-1) !== message.kind || message.kind !== 'change') this.kinds.push(message.kind)
      if (message.kind === 'reset') {
        this.#rows = new Map()
        this.snapshot = []
        continue
      }
      expect(message.kind === 'change' ? message.tick > this.tick : message.tick >= this.tick).toBe(true)
      if (message.kind === 'snapshot') this.snapshot.push(...listed(message.rows))
      message.rows.forEach((page, row, weight) => {
        const text = printRow(message.rows.columns, page.memory, page.columns, row)
        const now = (this.#rows.get(text) ?? 0) + weight
        if (now === 0) this.#rows.delete(text)
        else this.#rows.set(text, now)
      })
      if (message.kind === 'snapshot' && !message.last) continue
      this.tick = message.tick
      this.states.set(message.tick, this.now())
    }
  }

  now(): string[] {
    return [...this.#rows].flatMap(([text, count]) => Array.from({ length: count }, () => text)).sort()
  }

  /** What it had at a tick. */
  at(tick: number): readonly string[] | undefined {
    let latest = -1
    for (const told of this.states.keys()) if (told <= tick && told > latest) latest = told
    return this.states.get(latest)
  }
}

/** Long enough for whatever is under way. */
function settle(io: SimulatedIo, ms = 50): Promise<void> {
  return new Promise((resolve) => io.clock.after(ms, resolve))
}

async function answers(db: Database, sql: string, parameters: readonly string[] = []): Promise<[number, string[]]> {
  const { tick, rows } = await db.query(sql, { parameters })
  return [tick, listed(rows)]
}

describe('a live query', () => {
  it.each([1, 2])('is at each tick what the query is, whatever it reads (seed %i)', async (seed) => {
    const io = machine(seed)
    const prng = new Prng(seed)
    const db = await open(io)
    for (let i = 0; i < 10; i++)
      await append(
        db,
        Array.from({ length: 1 + prng.below(6) }, () => event(io, prng)),
      )
    const readers: Reader[] = []
    for (const [sql, parameters = []] of queries) {
      const before = await answers(db, sql, parameters)
      const reader = await Reader.of(db, sql, { parameters, mostQueries: 100 })
      await settle(io)
      expect([sql, reader.failure, reader.snapshot]).toEqual([sql, null, before[1]])
      readers.push(reader)
    }
    for (let i = 0; i < 8; i++) {
      if (prng.chance(0.2)) await settle(io, 1500)
      await append(
        db,
        Array.from({ length: 1 + prng.below(6) }, () => event(io, prng)),
      )
      const expected: (readonly [number, string[]])[] = []
      for (const [sql, parameters] of queries) expected.push(await answers(db, sql, parameters))
      await settle(io)
      queries.forEach(([sql], k) => {
        const [tick, rows] = expected[k]
        expect([sql, readers[k].failure, readers[k].at(tick)]).toEqual([sql, null, rows.sort()])
      })
    }
    for (const { kinds } of readers) expect(kinds.filter((kind) => kind !== 'change')).toEqual(['snapshot'])
    await db.close()
    for (const { done, failure } of readers) {
      await done
      expect(failure).toMatchObject({ code: 'log/closed' })
    }
  })

  it('goes on for those who asked the same when the first one leaves while it is made', async () => {
    const db = await open(machine(3))
    await append(db, [{ topic: 'bid', data: { auction: 1, price: 5, at: '2026-11-21T10:00:00' } }])
    const leaving = new AbortController()
    const first = db.liveQuery('SELECT auction FROM bid', { signal: leaving.signal })
    const second = Reader.of(db, 'SELECT auction FROM bid')
    leaving.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    const reader = await second
    const tick = await append(db, [{ topic: 'bid', data: { auction: 2, price: 5, at: '2026-11-21T10:00:00' } }])
    await expect.poll(() => reader.at(tick)).toHaveLength(2)
    await db.close()
  })
})
