import type { MemoryViews } from './memory.ts'
import type { Lane } from './sql-type.ts'

/** The most rows one batch holds: what SPEED-wise still fits a core's cache with a few columns. */
export const batchRows = 16384

/** One column of a batch: addresses into the batch's memory. */
export interface Column {
  readonly lane: Lane
  /** Address of the cells: `rows` × 4 bytes (i32) or 8 bytes. */
  readonly data: number
  /** Address of one state byte per row (cell.ts), or 0 where every cell is a value. */
  readonly state: number
  /** What a bytes cell's offset counts from; 0 for the other lanes. */
  readonly heap: number
}

/**
 * A columnar block of changes, at most `batchRows` rows: struct of arrays in linear memory. A batch is immutable
 * once it is handed on, and lives until the end of its tick.
 */
export interface Batch {
  readonly rows: number
  readonly columns: readonly Column[]
  /** Address of an i32 weight per row, or 0 where every weight is +1. A weight is never 0. */
  readonly weights: number
}

/** What a cell's slot holds, as a plain number or bigint: for edges and tests, never for inner loops. */
export function rawCell(memory: MemoryViews, column: Column, row: number): number | bigint | Uint8Array {
  switch (column.lane) {
    case 'i32':
      return memory.i32[(column.data >>> 2) + row]
    case 'i64':
      return memory.i64[column.data / 8 + row]
    case 'f64':
      return memory.f64[column.data / 8 + row]
    case 'bytes': {
      const at = (column.data >>> 2) + row * 2
      const start = column.heap + memory.u32[at]
      return memory.u8.slice(start, start + memory.u32[at + 1])
    }
  }
}

export function cellState(memory: MemoryViews, column: Column, row: number): number {
  return column.state === 0 ? 0 : memory.u8[column.state + row]
}

export function rowWeight(memory: MemoryViews, batch: Batch, row: number): number {
  return batch.weights === 0 ? 1 : memory.i32[(batch.weights >>> 2) + row]
}
