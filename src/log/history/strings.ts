import { align8 } from '../../data/memory.ts'
import { decodeNarrow, encodeIntegers, integerEncoding } from './integers.ts'

/**
 * Encodings of strings of bytes. Little-endian, parts 8-byte aligned:
 *
 * - plain: u32 encoding of the lengths · u32 their bytes · lengths (integers.ts; raw: u32 each) · the strings' bytes
 * - dictionary: u32 entries · u32 bytes of all entries · u32 bytes of a code (0, 1, 2) · u32 0 ·
 *   u32 length of each entry · codes · the entries' bytes
 */
export const stringEncoding = { plain: 16, dictionary: 17 } as const

/** Strings of a column under way: cells of (offset into the heap, length). */
export interface Strings {
  readonly cells: Uint32Array
  readonly heap: Uint8Array
}

export interface EncodedStrings {
  readonly encoding: number
  readonly bytes: Uint8Array
  /** The bytes of the cells' strings once decoded. */
  readonly heapBytes: number
}

/** A dictionary is given up when so many of the first rows are all different. */
const probedRows = 1024
const mostEntries = 65536

export function encodeStrings(strings: Strings, rows: number): EncodedStrings {
  const dictionary = gather(strings, rows)
  return dictionary === null ? encodePlain(strings, rows) : encodeDictionary(strings, rows, dictionary)
}

interface Dictionary {
  /** The row that each entry was first seen in. */
  readonly firsts: readonly number[]
  readonly codes: Uint16Array
  readonly bytes: number
}

/** @returns null where a dictionary would not save half of the strings' bytes */
function gather({ cells, heap }: Strings, rows: number): Dictionary | null {
  const most = Math.min(mostEntries, Math.max(1, rows >>> 2))
  let size = 64
  while (size < most * 2) size *= 2
  const slots = new Int32Array(size).fill(-1)
  const codes = new Uint16Array(rows)
  const firsts: number[] = []
  let kept = 0
  let all = 0
  for (let row = 0; row < rows; row++) {
    const start = cells[2 * row]
    const length = cells[2 * row + 1]
    all += length
    let slot = hashOf(heap, start, length) & (size - 1)
    while (slots[slot] >= 0 && !same(cells, heap, firsts[slots[slot]], start, length)) slot = (slot + 1) & (size - 1)
    if (slots[slot] < 0) {
      if (firsts.length === most || (row === probedRows && firsts.length > probedRows / 2)) return null
      slots[slot] = firsts.length
      firsts.push(row)
      kept += length
    }
    codes[row] = slots[slot]
  }
  return (kept + firsts.length * 4 + rows) * 2 < all + rows * 2 ? { firsts, codes, bytes: kept } : null
}

