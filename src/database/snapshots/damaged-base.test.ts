// A base that was made, of which nothing has gone yet: it is damaged, and the log still has it all.
import { expect, it } from 'vitest'
import { MillraceError } from '../../data/errors.ts'
import { printRow } from '../../data/json-print.ts'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileStore } from '../../log/file-log.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import type { AsOf } from '../contract.ts'

const definition = sqlDefinition(`
CREATE TABLE bid (id bigint NOT NULL, note text) WITH (retention = '0 MiB');
CREATE MATERIALIZED VIEW sums AS SELECT id % 7 AS rest, count(*) AS n FROM bid GROUP BY id % 7;
`)
const sizes = { fileBytes: 12_000, stepBytes: 4096, largeBytes: 8000, reserveBytes: 512 }

function open(io: SimulatedIo, everyBytes: number): Promise<Database> {
  return Database.open({
    io,
    definition,
    data: 'data',
    engine: 'inline',
    snapshots: { everyBytes, closeBytes: everyBytes },
    openLog: async (given, folder, options) => {
      const { log } = await openFileStore(given, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
      log.trim = () => Promise.reject(new MillraceError('log/full', 'nothing goes'))
      return log
    },
  })
}

async function append(db: Database, from: number): Promise<number> {
  const events = [0, 1, 2].map((i) => ({ topic: 'bid', data: { id: from + i, note: 'x'.repeat(150) } }))
  const { tick } = await db.appendMixed(new TextEncoder().encode(JSON.stringify({ events })))
  await db.waitForTick(tick)
  return tick
}

async function sums(db: Database, asOf?: AsOf): Promise<string[]> {
  const { rows } = await db.read('sums', asOf === undefined ? {} : { asOf })
  const shown: string[] = []
  rows.forEach((page, row) => {
    shown.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return shown.sort()
}

const counted = (rows: readonly string[]): number => rows.reduce((sum, row) => sum + JSON.parse(row).n, 0)

it('is mended from the log, and nobody looks back at it after that', async () => {
  const threads = { engine: engineThread, keeper: keeperThread }
  const first = simulatedIo(1, { threads, idle: 'advance' })
  let db = await open(first, 6000)
  for (let i = 0; i < 60; i++) await append(db, 3 * i)
  await db.close()
  const second = first.rerun({ threads, idle: 'advance' })
  db = await open(second, 1 << 30)
  const ticks: number[] = []
  for (let i = 60; i < 120; i++) ticks.push(await append(db, 3 * i))
  await new Promise<void>((resolve) => second.clock.after(10_000, resolve))
  second.crash()

  const io = second.rerun({ threads, idle: 'advance' })
  const names = await io.disk.list('data/state')
  expect(names.filter((name) => name.startsWith('base-')).length).toBe(1)
  for (const name of names) if (name.startsWith('snapshot-')) await io.disk.remove(`data/state/${name}`)
  db = await open(io, 1 << 30)
  for (const name of names) {
    const path = `data/state/${name}`
    // Behind the directory, which was read, every page.
    const length = name.startsWith('views-') ? io.disk.contentOf(path).byteLength : 0
    for (let byte = 500; byte < length; byte += 61) io.disk.flipBit(path, byte, 3)
  }
  expect(counted(await sums(db))).toBe(360)
  for (let i = 0; i < 60; i += 9) {
    expect(counted(await sums(db, { at: { tick: ticks[i] }, replay: {} }))).toBe(183 + 3 * i)
  }
  await db.close()
})
