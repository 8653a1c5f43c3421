import { describe, expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database, type DatabaseOptions } from '../../database.ts'
import { type Definition, sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { type Io, IoError } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import type { Rows } from '../../views/rows.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
`
const totals =
  'CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction;'
const owned = `CREATE MATERIALIZED VIEW owned AS
  SELECT b.auction, b.price, a.owner FROM bid b JOIN account a ON a.id = b.auction;`
const perWindow = `CREATE MATERIALIZED VIEW per_window WITH (emit = 'final') AS
  SELECT window_start, count(*) AS n FROM tumble(bid, at, interval '5 seconds') GROUP BY window_start;`
const before = sqlDefinition(topics + totals + owned)
const after = sqlDefinition(
  `${topics + totals + owned}CREATE MATERIALIZED VIEW dear AS SELECT auction, max(price) AS price FROM bid GROUP BY auction;`,
)

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: Io, definition: Definition, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const snapshots = { everyBytes: 4000, closeBytes: 1 }
  return Database.open({ io, definition, data: 'data', engine: 'worker', snapshots, ...options })
}

async function feed(db: Database, prng: Prng, appends: number, appended: (tick: number) => void = () => {}) {
  for (let i = 0; i < appends; i++) {
    const events = Array.from({ length: 1 + prng.below(6) }, () => {
      if (prng.chance(0.15)) return { topic: 'account', op: 'delete', data: { id: prng.below(99) } }
      if (prng.chance(0.3)) return { topic: 'account', data: { id: prng.below(99), owner: `o${prng.below(4)}` } }
      const at = new Date(1_767_225_600_000 + prng.below(60_000)).toISOString()
      return { topic: 'bid', data: { auction: prng.below(99), price: prng.below(60), at } }
    })
    const { tick } = await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events })))
    appended(tick)
    if (prng.chance(0.3)) await db.waitForTick(tick)
  }
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    lines.push(`${printRow(rows.columns, page.memory, page.columns, row)} × ${weight}`)
  })
  return lines
}

async function everything(db: Database): Promise<Record<string, readonly string[]>> {
  const tick = await db.makeTick()
  const names = db.catalog().views.map(({ name }) => name)
  const answers = await db.readAll(names, { minTick: tick })
  return Object.fromEntries(answers.map(({ rows }, i) => [names[i], printed(rows)] as const).sort())
}

/** All that a replay of the log alone makes of it. */
async function replayed(io: Io, definition: Definition): Promise<unknown> {
  const db = await open(io, definition, { snapshots: false })
  const seen = await everything(db)
  await db.close()
  return seen
}

/** Runs are of no use any more. */
async function damage(io: SimulatedIo): Promise<void> {
  for (const name of await io.disk.list('data/state')) {
    if (!name.endsWith('.run')) continue
    const path = `data/state/${name}`
    for (let byte = 64; byte < io.disk.contentOf(path).byteLength * 0.6; byte += 97) io.disk.flipBit(path, byte, 3)
  }
}

describe('what is interrupted', () => {
  it('by a view file that can not be written is captured again, and each row once', async () => {
    const io = machine(1)
    let refused = 0
    let refuses = false
    const disk = new Proxy(io.disk, {
      get(target, name) {
        if (name === 'open')
          return (path: string, options: Parameters<typeof io.disk.open>[1]) => {
            if (!refuses || !/views-.*\.pages$/.test(path)) return target.open(path, options)
            refused++
            return Promise.reject(new IoError('full', path))
          }
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const prng = new Prng(1)
    const options = { snapshots: { everyBytes: 300, closeBytes: 1 } }
    const db = await open({ ...io, disk } as Io, before, options)
    for (let round = 0; round < 6; round++) {
      refuses = round % 2 === 1
      await feed(db, prng, 15)
    }
    refuses = false
    const seen = await everything(db)
    await db.close()
    expect(refused).toBeGreaterThan(2)
    const again = await open(io, before, options)
    expect(await everything(again)).toEqual(seen)
    // What was restored goes on rightly, too.
    await feed(again, prng, 60)
    const later = await everything(again)
    await again.close()
    expect(await replayed(io, before)).toEqual(later)
  })

  it.each([1, 2, 3, 4])('by damage while definitions change is mended, and then they change (%i)', async (seed) => {
    const io = machine(seed)
    const prng = new Prng(seed)
    const notices: string[] = []
    const onNotice = (line: string): void => void notices.push(line)
    // With hardly any memory for it, state is read from disk all the time.
    const db = await open(io, before, { stateBytes: 1, snapshots: { everyBytes: 500, closeBytes: 1 << 30 }, onNotice })
    await feed(db, prng, 80)
    await damage(io)
    await Promise.all([db.redefine(after), feed(db, prng, 40)])
    await feed(db, prng, 10)
    const seen = await everything(db)
    expect(Object.keys(seen)).toContain('dear')
    await db.close()
    expect(notices.join('\n')).toMatch(/made from the log again/)
    expect(await replayed(io, after)).toEqual(seen)
  })

  it.each([0, 1, 2, 5, 10, 20, 40, 80, 160])('by a close leaves no thread behind (%i turns on)', async (turns) => {
    for (const when of ['redefining', 'starting', 'starting with others'] as const) {
      const io = machine(7)
      let db = await open(io, before)
      await feed(db, new Prng(7), 40)
      await db.close()
      let running = 0
      const start: Io['threads']['start'] = (...args) => {
        const port = io.threads.start(...args)
        running++
        return {
          post: (...message) => port.post(...message),
          stop: () => {
            running--
            return port.stop()
          },
        }
      }
      const watched = { ...io, threads: { start } } as Io
      db = await open(watched, when === 'starting with others' ? after : before, { eager: when !== 'redefining' })
      const started = (when === 'redefining' ? db.redefine(after) : db.caughtUp()).catch(() => {})
      for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
      await db.close()
      await started
      expect(running, when).toBe(0)
    }
  })

  it('never shows a past tick of views that others took the place of', async () => {
    for (const engine of ['worker', 'inline'] as const) {
      const io = machine(9)
      const prng = new Prng(9)
      const db = await open(io, before, { engine })
      await feed(db, prng, 20)
      const reads: Promise<void>[] = []
      const read = new Map<number, string[]>()
      await Promise.all([
        db.redefine(after),
        feed(db, prng, 60, (tick) => {
          const answer = db.read('totals', { asOf: { at: { tick } } })
          reads.push(
            answer.then(
              ({ rows }) => void read.set(tick, printed(rows)),
              (error) => expect(error).toMatchObject({ code: 'tick/not-reached' }),
            ),
          )
        }),
      ])
      await Promise.all(reads)
      expect(read.size).toBeGreaterThan(10)
      for (const [tick, rows] of read)
        expect(rows).toEqual(printed((await db.read('totals', { asOf: { at: { tick }, replay: {} } })).rows))
      await db.close()
    }
  })
})

describe('windows that are closed at the end of a run', () => {
  it('are in no snapshot: the next run goes on from the log', async () => {
    const io = machine(11)
    const prng = new Prng(11)
    const definition = sqlDefinition(topics + totals + perWindow)
    for (let run = 0; run < 3; run++) {
      const notices: string[] = []
      const db = await open(io, definition, { onNotice: (line) => void notices.push(line) })
      await feed(db, prng, 20)
      await db.closeWindows()
      await db.close()
      expect(notices).toEqual([])
    }
    const db = await open(io, definition)
    await feed(db, prng, 5)
    const seen = await everything(db)
    await db.close()
    expect(await replayed(io, definition)).toEqual(seen)
  })
})
