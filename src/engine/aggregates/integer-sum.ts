import type { Column } from '../../data/batch.ts'
import { cellErrors } from '../../data/cell.ts'
import { type Decimal, divideDecimal, encodeDecimal } from '../../data/decimal.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { payloadColumn, restorePayload } from '../../state/dump.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { ByteColumn } from './byte-column.ts'
import { addWeights } from './count.ts'

const limb = 2 ** 52
const word = 2 ** 32

/**
 * sum and avg of integers and narrow numerics, exact: the sum is low + high × 2^52 in two doubles that hold integers
 * (|low| < 2^52), about 105 bits, so that the usual case costs one addition and no BigInt. 2^41 of the largest
 * bigints fit.
 */
export class IntegerSum implements Accumulator {
  readonly bytes = 24
  readonly saved = ['f64', 'f64', 'f64'] as const
  offset = 0
  readonly #step: Step
  readonly #scale: number
  readonly #result: SqlType
  readonly #average: boolean

  /** @param scale digits behind the point of the argument (0 for integers) */
  constructor(step: Step, scale: number, result: SqlType, average: boolean) {
    this.#step = step
    this.#scale = scale
    this.#result = result
    this.#average = average
  }

  update(groups: number, rows: number, column: Column | null, weights: number): void {
    if (column === null) return
    addWeights(this.#step, groups, rows, weights, this.offset)
    if (column.lane === 'i32') this.#addNarrow(groups, rows, column.data, weights)
    else this.#addWide(groups, rows, column.data, weights)
  }

  #addNarrow(groups: number, rows: number, data: number, weights: number): void {
    const { u32, i32, f64 } = this.#step.memory
    const low = this.offset + 8
    const g = groups >>> 2
    const d = data >>> 2
    const w = weights >>> 2
    for (let i = 0; i < rows; i++) {
      const at = (u32[g + i] + low) / 8
      const v = weights === 0 ? i32[d + i] : i32[d + i] * i32[w + i]
      // |v| can reach 2^62 with a huge weight; then, and only then, the product is not exact.
      if (v > limb || v < -limb) {
        this.#addBig(at, BigInt(i32[d + i]) * BigInt(i32[w + i]))
        continue
      }
      const sum = f64[at] + v
      if (sum >= limb || sum <= -limb) this.#carry(at, sum)
      else f64[at] = sum
    }
  }

  #addWide(groups: number, rows: number, data: number, weights: number): void {
    const { u32, i32, f64 } = this.#step.memory
    const low = this.offset + 8
    const g = groups >>> 2
    const d = data >>> 2
    const w = weights >>> 2
    for (let i = 0; i < rows; i++) {
      const at = (u32[g + i] + low) / 8
      const high = i32[d + 2 * i + 1]
      const weight = weights === 0 ? 1 : i32[w + i]
      const v = (high * word + u32[d + 2 * i]) * weight
      if (high > 1048575 || high < -1048576 || v > limb || v < -limb) {
        this.#addBig(at, this.#step.memory.i64[data / 8 + i] * BigInt(weight))
        continue
      }
      const sum = f64[at] + v
      if (sum >= limb || sum <= -limb) this.#carry(at, sum)
      else f64[at] = sum
    }
  }

  #carry(at: number, sum: number): void {
    const { f64 } = this.#step.memory
    const up = Math.trunc(sum / limb)
    f64[at] = sum - up * limb
    f64[at + 1] += up
  }

  #addBig(at: number, value: bigint): void {
    const { f64 } = this.#step.memory
    const total = BigInt(f64[at]) + BigInt(f64[at + 1]) * BigInt(limb) + value
    const up = total / BigInt(limb)
    f64[at] = Number(total - up * BigInt(limb))
    f64[at + 1] = Number(up)
  }

  finish(entries: number, rows: number): Column {
    return this.#result.kind === 'bigint' ? this.#finishBigint(entries, rows) : this.#finishDecimal(entries, rows)
  }

  #finishBigint(entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const data = arena.allocate(rows * 8)
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64, i64 } = memory
    let any = 0
    for (let i = 0; i < rows; i++) {
      const at = (u32[(entries >>> 2) + i] + this.offset) / 8
      const d = (data >>> 2) + 2 * i
      i32[d] = 0
      i32[d + 1] = 0
      u8[state + i] = 0
      if (f64[at] <= 0) {
        u8[state + i] = any = 1
      } else if (f64[at + 2] === 0) {
        const v = f64[at + 1]
        const high = Math.floor(v / word)
        i32[d + 1] = high
        u32[d] = v - high * word
      } else {
        const v = BigInt(f64[at + 1]) + BigInt(f64[at + 2]) * BigInt(limb)
        if (BigInt.asIntN(64, v) === v) i64[data / 8 + i] = v
        else u8[state + i] = any = cellErrors.integerOutOfRange
      }
    }
    return { lane: 'i64', data, state: any === 0 ? 0 : state, heap: 0 }
  }

  #finishDecimal(entries: number, rows: number): Column {
    const out = new ByteColumn(this.#step.arena, rows)
    for (let i = 0; i < rows; i++) {
      const { u32, f64 } = this.#step.memory
      const at = (u32[(entries >>> 2) + i] + this.offset) / 8
      const n = f64[at]
      if (n <= 0) {
        out.setNull(i)
        continue
      }
      const coefficient =
        f64[at + 2] === 0 ? BigInt(f64[at + 1]) : BigInt(f64[at + 1]) + BigInt(f64[at + 2]) * BigInt(limb)
      const sum: Decimal = { coefficient, scale: this.#scale, special: '' }
      const value = this.#average ? average(sum, n) : sum
      out.set(i, encodeDecimal(value))
    }
    return out.column()
  }

  release(): void {}

  save(entries: number, rows: number): Column[] {
    return [0, 8, 16].map((word) => payloadColumn(this.#step.arena, entries, rows, this.offset + word))
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    columns.forEach((column, k) => {
      restorePayload(this.#step.arena, entries, rows, this.offset + 8 * k, column)
    })
  }
}

/** sum / n with the scale PostgreSQL's numeric division gives it. */
export function average(sum: Decimal, n: number): Decimal {
  const quotient = divideDecimal(sum, { coefficient: BigInt(n), scale: 0, special: '' })
  return quotient ?? sum
}
