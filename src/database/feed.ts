import type { MillraceError } from '../data/errors.ts'
import type { Log, SealedTick } from '../log/log.ts'
import type { Running } from './running.ts'

/** So many ticks behind, whoever catches up is taken along: what comes meanwhile waits in memory. */
const closeTicks = 16

/** Hands the log's ticks to the programs at work: the past by replay, then each new one, with no gap between. */
export class Feed {
  readonly #log: Log
  readonly #takers = new Map<Running, (tick: SealedTick) => void>()
  /** Those that are on their way to the newest tick. */
  readonly #following = new Set<Running>()
  /** Why nobody comes to the newest tick any more. */
  #failed: MillraceError | null = null

  constructor(log: Log) {
    this.#log = log
    log.onTick((tick) => {
      for (const take of this.#takers.values()) take(tick)
    })
    log.onPoisoned((error) => {
      this.#failed = error
      for (const running of [...this.#following, ...this.#takers.keys()]) running.driver.fail(error)
    })
  }

  /**
   * Brings a program to the newest tick; from then on it gets each one.
   * @param told called now and then
   */
  async follow(running: Running, told: () => void = () => {}): Promise<void> {
    this.#following.add(running)
    try {
      if (this.#failed !== null) running.driver.fail(this.#failed)
      await this.#follow(running, told)
    } finally {
      this.#following.delete(running)
    }
  }

  async #follow(running: Running, told: () => void): Promise<void> {
    // As long as this takes, as many ticks may have come: those that came in the last, short round wait.
    for (let gap = Number.POSITIVE_INFINITY; gap > closeTicks; ) {
      const { tick } = this.#log.position()
      await running.catchUp(tick, told)
      gap = this.#log.position().tick - tick
    }
    const waiting: SealedTick[] = []
    let take = (tick: SealedTick): void => {
      waiting.push(tick)
    }
    const { tick: through } = this.#log.position()
    this.#takers.set(running, (tick) => take(tick))
    await running.catchUp(through, told)
    for (const tick of waiting) running.driver.take(tick)
    take = (tick) => running.driver.take(tick)
  }

  /** It gets no more ticks. */
  leave(running: Running): void {
    this.#takers.delete(running)
  }
}
