import { describe, expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { verifyData } from '../database/verify/verify.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { type Definition, sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { catalogTopicId } from '../plan/catalog.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import { defaultLimits } from './limits.ts'
import { readEvents } from './topic-events.ts'

const first = 'CREATE TABLE bid (id int NOT NULL, price int); CREATE TABLE item (id int PRIMARY KEY, name text);'
const second = `CREATE TABLE bid (note text, price bigint, shop smallint, id int NOT NULL);
  CREATE TABLE item (id bigint PRIMARY KEY, stock int, name text);`
const views = `
  CREATE MATERIALIZED VIEW bids AS SELECT * FROM bid;
  CREATE MATERIALIZED VIEW shops AS SELECT shop, count(*) AS n FROM bid GROUP BY shop;
  CREATE MATERIALIZED VIEW small AS SELECT id FROM bid WHERE shop < 3;
  CREATE MATERIALIZED VIEW items AS SELECT * FROM item;
  CREATE MATERIALIZED VIEW joined AS SELECT b.id, i.stock FROM bid b JOIN item i ON i.id = b.shop;`

function machine(): SimulatedIo {
  return simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
}

function open(io: SimulatedIo, text: string, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  return Database.open({ io, data: 'd', definition: sqlDefinition(text), engine: 'inline', ...options })
}

async function append(db: Database, topic: string, ...events: readonly string[]): Promise<void> {
  const { tick } = await db.appendText(topic, new TextEncoder().encode(`[${events.join()}]`), 'json')
  await db.waitForTick(tick)
}

async function rowsOf(db: Database, name: string): Promise<readonly [errors: number, ...rows: string[]]> {
  const { errors, rows } = await db.read(name)
  const lines: string[] = []
  rows.forEach((page, row) => {
    lines.push(printRow(rows.columns, page.memory, page.columns, row, { shape: 'array' }))
  })
  return [errors, ...lines.sort()]
}

async function eventsOf(db: Database, topic: string): Promise<readonly string[]> {
  const { body } = await readEvents(db, defaultLimits, topic, '')
  const text = new TextDecoder().decode(body as Uint8Array)
  return [...text.matchAll(/"data":(\{.*?\})\}/g)].map(([, data]) => data)
}

/** A log of the first schema, of which the second can't read all. */
async function older(): Promise<SimulatedIo> {
  const io = machine()
  const db = await open(io, first)
  await append(db, 'bid', '{"id":1,"price":5,"shop":2}', '{"id":2,"shop":"none","note":"n"}', '{"id":3,"shop":70000}')
  await append(db, 'bid', '{"id":4,"price":7}')
  await append(db, 'item', '{"id":2,"name":"a","stock":9}', '{"id":3,"name":"b","stock":"many"}')
  await db.close()
  return io
}

describe('fields of older events that do not fit the column that was added for them', () => {
  it('are error rows where they are read, with the events that they come from', async () => {
    const db = await open(await older(), second + views)
    expect(await rowsOf(db, 'bids')).toEqual([2, '[null,5,2,1]', '[null,7,null,4]'])
    expect(await rowsOf(db, 'shops')).toEqual([2, '[2,1]', '[null,1]'])
    expect(await rowsOf(db, 'small')).toEqual([2, '[1]'])
    expect(await rowsOf(db, 'items')).toEqual([1, '[2,9,"a"]'])
    expect(await rowsOf(db, 'joined')).toEqual([2, '[1,9]'])
    const reason = 'a field of an older event that does not fit the column that was added for it'
    for (const [view, clause, ...offsets] of [
      ['bids', 'SELECT', 1, 2],
      ['small', 'WHERE', 1, 2],
      ['shops', 'GROUP BY', 1, 2],
      ['joined', 'JOIN', 1, 2],
      ['items', 'SELECT', 1],
    ] as const) {
      const { rows } = await db.errors(view)
      const topic = view === 'items' ? 'item' : 'bid'
      expect(rows.map((row) => [row.reason, row.positions.map(({ topic: of, offset }) => [of, offset])])).toEqual(
        offsets.map((offset) => [expect.stringContaining(`${reason} (in ${clause}`), [[topic, offset]]]),
      )
    }
    await expect(db.query('SELECT sum(shop) FROM bid')).rejects.toMatchObject({ code: 'sql/error-rows' })
    expect((await db.query('SELECT id FROM bid')).rows.count).toBe(4)
    await db.close()
  })

  it('are told as they were written by whoever reads the topic', async () => {
    const db = await open(await older(), second + views)
    expect(await eventsOf(db, 'bid')).toEqual([
      '{"note":null,"price":5,"shop":2,"id":1}',
      '{"note":"n","price":null,"id":2,"shop":"none"}',
      '{"note":null,"price":null,"id":3,"shop":70000}',
      '{"note":null,"price":7,"shop":null,"id":4}',
    ])
    await db.close()
  })

  it('heal when the column becomes wide enough, or the event is corrected', async () => {
    const db = await open(await older(), second.replace('shop smallint', 'shop int') + views)
    expect(await rowsOf(db, 'bids')).toEqual([1, '[null,5,2,1]', '[null,7,null,4]', '[null,null,70000,3]'])
    await append(db, 'item', '{"id":3,"name":"c"}')
    expect(await rowsOf(db, 'items')).toEqual([0, '[2,9,"a"]', '[3,null,"c"]'])
    await db.close()
  })
})

