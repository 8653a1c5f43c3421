import type { Batch } from '../data/batch.ts'
import { copyOutBlock } from '../data/block.ts'
import { gatherBatch, listRows, rowError } from './lanes.ts'
import type { Operator, Output, Step } from './operator.ts'
import type { TappedBlock } from './port.ts'

/** Looks at what an operator puts out, for as long as it is there: the last rows of the last batches. */
export class Tap implements Operator {
  readonly #step: Step
  readonly #output: Output
  readonly #most: number
  #blocks: TappedBlock[] = []

  /** @param most rows kept of a batch, and batches kept */
  constructor(step: Step, output: Output, most: number) {
    this.#step = step
    this.#output = output
    this.#most = most
    output.to(this, 0)
  }

  push(batch: Batch, _port: number): void {
    const { arena, tick } = this.#step
    const mark = arena.mark()
    const from = batch.rows - this.#most
    // What can't be read as a value is an error row further on.
    const chosen = (row: number): boolean => row >= from && rowError(arena, batch.columns, row) === 0
    const { list, rows } = listRows(arena, batch.rows, chosen)
    if (rows > 0) this.#blocks.push({ tick, bytes: copyOutBlock(arena, gatherBatch(arena, batch, list, rows)) })
    if (this.#blocks.length > this.#most) this.#blocks.shift()
    arena.release(mark)
  }

  pushError(): void {}

  endTick(): void {}

  /** @returns what it has seen; it looks no longer */
  end(): readonly TappedBlock[] {
    this.#output.leave(this)
    return this.#blocks
  }
}
