import type { Column } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import type { Heap } from './heap.ts'
import { type Layout, layoutOf } from './layout.ts'
import { compileLoad, type Load } from './load.ts'
import {
  declareColumn,
  equalCell,
  generate,
  hashCell,
  hashFinish,
  refreshViews,
  rowBytes,
  storeInlineCell,
  viewNames,
} from './row-code.ts'
import type { Table } from './table.ts'

/**
 * A row's header: u32 next and u32 previous of its key's list, i32 weight, u32 hash of the row, u32 its key's entry,
 * u32 bytes in all. Its strings lie behind it.
 */
const rowHeader = 24
const next = 0
const previous = 4
export const rowWeightOffset = 8
const rowHash = 12
export const rowKeyOffset = 16
const rowSize = 20

type Insert = (
  memory: LinearMemory,
  heap: Heap,
  bag: Bag,
  columns: readonly Column[],
  rows: number,
  keys: number,
  weights: number,
) => void

/**
 * An arrangement's head for lookups by key: each key has the list of its rows, each row a weight. Rows of an input
 * that retracts are also found by content, through an index of their own, so that a retraction costs the same under
 * a hot key as under a cold one; an append-only input does without.
 */
export class Bag {
  readonly heap: Heap
  readonly keys: Table
  readonly layout: Layout
  /** Offset, within a key's entry, of u32 first row; i32 number of rows follows. */
  readonly firstOffset: number
  /** Rows with a weight other than 0. */
  count = 0
  /** Slots of the index by content: u32 row addresses, only when the input retracts. */
  index = 0
  indexMask = 0
  readonly #retracts: boolean
  readonly #insert: Insert
  readonly #load: Load
  /** Rows whose weight fell to 0 in this tick: they are taken out at its end. */
  #emptied: number[] = []

  /**
   * @param keys the keys' table, which several bags may share
   * @param firstOffset where in an entry's payload this bag has 8 bytes of its own
   * @param retracts whether weights below 0 can come
   */
  constructor(keys: Table, firstOffset: number, rowLanes: readonly Lane[], retracts: boolean) {
    this.heap = keys.heap
    this.keys = keys
    this.firstOffset = firstOffset
    this.layout = layoutOf(rowLanes, rowHeader)
    this.#retracts = retracts
    this.#load = compileLoad(this.layout.fields)
    this.#insert = compileInsert(this.layout, retracts)
    if (retracts) this.#newIndex(16)
  }

  /**
   * Adds rows under keys that were located (or made) before.
   * @param keys address of `rows` u32 key entries, 0: leave the row out
   */
  add(columns: readonly Column[], rows: number, keys: number, weights: number): void {
    this.#insert(this.heap.memory, this.heap, this, columns, rows, keys, weights)
  }

  /** The key's first row, 0 if it has none; a row's next one by `following`. */
  first(key: number): number {
    return this.heap.memory.u32[(key + this.firstOffset) >>> 2]
  }

  /** How many rows the key has. */
  rowsOf(key: number): number {
    return this.heap.memory.i32[(key + this.firstOffset + 4) >>> 2]
  }

  following(row: number): number {
    return this.heap.memory.u32[(row + next) >>> 2]
  }

  load(arena: Arena, rows: number, count: number, fields?: readonly number[]): Column[] {
    return this.#load(arena, rows, count, fields)
  }

  /** Called by generated code when a row's weight has become 0. */
  emptied(row: number): void {
    this.#emptied.push(row)
  }

  /**
   * Takes out rows whose weight is 0.
   * @param left is told each key that is left without a row
   */
  endTick(left: (key: number) => void): void {
    const { i32, u32 } = this.heap.memory
    const emptied = this.#emptied
    if (emptied.length === 0) return
    this.#emptied = []
    for (const row of emptied) {
      // A row emptied twice, or filled again since, is met here too.
      if (i32[(row + rowWeightOffset) >>> 2] !== 0 || u32[(row + rowKeyOffset) >>> 2] === 0) continue
      const key = u32[(row + rowKeyOffset) >>> 2]
      this.#unlink(key, row)
      u32[(row + rowKeyOffset) >>> 2] = 0
      this.heap.freeLater(row, this.heap.memory.u32[(row + rowSize) >>> 2])
      this.count--
      if (u32[(key + this.firstOffset) >>> 2] === 0) left(key)
    }
  }

