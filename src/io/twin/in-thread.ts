import type { Io, ThreadEntry, ThreadPort, Threads } from '../io.ts'
import type { Prng } from './prng.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Which code stands behind an entry's name: a lower room can't know the engine. */
export type ThreadEntries = Partial<Record<Parameters<Threads['start']>[0], ThreadEntry>>

/**
 * Threads that all run in this one. Messages are cloned as between real threads and arrive in the order they were
 * posted on a port; how long each takes, and so what happens between two ports, is the seed's choice.
 */
export class InThread implements Threads {
  readonly #entries: ThreadEntries
  readonly #clock: VirtualClock
  readonly #prng: Prng
  readonly #io: () => Io

  /** @param io what the threads see: the machine they run on */
  constructor(entries: ThreadEntries, clock: VirtualClock, prng: Prng, io: () => Io) {
    this.#entries = entries
    this.#io = io
    this.#clock = clock
    this.#prng = prng
  }

  start(
    entry: keyof ThreadEntries,
    onMessage: (message: unknown) => void,
    onFailure: (error: Error) => void,
  ): ThreadPort {
    const code = this.#entries[entry]
    if (code === undefined) throw new Error(`the simulation was given no '${entry}' thread`)
    let stopped = false
    const back = this.#channel((message) => {
      if (!stopped) onMessage(message)
    })
    let take: ((message: unknown) => void) | null = null
    const there = this.#channel((message) => {
      if (stopped) return
      try {
        take ??= code(back, this.#io())
        take(message)
      } catch (error) {
        stopped = true
        this.#clock.work(0, () => onFailure(error instanceof Error ? error : new Error(String(error))))
      }
    })
    return {
      post: there,
      async stop() {
        stopped = true
      },
    }
  }

  #channel(deliver: (message: unknown) => void): (message: unknown, transfer?: readonly ArrayBuffer[]) => void {
    const waiting: unknown[] = []
    return (message, transfer) => {
      waiting.push(structuredClone(message, transfer === undefined ? undefined : { transfer: [...transfer] }))
      // Each delivery takes the oldest message, whichever of the delays ends first. Now and then a thread gets no turn
      // for so long that others get far ahead.
      const micros = this.#prng.below(this.#prng.chance(0.02) ? 20_000 : 200)
      this.#clock.work(1 + micros, () => deliver(waiting.shift()))
    }
  }
}
