import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Batch, type Column, cellState, rawCell, rowWeight } from './batch.ts'
import { copyOutBlock, headerBytes, openBlock, readBlock, writeBlock } from './block.ts'
import { MillraceError } from './errors.ts'
import { Arena, LinearMemory } from './memory.ts'
import type { Lane } from './sql-type.ts'

type Cell = number | bigint | Uint8Array | null

const laneCells: Record<Lane, fc.Arbitrary<Cell>> = {
  i32: fc.integer(),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  f64: fc.double({ noNaN: true }).map((x) => x + 0),
  bytes: fc.uint8Array({ maxLength: 60 }),
}

const column = fc
  .tuple(fc.constantFrom<Lane[]>('i32', 'i64', 'f64', 'bytes'), fc.boolean())
  .map(([lane, nullable]) => ({ lane, cell: nullable ? fc.option(laneCells[lane], { nil: null }) : laneCells[lane] }))

const table = fc
  .tuple(fc.array(column, { maxLength: 5 }), fc.integer({ min: 0, max: 40 }), fc.boolean(), fc.boolean())
  .chain(([columns, rows, weighted, contiguous]) =>
    fc.record({
      lanes: fc.constant(columns.map(({ lane }) => lane)),
      cells: fc.tuple(...columns.map(({ cell }) => fc.array(cell, { minLength: rows, maxLength: rows }))),
      weights: weighted
        ? fc.array(
            fc.integer({ min: -3, max: 3 }).filter((w) => w !== 0),
            { minLength: rows, maxLength: rows },
          )
        : fc.constant(null),
      rows: fc.constant(rows),
      contiguous: fc.constant(contiguous),
    }),
  )

function place(arena: Arena, lane: Lane, cells: readonly Cell[], contiguous: boolean): Column {
  const { memory } = arena
  const data = arena.allocateZeroed(cells.length * 8)
  const state = arena.allocateZeroed(cells.length)
  const heap = lane === 'bytes' ? arena.allocate(cells.length * 64 + 64) : 0
  let next = contiguous ? 0 : 5
  cells.forEach((cell, i) => {
    if (cell === null) memory.u8[state + i] = 1
    if (lane === 'i32') memory.i32[(data >>> 2) + i] = (cell ?? 0) as number
    if (lane === 'i64') memory.i64[data / 8 + i] = (cell ?? 0n) as bigint
    if (lane === 'f64') memory.f64[data / 8 + i] = (cell ?? 0) as number
    if (lane === 'bytes') {
      const bytes = (cell ?? new Uint8Array()) as Uint8Array
      memory.u8.set(bytes, heap + next)
      memory.u32[(data >>> 2) + 2 * i] = next
      memory.u32[(data >>> 2) + 2 * i + 1] = bytes.length
      next += bytes.length + (contiguous ? 0 : 1)
    }
  })
  return { lane, data, state: cells.includes(null) ? state : 0, heap }
}

describe('a block', () => {
  it('gives back what was written, from any memory', () => {
    fc.assert(
      fc.property(table, ({ lanes, cells, weights, rows, contiguous }) => {
        const arena = new Arena(new LinearMemory(64 * 1024 * 1024))
        const columns = lanes.map((lane, k) => place(arena, lane, cells[k] as Cell[], contiguous))
        const lane = weights === null || rows === 0 ? 0 : place(arena, 'i32', weights, true).data
        const bytes = writeBlock(arena.memory, { rows, columns, weights: lane })
        const other = new Arena(new LinearMemory(64 * 1024 * 1024))
        other.allocate(24)
        const back = readBlock(
          other,
          openBlock(bytes),
          lanes.map((l, id) => ({ id, lane: l })),
        )
        expect(back.rows).toBe(rows)
        for (let i = 0; i < rows; i++) {
          expect(rowWeight(other.memory, back, i)).toBe(weights === null ? 1 : weights[i])
          lanes.forEach((_, k) => {
            const expected = cells[k][i] as Cell
            expect(cellState(other.memory, back.columns[k], i)).toBe(expected === null ? 1 : 0)
            if (expected !== null) expect(rawCell(other.memory, back.columns[k], i)).toEqual(expected)
          })
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is the same bytes however it is copied out of an engine', () => {
    fc.assert(
      fc.property(table, fc.constantFrom(1, 700), ({ lanes, cells, weights, rows, contiguous }, times) => {
        const arena = new Arena(new LinearMemory(64 * 1024 * 1024))
        const repeated = <T>(values: readonly T[]): T[] => Array.from({ length: times }, () => values).flat()
        const columns = lanes.map((lane, k) => place(arena, lane, repeated(cells[k] as Cell[]), contiguous))
        const weighted = weights !== null && rows > 0
        const lane = weighted ? place(arena, 'i32', repeated(weights), true).data : 0
        const batch = { rows: Math.min(rows * times, 16384), columns, weights: lane }
        const written = writeBlock(arena.memory, batch)
        expect(Buffer.compare(copyOutBlock(arena, batch), written)).toBe(0)
        // As a topic's source takes it in: strings lie right behind their cells.
        const wanted = lanes.map((each, id) => ({ id, lane: each }))
        const again = readBlock(arena, openBlock(written), wanted)
        expect(Buffer.compare(copyOutBlock(arena, again), written)).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it('reads a column that is not there as NULL', () => {
    const arena = new Arena(new LinearMemory(64 * 1024 * 1024))
    const batch: Batch = { rows: 3, columns: [place(arena, 'i32', [1, 2, 3], true)], weights: 0 }
    const back = readBlock(arena, openBlock(writeBlock(arena.memory, batch)), [{ id: 7, lane: 'bytes' }])
    expect([0, 1, 2].map((i) => cellState(arena.memory, back.columns[0], i))).toEqual([1, 1, 1])
  })

  it('is refused by name when its directory is damaged, and never read out of bounds', () => {
    const arena = new Arena(new LinearMemory(64 * 1024 * 1024))
    const columns = [
      place(arena, 'bytes', [new Uint8Array([1, 2]), new Uint8Array([3])], true),
      place(arena, 'i64', [1n, 2n], true),
    ]
    const whole = writeBlock(arena.memory, { rows: 2, columns, weights: 0 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = whole.slice()
        bytes[at] ^= flip
        try {
          const block = openBlock(bytes)
          for (const { data, heap } of block.columns.values()) expect(Math.max(data, heap)).toBeLessThan(whole.length)
          readBlock(arena, block, [
            { id: 0, lane: 'bytes' },
            { id: 1, lane: 'i64' },
          ])
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
          expect((error as MillraceError).code).toBe('log/corrupt')
        }
      }),
      { numRuns: 500 },
    )
    for (let length = 0; length < headerBytes + 8; length++) {
      expect(() => openBlock(whole.slice(0, length))).toThrow(MillraceError)
    }
  })
})
