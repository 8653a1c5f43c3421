import type { Column } from '../data/batch.ts'
import { bucketOf } from '../data/log-buckets.ts'
import type { MemoryViews } from '../data/memory.ts'

/** Times beyond it, in microseconds, are left to 64 bits. */
const limit = 2 ** 52
const none = Number.NEGATIVE_INFINITY

/** Event times in the order of their offsets. */
export interface EventTimes {
  readonly memory: MemoryViews
  readonly time: Column
  readonly rows: number
  /** Address of an i32 per event in the engine's memory, 1: a delete, which has no time; 0: there are none. */
  readonly operations: number
}

/** Where to write what is found: a byte per event, 1: late; an i64 per event. 0: nobody asks. Both are zeroed. */
export interface FoundLate {
  readonly memory: MemoryViews
  readonly flags: number
  readonly watermarks: number
}

/**
 * One partition's watermark: the greatest event time seen, less the topic's lateness. An event is late if it is
 * older than the watermark just before it, so batches can't change that.
 *
 * Microseconds until 2112 are exact as doubles with room for the subtraction; only beyond they are counted in 64 bits.
 */
export class Watermark {
  readonly #lateness: bigint
  readonly #disorder: Float64Array | null
  greatest: bigint | null

  /** @param disorder counts by how many microseconds events were older than the greatest before them: log-buckets.ts */
  constructor(lateness: bigint, greatest: bigint | null = null, disorder: Float64Array | null = null) {
    this.#lateness = lateness
    this.#disorder = disorder
    this.greatest = greatest
  }

  /** Moves on over the events. @returns how many of them are late */
  pass(times: EventTimes, found: FoundLate): number {
    const start = this.greatest === null ? none : Number(this.greatest)
    const plain = this.#lateness < limit && (start === none || Math.abs(start) < limit)
    const done = plain ? this.#passPlain(times, found, start) : { rows: 0, late: 0 }
    return done.rows === times.rows ? done.late : done.late + this.#passExact(times, found, done.rows)
  }

  /** @returns up to where it got: to the first time that is out of reach */
  #passPlain(times: EventTimes, found: FoundLate, start: number): { rows: number; late: number } {
    const { rows, operations } = times
    const { data, state } = times.time
    const { u8, i32, u32 } = times.memory
    const { flags, watermarks } = found
    const out = found.memory
    const lateness = Number(this.#lateness)
    const disorder = this.#disorder
    const at = data >>> 2
    const skips = state !== 0 || operations !== 0
    let greatest = start
    let late = 0
    let behind = 0
    let timeless = 0
    let i = 0
    for (; i < rows; i++) {
      if (
        skips &&
        ((state !== 0 && u8[state + i] !== 0) || (operations !== 0 && out.i32[(operations >>> 2) + i] === 1))
      ) {
        timeless++
        continue
      }
      const t = i32[at + 2 * i + 1] * 4294967296 + u32[at + 2 * i]
      if (t >= limit || t <= -limit) break
      // Before the first event it is minus infinity, and nothing is late.
      const watermark = greatest - lateness
      if (watermarks !== 0 && watermark !== none) {
        const high = Math.floor(watermark / 4294967296)
        out.i32[(watermarks >>> 2) + 2 * i] = watermark - high * 4294967296
        out.i32[(watermarks >>> 2) + 2 * i + 1] = high
      }
      if (t < watermark) {
        if (flags !== 0) out.u8[flags + i] = 1
        late++
      }
      if (t >= greatest) greatest = t
      else if (disorder !== null) {
        behind++
        disorder[bucketOf(greatest - t)]++
      }
    }
    if (disorder !== null) disorder[0] += i - behind - timeless
    this.greatest = greatest === none ? null : BigInt(greatest)
    return { rows: i, late }
  }

  #passExact(times: EventTimes, found: FoundLate, from: number): number {
    const { rows, operations, memory } = times
    const { data, state } = times.time
    const { flags, watermarks } = found
    const out = found.memory
    let { greatest } = this
    let late = 0
    for (let i = from; i < rows; i++) {
      const deleted = operations !== 0 && out.i32[(operations >>> 2) + i] === 1
      if (deleted || (state !== 0 && memory.u8[state + i] !== 0)) continue
      const micros = memory.i64[data / 8 + i]
      if (greatest !== null) {
        const watermark = greatest - this.#lateness
        if (watermarks !== 0) out.i64[watermarks / 8 + i] = watermark
        if (micros < watermark) {
          if (flags !== 0) out.u8[flags + i] = 1
          late++
        }
      }
      const behind = greatest === null || micros >= greatest ? 0 : Number(greatest - micros)
      if (this.#disorder !== null) this.#disorder[bucketOf(behind)]++
      if (greatest === null || micros > greatest) greatest = micros
    }
    this.greatest = greatest
    return late
  }
}
