import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ListedError } from '../../app/database-shape.ts'
import { Database, type DatabaseOptions } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'

const tables = `
CREATE TABLE bid (auction bigint, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE item (id bigint PRIMARY KEY, share bigint, name text);
`

async function open(views: string, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const io = simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  return Database.open({ io, definition: sqlDefinition(tables + views), data: null, engine: 'inline', ...options })
}

type Event = readonly [topic: 'bid' | 'item', data: object, op?: 'delete']

/** Appends events, each group as a commit and a tick of its own. */
async function feed(db: Database, events: readonly Event[], tickSize = events.length): Promise<void> {
  for (let from = 0; from < events.length; from += tickSize) {
    const list = events.slice(from, from + tickSize).map(([topic, data, op]) => ({ topic, data, ...(op && { op }) }))
    const { tick } = await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events: list })))
    await db.waitForTick(tick)
  }
}

function bid(auction: number, price: number | null, second = 0): Event {
  return ['bid', { auction, price, at: `2026-01-01T00:00:${String(second).padStart(2, '0')}` }]
}

function item(id: number, share: number, name = 'a'): Event {
  return ['item', { id, share, name }]
}

function lines(rows: readonly ListedError[]): string[] {
  return rows.map(({ reason, count, positions, key }) => {
    const made = positions.map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`)
    if (key !== null) made.push(JSON.stringify(key))
    return `${reason}: ${made.join(' + ')}${count === 1 ? '' : ` × ${count}`}`
  })
}

async function listed(views: string, events: readonly Event[]): Promise<string[]> {
  const db = await open(views)
  await feed(db, events)
  const { rows } = await db.errors('v')
  await db.close()
  return lines(rows)
}

describe("a view's error rows", () => {
  it('name the event whose output or filter failed', async () => {
    const events = [bid(1, 5), bid(2, 0), bid(3, 0)]
    expect(await listed('CREATE MATERIALIZED VIEW v AS SELECT 10 / price AS x FROM bid', events)).toEqual([
      'division by zero (in SELECT): bid/0/1',
      'division by zero (in SELECT): bid/0/2',
    ])
    const filter = 'CREATE MATERIALIZED VIEW v AS SELECT auction FROM bid WHERE 10 / price > 1'
    expect(await listed(filter, events)).toEqual([
      'division by zero (in WHERE): bid/0/1',
      'division by zero (in WHERE): bid/0/2',
    ])
  })

  it("name the last upsert of a table's row, whatever came before it", async () => {
    const view = 'CREATE MATERIALIZED VIEW v AS SELECT id, 10 / share AS x FROM item'
    const events = [item(1, 0), item(2, 0), item(1, 0), item(3, 0), ['item', { id: 3 }, 'delete'] as const, item(4, 1)]
    expect(await listed(view, events)).toEqual([
      'division by zero (in SELECT): item/0/1',
      'division by zero (in SELECT): item/0/2',
    ])
  })

  it("name a group's key behind an aggregate", async () => {
    const view = 'CREATE MATERIALIZED VIEW v AS SELECT auction, sum(10 / price) AS x FROM bid GROUP BY auction'
    expect(await listed(view, [bid(1, 5), bid(2, 0), bid(2, 1)])).toEqual([
      'division by zero (in SELECT): {"auction":"2"}',
    ])
  })

  it('name both events of a pair, and the side that erred for a key', async () => {
    const pairs = 'CREATE MATERIALIZED VIEW v AS SELECT price / share AS x FROM bid JOIN item ON auction = id'
    const events = [item(1, 0), bid(1, 5), item(2, 3), bid(2, 5)]
    expect(await listed(pairs, events)).toEqual(['division by zero (in SELECT): bid/0/0 + item/0/0'])
    const keys = 'CREATE MATERIALIZED VIEW v AS SELECT price FROM bid JOIN item ON auction = 10 / share'
    expect(await listed(keys, events)).toEqual(['division by zero (in JOIN … ON): item/0/0'])
  })

  it('name what they are made of through unions and other views', async () => {
    const view = `
      CREATE MATERIALIZED VIEW u AS SELECT price AS n, 'b' AS f FROM bid UNION ALL SELECT share, 'i' FROM item;
      CREATE MATERIALIZED VIEW v AS SELECT f, 1 / n AS x FROM u`
    expect(await listed(view, [item(1, 0), bid(1, 0), bid(1, 1)])).toEqual([
      'division by zero (in SELECT): bid/0/0',
      'division by zero (in SELECT): item/0/0',
    ])
  })

  it('are none where there are none, and at most as many as asked for', async () => {
    const db = await open('CREATE MATERIALIZED VIEW v AS SELECT 1 / price AS x FROM bid')
    expect(await db.errors('v')).toMatchObject({ errors: 0, rows: [] })
    await feed(db, [bid(1, 0), bid(1, 0), bid(1, 0)])
    const { errors, rows } = await db.errors('v', { limit: 2 })
    expect([errors, lines(rows)]).toEqual([
      3,
      ['division by zero (in SELECT): bid/0/0', 'division by zero (in SELECT): bid/0/1'],
    ])
    await expect(db.errors('w')).rejects.toMatchObject({ code: 'view/unknown' })
    await db.close()
  })

  it('of a final view include those of the windows that the end of a run closes', async () => {
    const db = await open(`CREATE MATERIALIZED VIEW v WITH (emit = 'final') AS
      SELECT window_end, sum(1 / price) AS x FROM tumble(bid, at, interval '10 seconds') GROUP BY window_end`)
    await feed(db, [bid(1, 0, 1), bid(1, 0, 15)])
    await db.closeWindows()
    expect(lines((await db.errors('v')).rows)).toEqual([
      'division by zero (in SELECT): {"window_end":"2026-01-01 00:00:10"}',
      'division by zero (in SELECT): {"window_end":"2026-01-01 00:00:20"}',
    ])
    await db.close()
  })
})

/** Every place at which a row can become an error row. */
const everyPlace = `
CREATE MATERIALIZED VIEW output AS SELECT auction, 10 / price AS x FROM bid;
CREATE MATERIALIZED VIEW predicate AS SELECT id FROM item WHERE 10 / share > 1;
CREATE MATERIALIZED VIEW grouped AS SELECT 10 / share AS k, count(*) AS n FROM item GROUP BY 10 / share;
CREATE MATERIALIZED VIEW aggregated AS SELECT auction, max(10 / price) AS n, count(*) AS c FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW total AS SELECT sum(10 / share) AS n FROM item;
CREATE MATERIALIZED VIEW having_ AS SELECT auction FROM bid GROUP BY auction HAVING sum(10 / price) > 3;
CREATE MATERIALIZED VIEW only_once AS SELECT DISTINCT 10 / price AS x FROM bid;
CREATE MATERIALIZED VIEW keyed AS SELECT price, name FROM bid JOIN item ON auction = 10 / share;
CREATE MATERIALIZED VIEW residual AS SELECT price, name FROM bid JOIN item ON auction = id AND price / share > 1;
CREATE MATERIALIZED VIEW outer_ AS SELECT price, name FROM bid LEFT JOIN item ON auction = id;
CREATE MATERIALIZED VIEW outer_residual AS SELECT price, name FROM bid LEFT JOIN item ON auction = id AND 9 / (price + share) > 1;
CREATE MATERIALIZED VIEW full_residual AS SELECT price, name FROM bid FULL JOIN item ON auction = id AND 9 / (price + share) > 1;
CREATE MATERIALIZED VIEW outer_output AS SELECT price / share AS x FROM bid LEFT JOIN item ON auction = id;
CREATE MATERIALIZED VIEW semi AS SELECT price FROM bid WHERE auction IN (SELECT 10 / share FROM item);
CREATE MATERIALIZED VIEW anti AS SELECT id FROM item WHERE NOT EXISTS (SELECT 1 FROM bid WHERE auction = id AND share / price > 1);
CREATE MATERIALIZED VIEW top AS SELECT auction, price FROM bid ORDER BY 10 / price LIMIT 2;
CREATE MATERIALIZED VIEW both_ AS SELECT 10 / price AS x FROM bid UNION ALL SELECT 10 / share FROM item;
CREATE MATERIALIZED VIEW above AS SELECT x + 1 AS y FROM both_ WHERE x < 9;
CREATE MATERIALIZED VIEW windows AS SELECT window_start, sum(10 / price) AS s FROM tumble(bid, at, interval '10 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW panes AS SELECT window_end, 10 / price AS k, count(*) AS n FROM hop(bid, at, interval '5 seconds', interval '10 seconds') GROUP BY window_end, 10 / price;
CREATE MATERIALIZED VIEW passing AS SELECT price FROM bid WHERE at + price / auction * interval '1 second' < now();
`

function anyEvents(): fc.Arbitrary<Event[]> {
  const small = fc.integer({ min: -1, max: 2 })
  const one: fc.Arbitrary<Event> = fc.oneof(
    fc
      .tuple(small, fc.option(small), fc.nat({ max: 40 }))
      .map(([auction, price, second]) => bid(auction, price, second)),
    fc.tuple(small, small).map(([id, share]) => item(id, share)),
    small.map((id): Event => ['item', { id }, 'delete']),
  )
  return fc.array(one, { minLength: 1, maxLength: 14 })
}

describe('error rows at every place', () => {
  const names = [...everyPlace.matchAll(/VIEW (\w+) AS/g)].map(([, name]) => name)

  it('are listed as often as they stand beside the view, alike at every tick size and when all state is rebuilt', async () => {
    await fc.assert(
      fc.asyncProperty(anyEvents(), fc.integer({ min: 1, max: 5 }), fc.boolean(), async (events, tickSize, reopen) => {
        const small = await open(everyPlace, { reopen })
        const large = await open(everyPlace)
        await feed(small, events, tickSize)
        await feed(large, events)
        for (const name of names) {
          const { errors, rows } = await small.errors(name, { limit: 1000 })
          expect(lines(rows), name).toEqual(lines((await large.errors(name, { limit: 1000 })).rows))
          expect(
            rows.reduce((sum, { count }) => sum + count, 0),
            name,
          ).toBe(errors)
          const counted = new Map<string, number>()
          for (const { reason, count } of rows) counted.set(reason, (counted.get(reason) ?? 0) + count)
          const own = new Map(small.errorRows(name, 1000).map(({ reason, weight }) => [reason, weight] as const))
          expect(counted, name).toEqual(own)
        }
        await small.close()
        await large.close()
      }),
      { numRuns: 12 },
    )
  })
})
