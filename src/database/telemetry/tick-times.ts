import type { Clock } from '../../io/io.ts'

/** When a tick was seen, as far as this process knows: it forgets. Microseconds since 1970. */
export interface TickTimesKnown {
  /** Reads see it. */
  readonly visibleMicros: bigint
  /** The first live stream was sent a change of it; null: none was. */
  pushedMicros: bigint | null
}

const mostTicks = 4096

/** When the latest ticks became visible, and were first pushed to a subscriber. */
export class TickTimes {
  readonly #clock: Clock
  readonly #startedMicros: bigint
  readonly #ticks = new Map<number, TickTimesKnown>()
  #oldest = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedMicros = clock.nowMicros()
  }

  /** @param timeMicros the tick's time: one of before the start was visible before, too */
  visible(tick: number, timeMicros: bigint): void {
    if (timeMicros < this.#startedMicros || this.#ticks.has(tick)) return
    this.#ticks.set(tick, { visibleMicros: this.#clock.nowMicros(), pushedMicros: null })
    if (this.#ticks.size <= mostTicks) return
    const [first] = this.#ticks.keys()
    this.#oldest = first
    this.#ticks.delete(first)
  }

  /** Changes behind a tick, up to another one, are on their way to a subscriber. */
  pushed(fromTick: number, tick: number): void {
    for (let each = tick; each > Math.max(fromTick, this.#oldest, tick - mostTicks); each--) {
      const known = this.#ticks.get(each)
      if (known !== undefined && known.pushedMicros !== null) return
      if (known !== undefined) known.pushedMicros = this.#clock.nowMicros()
    }
  }

  of(tick: number): TickTimesKnown | null {
    return this.#ticks.get(tick) ?? null
  }
}
