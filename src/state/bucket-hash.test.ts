import { describe, expect, it } from 'vitest'
import type { Column } from '../data/batch.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import { hashVersion } from './cold.ts'
import { Heap } from './heap.ts'
import { Table } from './table.ts'

/** Keys of all four lanes, with NULLs, an error, and texts around the ends of words. */
const texts = ['', 'a', 'abc', 'abcd', 'abcde', 'a text that is longer than a few words']
const numbers = [0, 1, -1, 2147483647, -2147483648, 42]

function columns(arena: Arena): Column[] {
  const { memory } = arena
  const rows = numbers.length
  const address = (bytes: number): number => arena.allocateZeroed(bytes)
  const [i32, i64, f64, cells, state] = [rows * 4, rows * 8, rows * 8, rows * 8, rows].map(address)
  numbers.forEach((number, i) => {
    memory.i32[(i32 >>> 2) + i] = number
    memory.i64[i64 / 8 + i] = BigInt(number) * 10_000_000_000n
    memory.f64[f64 / 8 + i] = number / 3
    const bytes = new TextEncoder().encode(texts[i])
    const at = arena.allocate(bytes.length + 8)
    memory.u8.set(bytes, at)
    memory.u32[(cells >>> 2) + 2 * i] = at
    memory.u32[(cells >>> 2) + 2 * i + 1] = bytes.length
  })
  // What has no value is zero.
  memory.u8[state] = 1
  memory.u8[state + 1] = 3
  memory.i32[(i32 >>> 2) + 1] = 0
  return [
    { lane: 'i32', data: i32, state, heap: 0 },
    { lane: 'i64', data: i64, state: 0, heap: 0 },
    { lane: 'f64', data: f64, state: 0, heap: 0 },
    { lane: 'bytes', data: cells, state: 0, heap: 0 },
  ]
}

describe('the hash that buckets are cut by', () => {
  const memory = new LinearMemory()
  const arena = new Arena(memory)
  const table = new Table(new Heap(memory), ['i32', 'i64', 'f64', 'bytes'], 8)
  const keys = columns(arena)
  const rows = numbers.length
  const found = arena.allocateZeroed(rows * 4)
  const hashes = arena.allocate(rows * 8)
  const count = table.hashMissing(memory, keys, rows, found, hashes)
  const all = Array.from({ length: count }, (_, i) => BigInt.asUintN(64, memory.i64[hashes / 8 + i]).toString(16))

  it('is the same for a row on its way in and for its entry', () => {
    table.locate(keys, rows, found, true)
    const entries = Array.from({ length: rows }, (_, i) => memory.u32[(found >>> 2) + i])
    const again = entries.map((entry) => (BigInt(table.highOf(memory, entry)) << 32n) | BigInt(memory.u32[entry >>> 2]))
    expect(again.map((hash) => hash.toString(16))).toEqual(all)
    expect(new Set(all).size).toBe(rows)
  })

  it('never changes within a version: files on disk are found by it', () => {
    expect({ hashVersion, all }).toMatchInlineSnapshot(`
      {
        "all": [
          "5bbf80fdde4bc4a5",
          "4ec41106fbf036e7",
          "cb49fa154d7fc6a8",
          "22994165edd11886",
          "4085cd8ff7af5d3a",
          "3fa4a3afebc35fb",
        ],
        "hashVersion": 1,
      }
    `)
  })
})
