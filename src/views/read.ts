import { openBlock } from '../data/block.ts'
import { BlockBuilder } from '../data/block-builder.ts'
import { blockCells } from '../data/cell-access.ts'
import { Bug, MillraceError } from '../data/errors.ts'
import { readText } from '../data/ingest/cell-reader.ts'
import { sortRows } from '../data/sort.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Order } from '../plan/plan.ts'
import { Merge, type Source } from './merge.ts'
import type { Page } from './page.ts'
import type { Comparable, RowCompare, RowOrder } from './row-order.ts'
import { allRows, Rows } from './rows.ts'
import { mergeOf, type Run, rowsInOrder, stepRows } from './run.ts'
import type { Slices } from './slices.ts'
import { inMemory, openPages } from './stored-page.ts'
import type { Version, View } from './view.ts'

/** Columns that must equal the cells of the one row of `page`; its other columns don't matter. */
export interface Equality {
  readonly ordinals: readonly number[]
  readonly page: Comparable
}

/**
 * @param wanted values by ordinal, as text that PostgreSQL reads for the column's type; null is NULL
 * @throws MillraceError request/parameter for a text that the type can't be read from
 */
export function equalityOf(schema: readonly ColumnSchema[], wanted: ReadonlyMap<number, string | null>): Equality {
  const builder = new BlockBuilder(schema.map((column) => ({ ...column, nullable: true })))
  builder.beginRow()
  schema.forEach(({ name, type }, ordinal) => {
    const text = wanted.get(ordinal) ?? null
    const column = builder.columns[ordinal]
    const problem = text === null ? column.setNull(0) : readText(type, column, 0, text)
    if (typeof problem === 'string') throw new MillraceError('request/parameter', `${name}: ${problem}`)
  })
  builder.commitRow()
  const block = openBlock(builder.finish())
  return { ordinals: [...wanted.keys()], page: { memory: block.memory, columns: blockCells(block, schema.length) } }
}

export interface ReadPlan {
  readonly where: Equality | null
  /** Empty: the view's own. */
  readonly order: readonly Order[]
  /** Rows, each counted as often as it is there. */
  readonly limit: number | null
}

/** So many reads by the same columns scan; later ones find the columns sorted. */
const scansBeforeIndex = 2

/**
 * The rows of a view at a version, in order. Long work lets others run in between.
 * @throws MillraceError state/corrupt
 */
export async function readVersion(view: View, version: Version, plan: ReadPlan, slices: Slices): Promise<Rows> {
  const merge = await openRead(view, version, plan, slices)
  let most = plan.limit ?? Number.POSITIVE_INFINITY
  if (most === 0) return new Rows(view.definition.columns, [], new Uint32Array(0), null)
  let refs = new Uint32Array(Math.min(most, 1024))
  let weights = new Int32Array(refs.length)
  let filled = 0
  while (!merge.done && most > 0) {
    if (filled === refs.length) {
      refs = grown(refs, new Uint32Array(refs.length * 2))
      weights = grown(weights, new Int32Array(refs.length))
    }
    const from = filled
    filled = merge.fill(refs, weights, from, stepRows)
    for (let i = from; i < filled; i++) {
      if (weights[i] < 0) throw new Bug(`view ${view.definition.name} holds a row ${weights[i]} times`)
      if (weights[i] >= most) {
        weights[i] = most
        filled = i + 1
      }
      most -= weights[i]
    }
    if (merge.waits) await merge.ready()
    if (slices.due) await slices.pause()
  }
  return rowsOf(view, merge.pages, refs.slice(0, filled), weights.slice(0, filled))
}

function grown<A extends Uint32Array | Int32Array>(from: A, to: A): A {
  to.set(from)
  return to
}

export function rowsOf(view: View, pages: readonly Page[], refs: Uint32Array, weights: Int32Array): Rows {
  const plain = weights.every((weight) => weight === 1)
  return new Rows(view.definition.columns, pages, refs, plain ? null : weights)
}

