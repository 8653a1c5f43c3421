import type { Column } from '../data/batch.ts'
import type { Arena } from '../data/memory.ts'
import { type Bag, rowWeightOffset } from './bag.ts'

/** Addresses as a u32 lane in the arena, the way loads take them. */
export function addressLane(arena: Arena, things: readonly number[], from: number, rows: number): number {
  const address = arena.allocate(rows * 4)
  const { u32 } = arena.memory
  for (let i = 0, at = address >>> 2; i < rows; i++) u32[at + i] = things[from + i]
  return address
}

/** One 8-byte payload word of each thing, as an f64 column (the bits, whatever they mean). */
export function payloadColumn(arena: Arena, addresses: number, rows: number, offset: number): Column {
  const data = arena.allocate(rows * 8)
  const { i32, u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    i32[(data >>> 2) + 2 * i] = i32[at]
    i32[(data >>> 2) + 2 * i + 1] = i32[at + 1]
  }
  return { lane: 'f64', data, state: 0, heap: 0 }
}

/** The inverse of `payloadColumn`. */
export function restorePayload(arena: Arena, addresses: number, rows: number, offset: number, column: Column): void {
  const { i32, u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    i32[at] = i32[(column.data >>> 2) + 2 * i]
    i32[at + 1] = i32[(column.data >>> 2) + 2 * i + 1]
  }
}

/** A stretch of bytes owned by each thing (u32 address, u32 length at `offset`), as a bytes column. */
export function blobColumn(arena: Arena, addresses: number, rows: number, offset: number): Column {
  const data = arena.allocate(rows * 8)
  const { u32 } = arena.memory
  for (let i = 0; i < rows; i++) {
    const at = (u32[(addresses >>> 2) + i] + offset) >>> 2
    u32[(data >>> 2) + 2 * i] = u32[at]
    u32[(data >>> 2) + 2 * i + 1] = u32[at + 1]
  }
  return { lane: 'bytes', data, state: 0, heap: 0 }
}

/** What hangs on entries, entry by entry: the ordinals of the entries, and the things' addresses. */
export interface Hanging {
  readonly owners: number[]
  readonly things: number[]
}

/** The rows of some of a bag's keys. */
export function bagRows(bag: Bag, keys: Uint32Array): Hanging {
  const owners: number[] = []
  const things: number[] = []
  for (let k = 0; k < keys.length; k++) {
    for (let row = bag.first(keys[k]); row !== 0; row = bag.following(row)) {
      owners.push(k)
      things.push(row)
    }
  }
  return { owners, things }
}

/** The weights of a bag's rows, whose addresses are at `rows` (u32). */
export function rowWeights(arena: Arena, rows: number, count: number): Column {
  const data = arena.allocate(count * 4)
  const { i32, u32 } = arena.memory
  for (let i = 0; i < count; i++) i32[(data >>> 2) + i] = i32[(u32[(rows >>> 2) + i] + rowWeightOffset) >>> 2]
  return { lane: 'i32', data, state: 0, heap: 0 }
}
