import { compileComparator, compileKeyComparator, completeOrder, type RowSet } from '../data/compare.ts'
import type { MemoryViews } from '../data/memory.ts'
import type { SortOrder } from '../data/sort.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Order } from '../plan/plan.ts'

/** Rows that can be compared: a page's, or those of one that was built to compare with. */
export interface Comparable extends RowSet {
  readonly memory: MemoryViews
}

/** Compares row `i` of one page with row `j` of another: negative, zero or positive. */
export type RowCompare = (a: Comparable, i: number, b: Comparable, j: number) => number

/** A total order of a view's rows: equal means the same row. */
export interface RowOrder extends SortOrder {
  /** Under which a page remembers how its rows lie in it: 0 is the view's own order. */
  readonly id: number
  /** The keys asked for, then all other columns ascending, NULL last. */
  readonly keys: readonly Order[]
  readonly compare: RowCompare
}

/** @param id unique among the orders that a page meets */
export function rowOrder(id: number, order: readonly Order[], schema: readonly ColumnSchema[]): RowOrder {
  const comparator = compileComparator(schema, order)
  return {
    id,
    schema,
    keys: completeOrder(schema, order),
    comparator,
    compare: (a, i, b, j) => comparator(a.memory, a, i, b.memory, b, j),
  }
}

/** Compares by these keys alone. */
export function keyCompare(keys: readonly Order[], schema: readonly ColumnSchema[]): RowCompare {
  const compare = compileKeyComparator(schema, keys)
  return (a, i, b, j) => compare(a.memory, a, i, b.memory, b, j)
}

/** The same for the same order only. */
export function orderName(order: readonly Order[], schema: readonly ColumnSchema[]): string {
  const names = completeOrder(schema, order).map(
    (key) => `${key.column}${key.descending ? 'd' : ''}${key.nullsFirst ? 'n' : ''}`,
  )
  return names.join()
}
