import { directoryBytes, headerBytes } from '../../data/block.ts'

/** Where blocks (data/block.ts) lie, their columns numbered 0, 1, … */
export interface BlockBuffer {
  readonly u8: Uint8Array
  /** The same bytes. */
  readonly u32: Uint32Array
}

/**
 * Rows of blocks in one buffer, by the block's start and the row's number. They are copied column by column: loops
 * over rows of many blocks wait for memory for several rows at once.
 */
export class RowPicks {
  bases = new Uint32Array(1024)
  rows = new Uint32Array(1024)
  count = 0

  add(base: number, row: number): void {
    if (this.count === this.rows.length) {
      this.bases = grown(this.bases)
      this.rows = grown(this.rows)
    }
    this.bases[this.count] = base
    this.rows[this.count++] = row
  }
}

function grown(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(words.length * 2)
  larger.set(words)
  return larger
}

/** From a block's start to the entry of a column in its directory: id and lane, data, bytes of data, states. */
function entryOf(column: number): number {
  return headerBytes + column * directoryBytes
}

export function pickWords(to: Uint32Array, row: number, { u32 }: BlockBuffer, column: number, picks: RowPicks): void {
  const { bases, rows, count } = picks
  const data = entryOf(column) + 4
  for (let i = 0; i < count; i++) {
    const base = bases[i]
    to[row + i] = u32[((base + u32[(base + data) >>> 2]) >>> 2) + rows[i]]
  }
}

export function pickPairs(to: Uint32Array, row: number, { u32 }: BlockBuffer, column: number, picks: RowPicks): void {
  const { bases, rows, count } = picks
  const data = entryOf(column) + 4
  for (let i = 0, out = row * 2; i < count; i++, out += 2) {
    const base = bases[i]
    const cell = ((base + u32[(base + data) >>> 2]) >>> 2) + 2 * rows[i]
    to[out] = u32[cell]
    to[out + 1] = u32[cell + 1]
  }
}

/** How long the strings of a column are together. */
export function stringBytes({ u32 }: BlockBuffer, column: number, { bases, rows, count }: RowPicks): number {
  const data = entryOf(column) + 4
  let bytes = 0
  for (let i = 0; i < count; i++) {
    const base = bases[i]
    bytes += u32[((base + u32[(base + data) >>> 2]) >>> 2) + 2 * rows[i] + 1]
  }
  return bytes
}

/** @returns where the heap, which has room for them, ends with them */
export function pickStringCells(
  to: Uint32Array,
  row: number,
  heap: Uint8Array,
  heapEnd: number,
  { u8, u32 }: BlockBuffer,
  column: number,
  { bases, rows, count }: RowPicks,
): number {
  const data = entryOf(column) + 4
  let end = heapEnd
  for (let i = 0, out = row * 2; i < count; i++, out += 2) {
    const start = bases[i] + u32[(bases[i] + data) >>> 2]
    const cell = (start >>> 2) + 2 * rows[i]
    const length = u32[cell + 1]
    to[out] = end
    to[out + 1] = length
    copyString(u8, start + u32[cell], heap, end, length)
    end += length
  }
  return end
}

/** Whether any of the blocks has states for a column: elsewhere all of its cells are values. */
export function hasStates({ u32 }: BlockBuffer, column: number, { bases, count }: RowPicks): boolean {
  const states = entryOf(column) + 12
  for (let i = 0; i < count; i++) if (u32[(bases[i] + states) >>> 2] !== 0) return true
  return false
}

export function pickStates(
  to: Uint8Array,
  row: number,
  { u8, u32 }: BlockBuffer,
  column: number,
  { bases, rows, count }: RowPicks,
): void {
  const states = entryOf(column) + 12
  for (let i = 0; i < count; i++) {
    const at = u32[(bases[i] + states) >>> 2]
    to[row + i] = at === 0 ? 0 : u8[bases[i] + at + rows[i]]
  }
}

/** Short strings cost less byte by byte than by a call. */
export function copyString(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  if (length < 32) for (let k = 0; k < length; k++) to[at + k] = from[start + k]
  else to.set(from.subarray(start, start + length), at)
}
