import type { BaseOperator, Step } from '../../src/engine/operator.ts'
import { Captures } from '../../src/state/captures.ts'
import type { Piece } from '../../src/state/cold.ts'
import type { MemoryColdStore } from '../../src/state/memory-cold.ts'

/** What the engine does for the state of an operator, for tests of that operator alone. */
export class OperatorState {
  readonly captures: Captures
  readonly #store: MemoryColdStore
  readonly #step: Step
  #pieces: Piece[] | null = null

  constructor(step: Step, operator: BaseOperator, store: MemoryColdStore, cold: boolean) {
    this.#step = step
    this.#store = store
    for (const [name, part] of operator.arrangements) part.name = name
    this.captures = new Captures([...operator.arrangements.values()], step.heap, cold ? store : null)
  }

  /** Takes a few bytes of the capture under way, after beginning one if there is none. @returns whether it was the last */
  advance(maxBytes: number): boolean {
    if (this.#pieces === null) {
      this.#step.epoch = this.captures.begin(this.#step.epoch)
      this.#pieces = []
    }
    const { pieces, done } = this.captures.slice(maxBytes)
    this.#pieces.push(...pieces)
    this.#step.arena.reset()
    if (!done) return false
    this.#store.apply(this.#pieces)
    this.#pieces = null
    return true
  }

  /** All that was captured is durable, and forgotten. */
  forget(): void {
    this.captures.adopt(this.#store, true)
    this.captures.evict(0)
  }
}
