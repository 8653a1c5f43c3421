import type { Column } from '../../data/batch.ts'
import { payloadColumn, restorePayload } from '../../state/dump.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'

/** count(*), count(x): one number per group. */
export class Count implements Accumulator {
  readonly bytes = 8
  readonly saved = ['f64'] as const
  offset = 0
  readonly #step: Step

  constructor(step: Step) {
    this.#step = step
  }

  update(groups: number, rows: number, _column: Column | null, weights: number): void {
    addWeights(this.#step, groups, rows, weights, this.offset)
  }

  finish(entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const data = arena.allocate(rows * 8)
    const { u32, i32, f64 } = memory
    for (let i = 0, e = entries >>> 2, d = data >>> 2; i < rows; i++, e++, d += 2) {
      const n = f64[(u32[e] + this.offset) / 8]
      i32[d] = n | 0
      i32[d + 1] = Math.floor(n / 4294967296)
      if (n > 2147483647 || n < -2147483648) u32[d] = n - Math.floor(n / 4294967296) * 4294967296
    }
    return { lane: 'i64', data, state: 0, heap: 0 }
  }

  release(): void {}

  save(entries: number, rows: number): Column[] {
    return [payloadColumn(this.#step.arena, entries, rows, this.offset)]
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    restorePayload(this.#step.arena, entries, rows, this.offset, columns[0])
  }
}

/** Adds each row's weight to the f64 at `offset` of its entry. */
export function addWeights(step: Step, groups: number, rows: number, weights: number, offset: number): void {
  const { u32, i32, f64 } = step.memory
  const g = groups >>> 2
  if (weights === 0) {
    for (let i = 0; i < rows; i++) f64[(u32[g + i] + offset) / 8] += 1
    return
  }
  const w = weights >>> 2
  for (let i = 0; i < rows; i++) f64[(u32[g + i] + offset) / 8] += i32[w + i]
}
