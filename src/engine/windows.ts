import type { Column } from '../data/batch.ts'
import { cellErrors } from '../data/cell.ts'
import type { MemoryViews } from '../data/memory.ts'
import type { Step } from './operator.ts'

const word = 2 ** 32
/** Microseconds up to the year 2112 and from 1827 on are exact in a double, and so is what is computed of them. */
const safe = 2 ** 52

/** One row per time and window that holds it; addresses of lanes with `rows` cells. */
export interface WindowRows {
  readonly rows: number
  /** u32: which of the times. */
  readonly list: number
  /** i64, microseconds. */
  readonly start: number
  readonly end: number
  /** State bytes of both, 0 where all are values. */
  readonly state: number
}

/** Windows of `sizeMicros` that start at each multiple of `slideMicros`. */
export class Windows {
  /** How many hold one time, at most. */
  readonly each: number
  readonly #slide: bigint
  readonly #size: bigint

  constructor(slideMicros: bigint, sizeMicros: bigint) {
    this.#slide = slideMicros
    this.#size = sizeMicros
    this.each = Number((sizeMicros + slideMicros - 1n) / slideMicros)
  }

  /** The windows of each time, from row `from` on. A NULL time has none, an erroneous one has one row. */
  of({ arena, memory }: Step, time: Column, from: number, rows: number): WindowRows {
    const list = arena.allocate(rows * this.each * 4)
    const start = arena.allocate(rows * this.each * 8)
    const end = arena.allocate(rows * this.each * 8)
    const states = arena.allocate(rows * this.each)
    const { u8, u32, i32, i64 } = memory
    const slide = Number(this.#slide)
    const size = Number(this.#size)
    let n = time.state === 0 && size === slide ? this.#tumble(memory, time, from, rows, { list, start, end }) : 0
    if (n === rows) return { rows, list, start, end, state: 0 }
    let any = 0
    if (n > 0) u8.fill(0, states, states + n)
    for (let i = from + n; i < from + rows; i++) {
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
        for (const first of this.#starts(i64[time.data / 8 + i])) {
          const inRange =
            BigInt.asIntN(64, first) === first && BigInt.asIntN(64, first + this.#size) === first + this.#size
          u32[(list >>> 2) + n] = i
          u8[states + n] = inRange ? 0 : cellErrors.datetimeOutOfRange
          any |= u8[states + n]
          i64[start / 8 + n] = inRange ? first : 0n
          i64[end / 8 + n++] = inRange ? first + this.#size : 0n
        }
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
    return { rows: n, list, start, end, state: any === 0 ? 0 : states }
  }

  /**
   * Windows that don't overlap, of times without NULLs: a time is mostly in the window of the one before.
   * @returns up to where it got: to the first time that can't be told in doubles
   */
  #tumble(
    { u32, i32 }: MemoryViews,
    time: Column,
    from: number,
    rows: number,
    { list, start, end }: Pick<WindowRows, 'list' | 'start' | 'end'>,
  ): number {
    const size = Number(this.#size)
    const [times, starts, ends, lists] = [(time.data >>> 2) + 2 * from, start >>> 2, end >>> 2, list >>> 2]
    let first = Number.NaN
    let next = Number.NaN
    let [startLow, startHigh, endLow, endHigh] = [0, 0, 0, 0]
    for (let n = 0; n < rows; n++) {
      const t = i32[times + 2 * n + 1] * word + u32[times + 2 * n]
      if (!(t >= first && t < next)) {
        if (t > safe || t < -safe) return n
        first = Math.floor(t / size) * size
        next = first + size
        startHigh = Math.floor(first / word)
        startLow = first - startHigh * word
        endHigh = Math.floor(next / word)
        endLow = next - endHigh * word
      }
      u32[lists + n] = from + n
      u32[starts + 2 * n] = startLow
      i32[starts + 2 * n + 1] = startHigh
      u32[ends + 2 * n] = endLow
      i32[ends + 2 * n + 1] = endHigh
    }
    return rows
  }

  #starts(t: bigint): bigint[] {
    const starts: bigint[] = []
    let first = t - (((t % this.#slide) + this.#slide) % this.#slide)
    for (; first > t - this.#size; first -= this.#slide) starts.push(first)
    return starts
  }

  /**
   * The pane of each time: what lies in one pane lies in the same windows. A pane is named by a time in it: its first
   * one, or where that can't be told in doubles, the time itself. Not for NULL.
   */
  panes({ arena, memory }: Step, time: Column, rows: number): Column {
    const data = arena.allocate(rows * 8)
    const { u8, u32, i32 } = memory
    const slide = Number(this.#slide)
    const from = time.data >>> 2
    const to = data >>> 2
    let first = Number.NaN
    let [firstLow, firstHigh] = [0, 0]
    for (let i = 0; i < rows; i++) {
      const high = i32[from + 2 * i + 1]
      const t = high * word + u32[from + 2 * i]
      if (t > safe || t < -safe || (time.state !== 0 && u8[time.state + i] !== 0)) {
        i32[to + 2 * i] = i32[from + 2 * i]
        i32[to + 2 * i + 1] = high
        continue
      }
      // A time is mostly in the pane of the one before.
      if (!(t >= first && t < first + slide)) {
        first = Math.floor(t / slide) * slide
        firstHigh = Math.floor(first / word)
        firstLow = first - firstHigh * word
      }
      u32[to + 2 * i] = firstLow
      i32[to + 2 * i + 1] = firstHigh
    }
    return { lane: 'i64', data, state: time.state, heap: 0 }
  }
}

function writeMicros(i32: Int32Array, lane: number, row: number, micros: number): void {
  const high = Math.floor(micros / word)
  i32[(lane >>> 2) + 2 * row] = micros - high * word
  i32[(lane >>> 2) + 2 * row + 1] = high
}
