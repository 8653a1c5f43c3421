// The machine stops while a base is made and events go: whatever it had come to, every view has all that was acknowledged.
import { expect, it } from 'vitest'
import { printRow } from '../../data/json-print.ts'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import { engineThread } from '../../engine/thread.ts'
import type { Io, ThreadEntry } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { type OpenedLog, openFileStore } from '../../log/file-log.ts'
import type { LogOptions } from '../../log/log.ts'
import type { KeeperRequest } from '../../state/snapshots/keeper-port.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'

const definitions = `
CREATE TABLE bid (id bigint NOT NULL, price bigint, note text) WITH (retention = '0 MiB');
CREATE TABLE account (id bigint PRIMARY KEY, owner text) WITH (retention = '0 seconds');
CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(id) AS total FROM bid;
CREATE MATERIALIZED VIEW owners AS SELECT count(*) AS n, sum(id) AS total FROM account;
`
const encoder = new TextEncoder()
const perAppend = 5

class Site {
  opened: OpenedLog | null = null

  async open(io: SimulatedIo): Promise<Database> {
    const sizes = { fileBytes: 12_000, stepBytes: 4096, largeBytes: 8000, reserveBytes: 512 }
    const history = { share: 1, busyShare: 1 }
    return Database.open({
      io,
      definition: sqlDefinition(definitions),
      data: 'data',
      engine: 'inline',
      snapshots: { everyBytes: 6000, closeBytes: 1 },
      openLog: async (given: Io, folder: string, options: LogOptions) => {
        this.opened = await openFileStore(given, folder, { ...options, sizes, history })
        return this.opened.log
      },
    })
  }
}

async function append(db: Database, from: number): Promise<void> {
  const events = Array.from({ length: perAppend }, (_, i) => ({
    topic: 'bid',
    data: { id: from + i, price: i, note: 'x'.repeat(150) },
  }))
  const account = { topic: 'account', data: { id: from % 15, owner: `o${from}` } }
  const { tick } = await db.appendMixed(encoder.encode(JSON.stringify({ events: [...events, account] })))
  await db.waitForTick(tick)
}

/** Appends from where the log stands. @param told how many events were acknowledged */
async function work(site: Site, io: SimulatedIo, appends: number, told: (events: number) => void): Promise<void> {
  const db = await site.open(io)
  let next = db.status().topics[0].nextOffset
  for (let i = 0; i < appends; i++) {
    await append(db, next)
    next += perAppend
    told(next)
  }
  await site.opened!.store.settle()
  await db.close()
}

async function check(io: SimulatedIo, acknowledged: number, label: string): Promise<number> {
  const site = new Site()
  const db = await site.open(io)
  const { nextOffset } = db.status().topics[0]
  expect(nextOffset, label).toBeGreaterThanOrEqual(acknowledged)
  const { rows } = await db.read('sums')
  const shown: string[] = []
  rows.forEach((page, row) => {
    shown.push(printRow(rows.columns, page.memory, page.columns, row))
  })
  expect(shown, label).toEqual([JSON.stringify({ n: nextOffset, total: (nextOffset * (nextOffset - 1)) / 2 })])
  const gone = site.opened!.log.starts().get(1)?.throughTick ?? 0
  await db.close()
  return gone
}

it.each([1, 2])('at any boundary (seed %i)', async (seed) => {
  const prng = new Prng(seed)
  const io = simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  await work(new Site(), io, 24, () => {})
  const counted = io.copy()
  await work(new Site(), counted, 8, () => {})
  const { boundaries } = counted.disk
  let trimmed = 0
  for (let crashAt = 1 + prng.below(5); crashAt <= boundaries; crashAt += 6 + prng.below(24)) {
    const label = `seed ${seed}, boundary ${crashAt} of ${boundaries}`
    const now = io.copy({ disk: { crashAt } })
    let acknowledged = 0
    await Promise.race([
      work(new Site(), now, 8, (events) => {
        acknowledged = events
      }),
      now.crashed,
    ])
    const after = prng.chance(0.7) ? now.restart() : now.rerun()
    if ((await check(after, acknowledged, label)) > 0) trimmed++
    // Snapshots are no part of what was promised.
    const again = after.restart()
    for (const name of await again.disk.list('data/state')) {
      if (name.startsWith('snapshot-')) await again.disk.remove(`data/state/${name}`)
    }
    await check(again, acknowledged, `${label}, without snapshots`)
  }
  expect(trimmed).toBeGreaterThan(0)
})

/** Mistakes of the thread that keeps bases. */
const planted: Readonly<Record<string, ThreadEntry>> = {
  'events go before there is a base': (post, io) => {
    const take = keeperThread(post, io)
    return (message) => take((message as KeeperRequest).kind === 'pin' ? { kind: 'begin' } : message)
  },
  'a start takes the base away': (post, io) => {
    const take = keeperThread(post, io)
    return (message) => {
      const request = message as KeeperRequest
      if (request.kind !== 'start') return take(message)
      void io.disk.list(request.folder).then(async (names) => {
        for (const name of names) if (name.startsWith('base-')) await io.disk.remove(`${request.folder}/${name}`)
        take(message)
      })
    }
  },
}

it.each(Object.entries(planted))('finds that %s', async (_, keeper) => {
  const io = simulatedIo(7, { threads: { engine: engineThread, keeper }, idle: 'advance' })
  let acknowledged = 0
  const told = (events: number): void => {
    acknowledged = events
  }
  await work(new Site(), io, 24, told)
  // A life in which nothing more goes.
  const idle = await new Site().open(io)
  await idle.waitForTick(idle.status().tick)
  await idle.close()
  // Nothing but a start that goes on from the base shows it.
  const again = io.restart({ threads: { engine: engineThread, keeper: keeperThread } })
  for (const name of await again.disk.list('data/state')) {
    if (name.startsWith('snapshot-')) await again.disk.remove(`data/state/${name}`)
  }
  await expect(check(again, acknowledged, 'planted')).rejects.toThrow(/are gone up to tick/)
})
