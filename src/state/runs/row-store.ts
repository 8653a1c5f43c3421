import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { directoryBytes, headerBytes } from '../../data/block.ts'
import { Bug } from '../../data/errors.ts'
import type { Arena } from '../../data/memory.ts'
import { type Lane, laneWidth } from '../../data/sql-type.ts'
import {
  type BlockBuffer,
  copyString,
  hasStates,
  pickPairs,
  pickStates,
  pickStringCells,
  pickWords,
  type RowPicks,
  stringBytes,
} from './row-picks.ts'

/** A block (data/block.ts) that lies in a larger buffer; its columns are numbered 0, 1, … */
export interface BlockView {
  readonly u8: Uint8Array
  /** The same bytes. */
  readonly u32: Uint32Array
  /** Where the block starts: a multiple of 8. */
  readonly base: number
  readonly rows: number
}

/** @param bytes of a block whose columns are numbered 0, 1, …, as all stored state is */
export function viewOfBlock(bytes: Uint8Array): BlockView {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  const u32 = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2)
  return { u8: aligned, u32, base: 0, rows: u32[3] }
}

/** Index into `u32` of the first cell of a column. */
export function cellsOf(u32: Uint32Array, base: number, column: number): number {
  return (base + u32[((base + headerBytes + column * directoryBytes) >>> 2) + 1]) >>> 2
}

/** Index into `u8` of the first state of a column, or −1 where every cell is a value. */
function statesOf({ u32, base }: BlockView, column: number): number {
  const at = u32[((base + headerBytes + column * directoryBytes) >>> 2) + 3]
  return at === 0 ? -1 : base + at
}

/** One column of a store. */
export interface StoreColumn {
  readonly lane: Lane
  /** One word a cell in lane i32, else two; a bytes cell is an offset in `heap` and a length. */
  cells: Uint32Array
  /** One state a row, or null while every cell is a value. */
  states: Uint8Array | null
  heap: Uint8Array
  heapEnd: number
}

const nothing = new Uint8Array(0)

/** Rows on their way between blocks: columns that grow, the first of which is the bucket's hash. */
export class RowStore {
  readonly columns: readonly StoreColumn[]
  rows = 0
  #capacity = 0

  constructor(lanes: readonly Lane[]) {
    this.columns = lanes.map((lane) => ({
      lane,
      cells: new Uint32Array(0),
      states: null,
      heap: nothing,
      heapEnd: 0,
    }))
  }

  /** Appends the rows `from` to `to` of a block. */
  append(block: BlockView, from: number, to: number): void {
    const count = to - from
    this.#reserve(count)
    for (let k = 0; k < this.columns.length; k++) {
      const column = this.columns[k]
      const at = cellsOf(block.u32, block.base, k)
      if (column.lane === 'bytes') appendStrings(column, this.rows, block, at, from, to)
      else {
        const words = laneWidth(column.lane) >>> 2
        column.cells.set(block.u32.subarray(at + from * words, at + to * words), this.rows * words)
      }
      const states = statesOf(block, k)
      if (states >= 0) this.#statesOf(column).set(block.u8.subarray(states + from, states + to), this.rows)
    }
    this.rows += count
  }

