import type { Block } from '../data/block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'

/**
 * Rows of a read or of a change, in order, by reference into immutable blocks: nothing is copied and no object is
 * made per row. Columns of a block are numbered by `columns`' ordinals.
 */
export class Rows {
  readonly columns: readonly ColumnSchema[]
  /** Entries: a row of weight n is one entry. */
  readonly length: number
  readonly blocks: readonly Block[]
  /** Per entry the index of its block. */
  readonly blockOf: Uint32Array
  /** Per entry its row within the block. */
  readonly rowOf: Uint32Array
  /** Per entry its weight, never 0; null: all +1. */
  readonly weights: Int32Array | null

  constructor(
    columns: readonly ColumnSchema[],
    blocks: readonly Block[],
    blockOf: Uint32Array,
    rowOf: Uint32Array,
    weights: Int32Array | null,
  ) {
    this.columns = columns
    this.length = rowOf.length
    this.blocks = blocks
    this.blockOf = blockOf
    this.rowOf = rowOf
    this.weights = weights
  }

  /** Rows, each counted as often as it is there. */
  get count(): number {
    if (this.weights === null) return this.length
    let sum = 0
    for (const weight of this.weights) sum += weight
    return sum
  }

  /** Calls `each` for the entries from `from` up to `to`. */
  forEach(each: (block: Block, row: number, weight: number) => void, from = 0, to = this.length): void {
    for (let i = from; i < to; i++) {
      each(this.blocks[this.blockOf[i]], this.rowOf[i], this.weights === null ? 1 : this.weights[i])
    }
  }
}
