import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { cellErrors } from '../../data/cell.ts'
import { gatherColumn, gatherWords } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

const word = 2 ** 32
const safe = 2 ** 52

/**
 * tumble and hop: Δout = for each change, one row per window [k·slide, k·slide + size) that holds its time.
 *
 * No state; costs size/slide rows per change. Linear, so retractions pass like insertions. A NULL time yields no row.
 */
export class Hop extends BaseOperator {
  readonly #time: number
  readonly #slide: bigint
  readonly #size: bigint

  constructor(step: Step, time: number, slideMicros: bigint, sizeMicros: bigint) {
    super(step)
    this.#time = time
    this.#slide = slideMicros
    this.#size = sizeMicros
  }

  push(batch: Batch, _port: number): void {
    const windows = Number((this.#size + this.#slide - 1n) / this.#slide)
    const part = Math.max(1, Math.floor(batchRows / windows))
    for (let from = 0; from < batch.rows; from += part)
      this.#pushPart(batch, from, Math.min(part, batch.rows - from), windows)
  }

  #pushPart(batch: Batch, from: number, rows: number, windows: number): void {
    const { arena, memory } = this.step
    const list = arena.allocate(rows * windows * 4)
    const start = arena.allocate(rows * windows * 8)
    const end = arena.allocate(rows * windows * 8)
    const states = arena.allocate(rows * windows)
    const time = batch.columns[this.#time]
    const { u8, u32, i32 } = memory
    const slide = Number(this.#slide)
    const size = Number(this.#size)
    let n = 0
    let any = 0
    for (let i = from; i < from + rows; i++) {
      const state = time.state === 0 ? 0 : u8[time.state + i]
      if (state === 1) continue
      if (state > 1) {
        u32[(list >>> 2) + n] = i
        u8[states + n] = state
        any |= state
        writeMicros(i32, start, n, 0)
        writeMicros(i32, end, n++, 0)
        continue
      }
      const t = i32[(time.data >>> 2) + 2 * i + 1] * word + u32[(time.data >>> 2) + 2 * i]
      if (t > safe || t < -safe) {
        // Years beyond 2112 or before 1827 in microseconds: exact in 64 bits only.
        n = this.#far(memory.i64[time.data / 8 + i], i, list, start, end, states, n)
        any |= n === 0 ? 0 : u8[states + n - 1]
        continue
      }
      let first = Math.floor(t / slide) * slide
      for (; first > t - size; first -= slide) {
        u32[(list >>> 2) + n] = i
        u8[states + n] = 0
        writeMicros(i32, start, n, first)
        writeMicros(i32, end, n++, first + size)
      }
    }
    this.#emit(batch, list, n, start, end, any === 0 ? 0 : states)
  }

  #far(t: bigint, row: number, list: number, start: number, end: number, states: number, n: number): number {
    const { u8, u32, i64 } = this.step.memory
    let first = t - (((t % this.#slide) + this.#slide) % this.#slide)
    for (; first > t - this.#size; first -= this.#slide) {
      u32[(list >>> 2) + n] = row
      const inRange = BigInt.asIntN(64, first) === first && BigInt.asIntN(64, first + this.#size) === first + this.#size
      u8[states + n] = inRange ? 0 : cellErrors.datetimeOutOfRange
      i64[start / 8 + n] = inRange ? first : 0n
      i64[end / 8 + n++] = inRange ? first + this.#size : 0n
    }
    return n
  }

  #emit(batch: Batch, list: number, rows: number, start: number, end: number, state: number): void {
    if (rows === 0) return
    const { arena } = this.step
    // tumble without NULL times keeps every row where it was.
    const same = rows === batch.rows && this.#slide === this.#size
    const windows: Column[] = [start, end].map((data) => ({ lane: 'i64', data, state, heap: 0 }))
    const columns = same ? batch.columns : batch.columns.map((column) => gatherColumn(arena, column, list, rows))
    const weights = same || batch.weights === 0 ? batch.weights : gatherWords(arena, batch.weights, list, rows)
    this.output.emit({ rows, columns: [...columns, ...windows], weights })
  }
}

function writeMicros(i32: Int32Array, lane: number, row: number, micros: number): void {
  const high = Math.floor(micros / word)
  i32[(lane >>> 2) + 2 * row] = micros - high * word
  i32[(lane >>> 2) + 2 * row + 1] = high
}
