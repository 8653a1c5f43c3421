import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { type Definition, sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { Rows } from '../views/rows.ts'

const definitions = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW bids AS SELECT count(*) AS n FROM bid;
CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account ORDER BY owner DESC;
CREATE MATERIALIZED VIEW parts AS SELECT 10 / price AS part FROM bid;
CREATE VIEW dear AS SELECT * FROM bid WHERE price > 10;
`

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function bid(auction: number, price: number, second = 0): string {
  return JSON.stringify({ auction, price, at: `2026-01-01T00:00:${String(second).padStart(2, '0')}` })
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    const line = printRow(rows.columns, page.memory, page.columns, row)
    lines.push(weight === 1 ? line : `${line} × ${weight}`)
  })
  return lines
}

function machine(seed = 1): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  return Database.open({ io, definition: sqlDefinition(definitions), data: null, engine: 'worker', ...options })
}

/** Counts how often it is planned. */
function counted(text: string): Definition & { plans: number } {
  const definition = sqlDefinition(text)
  const own = {
    text,
    plans: 0,
    plan: (...given: Parameters<Definition['plan']>) => {
      own.plans++
      return definition.plan(...given)
    },
  }
  return own
}

describe.each(['inline', 'worker'] as const)('a database with its engine %s', (engine) => {
  it('shows what was appended, from the tick that the answer named', async () => {
    const db = await open(machine(), { engine })
    const answer = await db.appendText('BID', bytes(`[${bid(1, 5)},${bid(1, 7)},${bid(2, 9)}]`), 'json')
    expect(answer).toMatchObject({ firstOffset: 0, lastOffset: 2, rows: 3, repeated: false })
    const { tick, errors, rows } = await db.read('totals', { minTick: answer.tick })
    expect({ tick, errors }).toEqual({ tick: answer.tick, errors: 0 })
    expect(printed(rows)).toEqual(['{"auction":1,"bids":2,"total":12}', '{"auction":2,"bids":1,"total":9}'])
    const one = await db.read('totals', { where: { AUCTION: '2' } })
    expect(printed(one.rows)).toEqual(['{"auction":2,"bids":1,"total":9}'])
    await db.close()
  })

  it('shows all views at the same tick, however reads and ticks interleave', async () => {
    const io = machine(7)
    const db = await open(io, { engine })
    const reads: Promise<void>[] = []
    let last = 0
    for (let i = 0; i < 40; i++) {
      const append = db.appendText('bid', bytes(bid(i % 3, i)), 'json')
      if (i % 4 === 0) last = (await append).tick
      reads.push(
        db.readAll(['bids', 'totals']).then(([bids, totals]) => {
          expect(bids.tick).toBe(totals.tick)
          const n = Number(/\d+/.exec(printed(bids.rows)[0])![0])
          const sum = printed(totals.rows).reduce((all, line) => all + Number(/"bids":(\d+)/.exec(line)![1]), 0)
          expect(sum).toBe(n)
        }),
      )
    }
    await Promise.all(reads)
    await db.waitForTick(last)
    await db.close()
  })

  it('streams a snapshot and then changes, without gap or duplicate', async () => {
    const db = await open(machine(), { engine })
    await db.appendText('account', bytes('[{"id":1,"owner":"a"},{"id":2,"owner":"b"}]'), 'json')
    const stop = new AbortController()
    const seen = new Map<string, number>()
    const kinds: string[] = []
    const done = (async () => {
      for await (const message of db.live('owners', { signal: stop.signal })) {
        kinds.push(message.kind)
        if (message.kind === 'reset') continue
        message.rows.forEach((page, row, weight) => {
          const line = printRow(message.rows.columns, page.memory, page.columns, row)
          seen.set(line, (seen.get(line) ?? 0) + weight)
          if (seen.get(line) === 0) seen.delete(line)
        })
      }
    })()
    let last = 0
    for (let i = 3; i < 20; i++) {
      const owner = JSON.stringify(`o${i}`)
      last = (await db.appendText('account', bytes(`[{"id":${i % 7},"owner":${owner}}]`), 'json')).tick
    }
    const { rows } = await db.read('owners', { minTick: last })
    await expect.poll(() => [...seen.keys()].sort()).toEqual(printed(rows).sort())
    stop.abort()
    await done
    expect([...seen.keys()].sort()).toEqual(printed(rows).sort())
    expect(kinds[0]).toBe('snapshot')
    await db.close()
  })
})

describe('a database', () => {
  it('refuses bad events whole, or skips them on demand', async () => {
    const db = await open(machine(), { engine: 'inline' })
    const body = bytes(`${bid(1, 5)}\n{"auction":"x","at":1}\n`)
    const refused = await db.appendText('bid', body, 'ndjson').catch((error: MillraceError) => error)
    expect(refused).toMatchObject({ code: 'event/invalid' })
    expect((refused as MillraceError).errors.map(({ pointer }) => pointer)).toEqual(['/1/auction', '/1/at'])
    const skipped = await db.appendText('bid', body, 'ndjson', { onInvalid: 'skip' })
    expect(skipped).toMatchObject({ rows: 1, firstOffset: 0, lastOffset: 0 })
    expect(skipped.skipped.length).toBe(2)
    await expect(db.appendText('totals', body, 'ndjson')).rejects.toMatchObject({ code: 'topic/unknown' })
    await db.close()
  })

  it('appends to several topics in one tick', async () => {
    const db = await open(machine(), { engine: 'inline' })
    const body = `{"events":[{"topic":"bid","data":${bid(1, 1)}},{"topic":"account","data":{"id":1,"owner":"a"}}]}`
    const { tick, offsets } = await db.appendMixed(bytes(body))
    expect(offsets.length).toBe(2)
    const [bids, owners] = await db.readAll(['bids', 'owners'], { minTick: tick })
    expect([printed(bids.rows), printed(owners.rows)]).toEqual([['{"n":1}'], ['{"id":1,"owner":"a"}']])
    await db.close()
  })

  it('keeps error rows beside the rows until they are mended', async () => {
    const db = await open(machine(), { engine: 'inline' })
    const { tick } = await db.appendText('bid', bytes(`[${bid(1, 5)},${bid(1, 0)}]`), 'json')
    const { rows, errors } = await db.read('parts', { minTick: tick })
    expect([printed(rows), errors]).toEqual([['{"part":2}'], 1])
    expect(db.errorRows('parts')[0].reason).toContain('division by zero')
    await expect(db.query('SELECT * FROM parts')).rejects.toMatchObject({ code: 'sql/error-rows' })
    await expect(db.query('SELECT 1 / price AS x FROM bid')).rejects.toMatchObject({ code: 'sql/error-rows' })
    await db.close()
  })

  it('answers queries over topics, tables, views and named queries, at one tick', async () => {
    const db = await open(machine(), { engine: 'inline' })
    await db.appendText('account', bytes('[{"id":1,"owner":"a"},{"id":1,"owner":"b"}]'), 'json')
    const { tick } = await db.appendText('bid', bytes(`[${bid(1, 5)},${bid(2, 50)},${bid(2, 50)}]`), 'json')
    await db.waitForTick(tick)
    const ask = async (sql: string, parameters: string[] = []): Promise<string[]> =>
      printed((await db.query(sql, { parameters })).rows)
    expect(await ask('SELECT owner FROM account')).toEqual(['{"owner":"b"}'])
    expect(await ask('SELECT price FROM dear')).toEqual(['{"price":50} × 2'])
    expect(await ask('SELECT * FROM totals WHERE auction = $1', ['2'])).toEqual(['{"auction":2,"bids":2,"total":100}'])
    expect(await ask('SELECT price FROM bid ORDER BY at, auction LIMIT 1')).toEqual(['{"price":5}'])
    expect(await ask('SELECT _tick, count(*) AS n FROM bid GROUP BY _tick')).toEqual([`{"_tick":${tick},"n":3}`])
    expect(await ask('SELECT 1 AS one')).toEqual(['{"one":1}'])
    await expect(db.query('DELETE FROM bid')).rejects.toMatchObject({ code: 'sql/not-select' })
    await expect(db.query('SELECT 1; SELECT 2')).rejects.toMatchObject({ code: 'sql/not-select' })
    await expect(db.query('SELECT * FROM bid', { maxRows: 2 })).rejects.toMatchObject({ code: 'sql/too-many-rows' })
    await expect(db.query('SELECT $1::bigint')).rejects.toMatchObject({ code: 'sql/parameter' })
    await db.close()
  })

  it('finds rows by value, in whatever way the value is written', async () => {
    const db = await open(machine(), {
      engine: 'inline',
      definition: sqlDefinition(`
        CREATE TABLE t (n numeric, span interval, at timestamptz, j jsonb);
        CREATE MATERIALIZED VIEW v AS SELECT * FROM t;`),
    })
    const rows = [
      '{"n":"1.50","span":"1 month","at":"2026-01-01T01:00:00+01:00","j":{"b":1,"a":2}}',
      '{"n":"1.5","span":"30 days","at":"2026-01-01T00:00:00Z","j":{"a":2,"b":1}}',
      '{"n":null,"span":null,"at":null,"j":null}',
    ]
    const { tick } = await db.appendText('t', bytes(rows.join('\n')), 'ndjson')
    await db.waitForTick(tick)
    const count = async (where: Record<string, string | null>): Promise<number> =>
      (await db.read('v', { where })).rows.count
    for (let times = 0; times < 4; times++) {
      expect(await count({ n: '1.500' })).toBe(2)
      expect(await count({ span: '720:00:00', n: '1.5' })).toBe(2)
      expect(await count({ at: '2026-01-01 00:00:00' })).toBe(2)
      expect(await count({ j: '{"b": 1, "a": 2}' })).toBe(2)
      expect(await count({ n: null, j: null })).toBe(1)
      expect(await count({ n: '2' })).toBe(0)
    }
    await db.close()
  })

  it('waits for a tick and says so when it does not come', async () => {
    const db = await open(machine(), { engine: 'inline' })
    await expect(db.read('bids', { minTick: 99, timeoutMs: 50 })).rejects.toMatchObject({ code: 'tick/not-reached' })
    await expect(db.read('nothing')).rejects.toMatchObject({ code: 'view/unknown' })
    await expect(db.read('bids', { where: { x: '1' } })).rejects.toMatchObject({ code: 'column/unknown' })
    await expect(db.read('bids', { where: { n: 'x' } })).rejects.toMatchObject({ code: 'request/parameter' })
    await db.close()
    await expect(db.read('bids')).rejects.toMatchObject({ code: 'log/closed' })
  })

  it('finds everything again, and plans nothing when the definitions are the same', async () => {
    const io = machine(3)
    const first = counted(definitions)
    let db = await open(io, { definition: first, data: 'd' })
    expect(first.plans).toBe(1)
    await db.appendText('bid', bytes(`[${bid(1, 5)},${bid(2, 9)}]`), 'json')
    const { tick } = await db.appendText('account', bytes('{"id":1,"owner":"a"}'), 'json')
    await db.close()

    const again = counted(definitions)
    db = await open(io, { definition: again, data: 'd' })
    expect(again.plans).toBe(0)
    expect(db.status()).toMatchObject({ tick, caughtUp: true, events: 3 })
    expect(printed((await db.read('totals')).rows)).toHaveLength(2)
    await db.close()

    // Without definitions the log's own are run.
    db = await Database.open({ io, data: 'd', engine: 'inline' })
    expect(printed((await db.read('owners')).rows)).toEqual(['{"id":1,"owner":"a"}'])
    expect(db.catalog().text).toBe(definitions)
    await db.close()
  })

  it('makes views of changed definitions anew from the log, and keeps what topics mean', async () => {
    const io = machine(4)
    let db = await open(io, { data: 'd' })
    await db.appendText('bid', bytes(`[${bid(1, 5)},${bid(2, 9)}]`), 'json')
    await db.close()
    const more = `CREATE TABLE early (id bigint PRIMARY KEY);${definitions}
      CREATE MATERIALIZED VIEW best AS SELECT max(price) AS best FROM bid;`
    db = await open(io, { data: 'd', definition: sqlDefinition(more) })
    expect(printed((await db.read('best')).rows)).toEqual(['{"best":9}'])
    await db.appendText('early', bytes('{"id":7}'), 'json')
    await db.close()
    // A topic that was dropped in between is still what it was.
    const without = definitions.replace(/CREATE TABLE account.*\n/, '').replace(/.*owners AS.*\n/, '')
    db = await open(io, { data: 'd', definition: sqlDefinition(without) })
    expect(printed((await db.read('bids')).rows)).toEqual(['{"n":2}'])
    await db.close()
    const other = definitions.replace('owner text', 'owner bigint')
    const refused = await open(io, { data: 'd', definition: sqlDefinition(other) }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'schema/incompatible' })
    // The refusal let go of the log.
    db = await open(io, { data: 'd' })
    expect(printed((await db.read('bids')).rows)).toEqual(['{"n":2}'])
    await db.close()
  })

  it('keeps what was acknowledged over crashes, and a resumed subscriber loses nothing', async () => {
    let io = machine(11)
    let db = await open(io, { data: 'd' })
    const ticks: number[] = []
    for (let i = 0; i < 10; i++) ticks.push((await db.appendText('bid', bytes(bid(1, i)), 'json')).tick)
    io = io.restart({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
    db = await open(io, { data: 'd' })
    expect(printed((await db.read('bids')).rows)).toEqual(['{"n":10}'])
    const live = db.live('bids', { fromTick: ticks[9] })
    await db.appendText('bid', bytes(bid(1, 1)), 'json')
    const { value } = await live.next()
    expect(value.kind).toBe('change')
    expect(printed(value.rows).sort()).toEqual(['{"n":10} × -1', '{"n":11}'])
    await live.return!()
    // One that is further behind starts anew.
    const late = db.live('bids', { fromTick: ticks[3] })
    expect((await late.next()).value.kind).toBe('reset')
    expect((await late.next()).value.kind).toBe('snapshot')
    await late.return!()
    await db.close()
  })

  it('makes ticks by itself when a row has to leave', async () => {
    const io = machine(5)
    const db = await open(io, {
      definition: sqlDefinition(`
        CREATE TABLE e (id bigint NOT NULL, at timestamptz NOT NULL);
        CREATE MATERIALIZED VIEW recent AS SELECT id FROM e WHERE at > now() - interval '10 seconds';`),
    })
    const at = new Date(Number(io.clock.nowMicros() / 1000n)).toISOString()
    const { tick } = await db.appendText('e', bytes(`{"id":1,"at":"${at}"}`), 'json')
    const live = db.live('recent')
    await db.waitForTick(tick)
    const weights: number[] = []
    while (weights.reduce((sum, n) => sum + n, 0) !== 0 || weights.length === 0) {
      const { value } = await live.next()
      value.rows.forEach((_: unknown, __: unknown, weight: number) => {
        weights.push(weight)
      })
    }
    expect(weights).toEqual([1, -1])
    await live.return!()
    await db.close()
  })

  it('goes on reading the last tick when the engine stops, and takes no more events', async () => {
    const io = machine(6)
    const db = await open(io, { memoryBytes: 4 * 1024 * 1024, engine: 'inline' })
    const { tick } = await db.appendText('bid', bytes(bid(1, 5)), 'json')
    await db.waitForTick(tick)
    const many = Array.from({ length: 200_000 }, (_, i) => bid(i, 1)).join('\n')
    const answer = await db.appendText('bid', bytes(many), 'ndjson')
    await expect(db.waitForTick(answer.tick)).rejects.toBeInstanceOf(MillraceError)
    expect(db.status().failure).toMatchObject({ code: 'engine/memory' })
    expect(printed((await db.read('bids')).rows)).toEqual(['{"n":1}'])
    await expect(db.appendText('bid', bytes(bid(1, 5)), 'json')).rejects.toMatchObject({ code: 'engine/memory' })
    await expect(db.live('bids', { fromTick: tick }).next()).rejects.toMatchObject({ code: 'engine/memory' })
    await db.close()
  })
})
