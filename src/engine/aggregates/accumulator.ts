import type { Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { Hanging } from '../../state/columns.ts'

/**
 * What a group keeps for one or more aggregate calls over the same values. It gets values only: without NULLs,
 * without errors, those that FILTER lets through. The bytes at `offset` start as zeros. How many values there are
 * is counted once for all accumulators of a feed (feeds.ts), and handed to `finish`.
 */
export interface Accumulator {
  /** Bytes of payload per group, a multiple of 8. */
  readonly bytes: number
  /** Set by the aggregate: offset of the payload within an entry. */
  offset: number
  /**
   * JavaScript that adds one value, in the loop that all of an aggregate's calls share: `e` is the group's entry, `w`
   * the weight and `v` the value as a double; for the lane i64 `hi` and `lo` are its words, and `v` is exact where
   * −2^20 ≤ hi < 2^20. It allocates nothing.
   * @param wide an expression for the value as a BigInt
   */
  code?(wide: string): string
  /** JavaScript that adds what `p` holds, another entry of the same shape, to what `e` holds. */
  merge?(): string
  /**
   * Adds a batch of values, where that is too much for `code`.
   * @param groups address of `rows` u32 entries
   * @param weights address of `rows` i32, 0: all +1
   */
  update?(groups: number, rows: number, column: Column, weights: number): void
  /** Gives back what the entry's payload owns. */
  release?(entry: number): void
  /** Lanes of the columns that `save` makes. */
  readonly saved: readonly Lane[]
  save(entries: number, rows: number): Column[]
  restore(entries: number, rows: number, columns: readonly Column[]): void
  /** State that is not one cell per group, if there is any. */
  readonly rows?: AccumulatorRows
}

/** A call's result for each entry. */
export type Finish = (entries: number, rows: number) => Column

/** Rows that an accumulator keeps for each group. */
export interface AccumulatorRows {
  readonly lanes: readonly Lane[]
  /** About how many bytes a group's rows take. */
  bytesOf(group: number): number
  list(groups: Uint32Array): Hanging
  load(things: number, rows: number): Column[]
  restore(groups: number, rows: number, columns: readonly Column[]): void
}
