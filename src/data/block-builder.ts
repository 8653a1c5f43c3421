import { batchRows } from './batch.ts'
import { blockColumn, blockMagic, blockVersion, directoryBytes, headerBytes } from './block.ts'
import { cellNull } from './cell.ts'
import { Bug } from './errors.ts'
import { align8, viewsOver } from './memory.ts'
import { type ColumnSchema, type Lane, laneOf, laneWidth } from './sql-type.ts'

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

/** A builder's rows are cut into a block when their strings have grown so far, so that a block stays easy to handle. */
const heapLimit = 8 * 1024 * 1024

const encoder = new TextEncoder()

/**
 * One column under construction. Generated decoders write into its arrays directly; everybody else uses the builder.
 * A cell belongs to its row only once the row is committed: until then `end` and `rows` have not moved, so that
 * giving a row up costs nothing.
 */
export class BuilderColumn {
  readonly id: number
  readonly lane: Lane
  readonly nullable: boolean
  /** The cells as 32-bit words: one a cell in lane i32, else two (low, high), (heap offset, length). */
  words!: Int32Array
  /** The same bytes, for lane f64. */
  doubles!: Float64Array
  /** The same bytes, for 64-bit integers that a double cannot hold. */
  longs!: BigInt64Array
  /** What each cell is (cell.ts), mostly a value or NULL; beyond the committed rows zero, but for the row being written. */
  state!: Uint8Array
  hasNulls = false
  heap: Uint8Array
  /** The heap's bytes again, for writes of whole words. */
  heapView: DataView
  /** Where the next string goes: behind those of the committed rows. */
  end = 0

  constructor(id: number, lane: Lane, nullable: boolean) {
    this.id = id
    this.lane = lane
    this.nullable = nullable
    this.heap = new Uint8Array(lane === 'bytes' ? 256 : 0)
    this.heapView = new DataView(this.heap.buffer)
    this.resize(64)
  }

  resize(rows: number): void {
    const buffer = new ArrayBuffer(rows * 8)
    const { words, state } = this
    this.words = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
    this.longs = new BigInt64Array(buffer)
    this.state = new Uint8Array(rows)
    if (words !== undefined) {
      this.words.set(words)
      this.state.set(state)
    }
  }

  setNull(row: number): void {
    if (!this.nullable) throw new Bug(`NULL for column ${this.id}, which takes none`)
    this.state[row] = 1
    this.hasNulls = true
    if (this.lane === 'i32') {
      this.words[row] = 0
    } else {
      this.words[row * 2] = 0
      this.words[row * 2 + 1] = 0
    }
  }

  setI32(row: number, value: number): void {
    this.words[row] = value
  }

  /** @param value an integer that a double holds exactly */
  setI64(row: number, value: number): void {
    this.words[row * 2] = value
    this.words[row * 2 + 1] = Math.floor(value / 4294967296)
  }

  setBig(row: number, value: bigint): void {
    this.longs[row] = value
  }

  setF64(row: number, value: number): void {
    // Adding 0 makes −0 a 0; a typed array may store any NaN's bits, so the canonical one is written as words.
    if (Number.isNaN(value)) {
      this.words[row * 2] = 0
      this.words[row * 2 + 1] = 0x7ff80000
    } else this.doubles[row] = value + 0
  }

  setBytes(row: number, bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = end - start
    this.reserve(length)
    const { heap } = this
    const at = this.end
    if (length < 32) for (let i = 0; i < length; i++) heap[at + i] = bytes[start + i]
    else heap.set(bytes.subarray(start, end), at)
    this.setLength(row, length)
  }

  /** @param text without lone surrogates, which have no UTF-8 form */
  setText(row: number, text: string): void {
    this.reserve(text.length * 3)
    const { heap, end } = this
    let length = 0
    if (text.length < 24) {
      for (; length < text.length; length++) {
        const code = text.charCodeAt(length)
        if (code > 127) break
        heap[end + length] = code
      }
    }
    if (length < text.length) length = encoder.encodeInto(text, heap.subarray(end)).written
    this.setLength(row, length)
  }

