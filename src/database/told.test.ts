import { describe, expect, it } from 'vitest'
import type { MillraceError } from '../data/errors.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import type { ReplayProgress } from './contract.ts'

const definition = sqlDefinition(
  'CREATE TABLE note (id bigint NOT NULL); CREATE MATERIALIZED VIEW notes AS SELECT count(*) AS n FROM note;',
)

function open(io: SimulatedIo, options: Partial<DatabaseOptions> = {}): Promise<Database> {
  return Database.open({ io, definition, data: '/data', engine: 'inline', ...options })
}

function append(db: Database, id: number): Promise<{ readonly tick: number }> {
  return db.appendText('note', new TextEncoder().encode(`{"id":${id}}`), 'json')
}

describe('a database tells', () => {
  it('how far its replay is, up to the end', async () => {
    const io = simulatedIo(1, { threads: { keeper: keeperThread }, idle: 'advance' })
    const first: ReplayProgress[] = []
    const db = await open(io, { onProgress: (progress) => first.push(progress) })
    expect(new Set(first.map(({ lastEvent }) => lastEvent))).toEqual(new Set([0]))
    for (let id = 0; id < 5; id++) await append(db, id)
    await db.close()
    const told: ReplayProgress[] = []
    const again = await open(io, { onProgress: (progress) => told.push(progress) })
    expect(told.at(-1)).toEqual({ events: 5, lastEvent: 5 })
    for (const { events, lastEvent } of told) expect([events <= lastEvent, lastEvent]).toEqual([true, 5])
    await again.close()
  })

  it('once why it goes on no more, and nothing when it is closed', async () => {
    const io = simulatedIo(2, { threads: { keeper: keeperThread }, idle: 'advance' })
    const failures: MillraceError[] = []
    const db = await open(io, { onFailure: (error) => failures.push(error) })
    await append(db, 1)
    expect(failures).toEqual([])
    io.disk.plan = { failSyncs: [io.disk.syncs + 1] }
    await expect(append(db, 2)).rejects.toMatchObject({ code: 'log/poisoned' })
    await expect(append(db, 3)).rejects.toMatchObject({ code: 'log/poisoned' })
    await db.close()
    expect(failures.map(({ code }) => code)).toEqual(['log/poisoned'])
    const again = await open(io, { onFailure: (error) => failures.push(error) })
    await again.close()
    expect(failures).toHaveLength(1)
  })
})
