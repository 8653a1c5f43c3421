// What topics do not keep goes, and every view goes on as if it were still there.
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../data/errors.ts'
import { printRow } from '../../data/json-print.ts'
import { Database, type DatabaseOptions } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import type { Io } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { type OpenedLog, openFileStore } from '../../log/file-log.ts'
import type { Log, LogOptions } from '../../log/log.ts'
import { restoreBackup } from '../../log/restore.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import type { Rows } from '../../views/rows.ts'
import { verifyData } from '../verify/verify.ts'

const topics = (retention: string, tableRetention: string): string => `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, note text, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '2 seconds'${retention});
CREATE TABLE account (id bigint PRIMARY KEY, owner text)${tableRetention};
`
const trimmed = topics(", retention = '0 MiB'", " WITH (retention = '0 seconds')")
const whole = topics('', '')
const views = `
CREATE MATERIALIZED VIEW totals AS
  SELECT auction, count(*) AS bids, sum(price) AS total, count(DISTINCT price) AS prices, min(note) AS first
  FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owned AS
  SELECT a.owner, count(*) AS n FROM bid b LEFT JOIN account a ON a.id = b.auction GROUP BY a.owner;
CREATE MATERIALIZED VIEW best AS
  SELECT auction, price, note FROM (
    SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank FROM bid) ranked WHERE rank <= 3;
CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account ORDER BY owner DESC;
CREATE MATERIALIZED VIEW per_window WITH (emit = 'final') AS
  SELECT window_start, count(*) AS n FROM tumble(bid, at, interval '5 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW late AS SELECT count(*) AS n, min(watermark) AS least FROM _late;
CREATE MATERIALIZED VIEW parts AS SELECT auction, 10 / price AS part FROM bid;
CREATE MATERIALIZED VIEW rich AS SELECT count(*) AS n FROM totals WHERE total > 100;
`
const viewNames = ['totals', 'owned', 'best', 'owners', 'per_window', 'late', 'parts', 'rich']

/** A data folder on a machine of its own, in a journal of tiny files that become history at once. */
class Site {
  readonly io: SimulatedIo
  readonly notices: string[] = []
  #opened: OpenedLog | null = null

  constructor(seed = 1) {
    this.io = simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  }

  open(more: string = views, options: Partial<DatabaseOptions> = {}): Promise<Database> {
    const { io, notices } = this
    return Database.open({
      io,
      definition: sqlDefinition(trimmed + more),
      data: 'data',
      engine: 'inline',
      snapshots: { everyBytes: 20_000, closeBytes: 1 },
      onNotice: (line) => notices.push(line),
      openLog: this.openLog,
      ...options,
    })
  }