describe('a topic that changes', () => {
  it('is planned once, and a start with the same definitions writes nothing', async () => {
    const io = await older()
    const text = second + views
    const written: number[] = []
    let plans = 0
    const sql = sqlDefinition(text)
    const definition: Definition = {
      text,
      plan: (...given) => {
        plans++
        return sql.plan(...given)
      },
    }
    for (let start = 0; start < 3; start++) {
      const db = await open(io, text, {
        definition,
        openLog: async (...given) => {
          const { openFileLog } = await import('../log/file-log.ts')
          const log = await openFileLog(...given)
          written.push(log.position().offsets.get(catalogTopicId) ?? 0)
          return log
        },
      })
      expect((await rowsOf(db, 'bids'))[0]).toBe(2)
      await append(db, 'bid', `{"id":${10 + start},"shop":1,"x":1}`)
      await db.close()
    }
    expect([plans, ...written]).toEqual([1, 1, 2, 2])
  })

  it('is refused what it cannot become, and goes on as it was', async () => {
    const io = await older()
    const text = first.replace('price int', 'price text')
    await expect(open(io, text)).rejects.toMatchObject({
      code: 'schema/incompatible',
      message: expect.stringContaining('topic bid is not what the log holds: column price was integer and is text now'),
    })
    const db = await open(io, `${first} CREATE MATERIALIZED VIEW bids AS SELECT * FROM bid;`)
    expect(await rowsOf(db, 'bids')).toEqual([0, '[1,5]', '[2,null]', '[3,null]', '[4,7]'])
    await db.close()
  })

  it('may lose its event time to another column, and its NOT NULL columns', async () => {
    const io = machine()
    let db = await open(
      io,
      "CREATE TABLE e (a int NOT NULL, at timestamp NOT NULL, b timestamp NOT NULL) WITH (event_time = 'at')",
    )
    await append(db, 'e', '{"a":1,"at":"2026-01-02","b":"2026-01-01"}', '{"a":2,"at":"2026-01-01","b":"2026-01-02"}')
    expect(db.status().topics[0].late).toBe(1)
    await db.close()
    db = await open(io, "CREATE TABLE e (b timestamp NOT NULL, c int) WITH (event_time = 'b')")
    expect(db.status().topics[0].late).toBe(0)
    await append(db, 'e', '{"b":"2026-01-01","a":5}')
    expect(db.status().topics[0].late).toBe(1)
    expect(await eventsOf(db, 'e')).toEqual([
      '{"b":"2026-01-01T00:00:00","c":null}',
      '{"b":"2026-01-02T00:00:00","c":null}',
      '{"b":"2026-01-01T00:00:00","c":null,"a":5}',
    ])
    await db.close()
    const back = 'CREATE TABLE e (a int, b timestamp NOT NULL)'
    await expect(open(io, back.replace('a int', 'a int NOT NULL'))).rejects.toThrow('events have come without it')
    db = await open(io, back)
    expect(await eventsOf(db, 'e')).toEqual([
      '{"a":1,"b":"2026-01-01T00:00:00"}',
      '{"a":2,"b":"2026-01-02T00:00:00"}',
      '{"a":5,"b":"2026-01-01T00:00:00"}',
    ])
    await db.close()
  })

  it('is verified by what it was when each event came', async () => {
    const io = await older()
    let db = await open(io, second + views)
    await append(db, 'bid', '{"id":5,"price":5000000000,"shop":1}')
    await db.close()
    db = await open(io, 'CREATE TABLE bid (shop int)')
    await append(db, 'bid', '{"shop":100000}')
    await db.close()
    const [{ problem, found }] = await verifyData({ io, folder: 'd', full: true })
    expect(problem).toBeNull()
    expect(found?.facts).toMatchObject({ events: 11 })
  })
})
