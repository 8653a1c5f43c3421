import type { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import { isRefusal, mayPass } from '../protocol/problem.ts'
import { say } from './output.ts'

/** For so long a server that was there may be away: the time of a restart. */
const patienceMs = 30_000
const shortestWaitMs = 250
const longestWaitMs = 2_000

/** Whether to try again where a server does not answer any more. */
export class Patience {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #wasThere = false
  #awaySinceMs: number | null = null
  #waitMs = 0

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
  }

  /** The server answers. */
  answered(): void {
    if (this.#awaySinceMs !== null) say('the server is back')
    this.#wasThere = true
    this.#awaySinceMs = null
    this.#waitMs = 0
  }

  /**
   * Waits, as long as it makes sense, before whoever asks tries again.
   * @throws the error where the server was never there, says that it will not do, or is away for too long
   */
  async after(error: unknown): Promise<void> {
    this.#signal.throwIfAborted()
    if (!this.#wasThere || !isRefusal(error) || !mayPass(error)) throw error
    const nowMs = this.#clock.monotonicMs()
    if (this.#awaySinceMs === null) this.#tell(error)
    this.#awaySinceMs ??= nowMs
    if (nowMs - this.#awaySinceMs >= patienceMs) throw error
    this.#waitMs = Math.min(longestWaitMs, Math.max(shortestWaitMs, this.#waitMs * 2))
    await pause(this.#clock, this.#signal, this.#waitMs)
  }

  #tell({ message }: MillraceError): void {
    say(`${message}; trying again for ${patienceMs / 1000} s`)
  }
}

/** Resolves after the time, or when the signal is aborted. */
export function pause(clock: Clock, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
