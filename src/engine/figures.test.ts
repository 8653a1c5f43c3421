import { describe, expect, it } from 'vitest'
import { blockColumn, openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { blockCells } from '../data/cell-access.ts'
import { printRow } from '../data/json-print.ts'
import type { Program } from '../plan/program.ts'
import { sqlDefinition } from './definitions.ts'
import { Engine, type EngineOptions } from './engine.ts'

const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL);
CREATE MATERIALIZED VIEW total AS SELECT auction, sum(price) AS total FROM bid WHERE price > 0 GROUP BY auction;
CREATE MATERIALIZED VIEW most AS SELECT max(total) AS most FROM total;`

async function programOf(): Promise<Program> {
  return (await sqlDefinition(sql).plan({ topics: [], views: [] })).program
}

function feeder(program: Program, options: EngineOptions) {
  const engine = new Engine(program, options)
  const [topic] = program.topics
  let tick = 0
  let offset = 0
  const step = (rows: readonly (readonly [number, number])[]) => {
    const builder = new BlockBuilder(topic.columns)
    for (const [row, [auction, price]] of rows.entries()) {
      builder.beginRow()
      builder.columns[0].setBig(row, BigInt(auction))
      builder.columns[1].setBig(row, BigInt(price))
      builder.commitRow()
    }
    const block = { topic: topic.id, partition: 0, firstOffset: offset, appendedAtMicros: 0n, bytes: builder.finish() }
    offset += rows.length
    return engine.step({ kind: 'tick', tick: ++tick, timeMicros: 0n, blocks: [block] })
  }
  return { engine, step }
}

describe('figures of an engine', () => {
  it('change nothing that it puts out, with a clock and without', async () => {
    const program = await programOf()
    let ms = 0
    const timed = feeder(program, { nowMs: () => (ms += 0.5) })
    const plain = feeder(program, {})
    let told = 0
    for (let i = 0; i < 200; i++) {
      const rows = Array.from({ length: i % 40 === 0 ? 6000 : 3 }, (_, k) => [(i * k) % 7, (k % 5) - 1] as const)
      const { figures, ...output } = timed.step(rows)
      if (figures !== undefined) told++
      expect(output).toEqual(plain.step(rows))
    }
    expect(told).toBeGreaterThan(0)
    const { busyMs, nodes } = timed.engine.figures()
    expect(busyMs).toBeGreaterThan(0)
    expect(nodes.reduce((sum, node) => sum + node.busyMs, 0)).toBeLessThanOrEqual(busyMs)
    expect(nodes.every((node) => node.busyMs > 0)).toBe(true)
    const without = plain.engine.figures()
    expect(without.busyMs).toBe(0)
    expect(without.nodes.map(({ id, rows, stateKeys, stateBytes }) => ({ id, rows, stateKeys, stateBytes }))).toEqual(
      nodes.map(({ id, rows, stateKeys, stateBytes }) => ({ id, rows, stateKeys, stateBytes })),
    )
  })

  it('share out exactly what state takes', async () => {
    const { engine, step } = feeder(await programOf(), {})
    step(Array.from({ length: 5000 }, (_, i) => [i, 1 + (i % 9)] as const))
    const { nodes } = engine.figures()
    const sum = nodes.reduce((bytes, { stateBytes }) => bytes + (stateBytes ?? 0), 0)
    expect(Math.abs(sum - engine.status().stateBytes)).toBeLessThanOrEqual(nodes.length)
    expect(nodes.map(({ stateKeys }) => stateKeys)).toContain(5000)
  })

  it('have names that do not depend on other views', async () => {
    const program = await programOf()
    const [total] = program.views
    const alone = new Engine({ topics: program.topics, views: [total] })
    const all = new Engine(program).figures().nodes.map(({ id }) => id)
    expect(all).toEqual(expect.arrayContaining(alone.figures().nodes.map(({ id }) => id)))
    expect(new Set(all).size).toBe(all.length)
  })
})

describe('a tap', () => {
  it('sees what an operator puts out for as long as it is there', async () => {
    const program = await programOf()
    const { engine, step } = feeder(program, {})
    step([[1, 5]])
    const group = engine.figures().nodes.find(({ id, stateKeys }) => id.startsWith('op-') && stateKeys === 1)
    expect(engine.tap(group?.id ?? '')).toEqual([])
    const seen = feeder(program, {})
    seen.step([[1, 5]])
    expect(step([[1, 2]]).deltas).toEqual(seen.step([[1, 2]]).deltas)
    step(Array.from({ length: 100 }, (_, i) => [i, 1] as const))
    const blocks = engine.tap(null)
    const { columns } = program.views[0]
    const texts = blocks.flatMap(({ tick, bytes }) => {
      const block = openBlock(bytes)
      const cells = blockCells(block, 2)
      const weights = block.columns.get(blockColumn.weight)
      return Array.from({ length: block.rows }, (_, i) => {
        const weight = weights === undefined ? 1 : block.memory.i32[(weights.data >>> 2) + i]
        return `${tick} ${weight} ${printRow(columns, block.memory, cells, i)}`
      })
    })
    expect(texts.slice(0, 2)).toEqual(['2 -1 {"auction":1,"total":5}', '2 1 {"auction":1,"total":7}'])
    expect(texts.slice(2).every((text) => text.startsWith('3 '))).toBe(true)
    expect(texts.at(-1)).toBe('3 1 {"auction":99,"total":1}')
    expect(texts.length).toBeLessThan(50)
    step([[1, 1]])
    expect(engine.tap('nothing')).toEqual([])
    step([[1, 1]])
    expect(engine.tap(null)).toEqual([])
  })
})
