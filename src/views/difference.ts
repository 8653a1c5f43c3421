import type { ColumnSchema } from '../data/sql-type.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { negated, type Page, refOf, rowBits, rowMask } from './page.ts'
import { orderName, rowOrder } from './row-order.ts'
import { Rows } from './rows.ts'
import { mergeOf, type Run, runOf, stepRows } from './run.ts'
import type { Slices } from './slices.ts'
import { StoredPage } from './stored-page.ts'
import type { Version } from './view.ts'

/** A view at one tick, for as long as somebody holds it. */
export interface PinnedView {
  readonly definition: ViewDefinition
  readonly version: Version
}

/** In what the rows of two views differ. Rows are counted as often as they are there. */
export interface ChangedRows {
  readonly added: number
  readonly removed: number
  /** The first of them in the later view's order, with weights: negative where rows are removed. */
  readonly rows: Rows
}

/**
 * Compares the rows of two views of the same columns: the old ones are taken back from the new ones, and what is left
 * over differs. Long work lets others run in between.
 * @param most differing rows listed at most, of whatever weight
 * @throws the signal's reason
 */
export async function compareRows(
  before: PinnedView,
  after: PinnedView,
  most: number,
  slices: Slices,
  signal: AbortSignal,
): Promise<ChangedRows> {
  const old = before.definition
  const { columns, order } = after.definition
  const common = rowOrder(0, order, columns)
  const alike = orderName(old.order, old.columns) === orderName(order, columns)
  const taken = before.version.runs.map((run) => takenBack(run, alike))
  const merge = await mergeOf([...after.version.runs, ...taken], common, slices)
  const refs = new Uint32Array(stepRows)
  const weights = new Int32Array(stepRows)
  const kept = new Kept(columns, most)
  let added = 0
  let removed = 0
  while (!merge.done) {
    const filled = merge.fill(refs, weights, 0, stepRows)
    for (let i = 0; i < filled; i++) {
      if (weights[i] > 0) added += weights[i]
      else removed -= weights[i]
      kept.add(merge.pages, refs[i], weights[i])
    }
    if (merge.waits) await merge.ready()
    if (slices.due) await slices.pause()
    signal.throwIfAborted()
  }
  return { added, removed, rows: kept.rows() }
}

/** A run with the opposite weights. @param alike its pages lie, and were sorted, in the order that is asked for */
function takenBack(run: Run, alike: boolean): Run {
  const back = (page: Page): Page => negated(alike ? page : { ...page, sorted: new Map() })
  const pages = run.pages.map((page) =>
    page instanceof StoredPage
      ? new StoredPage(page.rows, page.bytes, [], {
          file: { read: () => page.open().then(back), cache: page.place.file.cache },
          page: 0,
        })
      : back(page),
  )
  return runOf(pages, run.inOrder && alike)
}

/** The first rows, and no page that none of them is in. */
class Kept {
  readonly #columns: readonly ColumnSchema[]
  readonly #most: number
  readonly #indexes = new Map<Page, number>()
  readonly #refs: number[] = []
  readonly #weights: number[] = []

  constructor(columns: readonly ColumnSchema[], most: number) {
    this.#columns = columns
    this.#most = most
  }

  add(pages: readonly Page[], ref: number, weight: number): void {
    if (this.#refs.length >= this.#most) return
    const page = pages[ref >>> rowBits]
    const index = this.#indexes.get(page) ?? this.#indexes.size
    this.#indexes.set(page, index)
    this.#refs.push(refOf(index, ref & rowMask))
    this.#weights.push(weight)
  }

  rows(): Rows {
    return new Rows(
      this.#columns,
      [...this.#indexes.keys()],
      Uint32Array.from(this.#refs),
      Int32Array.from(this.#weights),
    )
  }
}
