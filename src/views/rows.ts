import type { ColumnSchema } from '../data/sql-type.ts'
import { type Page, refOf, rowBits, rowMask } from './page.ts'

/**
 * Rows of a read or of a change, in order, by reference into immutable pages: nothing is copied and no object is
 * made per row. Columns of a page lie in `columns`' order.
 */
export class Rows {
  readonly columns: readonly ColumnSchema[]
  /** Entries: a row of weight n is one entry. */
  readonly length: number
  readonly pages: readonly Page[]
  /** Per entry a page and a row in it: page.ts's `refOf`. */
  readonly refs: Uint32Array
  /** Per entry its weight, never 0; null: all +1. */
  readonly weights: Int32Array | null

  constructor(columns: readonly ColumnSchema[], pages: readonly Page[], refs: Uint32Array, weights: Int32Array | null) {
    this.columns = columns
    this.length = refs.length
    this.pages = pages
    this.refs = refs
    this.weights = weights
  }

  /** Rows, each counted as often as it is there. */
  get count(): number {
    if (this.weights === null) return this.length
    let sum = 0
    for (const weight of this.weights) sum += weight
    return sum
  }

  /** Calls `each` for the entries from `from` up to `to`. */
  forEach(each: (page: Page, row: number, weight: number) => void, from = 0, to = this.length): void {
    for (let i = from; i < to; i++) {
      const ref = this.refs[i]
      each(this.pages[ref >>> rowBits], ref & rowMask, this.weights === null ? 1 : this.weights[i])
    }
  }
}

/** All rows of pages, in the order in which they lie there. */
export function allRows(columns: readonly ColumnSchema[], pages: readonly Page[]): Rows {
  let total = 0
  for (const page of pages) total += page.rows
  const refs = new Uint32Array(total)
  const weights = new Int32Array(total).fill(1)
  let at = 0
  pages.forEach((page, index) => {
    if (page.weights !== null) weights.set(page.weights, at)
    for (let row = 0; row < page.rows; row++) refs[at++] = refOf(index, row)
  })
  return new Rows(columns, pages, refs, weights.every((weight) => weight === 1) ? null : weights)
}
