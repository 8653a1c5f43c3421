import type { Column } from '../../data/batch.ts'
import { laneWidth } from '../../data/sql-type.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import type { Counter } from './count.ts'
import { Words } from './words.ts'

/**
 * min and max of integers that only ever come: the best value so far, in a form in which the zero that a group begins
 * with is the worst one, and greater, unsigned, is better: v with its sign flipped for max, all its other bits for min.
 */
export class IntegerExtreme extends Words implements Accumulator {
  readonly #lane: 'i32' | 'i64'
  readonly #max: boolean
  readonly #counter: Counter

  constructor(step: Step, lane: 'i32' | 'i64', max: boolean, counter: Counter) {
    super(step, 1)
    this.#lane = lane
    this.#max = max
    this.#counter = counter
  }

  get #flip(): number {
    return this.#max ? -2147483648 : 2147483647
  }

  code(): string {
    if (this.#lane === 'i32') {
      return `{ const q = e + ${this.offset} >>> 2, x = (v ^ ${this.#flip}) >>> 0; if (x > u32[q]) u32[q] = x; }`
    }
    return `{
      const q = e + ${this.offset} >>> 2, x = (hi ^ ${this.#flip}) >>> 0, y = ${this.#max ? 'lo' : '~lo >>> 0'}, b = u32[q + 1];
      if (x > b || (x === b && y > u32[q])) { u32[q] = y; u32[q + 1] = x; }
    }`
  }

  merge(): string {
    const head = `const q = e + ${this.offset} >>> 2, r = p + ${this.offset} >>> 2`
    if (this.#lane === 'i32') return `{ ${head}; if (u32[r] > u32[q]) u32[q] = u32[r]; }`
    return `{
      ${head}, x = u32[r + 1], b = u32[q + 1];
      if (x > b || (x === b && u32[r] > u32[q])) { u32[q] = u32[r]; u32[q + 1] = x; }
    }`
  }

  finish(entries: number, rows: number): Column {
    const { arena, memory } = this.step
    const data = arena.allocate(rows * laneWidth(this.#lane))
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64 } = memory
    const wide = this.#lane === 'i64'
    const flip = this.#flip
    const flipLow = this.#max ? 0 : -1
    let any = 0
    for (let i = 0; i < rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      const at = (entry + this.offset) >>> 2
      const none = f64[(entry + this.#counter.offset) / 8] <= 0 ? 1 : 0
      if (wide) {
        i32[(data >>> 2) + 2 * i] = none === 1 ? 0 : i32[at] ^ flipLow
        i32[(data >>> 2) + 2 * i + 1] = none === 1 ? 0 : i32[at + 1] ^ flip
      } else i32[(data >>> 2) + i] = none === 1 ? 0 : i32[at] ^ flip
      u8[state + i] = none
      any |= none
    }
    return { lane: this.#lane, data, state: any === 0 ? 0 : state, heap: 0 }
  }
}