  /** The row's string is the `length` bytes that were written at `end`. */
  setLength(row: number, length: number): void {
    this.words[row * 2] = this.end
    this.words[row * 2 + 1] = length
  }

  /** Makes room for `extra` bytes at `end`, and for a word's overhang. */
  reserve(extra: number): void {
    const needed = this.end + extra + 8
    if (needed > this.heap.length) this.#growHeap(needed)
  }

  /** Gives an outsized heap back once its strings are gone. */
  shrink(): void {
    if (this.heap.length > heapLimit * 2) this.#setHeap(new Uint8Array(256))
  }

  #growHeap(needed: number): void {
    const heap = new Uint8Array(align8(Math.max(needed, this.heap.length * 2)))
    heap.set(this.heap)
    this.#setHeap(heap)
  }

  #setHeap(heap: Uint8Array): void {
    this.heap = heap
    this.heapView = new DataView(heap.buffer)
  }
}

/**
 * Builds blocks of one topic without an object per row. Write a row's cells into row `rows` by `columns[ordinal]`,
 * each column exactly once, then `commitRow`, or `rollbackRow` and the row was never there. When `full` says so, or
 * whenever a block is wanted, `finish` gives the block and empties the builder.
 */
export class BlockBuilder {
  readonly columns: readonly BuilderColumn[]
  rows = 0
  readonly #strings: readonly BuilderColumn[]
  readonly #operation = new BuilderColumn(blockColumn.operation, 'i32', false)
  readonly #rest = new BuilderColumn(blockColumn.rest, 'bytes', true)
  #operations = false
  #rests = false
  #operationOfRow = 0
  #restOfRow = false
  #capacity = 64
  #heapBytes = 0

  /** @param ids the columns' numbers in blocks; absent: their ordinals */
  constructor(schema: readonly ColumnSchema[], ids?: readonly number[]) {
    this.columns = schema.map(({ type, nullable }, i) => new BuilderColumn(ids?.[i] ?? i, laneOf(type), nullable))
    this.#strings = this.columns.filter((column) => column.lane === 'bytes')
  }

  get full(): boolean {
    return this.rows === batchRows || this.#heapBytes >= heapLimit
  }

