import type { Batch } from '../data/batch.ts'
import type { Arena } from '../data/memory.ts'

/**
 * State that lies outside the engine's memory. An arrangement is cut into *buckets*: all that belongs to keys with
 * one 64-bit hash. A bucket is captured, looked up and forgotten as a whole.
 */

/** Which hash buckets are cut by. State of another version can't be found by its hashes, so it isn't used. */
export const hashVersion = 1

/** A part of a capture: what leaves the engine. Free of addresses, so that it can be kept and moved. */
export interface Piece {
  /** Stable name of the arrangement: the same in every process that runs the same plan. */
  readonly arrangement: string
  /**
   * −1: the hashes of the buckets captured in this slice (column 0 only), also of those that are empty now, each
   * once; else the ordinal of the section whose rows these are.
   */
  readonly section: number
  /**
   * A block (data/block.ts) of at most batchRows rows, sorted by hash. Column 0: the bucket's hash, lane i64, to be
   * read and sorted as an unsigned number; columns 1…: the section's. The order of rows with one hash is kept.
   */
  readonly bytes: Uint8Array
}

/** Where buckets are that are not in memory: runs on disk, or a test's maps. */
export interface ColdStore {
  /**
   * Rows of these buckets, the newest capture winning per bucket. Buckets that nothing is known of, or that were
   * captured empty, give none.
   * @param hashes address of `count` distinct u64 (low word first) in the arena's memory
   * @returns per section a list of batches with the columns hash, …section's, in the arena; rows of one bucket are
   *   in the order in which they were captured
   * @throws MillraceError where a stored block is damaged
   */
  lookup(arrangement: string, arena: Arena, hashes: number, count: number): readonly (readonly Batch[])[]
  /** Every bucket of an arrangement, section by section, sorted by hash: for one that must be in memory as a whole. */
  all(arrangement: string, arena: Arena, take: (section: number, batch: Batch) => void): void
}
