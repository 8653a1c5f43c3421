import type { Column } from '../../data/batch.ts'
import { payloadColumn, restorePayload } from '../../state/dump.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'

/** bool_and and bool_or: how many were true, how many false. */
export class BooleanFold implements Accumulator {
  readonly bytes = 16
  readonly saved = ['f64', 'f64'] as const
  offset = 0
  readonly #step: Step
  readonly #and: boolean

  constructor(step: Step, and: boolean) {
    this.#step = step
    this.#and = and
  }

  update(groups: number, rows: number, column: Column | null, weights: number): void {
    if (column === null) return
    const { u32, i32, f64 } = this.#step.memory
    for (let i = 0; i < rows; i++) {
      const at = (u32[(groups >>> 2) + i] + this.offset) / 8 + (i32[(column.data >>> 2) + i] === 0 ? 1 : 0)
      f64[at] += weights === 0 ? 1 : i32[(weights >>> 2) + i]
    }
  }

  finish(entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const data = arena.allocate(rows * 4)
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64 } = memory
    let any = 0
    for (let i = 0; i < rows; i++) {
      const at = (u32[(entries >>> 2) + i] + this.offset) / 8
      const none = f64[at] + f64[at + 1] <= 0 ? 1 : 0
      const value = this.#and ? f64[at + 1] <= 0 : f64[at] > 0
      i32[(data >>> 2) + i] = none === 0 && value ? 1 : 0
      u8[state + i] = none
      any |= none
    }
    return { lane: 'i32', data, state: any === 0 ? 0 : state, heap: 0 }
  }

  release(): void {}

  save(entries: number, rows: number): Column[] {
    return [0, 8].map((word) => payloadColumn(this.#step.arena, entries, rows, this.offset + word))
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    columns.forEach((column, k) => {
      restorePayload(this.#step.arena, entries, rows, this.offset + 8 * k, column)
    })
  }
}
