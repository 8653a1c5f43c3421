// Events are late by what came before them, though that is gone, and with it the base that says when it was.
import { expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import { simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileStore } from '../../log/file-log.ts'
import type { Log } from '../../log/log.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'

const definition = `
CREATE TABLE bid (auction bigint NOT NULL, at timestamp NOT NULL, note text)
  WITH (event_time = 'at', lateness = '2 seconds', retention = '0 MiB');
CREATE MATERIALIZED VIEW totals AS SELECT auction, count(*) AS bids FROM bid GROUP BY auction;
`
const laterView = 'CREATE MATERIALIZED VIEW late AS SELECT count(*) AS n FROM _late;'

it('a snapshot that stands for a lost base knows how late events are', async () => {
  const io = simulatedIo(6, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  const sizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 12_000, reserveBytes: 512 }
  const logs: Log[] = []
  const settling: (() => Promise<unknown>)[] = []
  const open = (text: string): Promise<Database> =>
    Database.open({
      io,
      definition: sqlDefinition(text),
      data: 'data',
      engine: 'inline',
      snapshots: { everyBytes: 20_000, closeBytes: 1 },
      openLog: async (given, folder, options) => {
        const opened = await openFileStore(given, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
        logs.push(opened.log)
        settling.push(() => opened.store.settle())
        return opened.log
      },
    })
  const gone = (): number => logs.at(-1)!.starts().get(1)?.firstOffset ?? 0
  const close = async (db: Database): Promise<void> => {
    await settling.at(-1)!()
    await db.close()
  }
  const remove = async (which: RegExp): Promise<void> => {
    for (const name of await io.disk.list('data/state'))
      if (which.test(name)) await io.disk.remove(`data/state/${name}`)
  }
  let appended = 0
  const feed = async (db: Database, at: string): Promise<void> => {
    const rows = Array.from({ length: 10 }, () => ({ auction: appended++ % 7, at, note: 'x'.repeat(100) }))
    const { tick } = await db.appendText('bid', new TextEncoder().encode(JSON.stringify(rows)), 'json')
    await db.waitForTick(tick)
  }
  const late = async (db: Database): Promise<string> => {
    const { rows } = await db.query('SELECT count(*) AS n FROM _late')
    let line = ''
    rows.forEach((page, row) => {
      line = printRow(rows.columns, page.memory, page.columns, row)
    })
    return line
  }

  const first = await open(definition)
  while (gone() === 0) await feed(first, '2030-01-01T12:00:00')
  const onTime = appended
  // All that comes now is an hour late, and soon nothing else is left.
  while (gone() <= onTime) await feed(first, '2030-01-01T11:00:00')
  await close(first)
  const all = appended - gone()
  expect(all).toBeGreaterThan(0)
  await remove(/^base-/)
  const again = await open(definition)
  expect(await late(again)).toBe(`{"n":${all}}`)
  await again.redefine(sqlDefinition(definition + laterView))
  const { rows } = await again.read('late')
  rows.forEach((page, row) => {
    expect(printRow(rows.columns, page.memory, page.columns, row)).toBe(`{"n":${all}}`)
  })
  // With the next snapshot a base is made again, which has it, too.
  const before = gone()
  while (gone() === before) await feed(again, '2030-01-01T11:00:00')
  await close(again)
  await remove(/^snapshot-/)
  const last = await open(definition)
  expect(await late(last)).toBe(`{"n":${appended - gone()}}`)
  await last.close()
})
