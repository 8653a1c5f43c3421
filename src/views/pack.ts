import type { ColumnSchema } from '../data/sql-type.ts'
import { type Page, slicePage } from './page.ts'
import { packPages } from './run.ts'

/** What keeping a tick with pages of its own costs beside their bytes, and one among others in a page. */
export const looseBytes = 2048
const changeBytes = 96

/** One tick's net change of a view. */
export interface RetainedChange {
  readonly tick: number
  readonly timeMicros: bigint
  readonly pages: readonly Page[]
  /** By how much the view's rows and error rows became more. */
  readonly rows: number
  readonly errors: number
}

/** Several ticks whose rows lie behind each other in one page, or one tick with pages of its own. Immutable. */
export interface Pack {
  readonly changes: readonly Omit<RetainedChange, 'pages'>[]
  readonly pages: readonly Page[]
  /** Of several ticks: where each one's rows begin. */
  readonly starts: Uint32Array | null
  readonly lastTick: number
  readonly lastMicros: bigint
  /** Of all its changes. */
  readonly rows: number
  readonly errors: number
  readonly bytes: number
}

export const released: Pack = {
  changes: [],
  pages: [],
  starts: null,
  lastTick: 0,
  lastMicros: 0n,
  rows: 0,
  errors: 0,
  bytes: 0,
}

/** One of neighbours that are one tick each, and together have no more rows than a page. */
export function packOf(loose: readonly Pack[], schema: readonly ColumnSchema[]): Pack {
  if (loose.length === 1) return loose[0]
  const starts = new Uint32Array(loose.length)
  let row = 0
  loose.forEach((pack, i) => {
    starts[i] = row
    for (const { rows } of pack.pages) row += rows
  })
  const pages = loose.flatMap((pack) => pack.pages)
  const page = pages.length === 0 ? [] : [packPages(pages, row, schema)]
  let bytes = loose.length * changeBytes + looseBytes
  for (const one of page) bytes += one.bytes
  const changes = loose.flatMap((pack) => pack.changes)
  const { lastTick, lastMicros } = loose[loose.length - 1]
  const { rows, errors } = sumOf(changes, 0)
  return { changes, pages: page, starts, lastTick, lastMicros, rows, errors, bytes }
}

export function sumOf(changes: Pack['changes'], from: number): { readonly rows: number; readonly errors: number } {
  let rows = 0
  let errors = 0
  for (let i = from; i < changes.length; i++) {
    rows += changes[i].rows
    errors += changes[i].errors
  }
  return { rows, errors }
}

/** How many changes are not after a tick. */
export function countThrough(changes: Pack['changes'], tick: number): number {
  let low = 0
  for (let high = changes.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (changes[middle].tick <= tick) low = middle + 1
    else high = middle
  }
  return low
}

/** The rows of some of a pack's ticks. */
export function partOf({ pages, starts, changes }: Pack, from: number, to: number): readonly Page[] {
  if (starts === null || pages.length === 0 || (from === 0 && to === changes.length)) return pages
  const start = starts[from]
  const end = to === changes.length ? pages[0].rows : starts[to]
  return start === end ? [] : [slicePage(pages[0], start, end)]
}
