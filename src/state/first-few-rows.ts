import type { Column } from '../data/batch.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import { compareInLoop, type FieldOrder } from './compare-code.ts'
import type { Heap } from './heap.ts'
import { type Layout, layoutOf } from './layout.ts'
import { compileLoad, type Load } from './load.ts'
import { declareColumn, generate, refreshViews, rowBytes, storeInlineCell, viewNames } from './row-code.ts'
import type { Table } from './table.ts'

/** A row's header: u32 bytes in all, u32 0. Its strings lie behind it. */
const rowHeader = 8

/** A key's payload: u32 array of row addresses, u32 rows in it, and the same as they were when the tick began. */
const array = 0
const count = 4
const oldArray = 8
const oldCount = 12
/** Bytes of a key's payload. */
export const firstFewBytes = 16

/** An epoch that no tick has. */
const neverEpoch = 0xffffffff

type Offer = (
  memory: LinearMemory,
  heap: Heap,
  owner: FirstFewRows,
  columns: readonly Column[],
  rows: number,
  keys: number,
  weights: number,
  epoch: number,
  list: number,
) => number

/**
 * Per key the first few of all rows ever offered, in an order completed by all columns, as a sorted array of their
 * addresses: a row of weight n stands in it n times. What does not come in is compared with the last row, and not
 * copied.
 */
export class FirstFewRows {
  readonly layout: Layout
  readonly #heap: Heap
  readonly #keys: Table
  readonly #payload: number
  readonly #keep: number
  readonly #offer: Offer
  readonly #load: Load
  #restoring = false

  /**
   * @param keys the keys' table, whose payload is `firstFewBytes` of ours
   * @param keep how many rows a key has at most
   */
  constructor(keys: Table, lanes: readonly Lane[], order: readonly FieldOrder[], keep: number) {
    this.#heap = keys.heap
    this.#keys = keys
    this.#payload = keys.payload
    this.#keep = keep
    this.layout = layoutOf(lanes, rowHeader)
    this.#offer = compileOffer(this.layout, order, this.#payload, keep)
    this.#load = compileLoad(this.layout.fields)
  }

  /**
   * @param keys u32 lane: the entry of each row's key; its stamp tells whether this tick has touched it
   * @param weights i32 lane, above 0; 0: all are 1
   * @param list u32 lane with room for `rows`: receives the entries touched for the first time in this tick
   * @returns how many these are
   */
  offer(columns: readonly Column[], rows: number, keys: number, weights: number, epoch: number, list: number): number {
    return this.#offer(this.#heap.memory, this.#heap, this, columns, rows, keys, weights, epoch, list)
  }

  /** Takes rows that come back from outside, under keys that were restored in this tick or another. */
  restore(arena: Arena, columns: readonly Column[], rows: number, keys: number, weights: number): void {
    const list = arena.allocate(rows * 4)
    this.#restoring = true
    const { memory } = this.#heap
    const touched = this.#offer(memory, this.#heap, this, columns, rows, keys, weights, neverEpoch, list)
    this.#restoring = false
    for (let k = 0; k < touched; k++) {
      const key = memory.u32[(list >>> 2) + k]
      this.forgetOld(key)
      memory.u32[(key >>> 2) + 1] = 0
    }
  }

  rowsOf(key: number): number {
    return this.#heap.memory.u32[(key + this.#payload + count) >>> 2]
  }

