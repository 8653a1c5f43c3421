import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column } from '../data/batch.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import { Bag, rowWeightOffset } from './bag.ts'
import { Heap } from './heap.ts'
import { Table } from './table.ts'
import { Tree } from './tree.ts'

function setUp() {
  const memory = new LinearMemory(256 * 1024 * 1024)
  return { memory, arena: new Arena(memory), heap: new Heap(memory) }
}

type Cell = string | null

function textColumn(arena: Arena, cells: readonly Cell[]): Column {
  const data = arena.allocateZeroed(cells.length * 8)
  const state = arena.allocateZeroed(cells.length)
  cells.forEach((cell, i) => {
    const bytes = new TextEncoder().encode(cell ?? '')
    const at = arena.allocate(Math.max(1, bytes.length))
    arena.memory.u8.set(bytes, at)
    arena.memory.u32[(data >>> 2) + 2 * i] = cell === null ? 0 : at
    arena.memory.u32[(data >>> 2) + 2 * i + 1] = bytes.length
    if (cell === null) arena.memory.u8[state + i] = 1
  })
  return { lane: 'bytes', data, state, heap: 0 }
}

function intColumn(arena: Arena, cells: readonly number[]): Column {
  const data = arena.allocate(cells.length * 4)
  arena.memory.i32.set(cells, data >>> 2)
  return { lane: 'i32', data, state: 0, heap: 0 }
}

function readText(arena: Arena, column: Column, row: number): Cell {
  const { memory } = arena
  if (column.state !== 0 && memory.u8[column.state + row] === 1) return null
  const at = (column.data >>> 2) + 2 * row
  const start = column.heap + memory.u32[at]
  return new TextDecoder().decode(memory.u8.slice(start, start + memory.u32[at + 1]))
}

const key = fc.tuple(
  fc.integer({ min: -3, max: 12 }),
  fc.option(fc.constantFrom('', 'a', 'b', 'ab', 'a longer string than most', 'é'), { nil: null }),
)

describe('a table', () => {
  it('is a map: finds, makes and removes entries like one', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 300 }), (commands) => {
        const { memory, arena, heap } = setUp()
        const table = new Table(heap, ['i32', 'bytes'], 8)
        const model = new Map<string, number>()
        for (const [[n, s], remove] of commands) {
          const name = JSON.stringify([n, s])
          const out = arena.allocate(4)
          table.locate([intColumn(arena, [n]), textColumn(arena, [s])], 1, out, !remove)
          const entry = memory.u32[out >>> 2]
          expect(entry === 0).toBe(remove && !model.has(name))
          if (entry === 0) continue
          if (model.has(name)) expect(entry).toBe(model.get(name))
          if (remove) {
            table.remove(entry)
            model.delete(name)
          } else {
            model.set(name, entry)
            const loaded = table.load(arena, out, 1)
            expect(memory.i32[loaded[0].data >>> 2]).toBe(n)
            expect(readText(arena, loaded[1], 0)).toBe(s)
          }
          heap.endTick()
        }
        expect(table.entries().sort()).toEqual([...model.values()].sort())
        expect(table.count).toBe(model.size)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps its entries while it grows, and gives all memory back', () => {
    const { memory, arena, heap } = setUp()
    const before = heap.usedBytes
    const table = new Table(heap, ['i32'], 8)
    const numbers = Array.from({ length: 16384 }, (_, i) => i)
    const first = arena.allocate(16384 * 4)
    table.locate([intColumn(arena, numbers)], 16384, first, true)
    for (let round = 1; round < 8; round++) {
      const out = arena.allocate(16384 * 4)
      table.locate(
        [
          intColumn(
            arena,
            numbers.map((n) => n + round * 16384),
          ),
        ],
        16384,
        out,
        true,
      )
    }
    expect(table.count).toBe(8 * 16384)
    const again = arena.allocate(16384 * 4)
    table.locate([intColumn(arena, numbers)], 16384, again, false)
    expect(memory.u32.slice(again >>> 2, (again >>> 2) + 16384)).toEqual(
      memory.u32.slice(first >>> 2, (first >>> 2) + 16384),
    )
    table.clear()
    heap.endTick()
    expect(heap.usedBytes - before).toBeLessThan(1024)
  })
})

