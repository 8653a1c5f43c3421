import type { Clock } from '../../io/io.ts'
import { mayNeverEnd } from '../../plan/effort.ts'
import type { Program } from '../../plan/program.ts'

/** A tick takes milliseconds: one that takes so long is stuck, or far too much for its engine. */
export const stuckMs = 10_000

/** Tells once of each tick that the engine doesn't come to an end with. Nobody is stopped by it. */
export class Watchdog {
  readonly #clock: Clock
  readonly #sinceMs: () => number | null
  readonly #tell: (waitingMs: number) => void
  #cancel: (() => void) | null = null

  /** @param sinceMs since when the engine has had its oldest tick; null: it has none */
  constructor(clock: Clock, sinceMs: () => number | null, tell: (waitingMs: number) => void) {
    this.#clock = clock
    this.#sinceMs = sinceMs
    this.#tell = tell
  }

  /** The engine has been handed a tick. */
  watch(): void {
    this.#cancel ??= this.#clock.after(stuckMs, () => this.#look())
  }

  /** It has none any more. */
  rest(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #look(): void {
    this.#cancel = null
    const since = this.#sinceMs()
    if (since === null) return
    const waited = this.#clock.monotonicMs() - since
    // What is told is not told again; the next tick is watched when it is handed over.
    if (waited >= stuckMs) this.#tell(waited)
    else this.#cancel = this.#clock.after(stuckMs - waited, () => this.#look())
  }
}

/** What is known of an engine that is stuck: which views call what may take for ever over a single row. */
export function stuckWords({ views }: Program, tick: number, waitingMs: number): string {
  const seconds = Math.round(waitingMs / 1000)
  const suspects = views.filter(({ plan }) => mayNeverEnd(plan)).map(({ name }) => name)
  const what = `views stand at tick ${tick}: the engine has worked on one tick for ${seconds} s`
  return suspects.length === 0
    ? what
    : `${what}; regular expressions and functions are called by ${suspects.join(', ')}`
}
