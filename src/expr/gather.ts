import type { Batch, Column } from '../data/batch.ts'
import type { Arena } from '../data/memory.ts'
import { laneWidth } from '../data/sql-type.ts'

/**
 * The cells of some rows of a column.
 * @param selection address of a u32 row number per row wanted
 * @returns a new column; of bytes only the cells are copied, and they point into the same heap
 */
export function gather(arena: Arena, column: Column, selection: number, count: number): Column {
  const data = arena.allocate(count * laneWidth(column.lane))
  const state = column.state === 0 ? 0 : arena.allocate(count)
  const { u8, u32 } = arena.memory
  const rows = selection >>> 2
  if (column.lane === 'i32') {
    const from = column.data >>> 2
    const to = data >>> 2
    for (let i = 0; i < count; i++) u32[to + i] = u32[from + u32[rows + i]]
  } else {
    // A double need not carry eight bytes unharmed if they are a NaN, so that halves are copied as integers.
    const from = column.data / 4
    const to = data / 4
    for (let i = 0; i < count; i++) {
      const row = u32[rows + i]
      u32[to + i * 2] = u32[from + row * 2]
      u32[to + i * 2 + 1] = u32[from + row * 2 + 1]
    }
  }
  if (state !== 0) for (let i = 0; i < count; i++) u8[state + i] = u8[column.state + u32[rows + i]]
  return { lane: column.lane, data, state, heap: column.heap }
}

/** @returns the address of the rows' weights, 0 where all are +1 */
export function gatherWeights(arena: Arena, batch: Batch, selection: number, count: number): number {
  if (batch.weights === 0) return 0
  return gather(arena, { lane: 'i32', data: batch.weights, state: 0, heap: 0 }, selection, count).data
}