  /** Takes out all rows of a key. */
  removeRows(key: number): void {
    let row = this.first(key)
    while (row !== 0) {
      const after = this.following(row)
      if (this.#retracts) this.#unindex(row)
      this.heap.memory.u32[(row + rowKeyOffset) >>> 2] = 0
      this.heap.freeLater(row, this.heap.memory.u32[(row + rowSize) >>> 2])
      this.count--
      row = after
    }
    const { u32 } = this.heap.memory
    u32[(key + this.firstOffset) >>> 2] = 0
    u32[(key + this.firstOffset + 4) >>> 2] = 0
  }

  #unlink(key: number, row: number): void {
    const { u32, i32 } = this.heap.memory
    const after = u32[(row + next) >>> 2]
    const before = u32[(row + previous) >>> 2]
    if (before === 0) u32[(key + this.firstOffset) >>> 2] = after
    else u32[(before + next) >>> 2] = after
    if (after !== 0) u32[(after + previous) >>> 2] = before
    i32[(key + this.firstOffset + 4) >>> 2]--
    if (this.#retracts) this.#unindex(row)
  }

  #unindex(row: number): void {
    const { u32 } = this.heap.memory
    const slots = this.index >>> 2
    const mask = this.indexMask
    let slot = u32[(row + rowHash) >>> 2] & mask
    while (u32[slots + slot] !== row) {
      if (u32[slots + slot] === 0) throw new Bug('a row that is not in its index')
      slot = (slot + 1) & mask
    }
    let gap = slot
    for (let probe = (gap + 1) & mask; u32[slots + probe] !== 0; probe = (probe + 1) & mask) {
      const home = u32[(u32[slots + probe] + rowHash) >>> 2] & mask
      if (((probe - home) & mask) >= ((probe - gap) & mask)) {
        u32[slots + gap] = u32[slots + probe]
        gap = probe
      }
    }
    u32[slots + gap] = 0
  }

  #newIndex(size: number): void {
    this.index = this.heap.allocate(size * 4)
    this.heap.memory.kernels.clearBytes(this.index, size * 4)
    this.indexMask = size - 1
  }

  /** Called by generated code when the index by content is two thirds full. */
  growIndex(): void {
    const old = this.index
    const size = this.indexMask + 1
    this.#newIndex(size * 2)
    const { u32 } = this.heap.memory
    for (let i = 0; i < size; i++) {
      const row = u32[(old >>> 2) + i]
      if (row === 0) continue
      let slot = u32[(row + rowHash) >>> 2] & this.indexMask
      while (u32[(this.index >>> 2) + slot] !== 0) slot = (slot + 1) & this.indexMask
      u32[(this.index >>> 2) + slot] = row
    }
    this.heap.free(old, size * 4)
  }
}

function compileInsert(layout: Layout, retracts: boolean): Insert {
  const { fields } = layout
  const equal = ['true', ...fields.map((field, k) => equalCell(k, field))].join(' && ')
  const find = retracts
    ? `let h = Math.imul(key, 0x9e3779b1);
      ${fields.map((field, k) => hashCell(k, field)).join('\n')}
      ${hashFinish}
      h = h >>> 0;
      let slots = bag.index >>> 2, slot = h & bag.indexMask;
      for (;;) {
        e = u32[slots + slot];
        if (e === 0) break;
        if (u32[e + ${rowHash} >>> 2] === h && u32[e + ${rowKeyOffset} >>> 2] === key && ${equal}) break;
        slot = (slot + 1) & bag.indexMask;
      }
      if (e !== 0) {
        const now = i32[e + ${rowWeightOffset} >>> 2] + w;
        if (now > 0x7fffffff || now < -0x80000000) throw new RangeError('a weight beyond 32 bits');
        i32[e + ${rowWeightOffset} >>> 2] = now;
        if (now === 0) bag.emptied(e);
        continue;
      }`
    : ''
  const enter = retracts
    ? `u32[e + ${rowHash} >>> 2] = h;
      u32[slots + slot] = e;
      if ((bag.count + 1) * 3 > bag.indexMask * 2) { bag.growIndex(); ${refreshViews} }`
    : ''
  return generate(
    'insertRows',
    ['memory', 'heap', 'bag', 'columns', 'rows', 'keys', 'weights'],
    `${viewNames}
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    const first = bag.firstOffset;
    for (let i = 0; i < rows; i++) {
      const key = u32[(keys >>> 2) + i];
      if (key === 0) continue;
      const w = weights === 0 ? 1 : i32[(weights >>> 2) + i];
      let e = 0;
      ${find}
      const size = ${rowBytes(fields, layout.bytes)};
      e = heap.allocate(size);
      ${refreshViews}
      let tail = e + ${layout.bytes};
      u32[e + ${rowSize} >>> 2] = size;
      const head = u32[key + first >>> 2];
      u32[e + ${next} >>> 2] = head;
      u32[e + ${previous} >>> 2] = 0;
      i32[e + ${rowWeightOffset} >>> 2] = w;
      u32[e + ${rowKeyOffset} >>> 2] = key;
      if (head !== 0) u32[head + ${previous} >>> 2] = e;
      u32[key + first >>> 2] = e;
      i32[key + first + 4 >>> 2]++;
      ${fields.map((field, k) => storeInlineCell(k, field)).join('\n')}
      ${enter}
      bag.count++;
    }`,
  )
}