function hashOf(heap: Uint8Array, start: number, length: number): number {
  let hash = length
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ heap[i], 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

function same(cells: Uint32Array, heap: Uint8Array, row: number, start: number, length: number): boolean {
  if (cells[2 * row + 1] !== length) return false
  const other = cells[2 * row]
  for (let i = 0; i < length; i++) if (heap[other + i] !== heap[start + i]) return false
  return true
}

function encodeDictionary({ cells, heap }: Strings, rows: number, { firsts, codes, bytes }: Dictionary) {
  const width = firsts.length === 1 ? 0 : firsts.length <= 256 ? 1 : 2
  const codesAt = 16 + align8(firsts.length * 4)
  const heapAt = codesAt + align8(rows * width)
  const out = new Uint8Array(heapAt + bytes)
  const words = new Uint32Array(out.buffer, 0, codesAt >>> 2)
  words.set([firsts.length, bytes, width, 0])
  let at = heapAt
  for (const [i, row] of firsts.entries()) {
    const length = cells[2 * row + 1]
    words[4 + i] = length
    out.set(heap.subarray(cells[2 * row], cells[2 * row] + length), at)
    at += length
  }
  if (width === 1) out.set(codes, codesAt)
  else if (width === 2) new Uint16Array(out.buffer, codesAt, rows).set(codes)
  return { encoding: stringEncoding.dictionary, bytes: out, heapBytes: bytes }
}

function encodePlain({ cells, heap }: Strings, rows: number): EncodedStrings {
  const lengths = new Float64Array(rows)
  let all = 0
  for (let row = 0; row < rows; row++) {
    lengths[row] = cells[2 * row + 1]
    all += lengths[row]
  }
  const encoded = encodeIntegers(lengths, rows, 4)
  const isRaw = encoded.encoding === integerEncoding.raw
  const lengthBytes = isRaw ? new Uint8Array(Uint32Array.from(lengths).buffer) : encoded.bytes
  const heapAt = 8 + align8(lengthBytes.byteLength)
  const out = new Uint8Array(heapAt + all)
  new Uint32Array(out.buffer, 0, 2).set([encoded.encoding, lengthBytes.byteLength])
  out.set(lengthBytes, 8)
  let at = heapAt
  for (let row = 0; row < rows; ) {
    // Strings that lie one behind the other are copied together.
    const start = cells[2 * row]
    let end = start + cells[2 * row + 1]
    for (row++; row < rows && (cells[2 * row] === end || cells[2 * row + 1] === 0); row++) end += cells[2 * row + 1]
    out.set(heap.subarray(start, end), at)
    at += end - start
  }
  return { encoding: stringEncoding.plain, bytes: out, heapBytes: all }
}

/**
 * Decodes into cells of a block: (offset from the first cell, length), the strings behind them; those without bytes
 * are (0, 0).
 * @param bytes 8-byte aligned
 * @param at address of the first cell
 */
export function decodeStrings(encoding: number, bytes: Uint8Array, rows: number, out: OutBytes, at: number): void {
  if (encoding === stringEncoding.dictionary) decodeDictionary(bytes, rows, out, at)
  else decodePlain(bytes, rows, out, at)
}

interface OutBytes {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
}

function decodePlain(bytes: Uint8Array, rows: number, { u8, u32 }: OutBytes, at: number): void {
  const [encoding, lengthBytes] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2)
  const lengths = new Int32Array(rows)
  const packed = bytes.subarray(8, 8 + lengthBytes)
  if (encoding === integerEncoding.raw) {
    lengths.set(new Int32Array(packed.buffer, packed.byteOffset, rows))
  } else decodeNarrow(encoding, packed, rows, lengths, 0)
  const cell = at >>> 2
  let offset = rows * 8
  for (let row = 0; row < rows; row++) {
    const length = lengths[row]
    u32[cell + 2 * row] = length === 0 ? 0 : offset
    u32[cell + 2 * row + 1] = length
    offset += length
  }
  const heapAt = 8 + align8(lengthBytes)
  u8.set(bytes.subarray(heapAt, heapAt + offset - rows * 8), at + rows * 8)
}

function decodeDictionary(bytes: Uint8Array, rows: number, { u8, u32 }: OutBytes, at: number): void {
  const [entries, heapBytes, width] = new Uint32Array(bytes.buffer, bytes.byteOffset, 4)
  const lengths = new Uint32Array(bytes.buffer, bytes.byteOffset + 16, entries)
  const codesAt = 16 + align8(entries * 4)
  const heapAt = codesAt + align8(rows * width)
  const offsets = new Uint32Array(entries)
  let offset = rows * 8
  for (let i = 0; i < entries; i++) {
    offsets[i] = lengths[i] === 0 ? 0 : offset
    offset += lengths[i]
  }
  const start = bytes.byteOffset + codesAt
  const cell = at >>> 2
  if (width === 0) {
    for (let row = 0; row < rows; row++) {
      u32[cell + 2 * row] = offsets[0]
      u32[cell + 2 * row + 1] = lengths[0]
    }
  } else {
    const codes = width === 1 ? new Uint8Array(bytes.buffer, start, rows) : new Uint16Array(bytes.buffer, start, rows)
    for (let row = 0; row < rows; row++) {
      const code = codes[row]
      u32[cell + 2 * row] = offsets[code]
      u32[cell + 2 * row + 1] = lengths[code]
    }
  }
  u8.set(bytes.subarray(heapAt, heapAt + heapBytes), at + rows * 8)
}