describe('a bag', () => {
  it('is a multiset per key, also through retractions', () => {
    const change = fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom('x', 'y', 'z'),
      fc.integer({ min: -2, max: 2 }).filter((w) => w !== 0),
    )
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 12 }), (ticks) => {
        const { memory, arena, heap } = setUp()
        const keys = new Table(heap, ['i32'], 8)
        const bag = new Bag(keys, keys.payload, ['bytes'], true)
        const model = new Map<string, number>()
        for (const tick of ticks) {
          const out = arena.allocate(Math.max(1, tick.length) * 4)
          keys.locate(
            [
              intColumn(
                arena,
                tick.map(([k]) => k),
              ),
            ],
            tick.length,
            out,
            true,
          )
          const weights = intColumn(
            arena,
            tick.map(([, , w]) => w),
          ).data
          bag.add(
            [
              textColumn(
                arena,
                tick.map(([, s]) => s),
              ),
            ],
            tick.length,
            out,
            weights,
          )
          for (const [k, s, w] of tick) model.set(`${k}${s}`, (model.get(`${k}${s}`) ?? 0) + w)
          bag.endTick((entry) => keys.remove(entry))
          heap.endTick()
        }
        const found = new Map<string, number>()
        const field = keys.layout.fields[0]
        keys.forEach((entry) => {
          for (let row = bag.first(entry); row !== 0; row = bag.following(row)) {
            const at = arena.allocate(4)
            memory.u32[at >>> 2] = row
            const name = `${memory.i32[(entry + field.offset) >>> 2]}${readText(arena, bag.load(arena, at, 1)[0], 0)}`
            expect(found.has(name)).toBe(false)
            found.set(name, memory.i32[(row + rowWeightOffset) >>> 2])
          }
        })
        expect(found).toEqual(new Map([...model].filter(([, w]) => w !== 0)))
      }),
      { numRuns: 100 },
    )
  })
})

describe('a tree', () => {
  it('keeps rows in order and finds the k-th by weight', () => {
    const change = fc.tuple(
      fc.integer({ min: -5, max: 5 }),
      fc.option(fc.constantFrom('a', 'b', 'ba'), { nil: null }),
      fc.integer({ min: 1, max: 3 }),
    )
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 120 }),
        fc.boolean(),
        fc.boolean(),
        (changes, descending, nullsFirst) => {
          const { memory, arena, heap } = setUp()
          const tree = new Tree(heap, ['i32', 'bytes'], [{ field: 1, descending, nullsFirst }])
          let root = 0
          const model: { n: number; s: Cell; w: number }[] = []
          for (const [n, s, w] of changes) {
            const known = model.find((row) => row.n === n && row.s === s)
            const weight = known !== undefined && known.w >= w ? -w : w
            root = tree.add(root, [intColumn(arena, [n]), textColumn(arena, [s])], 0, weight)
            if (tree.weightOf(tree.touched) === 0) root = tree.remove(root, tree.touched)
            if (known === undefined) model.push({ n, s, w: weight })
            else known.w += weight
            heap.endTick()
          }
          const expected = model.filter(({ w }) => w > 0).sort((a, b) => compareRows(a, b, descending, nullsFirst))
          const rows = expected.flatMap(({ n, s, w }) => new Array<string>(w).fill(JSON.stringify([n, s])))
          expect(tree.total(root)).toBe(rows.length)
          for (const skip of [0, 1, 3, rows.length]) {
            const seen: string[] = []
            tree.visit(root, skip, (row, weight) => {
              const at = arena.allocate(4)
              memory.u32[at >>> 2] = row
              const [n, s] = tree.load(arena, at, 1)
              seen.push(
                ...new Array<string>(weight).fill(JSON.stringify([memory.i32[n.data >>> 2], readText(arena, s, 0)])),
              )
              return true
            })
            expect(seen).toEqual(rows.slice(skip))
          }
          tree.clear(root)
          heap.endTick()
          expect(tree.count).toBe(0)
        },
      ),
      { numRuns: 100 },
    )
  })
})

function compareRows(
  a: { n: number; s: Cell },
  b: { n: number; s: Cell },
  descending: boolean,
  nullsFirst: boolean,
): number {
  if (a.s !== b.s) {
    if (a.s === null) return nullsFirst ? -1 : 1
    if (b.s === null) return nullsFirst ? 1 : -1
    return (a.s < b.s ? -1 : 1) * (descending ? -1 : 1)
  }
  return a.n - b.n
}
