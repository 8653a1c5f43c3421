import type { Column } from '../../data/batch.ts'
import { cellErrors } from '../../data/cell.ts'
import { type Decimal, decodeDecimal, encodeDecimal, powerOfTen } from '../../data/decimal.ts'
import { blobColumn } from '../../state/columns.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { ByteColumn } from './byte-column.ts'
import type { Counter } from './count.ts'
import { restoreBlobs } from './double-sum.ts'
import { average } from './integer-sum.ts'

/**
 * sum and avg of wide numerics. PostgreSQL prints a sum with the greatest scale among its arguments, so each group
 * counts its arguments per scale, and a retraction can bring the scale back down.
 *
 * The payload: u32 address and u32 length of a blob: f64 counts of NaN, Infinity, −Infinity; f64 scale
 * of the coefficient; f64 distinct scales, then (scale, count) pairs; the coefficient as hexadecimal text.
 */
export class DecimalSum implements Accumulator {
  readonly bytes = 8
  readonly saved = ['bytes'] as const
  offset = 0
  readonly #step: Step
  readonly #counter: Counter

  constructor(step: Step, counter: Counter) {
    this.#step = step
    this.#counter = counter
  }

  update(groups: number, rows: number, column: Column, weights: number): void {
    const { memory } = this.#step
    for (let i = 0; i < rows; i++) {
      const entry = memory.u32[(groups >>> 2) + i]
      const weight = weights === 0 ? 1 : memory.i32[(weights >>> 2) + i]
      const at = (column.data >>> 2) + 2 * i
      const value = decodeDecimal(memory.u8, column.heap + memory.u32[at], memory.u32[at + 1])
      const sum = this.#read(entry)
      addTo(sum, value, weight)
      this.#write(entry, sum)
    }
  }

  finish(mean: boolean, entries: number, rows: number): Column {
    const { memory, arena } = this.#step
    const out = new ByteColumn(arena, rows)
    for (let i = 0; i < rows; i++) {
      const entry = memory.u32[(entries >>> 2) + i]
      const n = memory.f64[(entry + this.#counter.offset) / 8]
      if (n <= 0) {
        out.setNull(i)
        continue
      }
      const total = totalOf(this.#read(entry))
      const value = mean && total.special === '' ? average(total, n) : total
      if (value.scale > 16383) out.setState(i, cellErrors.numericOutOfRange)
      else out.set(i, encodeDecimal(value))
    }
    return out.column()
  }

  #read(entry: number): RunningSum {
    const { u8, u32 } = this.#step.memory
    const slot = (entry + this.offset) >>> 2
    if (u32[slot] === 0) return { specials: [0, 0, 0], scale: 0, counts: new Map(), coefficient: 0n }
    const bytes = u8.slice(u32[slot], u32[slot] + u32[slot + 1])
    const numbers = new Float64Array(bytes.buffer, 0, bytes.length >>> 3)
    const counts = new Map<number, number>()
    for (let k = 0; k < numbers[4]; k++) counts.set(numbers[5 + 2 * k], numbers[6 + 2 * k])
    const text = String.fromCharCode(...bytes.subarray((5 + 2 * numbers[4]) * 8))
    const negative = text.startsWith('-')
    const magnitude = BigInt(`0x${negative ? text.slice(1) : text}`)
    return {
      specials: [numbers[0], numbers[1], numbers[2]],
      scale: numbers[3],
      counts,
      coefficient: negative ? -magnitude : magnitude,
    }
  }

  #write(entry: number, sum: RunningSum): void {
    const { heap, memory } = this.#step
    const numbers = [...sum.specials, sum.scale, sum.counts.size, ...[...sum.counts].flat()]
    const text = sum.coefficient.toString(16)
    const bytes = numbers.length * 8 + text.length
    const slot = (entry + this.offset) >>> 2
    if (memory.u32[slot] !== 0) heap.free(memory.u32[slot], memory.u32[slot + 1])
    const blob = heap.allocate(bytes)
    memory.f64.set(numbers, blob / 8)
    for (let k = 0; k < text.length; k++) memory.u8[blob + numbers.length * 8 + k] = text.charCodeAt(k)
    memory.u32[slot] = blob
    memory.u32[slot + 1] = bytes
  }

  release(entry: number): void {
    const { u32 } = this.#step.memory
    const slot = (entry + this.offset) >>> 2
    if (u32[slot] !== 0) this.#step.heap.freeLater(u32[slot], u32[slot + 1])
  }

  save(entries: number, rows: number): Column[] {
    return [blobColumn(this.#step.arena, entries, rows, this.offset)]
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    restoreBlobs(this.#step, entries, rows, this.offset, columns[0])
  }
}

interface RunningSum {
  /** Counts of NaN, Infinity, −Infinity. */
  readonly specials: number[]
  scale: number
  readonly counts: Map<number, number>
  coefficient: bigint
}

function addTo(sum: RunningSum, value: Decimal, weight: number): void {
  if (value.special !== '') {
    sum.specials[value.special === 'NaN' ? 0 : value.special === 'Infinity' ? 1 : 2] += weight
    return
  }
  const count = (sum.counts.get(value.scale) ?? 0) + weight
  if (count === 0) sum.counts.delete(value.scale)
  else sum.counts.set(value.scale, count)
  if (value.scale > sum.scale) {
    sum.coefficient *= powerOfTen(value.scale - sum.scale)
    sum.scale = value.scale
  }
  sum.coefficient += value.coefficient * powerOfTen(sum.scale - value.scale) * BigInt(weight)
}

function totalOf(sum: RunningSum): Decimal {
  const [nan, up, down] = sum.specials
  if (nan > 0 || (up > 0 && down > 0)) return { coefficient: 0n, scale: 0, special: 'NaN' }
  if (up > 0) return { coefficient: 0n, scale: 0, special: 'Infinity' }
  if (down > 0) return { coefficient: 0n, scale: 0, special: '-Infinity' }
  const scale = Math.max(0, ...sum.counts.keys())
  return { coefficient: sum.coefficient / powerOfTen(sum.scale - scale), scale, special: '' }
}
