import { describe, expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database, type DatabaseOptions } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { IoError } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileLog } from '../../log/file-log.ts'
import type { Log, LogReads } from '../../log/log.ts'
import type { KeeperRequest } from '../../state/snapshots/keeper-port.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import type { Rows } from '../../views/rows.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, note text, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '2 seconds');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
`
const views = `
CREATE MATERIALIZED VIEW totals AS
  SELECT auction, count(*) AS bids, sum(price) AS total, count(DISTINCT price) AS prices, min(note) AS first
  FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owned AS
  SELECT b.auction, b.price, a.owner FROM bid b LEFT JOIN account a ON a.id = b.auction;
CREATE MATERIALIZED VIEW best AS
  SELECT auction, price, note FROM (
    SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank FROM bid) ranked WHERE rank <= 3;
CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account ORDER BY owner DESC;
CREATE MATERIALIZED VIEW per_window WITH (emit = 'final') AS
  SELECT window_start, count(*) AS n FROM tumble(bid, at, interval '5 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW parts AS SELECT auction, 10 / price AS part FROM bid;
`
const viewNames = ['totals', 'owned', 'best', 'owners', 'per_window', 'parts']
const definition = sqlDefinition(topics + views)

function machine(seed = 1): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

interface Opened {
  readonly db: Database
  readonly replayed: number[]
  readonly notices: string[]
}

async function open(io: SimulatedIo, options: Partial<DatabaseOptions> = {}): Promise<Opened> {
  const replayed: number[] = []
  const notices: string[] = []
  const db = await Database.open({
    io,
    definition,
    data: 'data',
    snapshots: { everyBytes: 2000, closeBytes: 1 },
    onNotice: (line) => notices.push(line),
    openLog: async (given, path, logOptions) => watched(await openFileLog(given, path, logOptions), replayed),
    ...options,
  })
  return { db, replayed, notices }
}

/** A disk of which the first sync of a folder fails, of all that are asked for here. */
function failingOnce(disk: SimulatedIo['disk'], folder: string): SimulatedIo['disk'] {
  let failed = false
  const syncFolder = async (synced: string): Promise<void> => {
    if (failed || synced !== folder) return disk.syncFolder(synced)
    failed = true
    throw new IoError('failed', synced)
  }
  return new Proxy(disk, {
    get(_, name) {
      const found: unknown = name === 'syncFolder' ? syncFolder : Reflect.get(disk, name, disk)
      return typeof found === 'function' ? found.bind(disk) : found
    },
  })
}

/** Notes each tick that is replayed. */
function watched<L extends LogReads>(log: L, replayed: number[]): L {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'reader') return (...how: []) => watched((target as unknown as Log).reader(...how), replayed)
      if (name === 'replay') {
        const replay: Log['replay'] = (each, ...rest) =>
          target.replay(
            (tick) => {
              replayed.push(tick.tick)
              return each(tick)
            },
            ...rest,
          )
        return replay
      }
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Random events of both topics. */
async function feed(db: Database, prng: Prng, appends: number): Promise<void> {
  for (let i = 0; i < appends; i++) {
    const events = Array.from({ length: 1 + prng.below(8) }, () => {
      if (prng.chance(0.25)) {
        const id = prng.below(12)
        if (prng.chance(0.3)) return { topic: 'account', op: 'delete', data: { id } }
        return { topic: 'account', data: { id, owner: `owner ${prng.below(5)}` } }
      }
      const at = new Date(1_767_225_600_000 + prng.below(60_000)).toISOString()
      return { topic: 'bid', data: { auction: prng.below(12), price: prng.below(40), note: `n${prng.below(9)}`, at } }
    })
    const { tick } = await db.appendMixed(bytes(JSON.stringify({ events })))
    if (prng.chance(0.5)) await db.waitForTick(tick)
  }
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    lines.push(`${printRow(rows.columns, page.memory, page.columns, row)} × ${weight}`)
  })
  return lines
}

async function everything(db: Database): Promise<unknown> {
  const tick = await db.makeTick()
  const answers = await db.readAll(viewNames, { minTick: tick })
  const { topics: known } = db.status()
  return { known, views: answers.map(({ rows, errors }) => ({ errors, rows: printed(rows) })) }
}

describe('snapshots', () => {
  it('have the keeper know of a sync of the folder that failed elsewhere', async () => {
    const told: string[] = []
    const keeper: typeof keeperThread = (post, io) => {
      const take = keeperThread(post, io)
      return (message) => {
        told.push((message as KeeperRequest).kind)
        take(message)
      }
    }
    const io = simulatedIo(5, { threads: { engine: engineThread, keeper }, idle: 'advance' })
    const { db, notices } = await open({ ...io, disk: failingOnce(io.disk, 'data/state') } as SimulatedIo)
    await feed(db, new Prng(5), 30)
    const seen = await everything(db)
    await db.close()
    expect(notices[0]).toContain('a snapshot could not be written: data/state: failed')
    expect(told.filter((kind) => kind !== 'add').slice(0, 4)).toEqual(['start', 'begin', 'doubt', 'begin'])
    const again = await open(io.restart())
    expect(again.notices).toEqual([])
    expect(await everything(again.db)).toEqual(seen)
    await again.db.close()
  })

  it('spare a restart the replay and change nothing', async () => {
    const io = machine()
    const prng = new Prng(3)
    let seen: unknown
    for (let round = 0; round < 6; round++) {
      const { db, replayed, notices } = await open(io, { engine: round % 2 === 0 ? 'worker' : 'inline' })
      expect(notices).toEqual([])
      if (round > 0) {
        expect(replayed).toEqual([])
        expect(await everything(db)).toEqual(seen)
      }
      await feed(db, prng, 40)
      seen = await everything(db)
      await db.close()
    }
    const { db, replayed } = await open(io, { snapshots: false })
    expect(replayed.length).toBeGreaterThan(0)
    expect(await everything(db)).toEqual(seen)
    await db.close()
  })

  it('leave only the ticks since the last one to replay when the program is killed', async () => {
    let io = machine(5)
    const prng = new Prng(5)
    for (let round = 0; round < 5; round++) {
      const { db, replayed } = await open(io)
      const { tick } = db.status()
      if (round > 0) expect(replayed.length).toBeLessThan(tick / 2)
      await feed(db, prng, 60)
      const seen = await everything(db)
      io.crash()
      io =
        round % 2 === 0
          ? io.restart({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
          : io.rerun({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
      const again = await open(io)
      expect(await everything(again.db)).toEqual(seen)
      await again.db.close()
    }
  })

  it('are passed over in a line when they are damaged, and the log takes their place', async () => {
    /** The same files each time. */
    const made = async (): Promise<{ io: SimulatedIo; seen: unknown; names: readonly string[] }> => {
      const io = machine(7)
      const { db } = await open(io)
      await feed(db, new Prng(7), 20)
      const seen = await everything(db)
      await db.close()
      return { io, seen, names: await io.disk.list('data/state') }
    }
    const { names } = await made()
    expect(names.length).toBeGreaterThan(2)
    for (const [i, name] of names.entries()) {
      for (const part of [0, 0.3, 0.6, 0.999]) {
        const { io, seen } = await made()
        const path = `data/state/${name}`
        const byte = Math.floor(io.disk.contentOf(path).byteLength * part)
        io.disk.flipBit(path, byte, (byte + i) % 8)
        const { db, notices } = await open(io, { snapshots: { everyBytes: 1 << 30, closeBytes: 1 << 30 } })
        expect(await everything(db), `${path} byte ${byte}: ${notices.join()}`).toEqual(seen)
        await db.close()
      }
    }
  })

  it('that turn out to be damaged are made from the log again, while reads and appends go on', async () => {
    for (const when of ['running', 'starting']) {
      let io = machine(13)
      const prng = new Prng(13)
      // With hardly any memory for it, state is read from disk all the time.
      const options = { stateBytes: 1, snapshots: { everyBytes: 500, closeBytes: 1 << 30 } }
      const opened = await open(io, options)
      let { db } = opened
      const { notices } = opened
      await feed(db, prng, 80)
      if (when === 'starting') {
        io.crash()
        io = io.rerun({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
      }
      for (const name of await io.disk.list('data/state')) {
        if (!name.endsWith('.run')) continue
        const path = `data/state/${name}`
        for (let byte = 64; byte < io.disk.contentOf(path).byteLength * 0.6; byte += 97) io.disk.flipBit(path, byte, 3)
      }
      if (when === 'starting') {
        const again = await open(io, options)
        db = again.db
        notices.push(...again.notices)
      }
      await feed(db, prng, 80)
      const seen = await everything(db)
      await db.close()
      const replayed = await open(io, { snapshots: false })
      expect(await everything(replayed.db)).toEqual(seen)
      await replayed.db.close()
      expect(notices.join('\n'), when).toMatch(/made from the log again|passed over/)
    }
  })

  it.each(['read', 'live', 'query', 'snapshot', 'change of definitions'])(
    'whose pages turn out to be damaged are made from the log again (met by a %s)',
    async (met) => {
      let io = machine(17)
      const first = await open(io, { snapshots: { everyBytes: 1 << 30, closeBytes: 1 } })
      await feed(first.db, new Prng(17), 40)
      const seen = await everything(first.db)
      await first.db.close()
      io = io.rerun({ threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
      const { db, notices, replayed } = await open(io, { snapshots: { everyBytes: 1 << 30, closeBytes: 1 } })
      expect([replayed, notices]).toEqual([[], []])
      const [path] = (await io.disk.list('data/state')).filter((name) => name.startsWith('views-'))
      const length = io.disk.contentOf(`data/state/${path}`).byteLength
      // Behind the directory, which was read, every page.
      for (let byte = 400; byte < length; byte += 61) io.disk.flipBit(`data/state/${path}`, byte, 3)
      if (met === 'live') {
        const cursor = db.live('totals')
        const kinds: string[] = []
        for await (const message of cursor) if (kinds.push(message.kind) === 2) break
        expect(kinds).toEqual(['reset', 'snapshot'])
      }
      if (met === 'query') expect((await db.query('SELECT count(*) AS n FROM totals')).rows.length).toBe(1)
      if (met === 'snapshot') await feed(db, new Prng(18), 400)
      if (met === 'change of definitions') {
        const changed = sqlDefinition(`${topics}${views}`.replace('rank <= 3', 'rank <= 4'))
        await db.redefine(changed)
        await db.redefine(definition)
      }
      if (met !== 'snapshot') expect(await everything(db)).toEqual(seen)
      const now = await everything(db)
      expect(notices.join('\n')).toMatch(/a page fails its checksum.*made from the log again/)
      await db.close()
      const again = await open(io)
      expect(await everything(again.db)).toEqual(now)
      await again.db.close()
    },
  )

  it('of the definitions before serve new ones, of which only the changed views are built', async () => {
    const io = machine(9)
    const first = await open(io)
    await feed(first.db, new Prng(9), 30)
    const seen = await everything(first.db)
    await first.db.close()
    const changed = sqlDefinition(`${topics}${views}CREATE MATERIALIZED VIEW late AS SELECT * FROM _late;`)
    const { db, notices } = await open(io, { definition: changed })
    expect(notices).toEqual([])
    expect(await everything(db)).toEqual(seen)
    await db.close()
    const again = await open(io, { definition: changed })
    expect(again).toMatchObject({ notices: [], replayed: [] })
    await again.db.close()
  })
})
