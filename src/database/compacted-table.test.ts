// A query reads a table while what was deleted of it goes from the disk.
import { expect, it } from 'vitest'
import { printRow } from '../data/json-print.ts'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { type OpenedLog, openFileStore } from '../log/file-log.ts'
import type { Log, LogReader } from '../log/log.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { Rows } from '../views/rows.ts'

const definition = sqlDefinition(`
CREATE TABLE account (id bigint PRIMARY KEY, owner text) WITH (retention = '0 seconds');
CREATE MATERIALIZED VIEW ids AS SELECT id FROM account;
`)
const sizes = { fileBytes: 24_000, stepBytes: 4096, largeBytes: 12_000, reserveBytes: 512 }
/** A large table is read in several pieces: here pieces are small instead. */
const pieceRows = 40

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row) => {
    lines.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  return lines.sort()
}

it('a query finds no row again whose delete goes meanwhile', async () => {
  const io = simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  let opened: OpenedLog | null = null
  let asked: Promise<string[]> | null = null
  let pieces = 0
  let goOn = (): void => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  // Files are written anew only once the query has begun.
  const openFile = io.disk.open.bind(io.disk)
  io.disk.open = async (path, options) => {
    if (/\d{8}\.[1-9]\d*\.history./.test(path) && asked !== null) await gate
    return openFile(path, options)
  }
  const trim = async (log: Log, plan: Parameters<Log['trim']>[0]): Promise<void> => {
    await log.trim(plan)
    // The deletes are among what may go.
    if ((log.starts().get(1)?.firstOffset ?? 0) < 300) return
    asked ??= db.query('SELECT id FROM account').then(({ rows }) => printed(rows))
  }
  // Between the pieces of a read all goes that may.
  const inPieces = (reader: LogReader): LogReader => ({
    ...reader,
    readTopic: async (topic, from, limit) => {
      if (topic !== 1 || asked === null) return reader.readTopic(topic, from, limit)
      if (pieces++ > 0) {
        goOn()
        await opened!.store.settle()
      }
      return reader.readTopic(topic, from, Math.min(limit, pieceRows))
    },
  })
  const open = (everyBytes: number): Promise<Database> =>
    Database.open({
      io,
      definition,
      data: 'data',
      engine: 'inline',
      snapshots: { everyBytes, closeBytes: 1e9 },
      openLog: async (on, folder, options) => {
        opened = await openFileStore(on, folder, { ...options, sizes, history: { share: 1, busyShare: 1 } })
        const { log } = opened
        return new Proxy(log, {
          get(_, name) {
            if (name === 'trim') return (plan: Parameters<Log['trim']>[0]) => trim(log, plan)
            if (name === 'reader') return () => inPieces(log.reader())
            const value = Reflect.get(log, name, log) as unknown
            return typeof value === 'function' ? value.bind(log) : value
          },
        })
      },
    })
  let db = await open(1e9)
  const send = (events: readonly object[]) => db.appendMixed(new TextEncoder().encode(JSON.stringify({ events })))
  const owner = 'x'.repeat(400)
  for (let id = 0; id < 200; id++) await send([{ topic: 'account', data: { id, owner } }])
  for (let id = 0; id < 200; id += 2) await send([{ topic: 'account', op: 'delete', data: { id } }])
  for (let id = 200; id < 400; id++) await send([{ topic: 'account', data: { id, owner } }])
  const { tick } = await send([{ topic: 'account', data: { id: 400, owner } }])
  await db.waitForTick(tick)
  await opened!.store.settle()
  const wanted = printed((await db.read('ids')).rows)
  await db.close()
  // A start takes a snapshot now, and behind it deletes may go.
  db = await open(1)
  for (let i = 0; i < 100 && asked === null; i++) await db.makeTick()
  expect(asked).not.toBe(null)
  const answer = await asked
  goOn()
  expect(pieces).toBeGreaterThan(3)
  expect(answer).toEqual(wanted)
  await db.close()
})
