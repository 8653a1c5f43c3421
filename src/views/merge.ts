import { type Page, refOf } from './page.ts'
import type { RowOrder } from './row-order.ts'

/** Rows in order: pages one behind the other, each read through its own list of rows (null: as they lie). */
export interface Source {
  readonly pages: readonly number[]
  readonly rows: readonly (Uint16Array | null)[]
}

/**
 * Merges sorted sources and adds up the weights of equal rows; rows whose weights cancel are left out. Works in
 * steps, so that whoever drives it can let others run in between.
 */
export class Merge {
  readonly pages: readonly Page[]
  readonly #order: RowOrder
  readonly #sources: readonly Source[]
  /** Per source where it stands. */
  readonly #part: Uint32Array
  readonly #at: Uint32Array
  /** Per source its page and row right now. */
  readonly #page: Page[] = []
  readonly #row: Uint32Array
  /** Sources by their current rows, the least first: a binary heap. */
  readonly #heap: number[] = []

  constructor(order: RowOrder, pages: readonly Page[], sources: readonly Source[]) {
    this.#order = order
    this.pages = pages
    this.#sources = sources
    this.#part = new Uint32Array(sources.length)
    this.#at = new Uint32Array(sources.length)
    this.#row = new Uint32Array(sources.length)
    for (let i = 0; i < sources.length; i++) if (this.#load(i)) this.#heap.push(i)
    for (let i = (this.#heap.length >>> 1) - 1; i >= 0; i--) this.#sink(i)
  }

  get done(): boolean {
    return this.#heap.length === 0
  }

  /**
   * Writes net rows until `refs` is full, about `steps` rows were looked at or all are done.
   * @returns how far `refs` and `weights` are filled, having begun at `from`
   */
  fill(refs: Uint32Array, weights: Int32Array, from: number, steps: number): number {
    const heap = this.#heap
    let filled = from
    while (filled < refs.length && heap.length > 0 && steps > 0) {
      const first = heap[0]
      const page = this.#page[first]
      const row = this.#row[first]
      const source = this.#sources[first]
      const ref = refOf(source.pages[this.#part[first]], row)
      let weight = page.weights === null ? 1 : page.weights[row]
      this.#advance()
      steps--
      while (heap.length > 0) {
        const next = heap[0]
        const nextPage = this.#page[next]
        const nextRow = this.#row[next]
        if (this.#order.compare(page, row, nextPage, nextRow) !== 0) break
        weight += nextPage.weights === null ? 1 : nextPage.weights[nextRow]
        this.#advance()
        steps--
      }
      if (weight === 0) continue
      refs[filled] = ref
      weights[filled++] = weight
    }
    return filled
  }

  #advance(): void {
    const heap = this.#heap
    const first = heap[0]
    this.#at[first]++
    if (!this.#load(first)) {
      const last = heap.pop()!
      if (heap.length === 0) return
      heap[0] = last
    }
    if (heap.length > 1) this.#sink(0)
  }

  /** Takes up the source's current row. @returns false at its end */
  #load(index: number): boolean {
    const { pages, rows } = this.#sources[index]
    for (;;) {
      const part = this.#part[index]
      if (part === pages.length) return false
      const page = this.pages[pages[part]]
      const list = rows[part]
      const at = this.#at[index]
      if (at < (list === null ? page.rows : list.length)) {
        this.#page[index] = page
        this.#row[index] = list === null ? at : list[at]
        return true
      }
      this.#part[index]++
      this.#at[index] = 0
    }
  }

  #sink(at: number): void {
    const heap = this.#heap
    const item = heap[at]
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#less(heap[child + 1], heap[child])) child++
      if (!this.#less(heap[child], item)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = item
  }

  #less(a: number, b: number): boolean {
    return this.#order.compare(this.#page[a], this.#row[a], this.#page[b], this.#row[b]) < 0
  }
}
