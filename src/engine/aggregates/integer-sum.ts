import type { Column } from '../../data/batch.ts'
import { cellErrors } from '../../data/cell.ts'
import { type Decimal, divideDecimal, encodeDecimal } from '../../data/decimal.ts'
import { writeSmallDecimal } from '../../data/decimal-bytes.ts'
import { quotientBytesMax, writeQuotient } from '../../data/decimal-quotient.ts'
import type { MemoryViews } from '../../data/memory.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { ByteColumn } from './byte-column.ts'
import type { Counter } from './count.ts'
import { Words } from './words.ts'

const limb = 2 ** 52
const word = 2 ** 32

/**
 * sum and avg of integers and narrow numerics, exact: the sum is low + high × 2^52 in two doubles that hold integers
 * (|low| < 2^52), about 105 bits, so that the usual case costs one addition and no BigInt. 2^41 of the largest
 * bigints fit.
 */
export class IntegerSum extends Words implements Accumulator {
  readonly #wide: boolean
  readonly #scale: number
  readonly #counter: Counter

  /**
   * @param wide whether the argument's lane is i64
   * @param scale digits behind the point of the argument (0 for integers)
   */
  constructor(step: Step, wide: boolean, scale: number, counter: Counter) {
    super(step, 2)
    this.#wide = wide
    this.#scale = scale
    this.#counter = counter
  }

  code(wide: string): string {
    // |v| can reach 2^62 with a huge weight; then, and only then, the product is not exact.
    const range = this.#wide ? 'hi < 1048576 && hi >= -1048576 && ' : ''
    return `{
      const q = e + ${this.offset} >>> 3, x = v * w, t = f64[q] + x;
      if (${range}x <= ${limb} && x >= -${limb} && t < ${limb} && t > -${limb}) f64[q] = t;
      else addWide(memory, q, ${wide} * BigInt(w));
    }`
  }

  merge(): string {
    return `{
      const q = e + ${this.offset} >>> 3, r = p + ${this.offset} >>> 3, t = f64[q] + f64[r];
      const up = t >= ${limb} ? 1 : t <= -${limb} ? -1 : 0;
      f64[q] = t - up * ${limb};
      f64[q + 1] += f64[r + 1] + up;
    }`
  }

  finishBigint(entries: number, rows: number): Column {
    const { arena, memory } = this.step
    const data = arena.allocate(rows * 8)
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64, i64 } = memory
    let any = 0
    for (let i = 0; i < rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      const at = (entry + this.offset) / 8
      const d = (data >>> 2) + 2 * i
      i32[d] = 0
      i32[d + 1] = 0
      u8[state + i] = 0
      if (f64[(entry + this.#counter.offset) / 8] <= 0) {
        u8[state + i] = any = 1
      } else if (f64[at + 1] === 0) {
        const v = f64[at]
        const high = Math.floor(v / word)
        i32[d + 1] = high
        u32[d] = v - high * word
      } else {
        const v = this.#total(at)
        if (BigInt.asIntN(64, v) === v) i64[data / 8 + i] = v
        else u8[state + i] = any = cellErrors.integerOutOfRange
      }
    }
    return { lane: 'i64', data, state: any === 0 ? 0 : state, heap: 0 }
  }

  finishDecimal(mean: boolean, entries: number, rows: number): Column {
    const { arena, memory } = this.step
    const out = new ByteColumn(arena, rows)
    const scale = this.#scale
    let to = arena.allocate(rows * quotientBytesMax)
    for (let i = 0; i < rows; i++) {
      const { u8, u32, f64 } = memory
      const entry = u32[(entries >>> 2) + i]
      const n = f64[(entry + this.#counter.offset) / 8]
      const at = (entry + this.offset) / 8
      if (n <= 0) {
        out.setNull(i)
        continue
      }
      let end = -1
      if (f64[at + 1] === 0) {
        end = mean ? writeQuotient(u8, to, f64[at], scale, n) : writeSmallDecimal(u8, to, f64[at], scale)
      }
      if (end < 0) {
        const sum: Decimal = { coefficient: this.#total(at), scale, special: '' }
        out.set(i, encodeDecimal(mean ? average(sum, n) : sum))
        continue
      }
      out.setAddress(i, to, end - to)
      to = end
    }
    return out.column()
  }

  #total(at: number): bigint {
    const { f64 } = this.step.memory
    return BigInt(f64[at]) + BigInt(f64[at + 1]) * BigInt(limb)
  }
}

/** What the generated loop calls where a sum or a value is too wide for one double. */
export function addWide({ f64 }: MemoryViews, at: number, value: bigint): void {
  const total = BigInt(f64[at]) + BigInt(f64[at + 1]) * BigInt(limb) + value
  const up = total / BigInt(limb)
  f64[at] = Number(total - up * BigInt(limb))
  f64[at + 1] = Number(up)
}

/** sum / n with the scale PostgreSQL's numeric division gives it. */
export function average(sum: Decimal, n: number): Decimal {
  const quotient = divideDecimal(sum, { coefficient: BigInt(n), scale: 0, special: '' })
  return quotient ?? sum
}
