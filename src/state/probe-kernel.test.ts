import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column } from '../data/batch.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import { type Lane, laneWidth } from '../data/sql-type.ts'
import { Heap } from './heap.ts'
import { Table } from './table.ts'

/** Few different words, the greatest among them, so that keys meet and differ in each of their halves. */
const words = fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff)
const text = fc.constantFrom('', 'a', 'b', 'abcd', 'abce', 'abcdefgh', 'abcdefgh-1', 'abcdefgh-2')
const cell = fc.record({ low: words, high: words, text, state: fc.constantFrom(0, 0, 0, 1, 2) })
const lanes = fc.array(fc.constantFrom<Lane>('i32', 'i64', 'f64', 'bytes'), { minLength: 1, maxLength: 3 })
const batches = fc.array(fc.array(fc.tuple(cell, cell, cell), { minLength: 60, maxLength: 300 }), { maxLength: 4 })

type Cell = { low: number; high: number; text: string; state: number }

function columnOf(arena: Arena, lane: Lane, cells: readonly Cell[]): Column {
  const { memory } = arena
  const data = arena.allocateZeroed(cells.length * laneWidth(lane))
  const state = arena.allocateZeroed(cells.length)
  const heap = lane === 'bytes' ? arena.allocate(cells.length * 16) : 0
  cells.forEach((one, i) => {
    memory.u8[state + i] = one.state
    if (one.state !== 0) return
    if (lane === 'i32') memory.u32[(data >>> 2) + i] = one.low
    else if (lane === 'bytes') {
      const bytes = new TextEncoder().encode(one.text)
      memory.u8.set(bytes, heap + i * 16)
      memory.u32.set([i * 16, bytes.length], (data >>> 2) + 2 * i)
    } else memory.u32.set([one.low, one.high], (data >>> 2) + 2 * i)
  })
  // A batch without NULLs has no lane of states.
  return { lane, data, state: cells.some(({ state }) => state !== 0) ? state : 0, heap }
}

/** The column from row `from` on. */
const rest = (column: Column, from: number): Column => ({
  ...column,
  data: column.data + from * laneWidth(column.lane),
  state: column.state === 0 ? 0 : column.state + from,
})

/** What of each row's entry can be told apart: the how manieth of the entries it is, or 0. */
function located(memory: LinearMemory, out: number, rows: number, seen: Map<number, number>): number[] {
  return Array.from(memory.u32.slice(out >>> 2, (out >>> 2) + rows), (entry) => {
    if (entry === 0) return 0
    if (!seen.has(entry)) seen.set(entry, seen.size + 1)
    return seen.get(entry) as number
  })
}

describe('the probe kernel', () => {
  it.each([false, true])('gives what JavaScript gives row by row; hostile hashes: %s', (weakHash) => {
    fc.assert(
      fc.property(
        lanes,
        batches,
        fc.boolean(),
        fc.array(fc.boolean(), { minLength: 4 }),
        (lanes, all, skip, inserts) => {
          const memory = new LinearMemory(64 * 1024 * 1024)
          const arena = new Arena(memory)
          const heap = new Heap(memory, { weakHash })
          const [together, single] = [0, 1].map(() => new Table(heap, lanes, 24, skip, ['i64']))
          const [seen, seenSingle] = [new Map<number, number>(), new Map<number, number>()]
          all.forEach((rows, k) => {
            const columns = lanes.map((lane, c) =>
              columnOf(
                arena,
                lane,
                rows.map((row) => row[c]),
              ),
            )
            const [out, outSingle] = [arena.allocate(rows.length * 4), arena.allocate(rows.length * 4)]
            const insert = inserts[k] ?? true
            together.locate(columns, rows.length, out, insert)
            rows.forEach((_, i) => {
              single.locate(
                columns.map((column) => rest(column, i)),
                1,
                outSingle + i * 4,
                insert,
              )
            })
            expect(located(memory, out, rows.length, seen)).toEqual(located(memory, outSingle, rows.length, seenSingle))
          })
          expect(together.count).toBe(single.count)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('a table that is kept track of', () => {
  it('leaves to JavaScript what was not touched since the last capture began', () => {
    const memory = new LinearMemory(16 * 1024 * 1024)
    const arena = new Arena(memory)
    const table = new Table(new Heap(memory), ['i64'], 8)
    const rows = 500
    const cells = Array.from({ length: rows }, (_, i) => ({ low: i % 200, high: 0, text: '', state: 0 }))
    const columns = [columnOf(arena, 'i64', cells)]
    const out = arena.allocate(rows * 4)
    const changed: number[] = []
    table.mark = 0
    table.changing = (hash) => {
      changed.push(hash)
    }
    table.locate(columns, rows, out, true)
    expect(changed.length).toBe(200)
    table.locate(columns, rows, out, true)
    expect(changed.length).toBe(200)
    table.mark = 1
    table.locate(columns, rows, out, false)
    expect(changed.length).toBe(200)
    table.locate(columns, rows, out, true)
    expect(changed.length).toBe(400)
    expect(new Set(changed).size).toBe(200)
  })
})
