import { describe, expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import type { Io } from '../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { openFileStore } from '../log/file-log.ts'
import type { HistoryStore } from '../log/history/store.ts'
import type { Log, LogOptions } from '../log/log.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'

const table = 'CREATE TABLE account (id bigint PRIMARY KEY, owner text, city text, level int);'
const owners = 'CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account;'
const cities = 'CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n FROM account GROUP BY city;'

function open(io: SimulatedIo, options: Partial<DatabaseOptions>, ...views: readonly string[]): Promise<Database> {
  const definition = sqlDefinition([table, ...views].join('\n'))
  return Database.open({ io, definition, data: 'data', engine: 'inline', snapshots: { closeBytes: 1 }, ...options })
}

async function upsert(db: Database, from: number, turn: number): Promise<void> {
  const events = Array.from({ length: 8 }, (_, i) => {
    const data = { id: from + i, owner: `owner ${turn} ${i}`, city: `city ${(i + turn) % 3}`, level: turn }
    return { topic: 'account', data }
  })
  await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events })))
}

async function rows(db: Database): Promise<Record<string, string[]>> {
  const tick = await db.makeTick()
  const names = db.catalog().views.map(({ name }) => name)
  const answers = await db.readAll(names, { minTick: tick })
  return Object.fromEntries(
    answers.map(({ rows: found }, i) => {
      const lines: string[] = []
      found.forEach((page, row, weight) => {
        lines.push(`${printRow(found.columns, page.memory, page.columns, row)} × ${weight}`)
      })
      return [names[i], lines.sort()]
    }),
  )
}

// What a table keeps of its rows must not depend on which views read it: they come and go.
describe('a table whose readers change', () => {
  for (const [name, before, after] of [
    ['one goes', [owners, cities], [owners]],
    ['one comes that reads another column', [owners], [owners, cities]],
  ] as const) {
    it(`goes on from its snapshot: ${name}`, async () => {
      const io = simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
      const first = await open(io, {}, ...before)
      await upsert(first, 0, 1)
      await upsert(first, 5, 2)
      await rows(first)
      await first.close()
      const second = await open(io, {}, ...after)
      await upsert(second, 3, 3)
      const found = await rows(second)
      await second.close()
      const fresh = simulatedIo(2, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
      const whole = await open(fresh, {}, ...after)
      await upsert(whole, 0, 1)
      await upsert(whole, 5, 2)
      await upsert(whole, 3, 3)
      expect(found).toEqual(await rows(whole))
      await whole.close()
    })
  }

  it('goes on from a snapshot that was made by reading history', async () => {
    const io = simulatedIo(3, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
    const stores: HistoryStore[] = []
    const sizes = { fileBytes: 2000, stepBytes: 512, largeBytes: 600, reserveBytes: 256 }
    const openLog = async (given: Io, folder: string, options: LogOptions): Promise<Log> => {
      const { log, store } = await openFileStore(given, folder, {
        ...options,
        sizes,
        history: { share: 1, busyShare: 1 },
      })
      stores.push(store)
      return log
    }
    const first = await open(io, { openLog, snapshots: false }, owners)
    for (let turn = 0; turn < 12; turn++) await upsert(first, turn, turn)
    const whole = await open(io, { data: null }, owners, cities)
    for (let turn = 0; turn < 12; turn++) await upsert(whole, turn, turn)
    await rows(first)
    await stores[0].settle()
    expect(stores[0].files).toBeGreaterThan(2)
    await first.close()
    await (await open(io, { openLog }, owners)).close()
    const last = await open(io, { openLog }, owners, cities)
    for (const db of [last, whole]) await upsert(db, 5, 20)
    expect(await rows(last)).toEqual(await rows(whole))
    await last.close()
    await whole.close()
  })
})
