import { batchRows } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import { sortRows } from '../data/sort.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { Merge, type Source } from './merge.ts'
import { gatherPage, type Page, refOf } from './page.ts'
import type { RowOrder } from './row-order.ts'
import type { Slices } from './slices.ts'
import { inMemory, openPages, type RunPage } from './stored-page.ts'

/** An immutable stretch of a view's changes: what one tick brought, or several merged. */
export interface Run {
  readonly pages: readonly RunPage[]
  /** Entries, whatever their weights. */
  readonly rows: number
  readonly bytes: number
  /** The pages' rows lie in the view's order, one page behind the other, each row once. */
  readonly inOrder: boolean
  /** Of a run in order that lies on disk: the last row of each page. */
  readonly ends: RunPage | null
}

/** @param ends the last row of each page, where looking at those themselves would mean to read them */
export function runOf(pages: readonly RunPage[], inOrder: boolean, ends: RunPage | null = null): Run {
  let rows = 0
  let bytes = 0
  for (const page of pages) {
    rows += page.rows
    bytes += page.bytes
  }
  return { pages, rows, bytes, inOrder, ends }
}

/** A page's rows in an order, sorted now if nobody has asked before. */
export function rowsInOrder(page: Page, order: RowOrder): Uint16Array | null {
  let rows = page.sorted.get(order.id)
  if (rows === undefined) {
    rows = sortRows(page, order, allRows(page.rows))
    page.sorted.set(order.id, rows)
  }
  return rows
}

function allRows(count: number): Uint16Array {
  const rows = new Uint16Array(count)
  for (let i = 0; i < count; i++) rows[i] = i
  return rows
}

/**
 * The rows of runs, ready to be merged: sorts what is not sorted yet; runs that lie in the order already are one source each.
 * @throws MillraceError state/corrupt
 */
export async function mergeOf(runs: readonly Run[], order: RowOrder, slices: Slices): Promise<Merge> {
  const sources: Source[] = []
  for (const run of runs) {
    if (run.inOrder && order.id === 0) {
      sources.push({ pages: run.pages, rows: null })
      continue
    }
    for (let i = 0; i < run.pages.length; i++) {
      const page = inMemory(run.pages[i]) ?? (await openPages(run.pages, i))
      sources.push({ pages: [page], rows: rowsInOrder(page, order) })
      if (slices.due) await slices.pause()
    }
  }
  const merge = new Merge(order, sources)
  if (merge.waits) await merge.ready()
  return merge
}

/** Rows looked at between two looks at the clock. */
export const stepRows = 2048

/** One run of the net rows of several, in the view's order. */
export async function mergeRuns(
  runs: readonly Run[],
  order: RowOrder,
  schema: readonly ColumnSchema[],
  slices: Slices,
): Promise<Run> {
  if (order.id !== 0) throw new Bug('runs are merged in the view’s own order')
  const merge = await mergeOf(runs, order, slices)
  const merged: Page[] = []
  while (!merge.done) {
    const refs = new Uint32Array(batchRows)
    const weights = new Int32Array(batchRows)
    let filled = 0
    while (!merge.done && filled < batchRows) {
      filled = merge.fill(refs, weights, filled, stepRows)
      if (merge.waits) await merge.ready()
      if (slices.due) await slices.pause()
    }
    if (filled === 0) continue
    const page = gatherPage(merge.pages, refs.subarray(0, filled), weights.subarray(0, filled), schema)
    page.sorted.set(order.id, null)
    merged.push(page)
    if (slices.due) await slices.pause()
  }
  return runOf(merged, true)
}

/** One run of several that hold no negative weight: full pages are kept, small ones are packed together. */
export async function packRuns(runs: readonly Run[], schema: readonly ColumnSchema[], slices: Slices): Promise<Run> {
  const packed: RunPage[] = []
  let small: Page[] = []
  let smallRows = 0
  const flush = (): void => {
    if (small.length === 1) packed.push(small[0])
    else if (small.length > 1) packed.push(packPages(small, smallRows, schema))
    small = []
    smallRows = 0
  }
  const pages = runs.flatMap((run) => run.pages)
  for (const [i, next] of pages.entries()) {
    if (next.rows > batchRows / 2) {
      packed.push(next)
      continue
    }
    const page = inMemory(next) ?? (await openPages(pages, i))
    if (smallRows + page.rows > batchRows) flush()
    small.push(page)
    smallRows += page.rows
    if (slices.due) await slices.pause()
  }
  flush()
  return runOf(packed, false)
}

/** One page with the rows of several, at most a batch of them, one behind the other. */
export function packPages(pages: readonly Page[], rows: number, schema: readonly ColumnSchema[]): Page {
  const refs = new Uint32Array(rows)
  const weights = pages.some((page) => page.weights !== null) ? new Int32Array(rows).fill(1) : null
  let at = 0
  pages.forEach((page, index) => {
    if (page.weights !== null) weights!.set(page.weights, at)
    for (let row = 0; row < page.rows; row++) refs[at++] = refOf(index, row)
  })
  return gatherPage(pages, refs, weights, schema)
}
