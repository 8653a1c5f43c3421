import { batchRows } from '../../data/batch.ts'
import type { ArenaMark } from '../../data/memory.ts'
import type { Step } from '../operator.ts'

/**
 * Pairs of (row of a batch, row of an arrangement, weight) that a probe has found, handed on when a batch is full.
 * Lanes are in the arena, so a collector lives no longer than the push that made it; between `add` and `end` nobody else
 * may allocate there but what `flush` calls.
 */
export class Pairs {
  readonly #step: Step
  readonly #flush: (rows: number, left: number, right: number, weights: number) => void
  #left = 0
  #right = 0
  #weights = 0
  #rows = 0
  #capacity = 0
  #plain = true
  #mark: ArenaMark | null = null

  /** @param flush gets u32 left and right lanes and i32 weights (0: all +1) */
  constructor(step: Step, flush: (rows: number, left: number, right: number, weights: number) => void) {
    this.#step = step
    this.#flush = flush
  }

  add(left: number, right: number, weight: number): void {
    if (this.#rows === this.#capacity) this.#grow()
    const { u32, i32 } = this.#step.memory
    u32[(this.#left >>> 2) + this.#rows] = left
    u32[(this.#right >>> 2) + this.#rows] = right
    i32[(this.#weights >>> 2) + this.#rows] = weight
    if (weight !== 1) this.#plain = false
    if (++this.#rows === batchRows) this.end()
  }

  end(): void {
    const rows = this.#rows
    this.#rows = 0
    // The lanes are the flushed batch's from now on.
    this.#capacity = 0
    if (rows === 0) return
    this.#flush(rows, this.#left, this.#right, this.#plain ? 0 : this.#weights)
    // However many pairs a tick makes, they need the memory of one batch.
    if (this.#mark !== null) this.#step.arena.release(this.#mark)
  }

  /** Small pushes are the usual case at low load: lanes of a whole batch for each would fill the arena. */
  #grow(): void {
    const rows = this.#rows
    if (rows === 0) {
      this.#plain = true
      this.#mark = this.#step.arena.mark()
    }
    this.#capacity = Math.min(batchRows, Math.max(firstRows, rows * 4))
    const longer = (lane: number): number => {
      const address = this.#step.arena.allocate(this.#capacity * 4)
      if (rows > 0) this.#step.memory.u8.copyWithin(address, lane, lane + rows * 4)
      return address
    }
    this.#left = longer(this.#left)
    this.#right = longer(this.#right)
    this.#weights = longer(this.#weights)
  }
}

const firstRows = 64