/** A merge that yields the wanted rows in order. */
export async function openRead(view: View, version: Version, plan: ReadPlan, slices: Slices): Promise<Merge> {
  const { where } = plan
  if (where === null || where.ordinals.length === 0) {
    return mergeOf(version.runs, view.orderBy(plan.order), slices)
  }
  const order = plan.order.length === 0 ? view.definition.order : plan.order
  const columns = where.ordinals.map((column) => ({ column, descending: false, nullsFirst: false }))
  const access = view.orderBy([...columns, ...order])
  const compare = view.keyCompare(columns)
  const probe: Probe = { compare, page: where.page }
  if (access.id !== 0 && view.countUse(access) <= scansBeforeIndex) return scan(version, probe, access, slices)
  return lookUp(version, probe, access, slices)
}

interface Probe {
  /** By the wanted columns only. */
  readonly compare: RowCompare
  readonly page: Comparable
}

/** Looks at every row. */
async function scan(version: Version, probe: Probe, order: RowOrder, slices: Slices): Promise<Merge> {
  const sources: Source[] = []
  for (const run of version.runs) {
    for (let i = 0; i < run.pages.length; i++) {
      const page = inMemory(run.pages[i]) ?? (await openPages(run.pages, i))
      const found: number[] = []
      for (let row = 0; row < page.rows; row++) if (probe.compare(page, row, probe.page, 0) === 0) found.push(row)
      if (slices.due) await slices.pause()
      if (found.length === 0) continue
      sources.push({ pages: [page], rows: sortRows(page, order, Uint16Array.from(found)) })
    }
  }
  return new Merge(order, sources)
}

/** Searches each page in an order that begins with the wanted columns, so that its rows lie side by side there. */
async function lookUp(version: Version, probe: Probe, order: RowOrder, slices: Slices): Promise<Merge> {
  const sources: Source[] = []
  for (const run of version.runs) {
    const inOrder = order.id === 0 && run.inOrder
    for (let i = inOrder ? await firstPage(run, probe) : 0; i < run.pages.length; i++) {
      // Of a run in order hardly more than one page is looked at: none is read ahead.
      const page = inMemory(run.pages[i]) ?? (await openPages(inOrder ? [run.pages[i]] : run.pages, inOrder ? 0 : i))
      // A page that was read from disk does not know that its rows lie in order; the run does.
      const rows = inOrder ? null : rowsInOrder(page, order)
      const from = bound(page, rows, probe, 0)
      const to = bound(page, rows, probe, 1)
      if (from < to) {
        const found = rows === null ? Uint16Array.from({ length: to - from }, (_, k) => from + k) : rows.slice(from, to)
        sources.push({ pages: [page], rows: found })
      }
      if (inOrder && to < page.rows) break
      if (slices.due) await slices.pause()
    }
  }
  return new Merge(order, sources)
}

/** The first page of a run in order whose last row is not less than the probe. */
async function firstPage(run: Run, probe: Probe): Promise<number> {
  if (run.ends !== null) return bound(inMemory(run.ends) ?? (await openPages([run.ends], 0)), null, probe, 0)
  let low = 0
  let high = run.pages.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const page = inMemory(run.pages[middle]) ?? (await openPages([run.pages[middle]], 0))
    if (probe.compare(page, page.rows - 1, probe.page, 0) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The first place whose row is at least (0) or beyond (1) the probe. */
function bound(page: Page, rows: Uint16Array | null, probe: Probe, beyond: 0 | 1): number {
  let low = 0
  let high = page.rows
  while (low < high) {
    const middle = (low + high) >>> 1
    if (probe.compare(page, rows === null ? middle : rows[middle], probe.page, 0) < beyond) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The net change of some pages, in the order of arrival where nothing can cancel.
 * @param ticks how many ticks the pages are of: one tick's change is net already
 */
export async function netChange(view: View, pages: readonly Page[], ticks: number, slices: Slices): Promise<Rows> {
  if (ticks <= 1 || pages.every((page) => page.weights === null)) return allRows(view.definition.columns, pages)
  const merge = new Merge(
    view.order,
    pages.map((page) => ({ pages: [page], rows: rowsInOrder(page, view.order) })),
  )
  let total = 0
  for (const page of pages) total += page.rows
  const refs = new Uint32Array(total)
  const weights = new Int32Array(total)
  let filled = 0
  while (!merge.done) {
    filled = merge.fill(refs, weights, filled, stepRows)
    if (slices.due) await slices.pause()
  }
  return rowsOf(view, merge.pages, refs.slice(0, filled), weights.slice(0, filled))
}
