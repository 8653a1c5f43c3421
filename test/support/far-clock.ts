import type { Clock, Io } from '../../src/io/io.ts'
import { nodeIo } from '../../src/io/node.ts'

/** What is due later than this waits until a test says that so much time has passed. */
const nearMs = 1000

interface Due {
  readonly atMs: number
  readonly task: () => void
}

/** Node's clock, but what is far off comes when a test says so, and not because the machine was slow to get there. */
export class FarClock implements Clock {
  readonly #clock = nodeIo().clock
  readonly #far = new Set<Due>()
  #aheadMs = 0

  nowMicros(): bigint {
    return this.#clock.nowMicros() + BigInt(this.#aheadMs) * 1000n
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs() + this.#aheadMs
  }

  after(delayMs: number, task: () => void): () => void {
    if (delayMs <= nearMs) return this.#clock.after(delayMs, task)
    const due = { atMs: this.monotonicMs() + delayMs, task }
    this.#far.add(due)
    return () => this.#far.delete(due)
  }

  /** Lets whole milliseconds pass at once. */
  pass(ms: number): void {
    this.#aheadMs += ms
    for (const due of [...this.#far].sort((a, b) => a.atMs - b.atMs)) {
      if (due.atMs <= this.monotonicMs() && this.#far.delete(due)) due.task()
    }
  }

  /** Node, with this clock. */
  get io(): Io {
    return { ...nodeIo(), clock: this }
  }
}
