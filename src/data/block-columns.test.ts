import { describe, expect, it } from 'vitest'
import { type Draws, wideBlock, wideSchema } from '../../test/support/wide-block.ts'
import { type Block, openBlock } from './block.ts'
import { dropColumns, largeColumns } from './block-columns.ts'

/** The same draws for the same seed. */
function drawsOf(seed: number): Draws {
  let state = seed * 2 + 1
  const next = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) / 2 ** 24
  }
  return { chance: (probability) => next() < probability, below: (limit) => Math.floor(next() * limit) }
}

function columnsOf({ memory, columns, rows }: Block): Map<number, unknown> {
  return new Map(
    [...columns].map(([id, { lane, data, length, state }]) => [
      id,
      [lane, memory.u8.slice(data, data + length), state === 0 ? null : memory.u8.slice(state, state + rows)],
    ]),
  )
}

describe('large columns', () => {
  it('are those that take so many bytes, with all that belongs to them, in order', () => {
    const bytes = wideBlock(drawsOf(1), 100)
    const { columns } = openBlock(bytes)
    const large = largeColumns(bytes, 700)
    expect(large.map(({ id }) => id).filter((id) => id < wideSchema.length)).toEqual([0, 2, 3])
    expect(largeColumns(bytes, 1).map(({ id }) => id)).toEqual([...columns.keys()])
    for (const { id, start, end } of largeColumns(bytes, 1)) {
      const { data, length, state } = columns.get(id)!
      expect(start).toBe(data)
      expect(end).toBe(Math.ceil((state === 0 ? data + length : state + 100) / 8) * 8)
    }
  })

  it('are none where it takes guessing', () => {
    const bytes = wideBlock(drawsOf(2), 100)
    const changed = (at: number, value: number): Uint8Array => {
      const copy = bytes.slice()
      new DataView(copy.buffer).setUint32(at, value, true)
      return copy
    }
    expect(largeColumns(bytes, 1).length).toBeGreaterThanOrEqual(wideSchema.length)
    // Magic, version, length, columns; then of the second column: beginning, length, states.
    for (const at of [0, 4, 8]) expect(largeColumns(changed(at, 7), 1), `byte ${at}`).toEqual([])
    expect(largeColumns(changed(16, 100_000), 1)).toEqual([])
    const entry = 32 + 24
    const { data } = openBlock(bytes).columns.get(1)!
    for (const start of [data - 8, data + 4, bytes.byteLength]) {
      expect(largeColumns(changed(entry + 4, start), 1), `from ${start}`).toEqual([])
    }
    expect(largeColumns(changed(entry + 8, 0xffff_fff0), 1)).toEqual([])
    expect(largeColumns(changed(entry + 12, data), 1)).toEqual([])
    for (const end of [0, 31, bytes.byteLength - 8]) expect(largeColumns(bytes.subarray(0, end), 1)).toEqual([])
  })

  it('that are dropped are not there, and the others are as they were', () => {
    for (let seed = 0; seed < 50; seed++) {
      const draws = drawsOf(seed)
      const bytes = wideBlock(draws, 1 + draws.below(200))
      const before = columnsOf(openBlock(bytes))
      const dropped = new Set([...before.keys()].filter(() => draws.chance(0.5)))
      dropColumns(bytes, dropped)
      for (const id of dropped) before.delete(id)
      expect(columnsOf(openBlock(bytes)), `seed ${seed}`).toEqual(before)
    }
  })
})
