import { type Page, refOf } from './page.ts'
import type { RowOrder } from './row-order.ts'
import { inMemory, type RunPage, readAhead, type StoredPage } from './stored-page.ts'

/**
 * Rows in order: one page, read through a list of its rows (null: as they lie), or pages one behind the other whose rows
 * lie in order, none of them twice.
 */
export interface Source {
  readonly pages: readonly RunPage[]
  readonly rows: Uint16Array | null
}

/**
 * Merges sorted sources and adds up the weights of equal rows; rows whose weights cancel are left out. Works in
 * steps, so that whoever drives it can let others run in between, and so that pages that lie on disk are read when it
 * comes to them: it waits for them where `waits` says so.
 */
export class Merge {
  /** Those that it has come to so far: what references point into. */
  readonly pages: Page[] = []
  readonly #order: RowOrder
  readonly #sources: readonly Source[]
  /** Per source where it stands. */
  readonly #part: Uint32Array
  readonly #at: Uint32Array
  /** Per source its page, where that is in `pages`, and its row right now. */
  readonly #page: Page[] = []
  readonly #index: Uint32Array
  readonly #row: Uint32Array
  /** Sources by their current rows, the least first: a binary heap. */
  readonly #heap: number[] = []
  /** Sources whose next page has to be read first. */
  #missing: number[] = []
  /** Pages that were waited for, by source. */
  readonly #ready = new Map<number, Page>()

  constructor(order: RowOrder, sources: readonly Source[]) {
    this.#order = order
    this.#sources = sources
    this.#part = new Uint32Array(sources.length)
    this.#at = new Uint32Array(sources.length)
    this.#index = new Uint32Array(sources.length)
    this.#row = new Uint32Array(sources.length)
    this.#take(sources.keys())
  }

  get done(): boolean {
    return this.#heap.length === 0 && this.#missing.length === 0
  }

  /** It can't go on before `ready`. */
  get waits(): boolean {
    return this.#missing.length > 0
  }

  /** Reads the pages that it waits for. @throws MillraceError state/corrupt */
  async ready(): Promise<void> {
    while (this.#missing.length > 0) {
      const missing = this.#missing
      const pages = await Promise.all(missing.map((index) => (this.#nextPage(index) as StoredPage).open()))
      this.#missing = []
      // They are held here: a cache that is too small for all of them may have forgotten the first by now.
      missing.forEach((source, i) => {
        this.#ready.set(source, pages[i])
      })
      this.#take(missing)
    }
  }

  /** Takes up sources that are not in the heap. */
  #take(sources: Iterable<number>): void {
    for (const i of sources) if (this.#load(i)) this.#heap.push(i)
    for (let i = (this.#heap.length >>> 1) - 1; i >= 0; i--) this.#sink(i)
  }

  #nextPage(index: number): RunPage {
    return this.#sources[index].pages[this.#part[index]]
  }

  /**
   * Writes net rows until `refs` is full, about `steps` rows were looked at, all are done or it has to wait.
   * @returns how far `refs` and `weights` are filled, having begun at `from`
   */
  fill(refs: Uint32Array, weights: Int32Array, from: number, steps: number): number {
    const heap = this.#heap
    let filled = from
    while (filled < refs.length && heap.length > 0 && steps > 0 && this.#missing.length === 0) {
      const first = heap[0]
      const page = this.#page[first]
      const row = this.#row[first]
      const ref = refOf(this.#index[first], row)
      let weight = page.weights === null ? 1 : page.weights[row]
      this.#advance()
      steps--
      // A source that has to wait had its last row of this kind: those behind are greater.
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

  /** Takes up the source's current row. @returns false at its end, or when its page has to be read first */
  #load(index: number): boolean {
    const { pages, rows } = this.#sources[index]
    for (;;) {
      const part = this.#part[index]
      if (part === pages.length) return false
      const at = this.#at[index]
      if (at === 0 && !this.#open(index, pages[part])) return false
      if (at < (rows === null ? this.#page[index].rows : rows.length)) {
        this.#row[index] = rows === null ? at : rows[at]
        return true
      }
      this.#part[index]++
      this.#at[index] = 0
    }
  }

  /** Comes to the source's next page. @returns false when that has to be read first */
  #open(index: number, next: RunPage): boolean {
    const page = this.#ready.get(index) ?? inMemory(next)
    this.#ready.delete(index)
    if (page === null) {
      this.#missing.push(index)
      return false
    }
    this.#page[index] = page
    this.#index[index] = this.pages.length
    this.pages.push(page)
    // Who comes to a second page is likely to want them all.
    if (this.#part[index] > 0) readAhead(this.#sources[index].pages[this.#part[index] + 1])
    return true
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
