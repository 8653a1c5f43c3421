import type { Clock } from '../io/io.ts'

/** How long work on the owner's thread may hold up everything else. */
const sliceMs = 4

/** Cuts long work into slices: between two of them the thread serves whoever waits. */
export class Slices {
  readonly #clock: Clock
  #end: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#end = clock.monotonicMs() + sliceMs
  }

  get due(): boolean {
    return this.#clock.monotonicMs() >= this.#end
  }

  /** Lets everything else that is queued run first. */
  async pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(0, resolve))
    this.#end = this.#clock.monotonicMs() + sliceMs
  }
}
