import { blockMagic, blockVersion, directoryBytes, headerBytes } from '../../data/block.ts'
import { align8 } from '../../data/memory.ts'
import { type Lane, laneWidth } from '../../data/sql-type.ts'
import { copyString } from './row-picks.ts'
import type { RowStore, StoreColumn } from './row-store.ts'

/** The most bytes of a stored block, unless a single row needs more. */
export const storedBlockBytes = 16 * 1024

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** How many rows of `order`, from `from` on, make one block, at least one; and its greatest length. */
export function blockCut(
  store: RowStore,
  order: Uint32Array,
  from: number,
  to: number,
): { readonly rows: number; readonly bytes: number } {
  let fixed = headerBytes
  let perRow = 0
  const strings: StoreColumn[] = []
  for (const column of store.columns) {
    fixed += directoryBytes + 16
    perRow += laneWidth(column.lane) + (column.states === null ? 0 : 1)
    if (column.lane === 'bytes') strings.push(column)
  }
  if (strings.length === 0) {
    const rows = Math.min(to - from, Math.max(1, Math.floor((storedBlockBytes - fixed) / perRow)))
    return { rows, bytes: fixed + rows * perRow }
  }
  let bytes = fixed
  let rows = 0
  for (let i = from; i < to; i++) {
    let more = perRow
    for (const { cells } of strings) more += cells[2 * order[i] + 1]
    if (rows > 0 && bytes + more > storedBlockBytes) break
    bytes += more
    rows++
  }
  return { rows, bytes }
}

/**
 * Writes the rows `from` to `to` of `order` as a block (data/block.ts).
 * @param base a multiple of 8, with room for `blockCut`'s bytes
 * @returns its length
 */
export function writeRows(
  store: RowStore,
  order: Uint32Array,
  from: number,
  to: number,
  out: { readonly u8: Uint8Array; readonly u32: Uint32Array },
  base: number,
): number {
  const { columns } = store
  const rows = to - from
  const { u8, u32 } = out
  let at = headerBytes + columns.length * directoryBytes
  for (let k = 0; k < columns.length; k++) {
    const column = columns[k]
    const entry = (base + headerBytes + k * directoryBytes) >>> 2
    u32[entry] = k | (lanes.indexOf(column.lane) << 16)
    u32[entry + 1] = at
    const length = writeCells(column, order, from, to, u8, u32, base + at)
    u32[entry + 2] = length
    u32[entry + 3] = 0
    u32[entry + 4] = 0
    u32[entry + 5] = 0
    // The buffer was used before: what lies between the sections is part of the checksum.
    u8.fill(0, base + at + length, base + at + align8(length))
    at += align8(length)
    if (column.states === null || !writeStates(column.states, order, from, to, u8, base + at)) continue
    u32[entry + 3] = at
    u8.fill(0, base + at + rows, base + at + align8(rows))
    at += align8(rows)
  }
  const header = base >>> 2
  u32[header] = blockMagic
  u32[header + 1] = blockVersion
  u32[header + 2] = at
  u32[header + 3] = rows
  u32[header + 4] = columns.length
  u32.fill(0, header + 5, header + 8)
  return at
}

/** @returns the section's length */
function writeCells(
  column: StoreColumn,
  order: Uint32Array,
  from: number,
  to: number,
  u8: Uint8Array,
  u32: Uint32Array,
  start: number,
): number {
  const { cells } = column
  let out = start >>> 2
  if (column.lane === 'i32') {
    for (let i = from; i < to; i++) u32[out++] = cells[order[i]]
    return (to - from) * 4
  }
  if (column.lane !== 'bytes') {
    for (let i = from; i < to; i++, out += 2) {
      const cell = 2 * order[i]
      u32[out] = cells[cell]
      u32[out + 1] = cells[cell + 1]
    }
    return (to - from) * 8
  }
  const { heap } = column
  let end = (to - from) * 8
  for (let i = from; i < to; i++, out += 2) {
    const cell = 2 * order[i]
    const length = cells[cell + 1]
    u32[out] = end
    u32[out + 1] = length
    copyString(heap, cells[cell], u8, start + end, length)
    end += length
  }
  return end
}

/** @returns false where all of them are values: then none are stored */
function writeStates(
  states: Uint8Array,
  order: Uint32Array,
  from: number,
  to: number,
  u8: Uint8Array,
  start: number,
): boolean {
  let any = 0
  for (let i = from; i < to; i++) {
    const state = states[order[i]]
    u8[start + i - from] = state
    any |= state
  }
  return any !== 0
}
