// What views retain of their past outlasts a restart that goes on from a snapshot.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MillraceError } from '../data/errors.ts'
import { printRow } from '../data/json-print.ts'
import { Database, type DatabaseOptions } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { engineThread } from '../engine/thread.ts'
import { type SimulatedIo, simulatedIo } from '../io/twin/simulated-io.ts'
import { keeperThread } from '../state/snapshots/keeper-thread.ts'
import { encodeManifest, readManifest } from '../state/snapshots/manifest.ts'
import type { Rows } from '../views/rows.ts'
import { verifyData } from './verify/verify.ts'

const topics = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, note text, at timestamp NOT NULL) WITH (event_time = 'at');
`
const totals = 'CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;'
const others = `
CREATE MATERIALIZED VIEW notes AS SELECT auction, note FROM bid WHERE price % 3 = 0;
CREATE MATERIALIZED VIEW parts AS SELECT 10 / (price % 5) AS part FROM bid;
CREATE MATERIALIZED VIEW recent AS SELECT auction, at FROM bid WHERE at > now() - interval '3 seconds';
CREATE MATERIALIZED VIEW never AS SELECT auction FROM bid WHERE price < 0;
`
const names = ['totals', 'notes', 'parts', 'recent', 'never']
const state = 'data/state'

const machine = (seed: number): SimulatedIo =>
  simulatedIo(seed, { threads: { engine: engineThread, keeper: keeperThread }, idle: 'advance' })

interface Opened {
  readonly db: Database
  readonly notices: string[]
}

async function open(io: SimulatedIo, more: Partial<DatabaseOptions> = {}): Promise<Opened> {
  const notices: string[] = []
  const db = await Database.open({
    io,
    definition: sqlDefinition(topics + totals + others),
    data: 'data',
    engine: 'inline',
    snapshots: { everyBytes: 1 << 30, closeBytes: 1 },
    onNotice: (line) => notices.push(line),
    ...more,
  })
  return { db, notices }
}

function printed(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    lines.push(`${weight} ${printRow(rows.columns, page.memory, page.columns, row)}`)
  })
  return lines
}

async function append(db: Database, from: number, ticks: number, rows = 1): Promise<void> {
  for (let i = from; i < from + ticks; i++) {
    const events = Array.from({ length: rows }, (_, k) => ({
      auction: (i + k) % 4,
      price: (i * 7 + k) % 23,
      note: `n${i}`,
      at: `2024-01-01T00:${String(Math.floor(i / 60) % 60).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}`,
    }))
    const body = new TextEncoder().encode(JSON.stringify(events))
    await db.waitForTick((await db.appendText('bid', body, 'json')).tick)
  }
}

type Told = readonly [tick: number, ...what: (readonly string[])[]]

/** All that is told of some ticks: the views as of each, and what changed after it. */
async function told(db: Database, ticks: readonly number[]): Promise<readonly Told[]> {
  const all: Told[] = []
  for (const tick of ticks) {
    const answers = await db.readAll(names, { asOf: { at: { tick } } })
    const changes: string[][] = []
    for (const name of names) {
      const since = await db.changes(name, tick)
      // As a net change, in an order of its own.
      changes.push(since === null ? ['gone'] : printed(since.rows).sort())
    }
    all.push([tick, ...answers.map(({ errors, rows }) => [String(errors), ...printed(rows)]), ...changes])
  }
  return all
}

/** The changes after a tick, each tick's by itself, as who comes back to a live stream is told them. */
async function resumed(db: Database, name: string, after: number, through: number): Promise<readonly string[]> {
  const lines: string[] = []
  const ending = new AbortController()
  for await (const message of await db.changesAfter(name, after, { signal: ending.signal })) {
    if (message.kind !== 'change') throw new Error(message.kind)
    lines.push(`${message.tick}: ${printed(message.rows).join(' ')}`)
    if (message.tick >= through) break
  }
  ending.abort()
  return lines
}

const some = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step)

async function refusal(work: Promise<unknown>): Promise<MillraceError> {
  return work.then(
    () => expect.unreachable('it was not refused'),
    (error) => error as MillraceError,
  )
}

describe('what a view retains', () => {
  it('is told after clean ends and kills as it was before, tick by tick', async () => {
    const plans = fc.array(
      fc.record({
        ticks: fc.constantFrom(1, 7, 40, 290),
        rows: fc.constantFrom(1, 1, 3, 40),
        snapshots: fc.constantFrom(1 << 30, 4000),
        kill: fc.boolean(),
        look: fc.boolean(),
      }),
      { minLength: 2, maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(), async (lives, seed) => {
        let io = machine(seed)
        let events = 0
        let before: readonly Told[] = []
        let stream: readonly string[] = []
        let newest = 0
        let whole = true
        for (const { ticks, rows, snapshots, kill, look } of lives) {
          const { db, notices } = await open(io, { snapshots: { everyBytes: snapshots, closeBytes: 1 } })
          await db.waitForTick(newest)
          expect(notices).toEqual([])
          // Once nothing was on disk at a kill, what was before is not known any more.
          if (newest > 0 && whole && look) {
            const now = await told(
              db,
              before.map(([tick]) => tick),
            )
            for (const [i, [, ...what]] of now.entries()) expect(what.slice(0, 5)).toEqual(before[i].slice(1, 6))
            if (db.status().tick === newest) expect(now).toEqual(before)
            expect((await resumed(db, 'totals', 2, newest)).slice(0, stream.length)).toEqual(stream)
          }
          await append(db, events, ticks, rows)
          events += ticks
          newest = db.status().tick
          if (whole) {
            before = await told(db, some(2, newest, Math.max(1, Math.floor(newest / 8))))
            stream = await resumed(db, 'totals', 2, newest)
          }
          if (kill) {
            const onDisk = (await io.disk.list(state)).some((name) => name.startsWith('snapshot-'))
            whole = whole && onDisk
            io = io.rerun()
          } else await db.close()
        }
      }),
      { numRuns: 6, seed: 4 },
    )
  })

  it('is on disk once, and no more of it than is retained', async () => {
    const io = machine(2)
    const small = sqlDefinition(topics + totals.replace(' AS SELECT', " WITH (retain = '40 kB') AS SELECT"))
    const sizes: number[] = []
    let expired = 0
    for (let life = 0; life < 12; life++) {
      const { db } = await open(io, { definition: small })
      await append(db, life * 60, 60)
      const { views, tick } = db.status()
      expect(views[0].oldestTick).toBeGreaterThanOrEqual(expired)
      expired = views[0].oldestTick
      await db.close()
      const again = await open(io, { definition: small })
      // Bytes decide, and ticks that are packed later take less: what was known is known, and not much more.
      expect(again.db.status().views[0].oldestTick).toBeLessThanOrEqual(Math.max(expired, 1))
      await again.db.read('totals', { asOf: { at: { tick: Math.max(expired, 2) } } })
      expect((await refusal(again.db.read('totals', { asOf: { at: { tick: -1 + expired } } }))).code).toBe(
        'tick/expired',
      )
      expect(tick).toBeGreaterThan(expired)
      await again.db.close()
      const files = (await io.disk.list(state)).filter((name) => name.startsWith('changes-'))
      sizes.push(files.reduce((sum, name) => sum + io.disk.contentOf(`${state}/${name}`).length, 0))
      expect(files.length).toBeLessThan(10)
    }
    expect(expired).toBeGreaterThan(200)
    expect(Math.max(...sizes)).toBeLessThan(160_000)
  })

  it('goes on through changed definitions, but for views that mean something else', async () => {
    const io = machine(3)
    const first = await open(io)
    await append(first.db, 0, 50)
    const before = await told(first.db, [5, 20, 40])
    const other = totals.replace('sum(price)', 'sum(price) + 1')
    await first.db.redefine(sqlDefinition(topics + other + others))
    await append(first.db, 50, 5)
    const [, ...unchanged] = names
    const read = async (db: Database): Promise<unknown> => {
      const all: unknown[] = []
      for (const tick of [5, 20, 40]) {
        const answers = await db.readAll(unchanged, { asOf: { at: { tick } } })
        all.push([tick, ...answers.map(({ errors, rows }) => [String(errors), ...printed(rows)])])
      }
      return all
    }
    const wanted = before.map(([tick, , ...rest]) => [tick, ...rest.slice(0, 4)])
    expect(await read(first.db)).toEqual(wanted)
    await first.db.close()
    const again = await open(io, { definition: sqlDefinition(topics + other + others) })
    expect(await read(again.db)).toEqual(wanted)
    const gone = await refusal(again.db.read('totals', { asOf: { at: { tick: 20 } } }))
    expect(gone.code).toBe('tick/expired')
    await again.db.close()
  })

  it('is forgotten with a notice where it is damaged, and replayed', async () => {
    const io = machine(5)
    for (let life = 0; life < 4; life++) {
      const { db } = await open(io)
      await append(db, life * 40, 40)
      await db.close()
    }
    const { db } = await open(io)
    const before = await told(db, [3, 50, 100, 150])
    await db.close()
    const changes = (await io.disk.list(state)).filter((name) => name.startsWith('changes-'))
    expect(changes.length).toBeGreaterThan(1)
    let lost = 0
    for (const name of changes) {
      for (const way of ['flip', 'cut', 'remove'] as const) {
        const copy = io.rerun()
        const path = `${state}/${name}`
        const bytes = copy.disk.contentOf(path)
        if (way === 'flip') copy.disk.flipBit(path, bytes.length - 40, 3)
        else if (way === 'remove') await copy.disk.remove(path)
        else copy.disk.place(path, bytes.slice(0, bytes.length / 2))
        const again = await open(copy)
        for (const [tick, ...what] of before) {
          const asOf = { at: { tick } }
          const found = await again.db.readAll(names, { asOf }).catch((error: MillraceError) => {
            expect(error.code).toBe('tick/expired')
            return again.db.readAll(names, { asOf: { at: { tick }, replay: {} } })
          })
          const shown = (found as Awaited<ReturnType<Database['readAll']>>).map(({ errors, rows }) => [
            String(errors),
            ...printed(rows),
          ])
          expect(shown).toEqual(what.slice(0, 5))
        }
        if (again.notices.length > 0) lost++
        for (const line of again.notices) expect(line).toMatch(/^what views retain of their past is forgotten in part/)
        await append(again.db, 500, 1)
        await again.db.close()
        const [, checked] = await verifyData({ io: copy, folder: 'data', full: true })
        expect(checked.problem).toBeNull()
      }
    }
    expect(lost).toBeGreaterThan(3)
  })

  it('is not there behind a snapshot of before, which is read as ever', async () => {
    const io = machine(6)
    const { db } = await open(io)
    await append(db, 0, 30)
    await db.close()
    const [name] = (await io.disk.list(state)).filter((one) => one.startsWith('snapshot-'))
    const manifest = readManifest(io.disk, state, name)
    const { pasts, ...about } = manifest.about
    expect(pasts).toMatchObject({ version: 1, files: [expect.stringMatching(/^changes-\d+\.pages$/)] })
    for (const other of [about, { ...about, pasts: { ...(pasts as object), version: 2 } }]) {
      io.disk.place(`${state}/${name}`, encodeManifest({ ...manifest, about: other }))
      const again = await open(io, { snapshots: { everyBytes: 1 << 30, closeBytes: 1 << 30 } })
      expect(again.notices).toEqual([])
      const asOf = { at: { tick: 20 } }
      expect((await refusal(again.db.read('totals', { asOf }))).code).toBe('tick/expired')
      expect((await again.db.read('totals', { asOf: { ...asOf, replay: {} } })).rows.count).toBe(4)
      await again.db.close()
    }
  })

  it('is nothing where ticks came merged, whenever the snapshot was taken', async () => {
    const io = machine(7)
    const first = await open(io, { snapshots: false })
    await append(first.db, 0, 60, 40)
    const before = await told(first.db, [10, 30, 50])
    await first.db.close()
    const replaying = await open(io, { snapshots: { everyBytes: 1, closeBytes: 1 << 30 } })
    await replaying.db.waitForTick(61)
    await replaying.db.close()
    const { db } = await open(io)
    for (const [tick, ...what] of before) {
      const found = await db.readAll(names, { asOf: { at: { tick } } }).catch((error: MillraceError) => error.code)
      if (found === 'tick/expired') continue
      const shown = (found as Awaited<ReturnType<Database['readAll']>>).map(({ errors, rows }) => [
        String(errors),
        ...printed(rows),
      ])
      expect(shown).toEqual(what.slice(0, 5))
    }
    await db.close()
  })
})
