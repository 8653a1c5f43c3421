import { storedBlockBytes } from './block-rows.ts'
import { firstNotBelow } from './hash-order.ts'
import { type BlockView, cellsOf, RowStore } from './row-store.ts'
import type { RunPart, RunSection } from './run-reader.ts'

export interface MergeOptions {
  /** Nothing lies below these runs, so that nothing has to be said about empty buckets. */
  readonly dropEmpty: boolean
  /** Only this section's rows are wanted. */
  readonly only?: number
  /** About how many bytes one step reads. */
  readonly stepBytes?: number
}

/** Where the merge stands in one section of one run. */
class Cursor {
  readonly section: RunSection
  /** The newest run is 0. */
  readonly age: number
  readonly number: number
  block = 0
  row = 0
  /** The block it stands in, once that was read. */
  #view: BlockView | null = null
  /** Taken by one block after the other: their rows are copied out. */
  #buffer = new ArrayBuffer(storedBlockBytes)

  constructor(section: RunSection, age: number, number: number) {
    this.section = section
    this.age = age
    this.number = number
  }

  get ended(): boolean {
    return this.block >= this.section.blocks
  }

  /** Puts the rows up to a hash, with it, into the store. */
  takeUpTo(store: RowStore, high: number, low: number): void {
    const { section } = this
    while (!this.ended) {
      const at = 2 * this.block
      if (this.row === 0 && above(section.first[at + 1], section.first[at], high, low)) return
      this.#view ??= this.#load()
      let to = section.rows[this.block]
      if (above(section.last[at + 1], section.last[at], high, low)) {
        to = lastNotAbove(this.#view, this.row, to, high, low)
        store.append(this.#view, this.row, to)
        this.row = to
        return
      }
      store.append(this.#view, this.row, to)
      this.block++
      this.row = 0
      this.#view = null
    }
  }

  #load(): BlockView {
    const { section, block } = this
    const bytes = section.bytes[block]
    if (bytes > this.#buffer.byteLength) this.#buffer = new ArrayBuffer(bytes)
    section.run.readBlock(section, block, new Uint8Array(this.#buffer, 0, bytes))
    const u32 = new Uint32Array(this.#buffer)
    return { u8: new Uint8Array(this.#buffer), u32, base: 0, rows: section.rows[block] }
  }
}

function above(h: number, l: number, high: number, low: number): boolean {
  return h > high || (h === high && l > low)
}

/** The first row whose hash is above the given one. */
function lastNotAbove(view: BlockView, from: number, to: number, high: number, low: number): number {
  const cells = cellsOf(view.u32, view.base, 0)
  if (low === 0xffffffff) {
    return high === 0xffffffff ? to : firstNotBelow(view.u32, cells, from, to, high + 1, 0)
  }
  return firstNotBelow(view.u32, cells, from, to, high, low + 1)
}

/**
 * Merges an arrangement's parts of several runs, a range of hashes at a time: per bucket the newest run wins, with
 * all it has of it. A step reads the range's rows of all runs into one store per section, and finds their order.
 */
export class RunMerge {
  /** After a step: the range's rows per section, and which of them stay, in order. */
  readonly stores: (RowStore | undefined)[] = []
  readonly orders: { rows: Uint32Array; count: number }[] = []
  /** After a step: the range's buckets (pairs of words). */
  buckets = new Uint32Array(2048)
  bucketCount = 0
  readonly #cursors: Cursor[] = []
  readonly #dropEmpty: boolean
  readonly #only: number | undefined
  readonly #ahead: number

  /** @param parts the newest first */
  constructor(parts: readonly RunPart[], { dropEmpty, only, stepBytes = 4 * 1024 * 1024 }: MergeOptions) {
    this.#dropEmpty = dropEmpty
    this.#only = only
    parts.forEach((part, age) => {
      part.sections.forEach((section, number) => {
        this.orders[number] ??= { rows: new Uint32Array(1024), count: 0 }
        if (section.blocks === 0) return
        this.stores[number] ??= new RowStore(section.lanes)
        this.#cursors.push(new Cursor(section, age, number))
      })
    })
    this.#ahead = Math.max(1, Math.floor(stepBytes / storedBlockBytes / Math.max(1, this.#cursors.length)))
  }

  /** Goes on to the next range. @returns false when there is none */
  next(): boolean {
    for (const store of this.stores) store?.clear()
    for (const order of this.orders) order.count = 0
    this.bucketCount = 0
    if (this.#cursors.every((cursor) => cursor.ended)) return false
    const [high, low] = this.#rangeEnd()
    const lists: List[] = []
    for (const cursor of this.#cursors) {
      const store = this.stores[cursor.number] as RowStore
      const from = store.rows
      cursor.takeUpTo(store, high, low)
      if (store.rows > from) lists.push({ cells: store.columns[0].cells, at: from, to: store.rows, cursor })
    }
    // A store may have moved its cells as it grew.
    for (const list of lists) list.cells = (this.stores[list.cursor.number] as RowStore).columns[0].cells
    this.#merge(lists)
    return true
  }

  /** A section's rows of the range in a store of their own. */
  ordered(section: number): RowStore {
    const { rows, count } = this.orders[section]
    const from = this.stores[section]
    const store = new RowStore(from?.columns.map(({ lane }) => lane) ?? [])
    if (from !== undefined) store.copy(from, rows, count)
    return store
  }

  /** Where the range ends: no section of a run has more than a few blocks up to there. */
  #rangeEnd(): [high: number, low: number] {
    let high = 0xffffffff
    let low = 0xffffffff
    for (const { section, block } of this.#cursors) {
      const at = block + this.#ahead
      if (at >= section.blocks) continue
      const h = section.last[2 * at + 1]
      const l = section.last[2 * at]
      if (above(h, l, high, low)) continue
      high = h
      low = l
    }
    return [high, low]
  }

  /** Walks all lists bucket by bucket. They are sorted by age, so the first that has a bucket is of the newest run. */
  #merge(lists: readonly List[]): void {
    const heads = new Float64Array(lists.length)
    const lows = new Float64Array(lists.length)
    for (let i = 0; i < lists.length; i++) lookAt(lists[i], heads, lows, i)
    for (;;) {
      let high = Number.POSITIVE_INFINITY
      let low = 0
      let newest = -1
      for (let i = 0; i < lists.length; i++) {
        const h = heads[i]
        if (h < high || (h === high && lows[i] < low)) {
          high = h
          low = lows[i]
          newest = i
        }
      }
      if (newest < 0) return
      this.#takeBucket(lists, newest, heads, lows, high, low)
    }
  }

  #takeBucket(
    lists: readonly List[],
    newest: number,
    heads: Float64Array,
    lows: Float64Array,
    high: number,
    low: number,
  ): void {
    const { age } = lists[newest].cursor
    let kept = false
    for (let i = newest; i < lists.length; i++) {
      if (heads[i] !== high || lows[i] !== low) continue
      const list = lists[i]
      const from = list.at
      const { cells } = list
      let at = from + 1
      while (at < list.to && cells[2 * at] === low && cells[2 * at + 1] === high) at++
      list.at = at
      const { number } = list.cursor
      if (list.cursor.age === age && !(number === 0 && this.#dropEmpty)) {
        kept = true
        if (this.#only === undefined || this.#only === number) this.#keep(number, from, at)
      }
      lookAt(list, heads, lows, i)
    }
    if (!kept) return
    if (2 * this.bucketCount === this.buckets.length) this.buckets = grown(this.buckets)
    this.buckets[2 * this.bucketCount] = low
    this.buckets[2 * this.bucketCount + 1] = high
    this.bucketCount++
  }

  #keep(section: number, from: number, to: number): void {
    const order = this.orders[section]
    for (let row = from; row < to; row++) {
      if (order.count === order.rows.length) order.rows = grown(order.rows)
      order.rows[order.count++] = row
    }
  }
}

/** The rows of a cursor's section that the range has, in its store. */
interface List {
  cells: Uint32Array
  at: number
  readonly to: number
  readonly cursor: Cursor
}

function lookAt(list: List, heads: Float64Array, lows: Float64Array, i: number): void {
  if (list.at === list.to) {
    heads[i] = Number.POSITIVE_INFINITY
    return
  }
  lows[i] = list.cells[2 * list.at]
  heads[i] = list.cells[2 * list.at + 1]
}

function grown(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(words.length * 2)
  larger.set(words)
  return larger
}
