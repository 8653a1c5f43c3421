import type { Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import type { StateReader, StateWriter } from '../../state/dump.ts'

/**
 * One aggregate call's part of every group's entry. `update` and `finish` work on whole batches; the values come
 * without NULLs, without errors, and only those that FILTER lets through. The bytes at `offset` start as zeros.
 */
export interface Accumulator {
  /** Bytes of payload per group, a multiple of 8. */
  readonly bytes: number
  /** Set by the aggregate: offset of the payload within an entry. */
  offset: number
  /**
   * @param groups address of `rows` u32 entries
   * @param column the argument; null for count(*)
   * @param weights address of `rows` i32, 0: all +1
   */
  update(groups: number, rows: number, column: Column | null, weights: number): void
  /** The call's result for each entry. */
  finish(entries: number, rows: number): Column
  /** Gives back what the entry's payload owns. */
  release(entry: number): void
  /** Lanes of the columns that `save` makes. */
  readonly saved: readonly Lane[]
  save(entries: number, rows: number): Column[]
  restore(entries: number, rows: number, columns: readonly Column[]): void
  /** State that is not one cell per group, if there is any. */
  saveRows?(out: StateWriter, name: string, groups: readonly number[]): void
  restoreRows?(from: StateReader, name: string, groupAt: (ordinal: number) => number): void
}
