import { Bug, MillraceError } from '../../data/errors.ts'
import { align8 } from '../../data/memory.ts'
import type { Lane } from '../../data/sql-type.ts'
import { type Compression, compress, decompress } from './compression.ts'
import { decodeNarrow, decodeWide, encodeIntegers, integerEncoding } from './integers.ts'
import { decodeStrings, encodeStrings } from './strings.ts'

/**
 * A section is one column of one block on disk: a header of 24 bytes, then its body, maybe compressed. Little-endian;
 * the body's parts are 8-byte aligned:
 *
 *     u8 lane · u8 encoding of the cells · u8 of the states · u8 compression · u32 rows
 *     u32 length of the body before compression · u32 where the cells start in it
 *     u32 bytes of the cells once decoded · u32 0
 *     states (none, a bit each where there are only values and NULLs, else a byte each), cells
 *
 * A cell that is no value holds zeros: they are not stored, so that they don't spoil the range of the others.
 */
export const sectionHeaderBytes = 24
const stateEncoding = { none: 0, bits: 1, bytes: 2 } as const
const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** A column in memory, before it is encoded. */
export interface PlainColumn {
  readonly lane: Lane
  /** Cells as 32-bit words: one in lane i32, else two; for strings offset into the heap and length. */
  readonly words: Int32Array
  /** A state byte per row (data/cell.ts), or null where all cells are values. */
  readonly states: Uint8Array | null
  readonly heap: Uint8Array
}

export interface EncodedColumn {
  readonly bytes: Uint8Array
  /** The bytes that the cells, with their strings, take in a block. */
  readonly cellBytes: number
  readonly nulls: number
  /** The least and greatest value, of numbers that a double holds exactly. */
  readonly min: number | null
  readonly max: number | null
}

export function encodeColumn(column: PlainColumn, rows: number, compression: Compression): EncodedColumn {
  const states = encodeStates(column.states, rows)
  const cells = encodeCells(column, rows)
  const cellsAt = align8(states.bytes.byteLength)
  const body = new Uint8Array(cellsAt + cells.bytes.byteLength)
  body.set(states.bytes)
  body.set(cells.bytes, cellsAt)
  const packed = compress(body, compression)
  const bytes = new Uint8Array(sectionHeaderBytes + packed.bytes.byteLength)
  const view = new DataView(bytes.buffer)
  bytes.set([lanes.indexOf(column.lane), cells.encoding, states.encoding, packed.code])
  view.setUint32(4, rows, true)
  view.setUint32(8, body.byteLength, true)
  view.setUint32(12, cellsAt, true)
  view.setUint32(16, cells.cellBytes, true)
  bytes.set(packed.bytes, sectionHeaderBytes)
  return { bytes, cellBytes: cells.cellBytes, nulls: states.nulls, min: cells.min, max: cells.max }
}

function encodeStates(states: Uint8Array | null, rows: number) {
  let nulls = 0
  let greatest = 0
  if (states !== null) {
    for (let i = 0; i < rows; i++) {
      if (states[i] === 1) nulls++
      if (states[i] > greatest) greatest = states[i]
    }
  }
  if (greatest === 0) return { encoding: stateEncoding.none, bytes: new Uint8Array(0), nulls }
  if (greatest > 1) return { encoding: stateEncoding.bytes, bytes: states!.slice(0, rows), nulls }
  const bytes = new Uint8Array((rows + 7) >>> 3)
  for (let i = 0; i < rows; i++) bytes[i >>> 3] |= states![i] << (i & 7)
  return { encoding: stateEncoding.bits, bytes, nulls }
}

interface EncodedCells {
  readonly encoding: number
  readonly bytes: Uint8Array
  readonly cellBytes: number
  readonly min: number | null
  readonly max: number | null
}

function encodeCells(column: PlainColumn, rows: number): EncodedCells {
  const { lane, words } = column
  if (lane === 'bytes') {
    const cells = new Uint32Array(words.buffer, words.byteOffset, rows * 2)
    const { encoding, bytes, heapBytes } = encodeStrings({ cells, heap: column.heap }, rows)
    return { encoding, bytes, cellBytes: rows * 8 + heapBytes, min: null, max: null }
  }
  const width = lane === 'i32' ? 4 : 8
  const cellBytes = rows * width
  const values = valuesOf(column, rows)
  const encoded = values === null ? null : encodeIntegers(values, rows, width)
  const [min, max] = values === null ? [null, null] : rangeOf(values)
  if (encoded !== null && encoded.encoding !== integerEncoding.raw) return { ...encoded, cellBytes, min, max }
  const bytes = new Uint8Array(words.buffer, words.byteOffset, cellBytes)
  return { encoding: integerEncoding.raw, bytes, cellBytes, min, max }
}

function rangeOf(values: Float64Array): [number | null, number | null] {
  if (values.length === 0) return [null, null]
  let [min, max] = [values[0], values[0]]
  for (const value of values) {
    if (value < min) min = value
    else if (value > max) max = value
  }
  return [min, max]
}