  row(key: number, index: number): number {
    const { u32 } = this.#heap.memory
    return u32[(u32[(key + this.#payload + array) >>> 2] >>> 2) + index]
  }

  /** Rows when the tick began, of a key that it touched. */
  oldRowsOf(key: number): number {
    return this.#heap.memory.u32[(key + this.#payload + oldCount) >>> 2]
  }

  oldRow(key: number, index: number): number {
    const { u32 } = this.#heap.memory
    return u32[(u32[(key + this.#payload + oldArray) >>> 2] >>> 2) + index]
  }

  /** The change has been put out. */
  forgetOld(key: number): void {
    const at = (key + this.#payload) >>> 2
    const { u32 } = this.#heap.memory
    if (u32[at + oldCount / 4] > 0) this.#heap.free(u32[at + oldArray / 4], u32[at + oldCount / 4] * 4)
    u32[at + oldArray / 4] = 0
    u32[at + oldCount / 4] = 0
  }

  /** Gives back what a key has, between ticks. */
  release(key: number): void {
    const { u32 } = this.#heap.memory
    const all = u32[(key + this.#payload + array) >>> 2]
    if (all === 0) return
    for (let k = 0; k < this.rowsOf(key); k++) {
      const row = this.row(key, k)
      if (k === 0 || this.row(key, k - 1) !== row) this.#heap.freeLater(row, u32[row >>> 2])
    }
    this.#heap.freeLater(all, this.#keep * 4)
  }

  load(arena: Arena, rows: number, length: number): Column[] {
    return this.#load(arena, rows, length)
  }

  /** Called by generated code before a key's first change in a tick. */
  remember(key: number): void {
    if (!this.#restoring) this.#keys.touch(key)
    const heap = this.#heap
    const at = (key + this.#payload) >>> 2
    const { memory } = heap
    const rows = memory.u32[at + count / 4]
    if (memory.u32[at + array / 4] === 0) {
      const made = heap.allocate(this.#keep * 4)
      memory.u32[at + array / 4] = made
    }
    const copy = rows === 0 ? 0 : heap.allocate(rows * 4)
    const { u32 } = memory
    const from = u32[at + array / 4] >>> 2
    for (let k = 0; k < rows; k++) u32[(copy >>> 2) + k] = u32[from + k]
    u32[at + oldArray / 4] = copy
    u32[at + oldCount / 4] = rows
  }

  /** Called by generated code when a row has been pushed out. */
  dropped(at: number, row: number): void {
    const { u32 } = this.#heap.memory
    const old = u32[at + oldArray / 4] >>> 2
    for (let k = 0; k < u32[at + oldCount / 4]; k++) {
      if (u32[old + k] !== row) continue
      // It is still to be taken back.
      this.#heap.freeLater(row, u32[row >>> 2])
      return
    }
    this.#heap.free(row, u32[row >>> 2])
  }
}

function compileOffer(layout: Layout, order: readonly FieldOrder[], payload: number, keep: number): Offer {
  const { fields } = layout
  const compare = compareInLoop(fields, order, 'entry')
  return generate(
    'offerRows',
    ['memory', 'heap', 'owner', 'columns', 'rows', 'keys', 'weights', 'epoch', 'list'],
    `${viewNames} let f64 = memory.f64;
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    let touched = 0, c = 0;
    for (let i = 0; i < rows; i++) {
      const key = u32[(keys >>> 2) + i], at = key + ${payload} >>> 2, n = u32[at + ${count / 4}];
      if (n === ${keep}) {
        const other = u32[(u32[at + ${array / 4}] >>> 2) + n - 1];
        ${compare}
        if (c >= 0) continue;
      }
      if (u32[(key >>> 2) + 1] !== epoch) {
        owner.remember(key);
        ${refreshViews} f64 = memory.f64;
        u32[(key >>> 2) + 1] = epoch;
        u32[(list >>> 2) + touched++] = key;
      }
      const all = u32[at + ${array / 4}] >>> 2;
      let place = 0, end = n, e = 0;
      while (place < end) {
        const middle = place + end >>> 1, other = u32[all + middle];
        ${compare}
        if (c === 0) { e = other; place = middle + 1; break; }
        if (c < 0) end = middle;
        else place = middle + 1;
      }
      const weight = weights === 0 ? 1 : i32[(weights >>> 2) + i];
      const more = weight < ${keep} - place ? weight : ${keep} - place;
      const after = n + more < ${keep} ? n + more : ${keep};
      for (let k = n - 1; k >= after - more; k--) {
        const row = u32[all + k];
        if (k === 0 || u32[all + k - 1] !== row) owner.dropped(at, row);
      }
      for (let k = after - 1; k >= place + more; k--) u32[all + k] = u32[all + k - more];
      if (e === 0) {
        const size = ${rowBytes(fields, layout.bytes)};
        e = heap.allocate(size);
        ${refreshViews} f64 = memory.f64;
        let tail = e + ${layout.bytes};
        u32[e >>> 2] = size;
        ${fields.map((field, k) => storeInlineCell(k, field)).join('\n')}
      }
      for (let k = place; k < place + more; k++) u32[all + k] = e;
      u32[at + ${count / 4}] = after;
    }
    return touched;`,
  )
}
