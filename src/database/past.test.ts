import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MillraceError } from '../data/errors.ts'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { Rows } from '../views/rows.ts'
import { StillReplaying } from './replays.ts'

const definitions = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owners AS SELECT owner, count(*) AS n FROM account GROUP BY owner;
CREATE MATERIALIZED VIEW parts AS SELECT 10 / price AS part FROM bid;
CREATE MATERIALIZED VIEW recent AS SELECT auction, at FROM bid WHERE at > now() - interval '3 seconds';
CREATE MATERIALIZED VIEW dear AS SELECT auction FROM totals WHERE total > 20;
CREATE MATERIALIZED VIEW ticks AS SELECT _tick AS tick, count(*) AS n FROM bid GROUP BY _tick;
`
const views = ['totals', 'owners', 'parts', 'recent', 'dear', 'ticks']
const queries = [
  'SELECT count(*) AS n, sum(price) AS s FROM bid',
  'SELECT id, owner FROM account ORDER BY id',
  'SELECT a.owner, t.total FROM account a JOIN totals t ON t.auction = a.id ORDER BY 1, 2',
  `SELECT auction FROM bid WHERE at > now() - interval '2 seconds' ORDER BY 1`,
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const options = { definition: sqlDefinition(definitions), engine: 'worker', memoryBytes: 64 << 20 } as const

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, more: Partial<DatabaseOptions> = {}): Promise<Database> {
  return Database.open({ io, data: null, ...options, ...more })
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < weight; n++) lines.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return lines
}

/** All that a reader can be shown at a tick. */
interface Shown {
  readonly tick: number
  readonly timeMicros: bigint
  readonly views: readonly (readonly [errors: number, ...rows: string[]])[]
  readonly queries: readonly (readonly string[])[]
}

type When = { readonly tick: number } | { readonly timeMicros: bigint }

async function shown(db: Database, at: When | null, replay = false): Promise<Shown> {
  const past = at === null ? {} : { asOf: replay ? { at, replay: {} } : { at } }
  const answers = await db.readAll(views, past)
  const [{ tick, timeMicros }] = answers
  const asked: string[][] = []
  for (const sql of queries) {
    const answer = await db.query(sql, past)
    expect(answer.tick).toBe(tick)
    asked.push(printed(answer.rows))
  }
  return { tick, timeMicros, views: answers.map(({ errors, rows }) => [errors, ...printed(rows)]), queries: asked }
}

async function refusal(work: Promise<unknown>): Promise<MillraceError> {
  return work.then(
    () => expect.unreachable('it was not refused'),
    (error) => error as MillraceError,
  )
}

const at = (second: number): string => `2024-01-01T00:00:${String(second % 60).padStart(2, '0')}`
const bidOf = fc
  .record({ auction: fc.nat({ max: 3 }), price: fc.integer({ min: 0, max: 9 }), second: fc.nat({ max: 59 }) })
  .map(
    ({ auction, price, second }) =>
      `{"topic":"bid","data":{"auction":${auction},"price":${price},"at":"${at(second)}"}}`,
  )
const accountOf = fc
  .record({ id: fc.nat({ max: 3 }), owner: fc.constantFrom('ada', 'bob', 'cy'), gone: fc.boolean() })
  .map(({ id, owner, gone }) =>
    gone
      ? `{"topic":"account","op":"delete","data":{"id":${id}}}`
      : `{"topic":"account","data":{"id":${id},"owner":"${owner}"}}`,
  )
const tickOf = fc.array(fc.oneof(bidOf, accountOf), { minLength: 1, maxLength: 12 })

describe('the past', () => {
  it('never changes: later, by time, by replay and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tickOf, { minLength: 1, maxLength: 14 }), fc.nat(), async (ticks, seed) => {
        const io = machine(seed)
        let db = await open(io, { data: 'd' })
        const remembered: Shown[] = [await shown(db, null)]
        const check = async (index: number, replay: boolean): Promise<void> => {
          const then = remembered[index % remembered.length]
          expect(await shown(db, { tick: then.tick }, replay)).toEqual(then)
          // Of ticks that have the same time the newest is meant.
          const newest = remembered.filter(({ timeMicros }) => timeMicros === then.timeMicros).at(-1)!
          if (newest === remembered.at(-1)) await new Promise<void>((resolve) => io.clock.after(1, resolve))
          expect(await shown(db, { timeMicros: then.timeMicros }, replay)).toEqual(newest)
        }
        for (const [i, events] of ticks.entries()) {
          const { tick } = await db.appendMixed(bytes(`{"events":[${events.join()}]}`))
          await db.waitForTick(tick)
          // A tick that is due may have come meanwhile: only what was current is remembered.
          const now = await shown(db, null)
          if (now.tick > remembered.at(-1)!.tick) remembered.push(now)
          await check(i * 7 + seed, false)
        }
        for (let i = 0; i < remembered.length; i += 2) await check(i, false)
        await check(seed, true)
        await db.close()
        db = await open(io, { data: 'd' })
        // A restart merges no ticks that somebody tells apart.
        const byTick = views.indexOf('ticks')
        const [, ...rows] = remembered.at(-1)!.views[byTick]
        expect(printed((await db.read('ticks')).rows)).toEqual(rows)
        const oldest = remembered[0].tick
        expect((await refusal(db.read('totals', { asOf: { at: { tick: oldest } } }))).code).toBe('tick/expired')
        for (let i = 0; i < Math.min(3, remembered.length); i++) await check(i * 5 + seed, true)
        await db.close()
      }),
      { numRuns: 8 },
    )
  })

  it('is refused where it is not known, and says what is', async () => {
    const io = machine(1)
    const db = await open(io, { data: 'd' })
    const { tick } = await db.appendText(
      'bid',
      bytes(`[${'{"auction":1,"price":2,"at":"2026-01-01"},'.repeat(3).slice(0, -1)}]`),
      'json',
    )
    // What was just acknowledged is waited for.
    expect((await db.read('totals', { asOf: { at: { tick } } })).tick).toBe(tick)
    const future = await refusal(db.read('totals', { asOf: { at: { tick: tick + 5 } } }))
    expect([future.code, future.place]).toEqual(['tick/future', { tick: db.status().tick }])
    const ahead = { timeMicros: io.clock.nowMicros() + 60_000_000n }
    expect((await refusal(db.query('SELECT 1 AS a', { asOf: { at: ahead } }))).code).toBe('tick/future')
    const early = await refusal(db.read('totals', { asOf: { at: { timeMicros: 0n } } }))
    expect([early.code, early.place]).toEqual(['tick/expired', { tick: 1 }])
    await db.close()
    const again = await open(io, { data: 'd' })
    const oldest = again.status().tick
    const expired = await refusal(again.read('totals', { asOf: { at: { tick: 1 } } }))
    expect([expired.code, expired.status, expired.place]).toEqual(['tick/expired', 410, { tick: oldest }])
    expect(expired.message).toContain(`the oldest tick held is ${oldest}`)
    // Topics forget nothing.
    const { rows } = await again.query('SELECT count(*) AS n FROM bid', { asOf: { at: { tick: 1 } } })
    expect(printed(rows)).toEqual(['{"n":0}'])
    expect((await again.read('totals', { asOf: { at: { tick: 1 }, replay: {} } })).rows.length).toBe(0)
    await again.close()
  })

  it('is remembered over a restart by views that retain a time', async () => {
    const io = machine(5)
    const retaining = `${definitions}
      CREATE MATERIALIZED VIEW kept WITH (retain = '10 seconds') AS SELECT count(*) AS n, min(price) AS p FROM bid;`
    let db = await open(io, { data: 'd', definition: sqlDefinition(retaining) })
    const then: { tick: number; micros: bigint; rows: string[] }[] = []
    for (let i = 0; i < 20; i++) {
      const { tick } = await db.appendText('bid', bytes(`{"auction":1,"price":${50 - i},"at":"${at(i)}"}`), 'json')
      await db.waitForTick(tick)
      const { rows, timeMicros } = await db.read('kept')
      then.push({ tick, micros: timeMicros, rows: printed(rows) })
      await new Promise<void>((resolve) => io.clock.after(1000, resolve))
    }
    for (let round = 0; round < 2; round++) {
      const horizon = db.status().timeMicros - 10_000_000n
      for (const { tick, micros, rows } of then) {
        const read = db.read('kept', { asOf: { at: { tick } } })
        // The tick that was current when the retention begins is known, too.
        read.catch(() => {})
        if (micros >= horizon || round === 0) expect(printed((await read).rows)).toEqual(rows)
        else if (micros < horizon - 2_000_000n) expect((await refusal(read)).code).toBe('tick/expired')
      }
      const [oldest] = then.filter(({ micros }) => micros > horizon)
      expect(printed((await db.read('kept', { asOf: { at: { timeMicros: horizon } } })).rows)).toHaveLength(1)
      expect(oldest.tick).toBeGreaterThan(then[2].tick)
      expect(oldest.tick).toBeLessThan(then[17].tick)
      await db.close()
      db = await open(io, { data: 'd', definition: sqlDefinition(retaining) })
    }
    await db.close()
  })

  it('is replayed for one at a time, and for nobody any longer than he waits', async () => {
    const io = machine(2)
    let db = await open(io, { data: 'd' })
    for (let i = 0; i < 30; i++) {
      const { tick } = await db.appendText('bid', bytes(`{"auction":1,"price":${i},"at":"${at(i)}"}`), 'json')
      await db.waitForTick(tick)
    }
    await db.close()
    db = await open(io, { data: 'd' })
    const past = (tick: number, replay = {}) => db.read('ticks', { asOf: { at: { tick }, replay } })
    // It goes on for a while without anybody: who was told to wait is about to ask again.
    expect(await refusal(past(20, { waitMs: 0 }))).toBeInstanceOf(StillReplaying)
    const first = past(20)
    const busy = await refusal(past(10))
    expect([busy.code, busy.status]).toEqual(['request/busy', 503])
    // Who asks for the same joins.
    expect((await past(20)).tick).toBe(20)
    const gone = new AbortController()
    const left = refusal(past(11, { signal: gone.signal }))
    expect((await first).rows.length).toBe(19)
    gone.abort(new Error('gone'))
    expect((await left).message).toBe('gone')
    expect((await past(12)).rows.length).toBe(11)
    const slow = await refusal(past(13, { waitMs: 0 }))
    expect(slow).toBeInstanceOf(StillReplaying)
    expect((slow as unknown as StillReplaying).progress).toMatchObject({ throughTick: 13 })
    expect((await past(13)).tick).toBe(13)
    expect((await refusal(past(14, { mostMs: 0 }))).code).toBe('request/timeout')
    // The live engine goes on meanwhile, and a close leaves nothing behind.
    const last = refusal(past(15))
    const { tick } = await db.appendText('bid', bytes(`{"auction":1,"price":1,"at":"${at(1)}"}`), 'json')
    await db.waitForTick(tick)
    const closed = db.close()
    await Promise.race([last, closed])
    await closed
  })
})
