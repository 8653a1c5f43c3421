import type { Column } from './batch.ts'
import type { Block } from './block.ts'
import { formatDecimal, formatScaled } from './decimal.ts'
import { decodeDecimal } from './decimal-bytes.ts'
import { Bug } from './errors.ts'
import type { MemoryViews } from './memory.ts'

/** A column's cells, or null for a column that is NULL in every row. */
export type Cells = Column | null

/** A block's columns in the order of its schema. */
export function blockCells(block: Block, count: number): readonly Cells[] {
  return Array.from({ length: count }, (_, i) => block.columns.get(i) ?? null)
}

/** Is the cell NULL? Error cells never get where values are read: they make their row an error row. */
export function isNull(memory: MemoryViews, column: Cells, row: number): column is null {
  if (column === null) return true
  if (column.state === 0) return false
  const state = memory.u8[column.state + row]
  if (state > 1) throw new Bug(`an error cell (${state}) is read as a value`)
  return state === 1
}

/** A 64-bit cell as a double, or NaN if it is no safe integer. */
export function safeInteger(memory: MemoryViews, column: Column, row: number): number {
  const at = (column.data >>> 2) + row * 2
  const value = memory.i32[at + 1] * 4294967296 + memory.u32[at]
  return value <= 9007199254740991 && value >= -9007199254740991 ? value : Number.NaN
}

export function bigInteger(memory: MemoryViews, column: Column, row: number): bigint {
  return memory.i64[column.data / 8 + row]
}

export function bytesStart(memory: MemoryViews, column: Column, row: number): number {
  return column.heap + memory.u32[(column.data >>> 2) + row * 2]
}

export function bytesLength(memory: MemoryViews, column: Column, row: number): number {
  return memory.u32[(column.data >>> 2) + row * 2 + 1]
}

const decoder = new TextDecoder()

/** UTF-8 in linear memory as a string. */
export function utf8Text(u8: Uint8Array, start: number, length: number): string {
  if (length < 24) {
    let text = ''
    for (let i = start; i < start + length; i++) {
      if (u8[i] > 127) return decodeUtf8(u8, start, length)
      text += String.fromCharCode(u8[i])
    }
    return text
  }
  return decodeUtf8(u8, start, length)
}

function decodeUtf8(u8: Uint8Array, start: number, length: number): string {
  // A TextDecoder does not take shared memory everywhere, so that a copy is handed to it.
  return decoder.decode(u8.slice(start, start + length))
}

/** A numeric cell as PostgreSQL prints it. @param scale of the type where the lane is i64, else null */
export function numericText(memory: MemoryViews, column: Column, row: number, scale: number | null): string {
  if (scale === null) {
    return formatDecimal(decodeDecimal(memory.u8, bytesStart(memory, column, row), bytesLength(memory, column, row)))
  }
  const value = safeInteger(memory, column, row)
  if (scale === 0) return Number.isNaN(value) ? String(bigInteger(memory, column, row)) : String(value)
  if (Number.isNaN(value)) return formatScaled(bigInteger(memory, column, row), scale)
  const digits = String(Math.abs(value)).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${value < 0 ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}