  readonly openLog = async (io: Io, folder: string, options: LogOptions): Promise<Log> => {
    const sizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 12_000, reserveBytes: 512 }
    this.#opened = await openFileStore(io, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
    return this.#opened.log
  }

  get log(): Log {
    return this.#opened!.log
  }

  /** Up to which tick events of a topic are gone. */
  gone(topic = 1): number {
    return this.log.starts().get(topic)?.throughTick ?? 0
  }

  /** A clean end, at which everything may go that is in a history file by then. */
  async close(db: Database): Promise<void> {
    await this.#opened!.store.settle()
    await db.close()
  }

  async remove(which: RegExp, folder = 'data/state'): Promise<void> {
    for (const name of await this.io.disk.list(folder))
      if (which.test(name)) await this.io.disk.remove(`${folder}/${name}`)
  }

  async bases(): Promise<readonly number[]> {
    const names = await this.io.disk.list('data/state')
    return names.filter((name) => name.startsWith('base-')).map((name) => Number(name.slice(5, 20)))
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The same random events for all, as often as it is asked for. */
class Events {
  readonly #prng: Prng
  #second = 0

  constructor(seed: number) {
    this.#prng = new Prng(seed)
  }

  async feed(databases: readonly Database[], appends: number): Promise<void> {
    const prng = this.#prng
    for (let i = 0; i < appends; i++) {
      const events = Array.from({ length: 4 + prng.below(8) }, () => {
        if (prng.chance(0.25)) {
          const id = prng.below(12)
          if (prng.chance(0.3)) return { topic: 'account', op: 'delete', data: { id } }
          return { topic: 'account', data: { id, owner: `owner ${prng.below(5)}` } }
        }
        const at = new Date(1_767_225_600_000 + (this.#second++ - prng.below(9)) * 300).toISOString()
        const note = `n${prng.below(9)} ${'x'.repeat(prng.below(60))}`
        return { topic: 'bid', data: { auction: prng.below(12), price: prng.below(40), note, at } }
      })
      const waits = prng.chance(0.5)
      for (const db of databases) {
        const { tick } = await db.appendMixed(bytes(JSON.stringify({ events })))
        if (waits) await db.waitForTick(tick)
      }
    }
  }
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    lines.push(`${printRow(rows.columns, page.memory, page.columns, row)} × ${weight}`)
  })
  return lines
}

async function everything(db: Database, names: readonly string[] = viewNames): Promise<unknown> {
  const tick = await db.makeTick()
  const answers = await db.readAll(names, { minTick: tick })
  const { topics: known } = db.status()
  const late = known.map(({ name, late: events, watermarkMicros }) => ({ name, events, watermarkMicros }))
  return { late, views: answers.map(({ view, rows, errors }) => ({ view: view.name, errors, rows: printed(rows) })) }
}

async function refusal(work: Promise<unknown>): Promise<MillraceError> {
  return work.then(
    () => expect.unreachable('it was not refused'),
    (error) => error as MillraceError,
  )
}

async function oracle(more: string = views): Promise<Database> {
  const io = new Site(99).io
  return Database.open({ io, definition: sqlDefinition(whole + more), data: null, engine: 'inline' })
}

/** A database of which much is gone, closed, beside one that has everything. */
async function aged(seed: number, more: string = views) {
  const site = new Site(seed)
  const events = new Events(seed)
  const all = await oracle(more)
  const db = await site.open(more)
  await events.feed([db, all], 200)
  await site.close(db)
  expect(site.notices).toEqual([])
  expect(site.gone()).toBeGreaterThan(50)
  expect(site.gone(2)).toBeGreaterThan(50)
  expect(await site.bases()).toHaveLength(1)
  return { site, events, all }
}

const rowsOf = async (db: Database, view: string): Promise<string[]> => printed((await db.read(view)).rows)

describe('events that a topic does not keep', () => {
  it('go, and the views go on from the base, whatever becomes of snapshots', async () => {
    const { site, events, all } = await aged(1)
    for (const lost of [/nothing/, /^snapshot-/, /nothing/, /^snapshot-/]) {
      await site.remove(lost)
      const before = site.gone()
      const db = await site.open()
      expect(await everything(db)).toEqual(await everything(all))
      await events.feed([db, all], 60)
      expect(await everything(db)).toEqual(await everything(all))
      await site.close(db)
      expect(site.gone()).toBeGreaterThan(before)
      expect(await site.bases()).toHaveLength(1)
    }
    await all.close()
  })

  it('are refused by name where the base is lost with all snapshots', async () => {
    const { site, all } = await aged(2)
    await site.remove(/^(snapshot|base)-/)
    const { code, message, hint } = await refusal(site.open())
    expect(code).toBe('log/corrupt')
    expect(message).toMatch(/totals, owned, best, .* are gone up to tick \d+/)
    expect(hint).toMatch(/from a backup/)
    // Views that don't need what is gone can be made.
    const owners = 'CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account ORDER BY owner DESC;'
    const db = await site.open(owners)
    expect(await rowsOf(db, 'owners')).toEqual(await rowsOf(all, 'owners'))
    await db.close()
    await all.close()
  })

  it('are refused by name where the base is damaged', async () => {
    const { site, all } = await aged(3)
    await site.remove(/^snapshot-/)
    const [run] = (await site.io.disk.list('data/state')).filter((name) => name.startsWith('views-'))
    const file = await site.io.disk.open(`data/state/${run}`)
    await file.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), (await file.size()) - 64)
    await file.sync()
    await file.close()
    const [log, state] = await verifyData({ io: site.io, folder: 'data', full: false })
    expect(log.problem).toBe(null)
    expect(state.problem?.message).toMatch(/what stands for events that are gone is damaged: .*base-/)
    const { code, message } = await refusal(site.open().then((db) => everything(db)))
    expect(code).toBe('log/corrupt')
    expect(message).toContain(run)
    await all.close()
  })

  it('are named where the base is found damaged while definitions change', async () => {
    const { site, all } = await aged(12)
    const db = await site.open()
    for (const name of await site.io.disk.list('data/state')) {
      if (!name.endsWith('.run')) continue
      const file = await site.io.disk.open(`data/state/${name}`)
      await file.write(new Uint8Array(8), 0)
      await file.close()
    }
    const more = `${views} CREATE MATERIALIZED VIEW counted AS SELECT auction, count(*) AS n FROM bid GROUP BY auction;`
    const { code, message } = await refusal(db.redefine(sqlDefinition(trimmed + more)))
    expect([code, message]).toEqual(['log/corrupt', expect.stringMatching(/are gone up to tick .*\.run is damaged/)])
    await db.close()
    await all.close()
  })

  it('stay where the snapshot that would stand for them is damaged', async () => {
    const { site, events, all } = await aged(13)
    let db = await site.open()
    const before = site.gone()
    // One that nobody has looked into since it was written.
    await events.feed([db, all], 4)
    await site.close(db)
    const runs = (await site.io.disk.list('data/state')).filter((name) => name.endsWith('.run')).sort()
    db = await site.open()
    const file = await site.io.disk.open(`data/state/${runs.at(-1)}`)
    await file.write(new Uint8Array(64), 0)
    await file.sync()
    await file.close()
    await events.feed([db, all], 80)
    await db.makeTick()
    expect(site.notices).toContainEqual(expect.stringMatching(/damaged.*: all views are made from the log again/))
    expect(await everything(db)).toEqual(await everything(all))
    await site.close(db)
    expect(site.gone()).toBeGreaterThan(before)
    await site.remove(/^snapshot-/)
    db = await site.open()
    expect(await everything(db)).toEqual(await everything(all))
    await db.close()
    await all.close()
  })

  it('are missing in views that are defined later, and these say so', async () => {
    const { site, events, all } = await aged(4)
    const other = views.replace('count(*) AS bids', 'count(*) + 1 AS bids')
    let db = await site.open(other)
    const begins = site.gone()
    const notice = `totals begins with what is left: events are gone of bid up to tick ${begins}`
    expect(site.notices.filter((line) => line.startsWith('totals'))).toEqual([notice])
    const kept = viewNames.filter((name) => name !== 'totals' && name !== 'rich')
    expect(await everything(db, kept)).toEqual(await everything(all, kept))
    // Back to what it was: it begins anew as well.
    await db.redefine(sqlDefinition(trimmed + views))
    expect(db.catalog().views[0].starts).toEqual([{ topic: 1, throughTick: begins }])
    const totals = 'SELECT auction, count(*), sum(price), count(DISTINCT price), min(note) FROM bid GROUP BY auction'
    expect(await rowsOf(db, 'totals')).toEqual((await rowsOf(db, 'totals')).filter((line) => !line.startsWith('never')))
    const live = printed((await db.query(totals)).rows).map((line) => line.replace(/"[a-z]+":/g, ''))
    const shown = (await rowsOf(db, 'totals')).map((line) => line.replace(/"[a-z]+":/g, ''))
    expect(shown.sort()).toEqual(live.sort())
    await events.feed([db, all], 80)
    const before = await everything(db)
    await site.close(db)
    expect(site.gone()).toBeGreaterThan(begins)
    await site.remove(/^snapshot-/)
    db = await site.open()
    expect(await everything(db)).toEqual(before)
    expect(await everything(db, kept)).toEqual(await everything(all, kept))
    await db.close()
    await all.close()
  })

  it('are in what a new view reads of another view', async () => {
    const { site, events, all } = await aged(5, views)
    const above = `${views}
      CREATE MATERIALIZED VIEW top AS SELECT auction, total FROM totals ORDER BY total DESC LIMIT 3;
      CREATE MATERIALIZED VIEW named AS SELECT t.auction, t.bids, a.owner FROM totals t JOIN account a ON a.id = t.auction;`
    const names = [...viewNames, 'top', 'named']
    await all.redefine(sqlDefinition(whole + above))
    let db = await site.open()
    const { views: differences } = await db.diff(sqlDefinition(trimmed + above))
    const counts = new Map(differences.map(({ view, after }) => [view, after?.rows]))
    expect(counts.get('top')).toBe(3)
    await db.redefine(sqlDefinition(trimmed + above))
    expect(await everything(db, names)).toEqual(await everything(all, names))
    await events.feed([db, all], 20)
    expect(await everything(db, names)).toEqual(await everything(all, names))
    await db.close()
    // The base is of before: what was defined since is made from it.
    await site.remove(/^snapshot-/)
    db = await site.open(above)
    expect(await everything(db, names)).toEqual(await everything(all, names))
    await db.close()
    await all.close()
  })

  it('stay until a start has made the views that were defined behind the base', async () => {
    const { site, events, all } = await aged(11)
    const more = `${views} CREATE MATERIALIZED VIEW counted AS SELECT auction, count(*) AS n FROM bid GROUP BY auction;`
    let db = await site.open(views, { snapshots: { everyBytes: 1e9, closeBytes: 1e9 } })
    await db.redefine(sqlDefinition(trimmed + more))
    await events.feed([db, all], 80)
    const before = await everything(db, [...viewNames, 'counted'])
    await site.close(db)
    await site.remove(/^snapshot-/)
    // Snapshots of the base's views are taken all the time, and events may go behind each.
    db = await site.open(more, { snapshots: { everyBytes: 1 } })
    expect(await everything(db, [...viewNames, 'counted'])).toEqual(before)
    await site.close(db)
    await all.close()
  })

  it('are not told of where the past is looked into', async () => {
    const { site, events, all } = await aged(6)
    const [base] = await site.bases()
    const at = { tick: base - 1 }
    // What a view retains it tells all the same.
    const before = await site.open()
    expect((await before.read('totals', { asOf: { at } })).tick).toBe(base - 1)
    await before.close()
    await site.remove(/^changes-/)
    const db = await site.open()
    await events.feed([db, all], 30)
    for (const replay of [{}, { replay: {} }]) {
      const { code, message, place } = await refusal(db.read('totals', { asOf: { at, ...replay } }))
      expect(code).toBe('tick/expired')
      expect(message).toContain(`known from tick ${base} on`)
      expect(place.tick).toBe(base)
    }
    const asked = await refusal(db.query('SELECT count(*) FROM bid', { asOf: { at: { tick: site.gone() - 1 } } }))
    expect(asked.code).toBe('tick/expired')
    expect(asked.place.tick).toBe(site.gone())
    // From the base on a replay tells what was.
    const then = await db.read('totals', { asOf: { at: { tick: base }, replay: {} } })
    const wanted = await all
      .read('totals', { asOf: { at: { timeMicros: then.timeMicros }, replay: {} } })
      .catch(() => null)
    expect(then.tick).toBe(base)
    if (wanted !== null) expect(printed(then.rows).length).toBe(printed(wanted.rows).length)
    const [first] = await db.readTopic('bid', 0, 10)
    expect(first.firstOffset).toBe(db.status().topics[0].gone?.firstOffset)
    await db.close()
    await all.close()
  })

  it('leave views alone whose topic gets another column', async () => {
    // What reads all columns by a star reads another topic then.
    const narrow = views.replace('SELECT *,', 'SELECT auction, price, note,')
    const { site, events, all } = await aged(7, narrow)
    const wider = trimmed.replace('note text', 'note text, extra text').replace('owner text', 'owner text, more bigint')
    const db = await site.open(narrow, { definition: sqlDefinition(wider + narrow) })
    expect(site.notices).toEqual([])
    await events.feed([db, all], 20)
    expect(await everything(db)).toEqual(await everything(all))
    await db.close()
    await all.close()
  })

  it('are copied as the base that stands for them', async () => {
    const { site, events, all } = await aged(8)
    const db = await site.open()
    await events.feed([db, all], 10)
    const seen = await everything(db)
    await db.backup('copy')
    await db.close()
    await restoreBackup(site.io.disk, 'copy', 'again')
    const again = await site.open(views, { data: 'again' })
    expect(await everything(again)).toEqual(seen)
    expect(await everything(again)).toEqual(await everything(all))
    await again.close()
    await all.close()
  })

  it('are all there where the trim did not come to be', async () => {
    for (const when of ['before', 'after']) {
      const site = new Site(9)
      const events = new Events(9)
      const all = await oracle()
      const openLog = async (io: Io, folder: string, options: LogOptions): Promise<Log> => {
        const log = await site.openLog(io, folder, options)
        const trim: Log['trim'] = async (plan) => {
          if (when === 'after') await log.trim(plan)
          throw new MillraceError('log/full', 'the machine stops here')
        }
        return new Proxy(log, {
          get(_, name) {
            const value = name === 'trim' ? trim : (Reflect.get(log, name, log) as unknown)
            return typeof value === 'function' && name !== 'trim' ? value.bind(log) : value
          },
        })
      }
      const db = await site.open(views, { openLog })
      await events.feed([db, all], 120)
      await site.close(db)
      expect(site.gone() > 0).toBe(when === 'after')
      await site.remove(/^snapshot-/)
      const again = await site.open()
      expect(await everything(again)).toEqual(await everything(all))
      await again.close()
      await all.close()
    }
  })

  it('are told apart from those that the log has lost', async () => {
    const { site, all } = await aged(10)
    const names = await site.io.disk.list('data/log')
    await site.remove(new RegExp(`^${names.filter((name) => name.endsWith('.journal')).at(-1)}$`), 'data/log')
    const { code } = await refusal(site.open())
    expect(code).toBe('log/corrupt')
    await all.close()
  })
})
