/** Ticks of fewer bytes are timed one in so many, and count as often. */
const everyTick = 16
const largeBytes = 128 * 1024

/**
 * Where the engine's time goes. The clock is handed in and may be absent; nothing that is computed depends on it. It is
 * read twice per batch and operator, in large ticks and in some of the small ones.
 */
export class Meter {
  /** Milliseconds by slot; slot 0 is what belongs to no operator. */
  readonly busyMs: number[] = [0]
  /** Whether the tick at work is timed. */
  timing = false
  readonly #nowMs: () => number
  #slot = 0
  #sinceMs = 0
  #weight = 1
  #smallTicks = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get nowMs(): number {
    return this.#nowMs()
  }

  /** @param bytes of the tick's events */
  begin(bytes: number): void {
    const large = bytes >= largeBytes
    this.timing = large || this.#smallTicks++ % everyTick === 0
    if (!this.timing) return
    this.#weight = large ? 1 : everyTick
    this.#slot = 0
    this.#sinceMs = this.#nowMs()
  }

  /** From here on time is another slot's. @returns the slot until now */
  switchTo(slot: number): number {
    const nowMs = this.#nowMs()
    const before = this.#slot
    this.busyMs[before] += (nowMs - this.#sinceMs) * this.#weight
    this.#sinceMs = nowMs
    this.#slot = slot
    return before
  }

  end(): void {
    if (this.timing) this.switchTo(0)
    this.timing = false
  }
}