  /** Appends rows of any blocks in one buffer. */
  pick(from: BlockBuffer, picks: RowPicks): void {
    const { count } = picks
    this.#reserve(count)
    for (let k = 0; k < this.columns.length; k++) {
      const column = this.columns[k]
      if (column.lane === 'bytes') {
        reserveHeap(column, stringBytes(from, k, picks))
        column.heapEnd = pickStringCells(column.cells, this.rows, column.heap, column.heapEnd, from, k, picks)
      } else if (column.lane === 'i32') pickWords(column.cells, this.rows, from, k, picks)
      else pickPairs(column.cells, this.rows, from, k, picks)
      if (hasStates(from, k, picks)) pickStates(this.#statesOf(column), this.rows, from, k, picks)
    }
    this.rows += count
  }

  /** Appends `count` rows of another store, given by number. */
  copy(from: RowStore, picks: Uint32Array, count: number): void {
    this.#reserve(count)
    for (let k = 0; k < this.columns.length; k++) {
      const column = this.columns[k]
      const { lane, cells, states, heap } = from.columns[k]
      if (lane === 'bytes') copyStrings(column, this.rows, heap, cells, picks, count)
      else copyCells(column.cells, this.rows, laneWidth(lane) >>> 2, cells, picks, count)
      if (states === null) continue
      const to = this.#statesOf(column)
      for (let i = 0; i < count; i++) to[this.rows + i] = states[picks[i]]
    }
    this.rows += count
  }

  /** Copies all rows out, at most `batchRows` a batch. */
  batches(arena: Arena): Batch[] {
    const batches: Batch[] = []
    for (let from = 0; from < this.rows; from += batchRows) {
      const rows = Math.min(batchRows, this.rows - from)
      batches.push({ rows, columns: this.columns.map((column) => copyOut(arena, column, from, rows)), weights: 0 })
    }
    return batches
  }

  /** Forgets the rows but keeps their memory, unless that has grown out of proportion. */
  clear(): void {
    if (this.#capacity > keptRows) this.#capacity = 0
    for (const column of this.columns) {
      if (this.#capacity === 0) column.cells = new Uint32Array(0)
      column.states = null
      if (column.heap.length > keptHeap) column.heap = nothing
      column.heapEnd = 0
    }
    this.rows = 0
  }

  #reserve(extra: number): void {
    const needed = this.rows + extra
    if (needed <= this.#capacity) return
    this.#capacity = Math.max(needed, this.#capacity * 2, 64)
    for (const column of this.columns) {
      const cells = new Uint32Array(this.#capacity * (laneWidth(column.lane) >>> 2))
      cells.set(column.cells)
      column.cells = cells
      if (column.states === null) continue
      const states = new Uint8Array(this.#capacity)
      states.set(column.states)
      column.states = states
    }
  }

  #statesOf(column: StoreColumn): Uint8Array {
    column.states ??= new Uint8Array(this.#capacity)
    return column.states
  }
}

const keptRows = 65536
const keptHeap = 4 * 1024 * 1024

function reserveHeap(column: StoreColumn, extra: number): void {
  const needed = column.heapEnd + extra
  if (needed <= column.heap.length) return
  if (needed > 0xffffffff) throw new Bug('strings of more than 4 GiB are gathered at once')
  const grown = new Uint8Array(Math.max(needed, column.heap.length * 2, 1024))
  grown.set(column.heap.subarray(0, column.heapEnd))
  column.heap = grown
}

/** A block's strings lie side by side in the order of its rows: one copy, and offsets that differ by a constant. */
function appendStrings(
  column: StoreColumn,
  row: number,
  { u8, u32 }: BlockView,
  at: number,
  from: number,
  to: number,
): void {
  if (from === to) return
  const first = u32[at + 2 * from]
  const bytes = u32[at + 2 * to - 2] + u32[at + 2 * to - 1] - first
  reserveHeap(column, bytes)
  const { cells, heapEnd } = column
  let next = first
  for (let i = from, out = row * 2; i < to; i++, out += 2) {
    const offset = u32[at + 2 * i]
    const length = u32[at + 2 * i + 1]
    if (offset !== next) throw new Bug('the strings of a block do not lie side by side')
    next += length
    cells[out] = offset - first + heapEnd
    cells[out + 1] = length
  }
  const start = at * 4 + first
  column.heap.set(u8.subarray(start, start + bytes), heapEnd)
  column.heapEnd += bytes
}

function copyStrings(
  column: StoreColumn,
  row: number,
  from: Uint8Array,
  fromCells: Uint32Array,
  picks: Uint32Array,
  count: number,
): void {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += fromCells[2 * picks[i] + 1]
  reserveHeap(column, bytes)
  const { cells, heap } = column
  let end = column.heapEnd
  for (let i = 0, out = row * 2; i < count; i++, out += 2) {
    const cell = 2 * picks[i]
    const length = fromCells[cell + 1]
    cells[out] = end
    cells[out + 1] = length
    copyString(from, fromCells[cell], heap, end, length)
    end += length
  }
  column.heapEnd = end
}

/** @param to where cells go, from row `row` on, of `words` words each */
function copyCells(
  to: Uint32Array,
  row: number,
  words: number,
  from: Uint32Array,
  picks: Uint32Array,
  count: number,
): void {
  if (words === 1) {
    for (let i = 0; i < count; i++) to[row + i] = from[picks[i]]
    return
  }
  for (let i = 0, out = row * 2; i < count; i++, out += 2) {
    const cell = 2 * picks[i]
    to[out] = from[cell]
    to[out + 1] = from[cell + 1]
  }
}

function copyOut(arena: Arena, column: StoreColumn, from: number, rows: number): Column {
  const { lane, cells } = column
  const words = laneWidth(lane) >>> 2
  const data = arena.allocate(rows * words * 4)
  arena.memory.u32.set(cells.subarray(from * words, (from + rows) * words), data >>> 2)
  let state = 0
  if (column.states !== null) {
    state = arena.allocate(rows)
    arena.memory.u8.set(column.states.subarray(from, from + rows), state)
  }
  if (lane !== 'bytes') return { lane, data, state, heap: 0 }
  // The strings of neighbouring rows are neighbours: a store only ever appends.
  const first = cells[2 * from]
  const last = 2 * (from + rows) - 2
  const bytes = cells[last] + cells[last + 1] - first
  const heap = arena.allocate(bytes)
  const { u8, u32 } = arena.memory
  u8.set(column.heap.subarray(first, first + bytes), heap)
  for (let i = 0, at = data >>> 2; i < rows; i++, at += 2) u32[at] -= first
  return { lane, data, state, heap }
}
