import type { Column } from '../../data/batch.ts'
import { cellErrors } from '../../data/cell.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { blobColumn } from '../../state/columns.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import type { Counter } from './count.ts'

/** Bit 0 of limb 0 stands for 2^-1088, below every double. */
const bias = 1088
const limbsAhead = 1
/** A limb is carried before it can lose a bit: adding three pieces below 2^49 each keeps it under 2^53. */
const full = 2 ** 51
const word = 2 ** 32
/** The blob: i32 lowest limb, i32 limbs, f64 count of NaN, of +Infinity, of −Infinity, then the limbs as f64. */
const blobHeader = 32

const scratch = new Float64Array(1)
const scratchWords = new Uint32Array(scratch.buffer)

/**
 * sum and avg of doubles, kept exactly and rounded once, so that neither order nor retraction can change the result:
 * a superaccumulator (Kulisch; Neal 2015) of 32-bit limbs held in doubles, of which a group keeps only the stretch
 * that its values reach.
 */
export class DoubleSum implements Accumulator {
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
      const value = memory.f64[column.data / 8 + i]
      if (Number.isFinite(value)) this.#add(entry, value, weight)
      else this.#addSpecial(entry, value, weight)
    }
  }

  #addSpecial(entry: number, value: number, weight: number): void {
    const blob = this.#reach(entry, bias >>> 5, (bias >>> 5) + 1)
    const slot = Number.isNaN(value) ? 8 : value > 0 ? 16 : 24
    this.#step.memory.f64[(blob + slot) / 8] += weight
  }

  #add(entry: number, value: number, weight: number): void {
    if (value === 0) return
    scratch[0] = value
    const high = scratchWords[1]
    const exponent = (high >>> 20) & 0x7ff
    const fraction = high & 0xfffff
    const mh = exponent === 0 ? fraction : fraction | 0x100000
    const position = (exponent === 0 ? 1 : exponent) - 1075 + bias
    const signed = value < 0 ? -weight : weight
    const part = signed % 65536
    if (part !== 0) this.#addAt(entry, position, mh, scratchWords[0], part)
    if (part !== signed) this.#addAt(entry, position + 16, mh, scratchWords[0], (signed - part) / 65536)
  }

  /** Adds (mh × 2^32 + ml) × 2^(position − bias) × weight, |weight| ≤ 2^16. */
  #addAt(entry: number, position: number, mh: number, ml: number, weight: number): void {
    const limb = position >>> 5
    const shift = position & 31
    const blob = this.#reach(entry, limb, limb + 3)
    const { f64, i32 } = this.#step.memory
    const at = (blob + blobHeader) / 8 + limb - i32[blob >>> 2]
    f64[at] += ((ml << shift) >>> 0) * weight
    f64[at + 1] += ((shift === 0 ? 0 : ml >>> (32 - shift)) + ((mh << shift) >>> 0)) * weight
    f64[at + 2] += (shift === 0 ? 0 : mh >>> (32 - shift)) * weight
    for (let k = 0; k < 3; k++) if (f64[at + k] >= full || f64[at + k] <= -full) this.#carry(entry, limb + k)
  }

  #carry(entry: number, limb: number): void {
    const blob = this.#reach(entry, limb, limb + 2)
    const { f64, i32 } = this.#step.memory
    const at = (blob + blobHeader) / 8 + limb - i32[blob >>> 2]
    const up = Math.trunc(f64[at] / word)
    f64[at] -= up * word
    f64[at + 1] += up
    if (f64[at + 1] >= full || f64[at + 1] <= -full) this.#carry(entry, limb + 1)
  }

  /** Makes the entry's blob hold limbs from `from` to `to`. @returns its address */
  #reach(entry: number, from: number, to: number): number {
    const { heap, memory } = this.#step
    const slot = (entry + this.offset) >>> 2
    const old = memory.u32[slot]
    if (old === 0) return this.#newBlob(slot, from, to - from + limbsAhead)
    const oldFrom = memory.i32[old >>> 2]
    const oldCount = memory.i32[(old >>> 2) + 1]
    if (from >= oldFrom && to <= oldFrom + oldCount) return old
    const low = Math.min(from, oldFrom)
    const oldBytes = memory.u32[slot + 1]
    const blob = this.#newBlob(slot, low, Math.max(to + limbsAhead, oldFrom + oldCount) - low)
    const { u8 } = memory
    u8.copyWithin(blob + 8, old + 8, old + blobHeader)
    u8.copyWithin(blob + blobHeader + (oldFrom - low) * 8, old + blobHeader, old + blobHeader + oldCount * 8)
    heap.free(old, oldBytes)
    return blob
  }

  #newBlob(slot: number, from: number, count: number): number {
    const { heap, memory } = this.#step
    const bytes = blobHeader + count * 8
    const blob = heap.allocate(bytes)
    memory.u8.fill(0, blob, blob + bytes)
    memory.i32[blob >>> 2] = from
    memory.i32[(blob >>> 2) + 1] = count
    memory.u32[slot] = blob
    memory.u32[slot + 1] = bytes
    return blob
  }

  finish(result: SqlType, average: boolean, entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const data = arena.allocate(rows * 8)
    const state = arena.allocate(rows)
    let any = 0
    for (let i = 0; i < rows; i++) {
      const entry = memory.u32[(entries >>> 2) + i]
      const n = memory.f64[(entry + this.#counter.offset) / 8]
      let code = n <= 0 ? 1 : 0
      let value = 0
      if (code === 0) {
        value = this.#total(entry)
        if (average) value /= n
        if (result.kind === 'real') value = Math.fround(value)
        // PostgreSQL refuses a finite sum beyond the type; infinities that came in stay.
        if (!Number.isFinite(value) && !this.#hasSpecial(entry)) code = cellErrors.floatOutOfRange
      }
      memory.f64[data / 8 + i] = code === 0 ? value + 0 : 0
      memory.u8[state + i] = code
      any |= code
    }
    return { lane: 'f64', data, state: any === 0 ? 0 : state, heap: 0 }
  }

  #hasSpecial(entry: number): boolean {
    const { u32, f64 } = this.#step.memory
    const blob = u32[(entry + this.offset) >>> 2]
    return blob !== 0 && (f64[blob / 8 + 1] > 0 || f64[blob / 8 + 2] > 0 || f64[blob / 8 + 3] > 0)
  }

  #total(entry: number): number {
    const { u32, i32, f64 } = this.#step.memory
    const blob = u32[(entry + this.offset) >>> 2]
    if (blob === 0) return 0
    const [nan, up, down] = [f64[blob / 8 + 1], f64[blob / 8 + 2], f64[blob / 8 + 3]]
    if (nan > 0 || (up > 0 && down > 0)) return Number.NaN
    if (up > 0) return Number.POSITIVE_INFINITY
    if (down > 0) return Number.NEGATIVE_INFINITY
    let sum = 0n
    for (let k = i32[(blob >>> 2) + 1] - 1; k >= 0; k--) sum = (sum << 32n) + BigInt(f64[(blob + blobHeader) / 8 + k])
    const exponent = 32 * i32[blob >>> 2] - bias
    return roundToDouble(sum, exponent)
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

/** Gives each entry its own copy of a saved blob. */
export function restoreBlobs(step: Step, entries: number, rows: number, offset: number, column: Column): void {
  const { heap, memory } = step
  for (let i = 0; i < rows; i++) {
    const at = (column.data >>> 2) + 2 * i
    const length = memory.u32[at + 1]
    const from = column.heap + memory.u32[at]
    const blob = length === 0 ? 0 : heap.allocate(length)
    memory.u8.copyWithin(blob, from, from + length)
    const slot = (memory.u32[(entries >>> 2) + i] + offset) >>> 2
    memory.u32[slot] = blob
    memory.u32[slot + 1] = length
  }
}

/** value × 2^exponent, rounded once, to nearest, ties to even. */
export function roundToDouble(value: bigint, exponent: number): number {
  if (value === 0n) return 0
  let magnitude = value < 0n ? -value : value
  const bits = magnitude.toString(2).length
  // BigInt to Number rounds correctly; 64 bits with the rest folded into the last one are enough for it to.
  if (bits > 64) {
    const drop = BigInt(bits - 64)
    const sticky = (magnitude & ((1n << drop) - 1n)) !== 0n
    magnitude = (magnitude >> drop) | (sticky ? 1n : 0n)
    exponent += bits - 64
  }
  const half = Math.trunc(exponent / 2)
  const result = Number(magnitude) * 2 ** half * 2 ** (exponent - half)
  return value < 0n ? -result : result
}
