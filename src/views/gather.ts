import { blockColumn, blockMagic, blockVersion, directoryBytes, headerBytes } from '../data/block.ts'
import { cellNull } from '../data/cell.ts'
import { align8, type MemoryViews, viewsOver } from '../data/memory.ts'
import { type ColumnSchema, type Lane, laneOf, laneWidth } from '../data/sql-type.ts'
import { type Page, rowBits, rowMask } from './page.ts'

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/**
 * Copies the referred rows of several pages into one block, in the order given.
 * @param weights one per row; null: all +1
 */
export function gatherBlock(
  pages: readonly Page[],
  refs: Uint32Array,
  weights: Int32Array | null,
  schema: readonly ColumnSchema[],
): Uint8Array {
  const rows = refs.length
  const kept = weights?.every((weight) => weight === 1) ? null : weights
  const nulls = schema.map((_, i) => hasNulls(pages, refs, i))
  const lengths = schema.map(({ type }, i) => {
    const lane = laneOf(type)
    return rows * laneWidth(lane) + (lane === 'bytes' ? heapBytes(pages, refs, i) : 0)
  })
  const count = schema.length + (kept === null ? 0 : 1)
  let size = headerBytes + count * directoryBytes + (kept === null ? 0 : align8(rows * 4))
  for (let i = 0; i < schema.length; i++) size += align8(lengths[i]) + (nulls[i] ? align8(rows) : 0)
  const out = viewsOver(new ArrayBuffer(size))
  out.u32.set([blockMagic, blockVersion, size, rows, count, 0, 0, 0])
  let at = headerBytes + count * directoryBytes
  for (let i = 0; i < schema.length; i++) {
    const lane = laneOf(schema[i].type)
    const entry = (headerBytes + i * directoryBytes) >>> 2
    out.u32[entry] = i | (lanes.indexOf(lane) << 16)
    out.u32[entry + 1] = at
    out.u32[entry + 2] = lengths[i]
    copyCells(pages, refs, i, lane, out, at)
    at += align8(lengths[i])
    if (!nulls[i]) continue
    out.u32[entry + 3] = at
    copyStates(pages, refs, i, out, at)
    at += align8(rows)
  }
  if (kept !== null) {
    const entry = (headerBytes + schema.length * directoryBytes) >>> 2
    out.u32[entry] = blockColumn.weight
    out.u32[entry + 1] = at
    out.u32[entry + 2] = rows * 4
    out.i32.set(kept, at >>> 2)
  }
  return out.u8
}

function hasNulls(pages: readonly Page[], refs: Uint32Array, ordinal: number): boolean {
  if (pages.every((page) => page.columns[ordinal].state === 0)) return false
  for (const ref of refs) {
    const page = pages[ref >>> rowBits]
    const { state } = page.columns[ordinal]
    if (state !== 0 && page.memory.u8[state + (ref & rowMask)] === cellNull) return true
  }
  return false
}

function heapBytes(pages: readonly Page[], refs: Uint32Array, ordinal: number): number {
  let sum = 0
  for (const ref of refs) {
    const page = pages[ref >>> rowBits]
    sum += page.memory.u32[(page.columns[ordinal].data >>> 2) + (ref & rowMask) * 2 + 1]
  }
  return sum
}

function copyCells(
  pages: readonly Page[],
  refs: Uint32Array,
  ordinal: number,
  lane: Lane,
  out: MemoryViews,
  at: number,
): void {
  if (lane === 'bytes') {
    copyStrings(pages, refs, ordinal, out, at)
    return
  }
  // 64-bit cells go as two words: as doubles a NaN's bits could change, as bigints each would be an object.
  const words = lane === 'i32' ? 1 : 2
  let write = at >>> 2
  for (const ref of refs) {
    const page = pages[ref >>> rowBits]
    const read = (page.columns[ordinal].data >>> 2) + (ref & rowMask) * words
    out.i32[write++] = page.memory.i32[read]
    if (words === 2) out.i32[write++] = page.memory.i32[read + 1]
  }
}

function copyStrings(pages: readonly Page[], refs: Uint32Array, ordinal: number, out: MemoryViews, at: number): void {
  const to = out.u8
  let heap = refs.length * 8
  let write = at >>> 2
  for (const ref of refs) {
    const { memory, columns } = pages[ref >>> rowBits]
    const column = columns[ordinal]
    const read = (column.data >>> 2) + (ref & rowMask) * 2
    const length = memory.u32[read + 1]
    const start = column.heap + memory.u32[read]
    out.u32[write++] = length === 0 ? 0 : heap
    out.u32[write++] = length
    if (length < 32) for (let k = 0; k < length; k++) to[at + heap + k] = memory.u8[start + k]
    else to.set(memory.u8.subarray(start, start + length), at + heap)
    heap += length
  }
}

function copyStates(pages: readonly Page[], refs: Uint32Array, ordinal: number, out: MemoryViews, at: number): void {
  for (let i = 0; i < refs.length; i++) {
    const page = pages[refs[i] >>> rowBits]
    const { state } = page.columns[ordinal]
    out.u8[at + i] = state === 0 ? 0 : page.memory.u8[state + (refs[i] & rowMask)]
  }
}
