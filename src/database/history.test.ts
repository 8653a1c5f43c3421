// A database that starts from history shows what it showed before.
import { expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import type { Io } from '../io/io.ts'
import { Prng } from '../io/twin/prng.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileStore } from '../log/file-log.ts'
import type { HistoryStore } from '../log/history/store.ts'
import type { Log, LogOptions } from '../log/log.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'

const definitions = `
CREATE TABLE bid (auction bigint NOT NULL, price numeric(12,2), note text, at timestamp NOT NULL, unread text)
  WITH (event_time = 'at', lateness = '2 seconds');
CREATE TABLE account (id bigint PRIMARY KEY, owner text, unread jsonb);
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS n, sum(price) AS total FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owned AS SELECT a.owner, count(*) AS n FROM bid b JOIN account a ON a.id = b.auction GROUP BY a.owner;
CREATE MATERIALIZED VIEW windows WITH (emit = 'final') AS
  SELECT window_start, count(*) AS n FROM tumble(bid, at, interval '10 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW late AS SELECT topic, _offset, event_time, watermark FROM _late;
CREATE MATERIALIZED VIEW appended AS SELECT _appended_at, min(_offset) AS first, count(*) AS n FROM bid GROUP BY _appended_at;
CREATE MATERIALIZED VIEW how_many AS SELECT count(*) AS n FROM bid;
`
const ticked = 'CREATE MATERIALIZED VIEW ticked AS SELECT _tick, count(*) AS n FROM bid GROUP BY _tick;'
const names = ['totals', 'owned', 'windows', 'late', 'appended', 'how_many']

const encoder = new TextEncoder()

it.each([
  [1, definitions, names],
  [2, definitions + ticked, [...names, 'ticked']],
])('after its journal was rewritten, state and all (seed %i)', async (seed, sql, views) => {
  const io = simulatedIo(seed, { idle: 'advance', threads: { engine: engineThread, keeper: keeperThread } })
  const sizes = { fileBytes: 12_000, stepBytes: 4096, largeBytes: 3000, reserveBytes: 512 }
  const stores: HistoryStore[] = []
  const openLog = async (given: Io, folder: string, options: LogOptions): Promise<Log> => {
    const { log, store } = await openFileStore(given, folder, {
      ...options,
      sizes,
      history: { share: 1, busyShare: 1 },
    })
    stores.push(store)
    return log
  }
  const open = (data: string): Promise<Database> =>
    Database.open({ io, definition: sqlDefinition(sql), data, engine: 'inline', openLog })
  const shown = async (db: Database): Promise<string[]> => {
    const lines: string[] = []
    for (const { view, rows } of await db.readAll(views)) {
      rows.forEach((page, row, weight) => {
        lines.push(`${view.name} ${weight} ${printRow(rows.columns, page.memory, page.columns, row)}`)
      })
    }
    return lines.sort()
  }
  const db = await open('d')
  const prng = new Prng(seed)
  let tick = 0
  for (let i = 0; i < 300; i++) {
    const second = String((i >> 3) % 60).padStart(2, '0')
    const late = prng.chance(0.1) ? '00' : second
    const bids = Array.from({ length: 1 + prng.below(4) }, () => ({
      auction: prng.below(9),
      price: prng.chance(0.1) ? null : prng.below(10_000) / 4,
      at: `2026-01-01T00:00:${late}`,
      unread: 'x'.repeat(prng.below(30)),
    }))
    await db.appendText('bid', encoder.encode(JSON.stringify(bids)), 'json')
    const id = prng.below(9)
    const gone = { events: [{ topic: 'account', op: 'delete', data: { id } }] }
    const event = prng.chance(0.2) ? gone : { events: [{ topic: 'account', data: { id, owner: `o${prng.below(4)}` } }] }
    tick = (await db.appendMixed(encoder.encode(JSON.stringify(event)))).tick
  }
  await db.waitForTick(tick)
  await stores[0].settle()
  expect(stores[0].files).toBeGreaterThan(4)
  const before = await shown(db)
  expect(before.filter((line) => line.startsWith('late')).length).toBeGreaterThan(3)
  // A backup has no state beside it: all of it is made from history.
  await db.backup('copy')
  await db.close()
  const copy = await open('copy')
  expect(await shown(copy)).toEqual(before)
  expect((await copy.query('SELECT count(*) FROM bid WHERE unread IS NOT NULL')).rows.length).toBe(1)
  await copy.close()
  const again = await open('d')
  expect(await shown(again)).toEqual(before)
  await again.close()
})
