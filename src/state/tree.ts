import type { Column } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Lane } from '../data/sql-type.ts'
import { compileCompare, compileCompareFresh, type FieldOrder } from './compare-code.ts'
import type { Heap } from './heap.ts'
import { type Layout, layoutOf } from './layout.ts'
import { compileLoad, type Load } from './load.ts'
import { declareColumn, generate, refreshViews, rowBytes, storeInlineCell, viewNames } from './row-code.ts'

/** A row's header: u32 left, u32 right, u32 bytes in all, i32 weight, f64 weight of its subtree. Its strings lie behind it. */
const rowHeader = 24
const left = 0
const right = 4
const rowSize = 8
const weight = 12
const subtree = 16

/**
 * The ordered side of an arrangement: rows of one key in a treap (Seidel and Aragon 1996) with the subtree's weight
 * in each node, so that inserting, retracting, and reaching the k-th row cost O(log n). A row's priority is a hash of its
 * address, so it is neither stored nor left to chance. The caller keeps each key's root.
 */
export class Tree {
  readonly layout: Layout
  readonly heap: Heap
  readonly #compare: (memory: LinearMemory, a: number, b: number) => number
  readonly #compareFresh: (memory: LinearMemory, columns: readonly Column[], i: number, b: number) => number
  readonly #make: (memory: LinearMemory, heap: Heap, columns: readonly Column[], i: number) => number
  readonly #load: Load
  /** Results of the last split. */
  #below = 0
  #above = 0
  count = 0

