import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../data/errors.ts'
import { Database } from '../../database.ts'
import { sqlDefinition } from '../../engine/definitions.ts'
import type { Io } from '../../io/io.ts'
import { Prng } from '../../io/twin/prng.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { openFileLog } from '../../log/file-log.ts'
import type { Log, LogOptions } from '../../log/log.ts'
import { keeperThread } from '../../state/snapshots/keeper-thread.ts'
import { type CheckResult, verifyData } from './verify.ts'

const definitions = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, note text);
CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;
`
const sizes = { fileBytes: 6000, stepBytes: 1024, largeBytes: 700, reserveBytes: 256 }
const openSmall = (io: Io, folder: string, options: LogOptions): Promise<Log> =>
  openFileLog(io, folder, { ...options, sizes })

async function filled(seed: number): Promise<{ io: SimulatedIo; db: Database }> {
  const io = simulatedIo(seed, { threads: { keeper: keeperThread }, idle: 'advance' })
  const definition = sqlDefinition(definitions)
  const db = await Database.open({ io, definition, data: 'd', engine: 'inline', openLog: openSmall })
  const body = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
  for (let i = 0; i < 30; i++) {
    const idempotency = { scope: '/', key: `k${i}`, digest: Uint8Array.of(i) }
    await db.appendText('bid', body({ auction: i % 3, price: i, note: i % 4 === 0 ? null : 'ä' }), 'json', {
      idempotency,
    })
    await db.appendText('account', body({ id: i % 5, owner: `o${i}` }), 'json')
  }
  await db.appendMixed(body({ events: [{ topic: 'account', op: 'delete', data: { id: 3 } }] }))
  return { io, db }
}

const check = (io: SimulatedIo, full = true): Promise<readonly CheckResult[]> => verifyData({ io, folder: 'd', full })

describe('verify', () => {
  it('counts what is there, with the server stopped or its machine', async () => {
    const { io, db } = await filled(1)
    await db.close()
    const [log] = await check(io)
    expect(log.problem).toBeNull()
    expect(log.found!.facts).toMatchObject({ events: 62, ticks: 62, keys: 30 })
    expect(log.found!.facts['files']).toBeGreaterThan(2)
    expect(log.found!.notes).toEqual([])
    const other = await filled(2)
    const [stopped] = await check(other.io.restart())
    expect(stopped.problem).toBeNull()
    expect(stopped.found!.facts).toMatchObject({ events: 62, keys: 30 })
  })

  it('names a backup that has lost its end', async () => {
    const { io, db } = await filled(9)
    const { tick } = await db.backup('copy')
    await db.close()
    const logOf = async (): Promise<CheckResult> => (await verifyData({ io, folder: 'copy', full: false }))[0]
    expect((await logOf()).problem).toBeNull()
    const last = (await io.disk.list('copy/log')).filter((name) => name.endsWith('.journal')).at(-1)!
    const file = await io.disk.open(`copy/log/${last}`)
    await file.truncate((await file.size()) - 10)
    await file.close()
    expect((await logOf()).problem).toMatchObject({
      code: 'log/corrupt',
      message: expect.stringContaining(`not the one up to tick ${tick} that it names`),
      place: { file: 'copy' },
    })
  })

  it('changes nothing', async () => {
    const io = (await filled(3)).io.rerun()
    const files = await io.disk.list('d/log')
    const before = files.map((name) => io.disk.contentOf(`d/log/${name}`))
    await check(io)
    expect(await io.disk.list('d/log')).toEqual(files)
    expect(files.map((name) => io.disk.contentOf(`d/log/${name}`))).toEqual(before)
  })

  it('names file and byte of any turned bit that a start would refuse', async () => {
    const { io, db } = await filled(4)
    await db.close()
    const prng = new Prng(4)
    const files = await io.disk.list('d/log')
    let found = 0
    for (let i = 0; i < 150; i++) {
      const path = `d/log/${files[prng.below(files.length)]}`
      const [byte, bit] = [prng.below(io.disk.contentOf(path).length), prng.below(8)]
      io.disk.flipBit(path, byte, bit)
      const [{ problem }] = await check(io)
      io.disk.flipBit(path, byte, bit)
      if (problem === null) continue
      found++
      expect(problem.code).toBe('log/corrupt')
      expect(problem.place.file).toBe(path)
      expect(problem.place.offset).toBeLessThanOrEqual(byte)
    }
    expect(found).toBeGreaterThan(80)
    expect((await check(io))[0].problem).toBeNull()
  })

  it('finds what a good checksum vouches for and no definition allows', async () => {
    const { io, db } = await filled(5)
    const topic = db.topic('account').id
    await db.close()
    const log = await openFileLog(io, 'd/log', { sealNow: () => true, sizes })
    const [logged] = await log.readTopic(db.topic('bid').id, 0, 1)
    await log.append({ blocks: [{ topic, rows: 1, bytes: logged.bytes }] })
    await log.close()
    expect((await check(io, false))[0].problem).toBeNull()
    expect((await check(io))[0].problem?.message).toMatch(/event 31 of account: owner is stored as another type/)
  })

  it('refuses a block that is none, also when its frame is good', async () => {
    const { io, db } = await filled(6)
    await db.close()
    const log = await openFileLog(io, 'd/log', { sealNow: () => true, sizes })
    await log.append({ blocks: [{ topic: 77, rows: 1, bytes: new Uint8Array(40) }] })
    await log.close()
    const [{ problem }] = await check(io, false)
    expect(problem).toMatchObject({ code: 'log/corrupt', place: { file: expect.stringContaining('.journal') } })
    expect(problem!.message).toContain('block header')
  })

  it('runs the checks it is given, up to the first that fails', async () => {
    const { io, db } = await filled(7)
    await db.close()
    const facts = { facts: { runs: 3 }, notes: [] }
    const fails = { name: 'b', run: () => Promise.reject(new MillraceError('log/corrupt', 'gone')) }
    const results = await verifyData({ io, folder: 'd', full: false }, [
      { name: 'a', run: async () => facts },
      fails,
      { name: 'c', run: async () => facts },
    ])
    expect(results.map(({ check, problem }) => [check, problem?.message ?? null])).toEqual([
      ['a', null],
      ['b', 'gone'],
    ])
  })

  it('says where there is no log, or another process has it', async () => {
    const { io, db } = await filled(8)
    await expect(check(io)).rejects.toMatchObject({ code: 'log/locked' })
    await db.close()
    await expect(verifyData({ io, folder: 'elsewhere', full: false })).rejects.toMatchObject({ code: 'usage' })
  })
})
