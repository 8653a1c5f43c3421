import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Column, cellState, rawCell } from './batch.ts'
import { writeBlock } from './block.ts'
import { MillraceError } from './errors.ts'
import { GatheredBlocks } from './gathered-blocks.ts'
import { Arena, LinearMemory } from './memory.ts'
import type { Lane } from './sql-type.ts'

type Cell = number | bigint | Uint8Array | null

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']
const row = fc.tuple(
  fc.option(fc.integer()),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.option(fc.double({ noNaN: true }).map((x) => x + 0)),
  fc.option(fc.uint8Array({ maxLength: 200 })),
)
/** Blocks of few rows; some lack the columns that were added later. */
const blocks = fc.array(
  fc.record({ rows: fc.array(row, { minLength: 1, maxLength: 4 }), width: fc.constantFrom(2, 4, 4) }),
  { minLength: 1, maxLength: 12 },
)

function place(arena: Arena, lane: Lane, cells: readonly Cell[]): Column {
  const { memory } = arena
  const data = arena.allocateZeroed(cells.length * 8)
  const state = arena.allocateZeroed(cells.length)
  const heap = lane === 'bytes' ? arena.allocate(cells.length * 200) : 0
  let next = 0
  cells.forEach((cell, i) => {
    if (cell === null) memory.u8[state + i] = 1
    else if (lane === 'i32') memory.i32[(data >>> 2) + i] = cell as number
    else if (lane === 'i64') memory.i64[data / 8 + i] = cell as bigint
    else if (lane === 'f64') memory.f64[data / 8 + i] = cell as number
    else {
      memory.u8.set(cell as Uint8Array, heap + next)
      memory.u32[(data >>> 2) + 2 * i] = next
      memory.u32[(data >>> 2) + 2 * i + 1] = (cell as Uint8Array).length
      next += (cell as Uint8Array).length
    }
  })
  return { lane, data, state: cells.includes(null) ? state : 0, heap }
}

function blockOf(arena: Arena, rows: readonly (readonly Cell[])[], width: number): Uint8Array {
  const columns = lanes.slice(0, width).map((lane, c) =>
    place(
      arena,
      lane,
      rows.map((cells) => cells[c]),
    ),
  )
  return writeBlock(arena.memory, { rows: rows.length, columns, weights: 0 })
}

/** As the journal holds them: many in one buffer; or each in its own. */
function together(all: readonly Uint8Array[]): Uint8Array[] {
  const buffer = new SharedArrayBuffer(all.reduce((sum, { byteLength }) => sum + byteLength + 8, 0))
  let at = 8
  return all.map((bytes) => {
    const copy = new Uint8Array(buffer, at, bytes.byteLength)
    copy.set(bytes)
    at += (bytes.byteLength + 7) & ~7
    return copy
  })
}

function gather(all: readonly Uint8Array[]): GatheredBlocks {
  const gathered = new GatheredBlocks()
  for (const bytes of all) gathered.add(gathered.open(bytes))
  return gathered
}

describe('gathered blocks', () => {
  const arena = new Arena(new LinearMemory(1 << 26))
  const { memory } = arena

  it('read as if they were one', () => {
    fc.assert(
      fc.property(blocks, fc.boolean(), (made, inOne) => {
        arena.reset()
        const each = made.map(({ rows, width }) => blockOf(arena, rows, width))
        const gathered = gather(inOne ? together(each) : each)
        const expected = made.flatMap(({ rows, width }) =>
          rows.map((cells) => cells.map((c, i) => (i < width ? c : null))),
        )
        expect(gathered.rows).toBe(expected.length)
        lanes.forEach((lane, c) => {
          const column = gathered.column(arena, c, lane)
          const cells = expected.map((_, r) => (cellState(memory, column, r) === 1 ? null : rawCell(memory, column, r)))
          expect(cells).toEqual(expected.map((cells) => cells[c]))
        })
        expect(gathered.has(1)).toBe(true)
        expect(gathered.has(3)).toBe(made.some(({ width }) => width === 4))
      }),
    )
  })

  it('follow no text out of its block, and no column of another lane', () => {
    for (const count of [1, 3]) {
      arena.reset()
      const each = Array.from({ length: count }, () => blockOf(arena, [[1, 2n, 3, new Uint8Array(5)]], 4))
      const words = new Uint32Array(each[count - 1].buffer)
      const entry = (32 + 3 * 24) / 4
      words[words[entry + 1] / 4 + 1] = 1000
      const gathered = gather(each)
      expect(gathered.column(arena, 1, 'i64').lane).toBe('i64')
      expect(() => gathered.column(arena, 3, 'bytes')).toThrow(MillraceError)
      expect(() => gathered.column(arena, 1, 'f64')).toThrow(MillraceError)
      words[entry + 2] = 1 << 20
      expect(() => gathered.column(arena, 3, 'bytes')).toThrow(MillraceError)
    }
  })

  it('are no more than a batch holds, in rows and in bytes', () => {
    arena.reset()
    const rows = blockOf(arena, Array<Cell[]>(10_000).fill([1, 2n]), 2)
    const gathered = new GatheredBlocks()
    const block = gathered.open(rows)
    expect(gathered.fits(block)).toBe(true)
    gathered.add(block)
    expect(gathered.fits(gathered.open(rows))).toBe(false)
    gathered.clear()
    expect(gathered.fits(gathered.open(rows))).toBe(true)
    const columns = [{ ...place(arena, 'bytes', [null]), heap: arena.allocate(3 << 20) }]
    memory.u32[(columns[0].data >>> 2) + 1] = 3 << 20
    const large = writeBlock(memory, { rows: 1, columns, weights: 0 })
    gathered.add(gathered.open(large))
    expect(gathered.fits(gathered.open(large))).toBe(false)
  })
})
