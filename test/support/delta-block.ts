// Builds a view's delta block from plain rows, for tests of what lies behind the engine.
import type { Column } from '../../src/data/batch.ts'
import { writeBlock } from '../../src/data/block.ts'
import { viewsOver } from '../../src/data/memory.ts'
import { type ColumnSchema, type Lane, laneOf, laneWidth } from '../../src/data/sql-type.ts'

export type PlainCell = number | bigint | string | null
export interface PlainChange {
  readonly row: readonly PlainCell[]
  readonly weight: number
}

const encoder = new TextEncoder()

/** @param plain leave the weights out; all must be +1 */
export function deltaBlock(
  schema: readonly ColumnSchema[],
  changes: readonly PlainChange[],
  plain = false,
): Uint8Array {
  const memory = viewsOver(new ArrayBuffer(65536 + changes.length * schema.length * 64))
  let next = 64
  const take = (bytes: number): number => {
    const at = next
    next += (bytes + 7) & ~7
    return at
  }
  const columns = schema.map(({ type }, ordinal): Column => {
    const lane = laneOf(type)
    const data = take(changes.length * laneWidth(lane))
    const state = changes.some(({ row }) => row[ordinal] === null) ? take(changes.length) : 0
    changes.forEach(({ row }, i) => {
      const cell = row[ordinal]
      if (cell === null) memory.u8[state + i] = 1
      else writeCell(lane, data, i, cell)
    })
    return { lane, data, state, heap: 0 }
  })
  function writeCell(lane: Lane, data: number, i: number, cell: number | bigint | string): void {
    if (lane === 'i32') memory.i32[data / 4 + i] = Number(cell)
    else if (lane === 'i64') memory.i64[data / 8 + i] = BigInt(cell)
    else if (lane === 'f64') memory.f64[data / 8 + i] = Number(cell)
    else {
      const bytes = encoder.encode(String(cell))
      const at = take(bytes.length)
      memory.u8.set(bytes, at)
      memory.u32[data / 4 + i * 2] = at
      memory.u32[data / 4 + i * 2 + 1] = bytes.length
    }
  }
  let weights = 0
  if (!plain) {
    weights = take(changes.length * 4)
    changes.forEach(({ weight }, i) => {
      memory.i32[weights / 4 + i] = weight
    })
  }
  return writeBlock(memory, { rows: changes.length, columns, weights })
}
