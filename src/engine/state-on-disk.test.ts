import { describe, expect, it } from 'vitest'
import { openBlock } from '../data/block.ts'
import { ObjectDecoder } from '../data/js-rows.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import type { Program } from '../plan/program.ts'
import { loadParser } from '../sql/parse.ts'
import { Captured } from '../state/runs/captured.ts'
import type { RunFile } from '../state/runs/run-format.ts'
import { sqlDefinition } from './definitions.ts'
import { arrangementsOf } from './engine.ts'
import { type EngineHost, startEngine } from './host.ts'
import type { StateOptions, TickInput, TickOutput } from './port.ts'
import { engineThread } from './thread.ts'

const definition = `CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL, at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '10 seconds');
CREATE MATERIALIZED VIEW dearest AS SELECT auction, max(price) AS price, count(DISTINCT price) AS prices
  FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW pairs AS SELECT a.auction, b.price FROM bid a JOIN bid b ON a.auction = b.auction
  WHERE a.price > b.price;
CREATE MATERIALIZED VIEW recent AS SELECT auction, price FROM bid WHERE at > now() - interval '1 minute';`
const folder = 'd/state'
const ticks = 40

async function programOf(text: string): Promise<Program> {
  await loadParser()
  return (await sqlDefinition(text).plan({ topics: [], views: [] })).program
}

function inputs(program: Program): TickInput[] {
  const decoder = new ObjectDecoder(program.topics[0])
  const rows = 50
  return Array.from({ length: ticks }, (_, tick): TickInput => {
    const events = Array.from({ length: rows }, (_, i) => ({
      auction: (tick * 31 + i * 7) % 90,
      price: (tick * 17 + i * 13) % 11,
      at: new Date(Date.UTC(2026, 0, 1, 0, 0, tick)).toISOString(),
    }))
    const [{ bytes }] = decoder.decode(events, 'upsert').blocks
    const timeMicros = BigInt(Date.UTC(2026, 0, 1, 0, 0, tick)) * 1000n
    const block = { topic: program.topics[0].id, partition: 0, firstOffset: tick * rows, appendedAtMicros: 0n, bytes }
    return { kind: 'tick', tick: tick + 1, timeMicros, blocks: [block] }
  })
}

/** What a tick told, but for how much memory it takes. */
function told({ deltas, watermarks, late, dueMicros }: TickOutput): unknown {
  const views = deltas.map(({ view, blocks, errors }) => {
    const rows = blocks.map((block) => openBlock(block).rows)
    return { view, rows: rows.reduce((a, b) => a + b, 0), errors }
  })
  return { views, watermarks, late, dueMicros }
}

describe('an engine with state on disk', () => {
  for (const engine of ['inline', 'worker'] as const) {
    it(`${engine}: captures while ticks go on, forgets, and begins again with the files`, async () => {
      const program = await programOf(definition)
      const io = simulatedIo(1, { threads: { engine: engineThread }, idle: 'advance' })
      const start = (state?: StateOptions): EngineHost =>
        startEngine(io, program, { engine, memoryBytes: 1 << 28, ...(state === undefined ? {} : { state }) })
      const plain = start()
      let tested = start({ budgetBytes: 0, cacheBytes: 1 << 16 })
      let files: RunFile[] = []
      let pieces = new Captured()
      let under = false
      let tick = 0
      for (const input of inputs(program)) {
        const [expected, found] = await Promise.all([plain.step(input), tested.step(input)])
        expect(told(found)).toEqual(told(expected))
        if (!under) {
          const status = await tested.beginCapture()
          expect(status.tick).toBe(input.tick)
          expect(status.arrangements).toEqual(arrangementsOf(program))
          pieces = new Captured()
          under = true
        }
        const slice = await tested.capture(2500, 1)
        for (const piece of slice.pieces) pieces.add(piece)
        if (!slice.done) continue
        under = false
        const before = tick
        tick = slice.tick
        expect(tick).toBeGreaterThan(before)
        files = [await pieces.writeRun(io.disk, folder, `run-${tick}`), ...files]
        expect(await tested.adopt({ folder, files, tick })).toMatchObject({ kind: 'adopted', tick })
      }
      expect(files.length).toBeGreaterThan(2)
      await tested.stop()

      // What came after the last capture is replayed.
      tested = start({ from: { folder, files, tick } })
      expect(await tested.status()).toMatchObject({ tick, arrangements: arrangementsOf(program) })
      for (const input of inputs(program).slice(tick)) await tested.step(input)
      const next: TickInput = {
        ...inputs(program)[0],
        tick: ticks + 1,
        timeMicros: BigInt(Date.UTC(2026, 0, 1, 0, 1)) * 1000n,
      }
      expect(told(await tested.step(next))).toEqual(told(await plain.step(next)))
      await tested.stop()
      await plain.stop()
    })
  }

  it('says which file is damaged when it is asked for something', async () => {
    const program = await programOf(definition)
    const io = simulatedIo(2, { threads: { engine: engineThread }, idle: 'advance' })
    for (const engine of ['inline', 'worker'] as const) {
      const files = [{ name: 'run-nowhere', bytes: 10, crc: 1, arrangements: [] }]
      const host = startEngine(io, program, {
        engine,
        memoryBytes: 1 << 26,
        state: { from: { folder, files, tick: 3 } },
      })
      await expect(host.status()).rejects.toThrow(/run-nowhere/)
      await host.stop()
    }
  })
})

describe('names of state', () => {
  const table = 'CREATE TABLE t (a bigint NOT NULL, b bigint NOT NULL); '
  const count = 'CREATE MATERIALIZED VIEW n AS SELECT a, count(*) AS n FROM t GROUP BY a; '
  const sum = 'CREATE MATERIALIZED VIEW s AS SELECT a, sum(b) AS s FROM t GROUP BY a; '

  it('are the same whatever else is defined, and others where the definition or what it reads is another', async () => {
    const names = async (text: string): Promise<readonly string[]> => arrangementsOf(await programOf(text))
    const [alone, before, after] = await Promise.all([
      names(table + count),
      names(table + sum + count),
      names(table + count + sum),
    ])
    for (const name of alone) for (const all of [before, after]) expect(all).toContain(name)
    expect([...before].sort()).toEqual([...after].sort())
    const keyed = await names(table.replace('a bigint NOT NULL', 'a bigint PRIMARY KEY') + count)
    expect(keyed.filter((name) => alone.includes(name) && !name.endsWith('watermarks'))).toEqual([])
    const groups = alone.filter((name) => name.endsWith('groups'))
    expect(groups.length).toBe(1)
    expect(before.filter((name) => name.endsWith('groups')).length).toBe(2)
  })
})
