import { expect, it } from 'vitest'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'

it('a start says what it replayed, and from where; it knows when events were appended before it', async () => {
  const io = simulatedIo(1, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })
  const definition = sqlDefinition(`CREATE TABLE bid (price bigint);
    CREATE MATERIALIZED VIEW totals AS SELECT sum(price) AS total FROM bid;`)
  const open = (closeBytes: number): Promise<Database> =>
    Database.open({ io, definition, data: 'd', engine: 'inline', snapshots: { closeBytes } })
  const append = async (db: Database, times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await db.waitForTick((await db.appendText('bid', new TextEncoder().encode('{"price":1}'), 'json')).tick)
    }
  }
  const told = async (db: Database) => {
    await db.waitForTick(1)
    await new Promise<void>((resolve) => io.clock.after(10, resolve))
    const { recent, topics, tick_ms } = await db.telemetry.status({
      liveStreams: 0,
      requestsPerSecond: 0,
      processBytes: 0,
    })
    return {
      start: recent.find(({ kind }) => kind === 'start')?.message,
      at: topics[0].last_appended_at_micros,
      p99: tick_ms.p99,
    }
  }
  let db = await open(1)
  expect((await told(db)).start).toBe('started')
  await append(db, 5)
  const { at } = await told(db)
  await db.close()
  db = await open(1 << 30)
  const again = await told(db)
  expect(again.start).toBe('started from the snapshot at tick 6')
  // The commit's time, which is a little before that of the answer.
  expect(Math.abs(Number(again.at) - Number(at))).toBeLessThan(1_000_000)
  await append(db, 2)
  await db.close()
  db = await open(1)
  expect(await told(db)).toMatchObject({
    start: 'started from the snapshot at tick 6: 2 ticks with 2 events replayed',
    p99: null,
  })
  await db.close()
})
