/** One entry per so many bytes of journal at most. */
const strideBytes = 256 * 1024

/** A sealed tick and the journal position behind its seal. */
export interface TickPlace {
  readonly tick: number
  readonly timeMicros: number
  readonly position: number
}

const beginning: TickPlace = { tick: 0, timeMicros: Number.NEGATIVE_INFINITY, position: 0 }

/** A sparse index from ticks, by number or time, to journal positions: rebuilt by every recovery, never stored. */
export class TickIndex {
  #ticks: number[] = []
  #times: number[] = []
  #positions: number[] = []
  /** Where whoever finds nothing begins. */
  #begin = beginning

  /** Notes a seal; in the journal's order. */
  add(tick: number, timeMicros: bigint, position: number): void {
    const last = this.#positions.at(-1)
    if (last !== undefined && position < last + strideBytes) return
    this.#ticks.push(tick)
    this.#times.push(Number(timeMicros))
    this.#positions.push(position)
  }

  /** Forgets the ticks before one; that one is known from now on. */
  cut({ tick, timeMicros, position }: TickPlace): void {
    // What lies below may be gone, although its file is still there.
    this.#begin = { ...beginning, position }
    const kept = this.#positions.findIndex((each) => each > position)
    const count = kept < 0 ? this.#positions.length : kept
    // Others may be at work with the lists as they are.
    this.#ticks = [tick, ...this.#ticks.slice(count)]
    this.#times = [timeMicros, ...this.#times.slice(count)]
    this.#positions = [position, ...this.#positions.slice(count)]
  }

  /** The index as it is, whatever is cut from now on; ticks that are added may be in it. */
  kept(): TickIndex {
    const kept = new TickIndex()
    kept.#ticks = this.#ticks
    kept.#times = this.#times
    kept.#positions = this.#positions
    kept.#begin = this.#begin
    return kept
  }

  /** The newest known tick up to this one: whoever looks for a tick reads the journal on from there. */
  upTo(tick: number): TickPlace {
    return this.#at(countUpTo(this.#ticks, tick))
  }

  /** The newest known tick whose time is not after `timeMicros`. */
  upToTime(timeMicros: number): TickPlace {
    return this.#at(countUpTo(this.#times, timeMicros))
  }

  #at(count: number): TickPlace {
    if (count === 0) return this.#begin
    const i = count - 1
    return { tick: this.#ticks[i], timeMicros: this.#times[i], position: this.#positions[i] }
  }
}

/** How many of the ascending numbers are not greater than `wanted`. */
function countUpTo(numbers: readonly number[], wanted: number): number {
  let low = 0
  for (let high = numbers.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (numbers[middle] <= wanted) low = middle + 1
    else high = middle
  }
  return low
}
