/** Rows kept in order while changes are added to them. */
import type { WireRow } from 'millrace/client'
import type { ColumnInfo } from '../ask/catalog.ts'
import { type Compare, comparator } from './order.ts'

export interface HeldRow {
  /** The row's own text: equal rows are one. */
  readonly key: string
  readonly row: WireRow
  weight: number
  /** When it came in by a change, on the page's clock; 0: it was there from the start. */
  readonly litAt: number
  /** Columns in which it differs from the row whose place it took; null: a row of its own. */
  readonly changed: ReadonlySet<string> | null
}

type BagColumns = readonly Pick<ColumnInfo, 'name' | 'type'>[]

interface Change {
  readonly row: WireRow
  readonly weight: number
}

/** More changes at once than this are not worth comparing for what to light up. */
const mostCompared = 400

/** A few changes find their places by halving; many are put in order together. */
const fewShare = 0.05

export class Bag {
  readonly #columns: BagColumns
  readonly #rows = new Map<string, HeldRow>()
  #compare: Compare
  #sorted: HeldRow[] = []
  /** Each row as often as it is there. */
  size = 0

  constructor(columns: BagColumns, order: readonly string[]) {
    this.#columns = columns
    this.#compare = comparator(columns, order)
  }

  /** In order; a row that is there several times stands once. */
  get rows(): readonly HeldRow[] {
    return this.#sorted
  }

  clear(): void {
    this.#rows.clear()
    this.#sorted = []
    this.size = 0
  }

  reorder(order: readonly string[]): void {
    this.#compare = comparator(this.#columns, order)
    this.#sorted.sort((a, b) => this.#compare(a.row, b.row))
  }

  /** @param at the page's clock, or 0 for rows that are no news */
  apply(changes: readonly Change[], at: number): void {
    const gone: WireRow[] = []
    const come: HeldRow[] = []
    const left = new Set<HeldRow>()
    for (const { row, weight } of changes) if (weight < 0) gone.push(row)
    const compared = at > 0 && changes.length <= mostCompared
    for (const { row, weight } of changes) {
      const key = JSON.stringify(row)
      const held = this.#rows.get(key)
      this.size += weight
      if (held !== undefined) {
        held.weight += weight
        if (held.weight === 0) {
          this.#rows.delete(key)
          left.add(held)
        }
        continue
      }
      const changed = compared && weight > 0 ? changedColumns(this.#columns, row, gone) : null
      const made: HeldRow = { key, row, weight, litAt: at, changed }
      this.#rows.set(key, made)
      come.push(made)
    }
    this.#place(
      left,
      come.filter(({ weight }) => weight !== 0),
    )
  }

  #place(left: ReadonlySet<HeldRow>, come: readonly HeldRow[]): void {
    const byOrder = (a: HeldRow, b: HeldRow): number => this.#compare(a.row, b.row)
    if (left.size + come.length > 16 + this.#sorted.length * fewShare) {
      const kept = left.size === 0 ? this.#sorted : this.#sorted.filter((held) => !left.has(held))
      this.#sorted = [...kept, ...come].sort(byOrder)
      return
    }
    // A new array each time: who holds the old one sees that something changed.
    const sorted = this.#sorted.slice()
    for (const held of left) {
      const at = placeOf(sorted, held, byOrder)
      if (sorted[at] === held) sorted.splice(at, 1)
      else sorted.splice(sorted.indexOf(held), 1)
    }
    for (const held of come) sorted.splice(placeOf(sorted, held, byOrder), 0, held)
    this.#sorted = sorted
  }
}

function placeOf(sorted: readonly HeldRow[], held: HeldRow, compare: (a: HeldRow, b: HeldRow) => number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(sorted[middle], held) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Which columns of a row are new, by the row among those gone that is most like it; null where there is none. */
export function changedColumns(
  columns: readonly Pick<ColumnInfo, 'name'>[],
  row: WireRow,
  gone: readonly WireRow[],
): ReadonlySet<string> | null {
  let best: ReadonlySet<string> | null = null
  for (const old of gone) {
    const changed = new Set<string>()
    for (const { name } of columns) if (!same(old[name], row[name])) changed.add(name)
    if (changed.size === columns.length || (best !== null && changed.size >= best.size)) continue
    best = changed
  }
  return best
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))
}