/**
 * The cells as whole numbers, those that are no value as the one before them.
 * @returns null where doubles can't hold them, or a cell that is no value isn't zero
 */
function valuesOf({ lane, words, states }: PlainColumn, rows: number): Float64Array | null {
  if (lane === 'f64') return null
  const values = new Float64Array(rows)
  let before: number | null = null
  let missing = 0
  for (let i = 0; i < rows; i++) {
    const high = lane === 'i32' ? 0 : words[2 * i + 1]
    if (states !== null && states[i] !== 0) {
      if (high !== 0 || words[lane === 'i32' ? i : 2 * i] !== 0) return null
      if (before === null) missing++
      else values[i] = before
      continue
    }
    if (high >= 0x200000 || high < -0x200000) return null
    before = lane === 'i32' ? words[i] : high * 4294967296 + (words[2 * i] >>> 0)
    values[i] = before
    for (; missing > 0; missing--) values[i - missing] = before
  }
  return values
}

/** What a section's header says. */
export interface SectionHead {
  readonly lane: Lane
  readonly rows: number
  readonly cellBytes: number
  readonly hasStates: boolean
}

/** @throws MillraceError log/version for a compression that this runtime lacks */
export class Section {
  readonly head: SectionHead
  readonly #cells: number
  readonly #states: number
  readonly #body: Uint8Array
  readonly #cellsAt: number

  /** @param bytes a whole section whose checksum was right, 8-byte aligned */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, sectionHeaderBytes)
    const rows = view.getUint32(4, true)
    const bodyBytes = view.getUint32(8, true)
    this.#cells = bytes[1]
    this.#states = bytes[2]
    this.#cellsAt = view.getUint32(12, true)
    const body = decompress(bytes.subarray(sectionHeaderBytes), bytes[3], bodyBytes)
    if (body.byteLength !== bodyBytes) throw new MillraceError('log/corrupt', 'a section is shorter than it says')
    this.#body = body
    this.head = { lane: lanes[bytes[0]], rows, cellBytes: view.getUint32(16, true), hasStates: bytes[2] !== 0 }
  }

  /**
   * Writes cells and states as a block has them.
   * @param out whole memory, 8-byte aligned
   * @param states address of the states; not used where the section has none
   */
  decode(out: OutMemory, cells: number, states: number): void {
    const { lane, rows, cellBytes } = this.head
    if (rows === 0) return
    const body = this.#body.subarray(this.#cellsAt)
    if (lane === 'bytes') decodeStrings(this.#cells, body, rows, out, cells)
    else if (this.#cells === integerEncoding.raw) out.u8.set(body.subarray(0, cellBytes), cells)
    else if (lane === 'i32') decodeNarrow(this.#cells, body, rows, out.i32, cells >>> 2)
    else decodeWide(this.#cells, body, rows, out.u32, cells >>> 2)
    if (this.#states !== stateEncoding.none) this.#decodeStates(out, cells, states)
  }

  #decodeStates({ u8, i32 }: OutMemory, cells: number, states: number): void {
    const { lane, rows } = this.head
    if (this.#states === stateEncoding.bytes) u8.set(this.#body.subarray(0, rows), states)
    else for (let i = 0; i < rows; i++) u8[states + i] = (this.#body[i >>> 3] >>> (i & 7)) & 1
    if (lane === 'bytes') return
    const width = lane === 'i32' ? 1 : 2
    for (let i = 0, cell = cells >>> 2; i < rows; i++, cell += width) {
      if (u8[states + i] === 0) continue
      i32[cell] = 0
      if (width === 2) i32[cell + 1] = 0
    }
  }

  /** The cells of a column of whole numbers without NULLs, as doubles. */
  numbers(): Float64Array {
    const { lane, rows, cellBytes } = this.head
    if (lane !== 'i64' && lane !== 'i32') throw new Bug(`numbers of lane ${lane}`)
    const u32 = new Uint32Array(align8(cellBytes) >>> 2)
    const out = { u8: new Uint8Array(u32.buffer), u32, i32: new Int32Array(u32.buffer) }
    this.decode(out, 0, 0)
    if (lane === 'i32') return Float64Array.from(out.i32.subarray(0, rows))
    const values = new Float64Array(rows)
    for (let i = 0; i < rows; i++) values[i] = out.i32[2 * i + 1] * 4294967296 + u32[2 * i]
    return values
  }
}

interface OutMemory {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
}

/** Whole numbers as a column: how the timeline is kept. */
export function numberColumn(lane: 'i32' | 'i64', values: readonly number[]): PlainColumn {
  const words = new Int32Array(values.length * (lane === 'i32' ? 1 : 2))
  for (let i = 0; i < values.length; i++) {
    if (lane === 'i32') words[i] = values[i]
    else {
      words[2 * i] = values[i]
      words[2 * i + 1] = Math.floor(values[i] / 4294967296)
    }
  }
  return { lane, words, states: null, heap: new Uint8Array(0) }
}
