import { describe, expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions, type LiveMessage } from '../database.ts'
import { type Definition, sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { Prng } from '../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { Rows } from '../views/rows.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text, city text);
`
const totals =
  'CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids, sum(price) AS total FROM bid GROUP BY auction;'
const owned = `CREATE MATERIALIZED VIEW owned AS
  SELECT b.auction, b.price, a.owner FROM bid b JOIN account a ON a.id = b.auction;`
const best = (n: number): string => `CREATE MATERIALIZED VIEW best AS SELECT auction, price FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank FROM bid) r WHERE rank <= ${n};`
const dear = 'CREATE MATERIALIZED VIEW dear AS SELECT * FROM totals WHERE total > 100;'

const definitions: readonly Definition[] = [
  [totals, best(2)],
  [best(3), totals, owned],
  [totals, dear, best(3)],
  [owned, totals],
  // Reads a column of the table that nobody has read so far.
  [owned, totals, 'CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n FROM account GROUP BY city;'],
].map((views) => sqlDefinition(topics + views.join('\n')))

function machine(seed: number): SimulatedIo {
  return simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, definition: Definition, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const snapshots = { everyBytes: 4000, closeBytes: 1 }
  return Database.open({ io, definition, data: 'data', engine: 'worker', snapshots, ...options })
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function feed(db: Database, prng: Prng, appends: number): Promise<void> {
  for (let i = 0; i < appends; i++) {
    const events = Array.from({ length: 1 + prng.below(6) }, () => {
      if (prng.chance(0.15)) return { topic: 'account', op: 'delete', data: { id: prng.below(9) } }
      if (prng.chance(0.3))
        return { topic: 'account', data: { id: prng.below(9), owner: `o${prng.below(4)}`, city: `c${prng.below(3)}` } }
      const at = new Date(1_767_225_600_000 + prng.below(60_000)).toISOString()
      return { topic: 'bid', data: { auction: prng.below(9), price: prng.below(60), at } }
    })
    const { tick } = await db.appendMixed(bytes(JSON.stringify({ events })))
    if (prng.chance(0.3)) await db.waitForTick(tick)
  }
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    for (let n = 0; n < Math.abs(weight); n++) {
      lines.push(`${weight < 0 ? '-' : ''}${printRow(rows.columns, page.memory, page.columns, row)}`)
    }
  })
  return lines
}

async function everything(db: Database): Promise<Record<string, readonly string[]>> {
  const tick = await db.makeTick()
  const names = db.catalog().views.map(({ name }) => name)
  const answers = await db.readAll(names, { minTick: tick })
  return Object.fromEntries(answers.map(({ rows }, i) => [names[i], printed(rows)] as const).sort())
}

/** Rows as a subscriber has them. */
class Follower {
  readonly kinds: string[] = []
  rows = new Map<string, number>()
  readonly done: Promise<void>
  failure: unknown = null

  constructor(stream: AsyncIterable<LiveMessage>) {
    this.done = this.#follow(stream).catch((error: unknown) => {
      this.failure = error
    })
  }

  async #follow(stream: AsyncIterable<LiveMessage>): Promise<void> {
    for await (const message of stream) {
      if (this.kinds.at(-1) !== message.kind) this.kinds.push(message.kind)
      if (message.kind === 'reset') this.rows = new Map()
      else {
        message.rows.forEach((page, row, weight) => {
          const text = printRow(message.rows.columns, page.memory, page.columns, row)
          const now = (this.rows.get(text) ?? 0) + weight
          if (now === 0) this.rows.delete(text)
          else this.rows.set(text, now)
        })
      }
    }
  }

  sorted(): string[] {
    return [...this.rows].flatMap(([text, count]) => Array.from({ length: count }, () => text)).sort()
  }
}

describe.each(['worker', 'inline'] as const)('changed definitions, the engine %s', (engine) => {
  it('find nothing of a view that was there before, of groups that have gone since', async () => {
    const io = machine(13)
    const owners = 'CREATE MATERIALIZED VIEW owners AS SELECT owner, count(*) AS n FROM account GROUP BY owner;'
    const both = sqlDefinition(topics + totals + owners)
    const db = await open(io, both, { engine, snapshots: { everyBytes: 1 } })
    const own = async (from: number, to: number, owner: string): Promise<void> => {
      const events = Array.from({ length: to - from }, (_, i) => ({ topic: 'account', data: { id: from + i, owner } }))
      const { tick } = await db.appendMixed(bytes(JSON.stringify({ events })))
      await db.waitForTick(tick)
    }
    await own(0, 5, 'Ada')
    await db.redefine(sqlDefinition(topics + totals))
    await own(0, 5, 'Bob')
    await db.redefine(both)
    await own(7, 8, 'Ada')
    expect((await everything(db))['owners']).toEqual(['{"owner":"Ada","n":1}', '{"owner":"Bob","n":5}'])
    await db.close()
  })

  it('take over at one tick, with the rows that they would always have had', async () => {
    const prng = new Prng(engine === 'worker' ? 11 : 12)
    const io = machine(11)
    let db = await open(io, definitions[0], { engine })
    await feed(db, prng, 40)
    // Views come back, some of whose keys are gone since: what was kept of them then must not.
    const later = [1, 2, 3, 4, 0, 4, 1].map((i) => definitions[i])
    for (const definition of later) {
      // Events go on coming while the new views are built.
      await Promise.all([db.redefine(definition), feed(db, prng, 40)])
      await feed(db, prng, 10)
      const seen = await everything(db)
      await db.close()
      const replayed = await open(io, definition, { engine, snapshots: false })
      expect(await everything(replayed)).toEqual(seen)
      await replayed.close()
      db = await open(io, definition, { engine })
      expect(await everything(db)).toEqual(seen)
    }
    await db.close()
  })

  it('are followed by subscribers without a gap, from the beginning where the view is another one', async () => {
    const prng = new Prng(21)
    const io = machine(21)
    const db = await open(io, definitions[0], { engine })
    await feed(db, prng, 20)
    const stop = new AbortController()
    const same = new Follower(db.live('totals', { signal: stop.signal }))
    const other = new Follower(db.live('best', { signal: stop.signal }))
    await Promise.all([db.redefine(definitions[1]), feed(db, prng, 30)])
    await feed(db, prng, 10)
    const seen = await everything(db)
    await new Promise((resolve) => io.clock.after(1000, () => resolve(null)))
    expect(same.kinds).toEqual(['snapshot', 'change'])
    expect(same.sorted()).toEqual([...seen.totals].sort())
    expect(other.kinds).toContain('reset')
    expect(other.sorted()).toEqual([...seen.best].sort())
    // A view that is dropped ends its subscribers by name.
    await db.redefine(definitions[3])
    await other.done
    expect(other.failure).toMatchObject({ code: 'view/unknown' })
    stop.abort()
    await same.done
    await db.close()
  })

  it('leave everything as it is when they can not be had', async () => {
    const prng = new Prng(31)
    const db = await open(machine(31), definitions[0], { engine })
    await feed(db, prng, 20)
    const seen = await everything(db)
    for (const [text, code] of [
      [`${topics}CREATE MATERIALIZED VIEW v AS SELECT nobody FROM bid;`, 'sql/unknown-column'],
      [`${topics}${totals.replace('sum(price)', 'sum(at)')}`, 'sql/type'],
      [topics.replace('price bigint', 'price boolean'), 'schema/incompatible'],
    ] as const) {
      await expect(db.redefine(sqlDefinition(text))).rejects.toMatchObject({ code })
      expect(await everything(db)).toEqual(seen)
    }
    await db.close()
  })

  it('take over at the start as well, and unchanged views are not built again', async () => {
    const prng = new Prng(41)
    const io = machine(41)
    const first = await open(io, definitions[0], { engine })
    await feed(first, prng, 40)
    await first.close()
    const db = await open(io, definitions[2], { engine })
    const seen = await everything(db)
    await db.close()
    const replayed = await open(io, definitions[2], { engine, snapshots: false })
    expect(await everything(replayed)).toEqual(seen)
    await replayed.close()
  })
})
