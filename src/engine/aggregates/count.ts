import type { Column } from '../../data/batch.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { Words } from './words.ts'

/** Where an f64 lies in each entry that says how many values there are. */
export interface Counter {
  readonly offset: number
}

/** How many values: one f64 per group. */
export class Count extends Words implements Accumulator, Counter {
  constructor(step: Step) {
    super(step, 1)
  }

  code(): string {
    return `f64[e + ${this.offset} >>> 3] += w;`
  }

  merge(): string {
    return `f64[e + ${this.offset} >>> 3] += f64[p + ${this.offset} >>> 3];`
  }
}

/** count(*), count(x): the counter as a bigint. */
export function finishCount(step: Step, counter: Counter, entries: number, rows: number): Column {
  const { arena, memory } = step
  const data = arena.allocate(rows * 8)
  const { u32, i32, f64 } = memory
  const { offset } = counter
  for (let i = 0, e = entries >>> 2, d = data >>> 2; i < rows; i++, e++, d += 2) {
    const n = f64[(u32[e] + offset) / 8]
    if (n >= 0 && n <= 2147483647) {
      i32[d] = n
      i32[d + 1] = 0
      continue
    }
    const high = Math.floor(n / 4294967296)
    u32[d] = n - high * 4294967296
    i32[d + 1] = high
  }
  return { lane: 'i64', data, state: 0, heap: 0 }
}
