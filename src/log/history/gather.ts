import { batchRows } from '../../data/batch.ts'
import { type Block, blockColumn } from '../../data/block.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { PlainColumn } from './column.ts'

/** One column of several blocks, one behind the other. */
class GatheredColumn {
  readonly lane: Lane
  /** Words of a cell. */
  readonly #width: 1 | 2
  /** What stands where a block lacks the column: NULL, or 0 for what is no column of the topic. */
  readonly #missing: 0 | 1
  #words: Int32Array
  #states: Uint8Array
  #heap: Uint8Array = new Uint8Array(0)
  #heapEnd = 0
  #hasStates = false

  constructor(id: number, lane: Lane, capacity: number, rowsBefore: number) {
    this.lane = lane
    this.#width = lane === 'i32' ? 1 : 2
    this.#missing = id === blockColumn.operation ? 0 : 1
    this.#words = new Int32Array(capacity * this.#width)
    this.#states = new Uint8Array(capacity)
    this.skip(0, rowsBefore)
  }

  reserve(rows: number): void {
    if (rows <= this.#states.length) return
    const capacity = Math.min(batchRows, Math.max(rows, this.#states.length * 2))
    const words = new Int32Array(capacity * this.#width)
    words.set(this.#words)
    this.#words = words
    const states = new Uint8Array(capacity)
    states.set(this.#states)
    this.#states = states
  }

  /** Rows of a block that lacks the column. */
  skip(at: number, rows: number): void {
    if (rows === 0) return
    this.#words.fill(0, at * this.#width, (at + rows) * this.#width)
    this.#states.fill(this.#missing, at, at + rows)
    if (this.#missing !== 0) this.#hasStates = true
  }

  add({ memory, columns, rows }: Block, id: number, at: number): void {
    const column = columns.get(id)!
    const from = column.data >>> 2
    if (this.lane === 'bytes') this.#addStrings(memory.u8, memory.u32, column.data, at, rows)
    else this.#words.set(memory.i32.subarray(from, from + rows * this.#width), at * this.#width)
    if (column.state === 0) this.#states.fill(0, at, at + rows)
    else {
      this.#states.set(memory.u8.subarray(column.state, column.state + rows), at)
      this.#hasStates = true
    }
  }

  #addStrings(u8: Uint8Array, u32: Uint32Array, data: number, at: number, rows: number): void {
    let low = Number.POSITIVE_INFINITY
    let high = 0
    const from = data >>> 2
    for (let i = 0; i < rows; i++) {
      const length = u32[from + 2 * i + 1]
      if (length === 0) continue
      const start = u32[from + 2 * i]
      if (start < low) low = start
      if (start + length > high) high = start + length
    }
    const bytes = Math.max(0, high - low)
    this.#reserveHeap(bytes)
    // Strings are copied with whatever lies between them: in blocks they lie close.
    if (bytes > 0) this.#heap.set(u8.subarray(data + low, data + high), this.#heapEnd)
    const shift = this.#heapEnd - low
    for (let i = 0, to = at * 2; i < rows; i++, to += 2) {
      const length = u32[from + 2 * i + 1]
      this.#words[to] = length === 0 ? 0 : u32[from + 2 * i] + shift
      this.#words[to + 1] = length
    }
    this.#heapEnd += bytes
  }

  #reserveHeap(bytes: number): void {
    if (this.#heapEnd + bytes <= this.#heap.length) return
    const larger = new Uint8Array(Math.max(this.#heapEnd + bytes, this.#heap.length * 2))
    larger.set(this.#heap.subarray(0, this.#heapEnd))
    this.#heap = larger
  }

  get bytes(): number {
    return this.#heapEnd
  }

  plain(rows: number): PlainColumn {
    return {
      lane: this.lane,
      words: this.#words.subarray(0, rows * this.#width),
      states: this.#hasStates ? this.#states.subarray(0, rows) : null,
      heap: this.#heap.subarray(0, this.#heapEnd),
    }
  }
}

/** A block's strings are cut off when they have grown so far, so that a block stays easy to handle. */
const heapLimit = 4 << 20

/** Puts small blocks of one topic together into one of at most `batchRows` rows. What it is given is copied. */
export class Gatherer {
  rows = 0
  #columns = new Map<number, GatheredColumn>()

  /** Whether a block can go behind those that are there. */
  fits({ rows, columns }: Block): boolean {
    if (this.rows === 0) return true
    if (this.rows + rows > batchRows) return false
    let bytes = 0
    for (const column of this.#columns.values()) bytes += column.bytes
    if (bytes > heapLimit) return false
    for (const [id, { lane }] of columns) {
      const gathered = this.#columns.get(id)
      if (gathered !== undefined && gathered.lane !== lane) return false
    }
    return true
  }

  add(block: Block): void {
    const end = this.rows + block.rows
    for (const [id, { lane }] of block.columns) {
      if (!this.#columns.has(id)) this.#columns.set(id, new GatheredColumn(id, lane, end, this.rows))
    }
    for (const [id, column] of this.#columns) {
      column.reserve(end)
      if (block.columns.has(id)) column.add(block, id, this.rows)
      else column.skip(this.rows, block.rows)
    }
    this.rows = end
  }

  /** @returns the columns by id, in ascending order; the gatherer begins anew, and leaves them alone */
  take(): { readonly rows: number; readonly columns: readonly (readonly [number, PlainColumn])[] } {
    const { rows } = this
    const columns = [...this.#columns]
      .sort(([a], [b]) => a - b)
      .map(([id, column]) => [id, column.plain(rows)] as const)
    this.#columns = new Map()
    this.rows = 0
    return { rows, columns }
  }
}
