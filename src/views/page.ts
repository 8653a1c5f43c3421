import { batchRows, type Column } from '../data/batch.ts'
import { type Block, blockColumn, openBlock } from '../data/block.ts'
import { Bug } from '../data/errors.ts'
import type { MemoryViews } from '../data/memory.ts'
import { type ColumnSchema, laneWidth } from '../data/sql-type.ts'
import { gatherBlock } from './gather.ts'

/** Bits of a row's number within its page, in a reference: see `refOf`. */
export const rowBits = 14
export const rowMask = batchRows - 1

/**
 * An immutable block of a view's rows, opened: columns by ordinal, weights as an array, and the orders in which its
 * rows were already sorted.
 */
export interface Page {
  readonly memory: MemoryViews
  readonly bytes: number
  readonly rows: number
  readonly columns: readonly Column[]
  /** Null: all +1. */
  readonly weights: Int32Array | null
  /** Row numbers sorted by an order, by the order's id; null: the rows lie in that order. Made on demand. */
  readonly sorted: Map<number, Uint16Array | null>
}

/** A row among several pages: the page's index and the row's number in one unsigned integer. */
export function refOf(page: number, row: number): number {
  return ((page << rowBits) | row) >>> 0
}

const minusOnes = new Int32Array(batchRows).fill(-1)

/** The same rows with the opposite weights. What is known of the order of one holds for the other. */
export function negated(page: Page): Page {
  if (page.weights === null) return { ...page, weights: minusOnes.subarray(0, page.rows) }
  const weights = new Int32Array(page.rows)
  for (let row = 0; row < page.rows; row++) weights[row] = -page.weights[row]
  return { ...page, weights }
}

/** Some of a page's rows, as a page. */
export function slicePage(page: Page, from: number, to: number): Page {
  const { memory, weights } = page
  const columns = page.columns.map((column) => ({
    ...column,
    data: column.data + from * laneWidth(column.lane),
    state: column.state === 0 ? 0 : column.state + from,
  }))
  const bytes = Math.ceil((page.bytes * (to - from)) / page.rows)
  return { memory, bytes, rows: to - from, columns, weights: weights?.subarray(from, to) ?? null, sorted: new Map() }
}

/**
 * @param checked its checksum was found right: its texts are believed to lie inside
 * @throws MillraceError log/corrupt
 */
export function openPage(bytes: Uint8Array, schema: readonly ColumnSchema[], checked = false): Page {
  return pageOf(openBlock(bytes, checked), schema)
}

export function pageOf(block: Block, schema: readonly ColumnSchema[]): Page {
  const columns: Column[] = []
  for (let i = 0; i < schema.length; i++) {
    const column = block.columns.get(i)
    if (column === undefined) throw new Bug(`a view's block lacks its column ${schema[i].name}`)
    columns.push(column)
  }
  const weight = block.columns.get(blockColumn.weight)
  return {
    memory: block.memory,
    bytes: block.bytes.byteLength,
    rows: block.rows,
    columns,
    weights:
      weight === undefined ? null : block.memory.i32.subarray(weight.data >>> 2, (weight.data >>> 2) + block.rows),
    sorted: new Map(),
  }
}

/** A page of its own with the referred rows in the order given. */
export function gatherPage(
  pages: readonly Page[],
  refs: Uint32Array,
  weights: Int32Array | null,
  schema: readonly ColumnSchema[],
): Page {
  return openPage(gatherBlock(pages, refs, weights, schema), schema)
}