  constructor(heap: Heap, lanes: readonly Lane[], order: readonly FieldOrder[]) {
    this.heap = heap
    this.layout = layoutOf(lanes, rowHeader)
    const { fields } = this.layout
    this.#compare = compileCompare(fields, order)
    this.#compareFresh = compileCompareFresh(fields, order)
    this.#make = generate(
      'makeRow',
      ['memory', 'heap', 'columns', 'i'],
      `${viewNames}
      ${fields.map((_, k) => declareColumn(k)).join('\n')}
      const size = ${rowBytes(fields, this.layout.bytes)};
      const e = heap.allocate(size);
      ${refreshViews}
      let tail = e + ${this.layout.bytes};
      u32[e + ${rowSize} >>> 2] = size;
      ${fields.map((field, k) => storeInlineCell(k, field)).join('\n')}
      return e;`,
    )
    this.#load = compileLoad(fields)
  }

  /**
   * Adds `w` to the weight of the row, making it if it is not there. Rows whose weight becomes 0 stay until
   * `remove`, so that what was put out of them can still be read in this tick.
   * @returns the new root; the row is in `touched`
   */
  add(root: number, columns: readonly Column[], row: number, w: number): number {
    const { memory } = this.heap
    const made = this.#make(memory, this.heap, columns, row)
    const found = this.#find(root, made)
    if (found !== 0) {
      this.#discard(made)
      this.#adjust(root, found, w)
      this.touched = found
      return root
    }
    const { u32, i32, f64 } = memory
    u32[(made + left) >>> 2] = 0
    u32[(made + right) >>> 2] = 0
    i32[(made + weight) >>> 2] = w
    f64[(made + subtree) / 8] = w
    this.count++
    this.touched = made
    return this.#insert(root, made)
  }

  /** The row that the last `add` met. */
  touched = 0

  /** Takes a row out, whatever its weight. @returns the new root */
  remove(root: number, row: number): number {
    const result = this.#take(root, row)
    this.heap.freeLater(row, this.heap.memory.u32[(row + rowSize) >>> 2])
    this.count--
    return result
  }

  /** Frees all rows under a root. */
  clear(root: number): void {
    if (root === 0) return
    const { u32 } = this.heap.memory
    this.clear(u32[(root + left) >>> 2])
    this.clear(u32[(root + right) >>> 2])
    this.heap.freeLater(root, this.heap.memory.u32[(root + rowSize) >>> 2])
    this.count--
  }

  weightOf(row: number): number {
    return this.heap.memory.i32[(row + weight) >>> 2]
  }

  /** The last row of all, whatever its weight; the root must not be 0. */
  greatest(root: number): number {
    const { u32 } = this.heap.memory
    let node = root
    for (let next = u32[(node + right) >>> 2]; next !== 0; next = u32[(node + right) >>> 2]) node = next
    return node
  }

  /** Does row `row` of `columns` come behind a row of the tree? Nothing is kept. */
  isBehind(columns: readonly Column[], row: number, treeRow: number): boolean {
    return this.#compareFresh(this.heap.memory, columns, row, treeRow) > 0
  }

  /** Weight of all rows under a root. */
  total(root: number): number {
    return root === 0 ? 0 : this.heap.memory.f64[(root + subtree) / 8]
  }

  /** The first row with a positive weight, or 0. */
  first(root: number): number {
    if (root === 0) return 0
    const { u32, i32 } = this.heap.memory
    let node = root
    for (let next = u32[(node + left) >>> 2]; next !== 0; next = u32[(node + left) >>> 2]) node = next
    if (i32[(node + weight) >>> 2] > 0) return node
    // Rows without weight lie before it: rare, within a tick only.
    let found = 0
    this.visit(root, 0, (row) => {
      found = row
      return false
    })
    return found
  }

  /** The last row with a positive weight, or 0. */
  last(root: number): number {
    const total = this.total(root)
    let found = 0
    if (total > 0) {
      this.visit(root, total - 1, (row) => {
        found = row
        return false
      })
    }
    return found
  }

  /**
   * Visits rows in order, leaving out the first `skip` by weight.
   * @param visit gets the row and its weight (reduced for one that `skip` cuts); false ends the visit
   */
  visit(root: number, skip: number, visit: (row: number, weight: number) => boolean): void {
    this.#skip = skip
    this.#walk(root, visit)
  }

  #skip = 0

  #walk(node: number, visit: (row: number, weight: number) => boolean): boolean {
    if (node === 0) return true
    const { u32, i32, f64 } = this.heap.memory
    if (this.#skip > 0 && f64[(node + subtree) / 8] <= this.#skip) {
      this.#skip -= f64[(node + subtree) / 8]
      return true
    }
    if (!this.#walk(u32[(node + left) >>> 2], visit)) return false
    const own = i32[(node + weight) >>> 2]
    if (own > 0) {
      if (own > this.#skip) {
        const part = own - this.#skip
        this.#skip = 0
        if (!visit(node, part)) return false
      } else this.#skip -= own
    }
    return this.#walk(u32[(node + right) >>> 2], visit)
  }

  /** Compares two rows in the tree's order. */
  compare(a: number, b: number): number {
    return this.#compare(this.heap.memory, a, b)
  }

  load(arena: Arena, rows: number, count: number, fields?: readonly number[]): Column[] {
    return this.#load(arena, rows, count, fields)
  }

  /** Every row under a root, in order, also those without weight. */
  forEach(node: number, visit: (row: number) => void): void {
    if (node === 0) return
    this.forEach(this.heap.memory.u32[(node + left) >>> 2], visit)
    visit(node)
    this.forEach(this.heap.memory.u32[(node + right) >>> 2], visit)
  }

  #discard(row: number): void {
    this.heap.freeLater(row, this.heap.memory.u32[(row + rowSize) >>> 2])
  }

  #find(root: number, row: number): number {
    const { memory } = this.heap
    let node = root
    while (node !== 0) {
      const c = this.#compare(memory, row, node)
      if (c === 0) return node
      node = memory.u32[(node + (c < 0 ? left : right)) >>> 2]
    }
    return 0
  }

  #adjust(root: number, row: number, w: number): void {
    const { memory } = this.heap
    const { f64, u32, i32 } = memory
    let node = root
    for (;;) {
      f64[(node + subtree) / 8] += w
      if (node === row) break
      node = u32[(node + (this.#compare(memory, row, node) < 0 ? left : right)) >>> 2]
      if (node === 0) throw new Bug('a row that is not in its tree')
    }
    i32[(row + weight) >>> 2] += w
  }

  #insert(node: number, row: number): number {
    if (node === 0) return row
    const { memory } = this.heap
    const { u32 } = memory
    if (priorityOf(row) > priorityOf(node)) {
      this.#split(node, row)
      u32[(row + left) >>> 2] = this.#below
      u32[(row + right) >>> 2] = this.#above
      this.#sum(row)
      return row
    }
    const side = this.#compare(memory, row, node) < 0 ? left : right
    u32[(node + side) >>> 2] = this.#insert(u32[(node + side) >>> 2], row)
    this.#sum(node)
    return node
  }

  #split(node: number, row: number): void {
    if (node === 0) {
      this.#below = 0
      this.#above = 0
      return
    }
    const { u32 } = this.heap.memory
    if (this.#compare(this.heap.memory, node, row) < 0) {
      this.#split(u32[(node + right) >>> 2], row)
      u32[(node + right) >>> 2] = this.#below
      this.#sum(node)
      this.#below = node
    } else {
      this.#split(u32[(node + left) >>> 2], row)
      u32[(node + left) >>> 2] = this.#above
      this.#sum(node)
      this.#above = node
    }
  }

  #take(node: number, row: number): number {
    if (node === 0) throw new Bug('a row that is not in its tree')
    const { u32 } = this.heap.memory
    if (node === row) return this.#merge(u32[(node + left) >>> 2], u32[(node + right) >>> 2])
    const side = this.#compare(this.heap.memory, row, node) < 0 ? left : right
    u32[(node + side) >>> 2] = this.#take(u32[(node + side) >>> 2], row)
    this.#sum(node)
    return node
  }

  #merge(a: number, b: number): number {
    if (a === 0) return b
    if (b === 0) return a
    const { u32 } = this.heap.memory
    if (priorityOf(a) > priorityOf(b)) {
      u32[(a + right) >>> 2] = this.#merge(u32[(a + right) >>> 2], b)
      this.#sum(a)
      return a
    }
    u32[(b + left) >>> 2] = this.#merge(a, u32[(b + left) >>> 2])
    this.#sum(b)
    return b
  }

  #sum(node: number): void {
    const { u32, i32, f64 } = this.heap.memory
    const l = u32[(node + left) >>> 2]
    const r = u32[(node + right) >>> 2]
    f64[(node + subtree) / 8] =
      i32[(node + weight) >>> 2] + (l === 0 ? 0 : f64[(l + subtree) / 8]) + (r === 0 ? 0 : f64[(r + subtree) / 8])
  }
}

/** Spread like chance, the same in every run. */
function priorityOf(row: number): number {
  let h = Math.imul(row ^ (row >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}