  /** Makes room for one more row. Call it before a row's first cell is written. */
  beginRow(): void {
    if (this.rows === this.#capacity) this.reserveRows(this.rows + 1)
  }

  reserveRows(rows: number): void {
    if (rows > batchRows) throw new Bug(`a block of ${rows} rows`)
    if (rows <= this.#capacity) return
    this.#capacity = Math.min(batchRows, Math.max(rows, this.#capacity * 4))
    for (const column of this.columns) column.resize(this.#capacity)
    this.#operation.resize(this.#capacity)
    this.#rest.resize(this.#capacity)
  }

  /** The row being written deletes its key. */
  setDelete(): void {
    this.#operationOfRow = 1
  }

  /** Unknown fields of the row being written: JSON text of an object, UTF-8. */
  setRest(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#rests) {
      for (let row = 0; row < this.rows; row++) this.#rest.setNull(row)
      this.#rests = true
    }
    this.#rest.setBytes(this.rows, bytes, start, end)
    this.#restOfRow = true
  }

  commitRow(): void {
    const row = this.rows
    for (const column of this.#strings) {
      const length = column.words[row * 2 + 1]
      column.end += length
      this.#heapBytes += length
    }
    if (this.#operations || this.#operationOfRow === 1) this.#commitOperation(row)
    if (this.#rests) this.#commitRest(row)
    this.rows = row + 1
  }

  #commitOperation(row: number): void {
    if (!this.#operations) this.#operation.words.fill(0, 0, row)
    this.#operations = true
    this.#operation.words[row] = this.#operationOfRow
    this.#operationOfRow = 0
  }

  #commitRest(row: number): void {
    if (!this.#restOfRow) this.#rest.setNull(row)
    const length = this.#rest.words[row * 2 + 1]
    this.#rest.end += length
    this.#heapBytes += length
    this.#restOfRow = false
  }

  rollbackRow(): void {
    for (const column of this.columns) if (column.hasNulls) column.state[this.rows] = 0
    this.#operationOfRow = 0
    this.#restOfRow = false
  }

  /** For loaders that fill whole columns: all cells of the next `count` rows, and their heaps' ends, are written. */
  commitColumns(count: number): void {
    this.rows += count
    this.#heapBytes = 0
    for (const column of this.#strings) this.#heapBytes += column.end
  }

  /** Throws the rows away. */
  clear(): void {
    const rows = Math.min(this.rows + 1, this.#capacity)
    for (const column of this.columns) clearColumn(column, rows)
    clearColumn(this.#rest, rows)
    this.rows = 0
    this.#heapBytes = 0
    this.#operations = false
    this.#rests = false
    this.#operationOfRow = 0
    this.#restOfRow = false
  }

  /** The block of all committed rows; the builder is empty afterwards. Columns that are NULL throughout are left out. */
  finish(): Uint8Array {
    const { rows } = this
    const written: { column: BuilderColumn; states: boolean; length: number }[] = []
    let size = headerBytes
    const add = (column: BuilderColumn): void => {
      if (column.hasNulls && rows > 0 && allNull(column.state, rows)) return
      const states = column.hasNulls && !allValues(column.state, rows)
      const length = rows * laneWidth(column.lane) + column.end
      size += directoryBytes + align8(length) + (states ? align8(rows) : 0)
      written.push({ column, states, length })
    }
    for (const column of this.columns) add(column)
    if (this.#operations) add(this.#operation)
    if (this.#rests) add(this.#rest)
    const out = viewsOver(new ArrayBuffer(size))
    out.u32.set([blockMagic, blockVersion, size, rows, written.length, 0, 0, 0])
    let at = headerBytes + written.length * directoryBytes
    written.forEach(({ column, states, length }, i) => {
      const entry = (headerBytes + i * directoryBytes) >>> 2
      out.u32[entry] = column.id | (lanes.indexOf(column.lane) << 16)
      out.u32[entry + 1] = at
      out.u32[entry + 2] = length
      writeCells(column, rows, out.u8, out.i32, at)
      at += align8(length)
      if (!states) return
      out.u32[entry + 3] = at
      out.u8.set(column.state.subarray(0, rows), at)
      at += align8(rows)
    })
    this.clear()
    return out.u8
  }
}

function clearColumn(column: BuilderColumn, rows: number): void {
  if (column.hasNulls) column.state.fill(0, 0, rows)
  column.hasNulls = false
  column.end = 0
  column.shrink()
}

function allNull(state: Uint8Array, rows: number): boolean {
  for (let i = 0; i < rows; i++) if (state[i] !== cellNull) return false
  return true
}

function allValues(state: Uint8Array, rows: number): boolean {
  for (let i = 0; i < rows; i++) if (state[i] !== 0) return false
  return true
}

function writeCells(column: BuilderColumn, rows: number, u8: Uint8Array, i32: Int32Array, at: number): void {
  const { words } = column
  if (column.lane !== 'bytes') {
    i32.set(words.subarray(0, column.lane === 'i32' ? rows : rows * 2), at >>> 2)
    return
  }
  // Offsets count from the cells' start in a block. A NULL's cell stays zero, and so does an empty string's.
  const heap = rows * 8
  for (let i = 0, from = 0, to = at >>> 2; i < rows; i++, from += 2, to += 2) {
    const length = words[from + 1]
    i32[to] = length === 0 ? 0 : heap + words[from]
    i32[to + 1] = length
  }
  u8.set(column.heap.subarray(0, column.end), at + heap)
}
