import type { Column } from '../../data/batch.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { Words } from './words.ts'

/** bool_and and bool_or: how many were true, how many false. */
export class BooleanFold extends Words implements Accumulator {
  constructor(step: Step) {
    super(step, 2)
  }

  code(): string {
    return `f64[(e + ${this.offset} >>> 3) + (v === 0 ? 1 : 0)] += w;`
  }

  merge(): string {
    const word = (at: number): string => `f64[e + ${at} >>> 3] += f64[p + ${at} >>> 3];`
    return word(this.offset) + word(this.offset + 8)
  }

  finish(and: boolean, entries: number, rows: number): Column {
    const { arena, memory } = this.step
    const data = arena.allocate(rows * 4)
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64 } = memory
    let any = 0
    for (let i = 0; i < rows; i++) {
      const at = (u32[(entries >>> 2) + i] + this.offset) / 8
      const none = f64[at] + f64[at + 1] <= 0 ? 1 : 0
      const value = and ? f64[at + 1] <= 0 : f64[at] > 0
      i32[(data >>> 2) + i] = none === 0 && value ? 1 : 0
      u8[state + i] = none
      any |= none
    }
    return { lane: 'i32', data, state: any === 0 ? 0 : state, heap: 0 }
  }
}
