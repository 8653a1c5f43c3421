import { randomBytes } from 'node:crypto'
import type { Clock, Io, Random } from './io.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeThreads } from './node-threads.ts'

/** The world as Node gives it: this is what production runs on. */
export function nodeIo(): Io {
  return { clock: new NodeClock(), random: nodeRandom, disk: new NodeDisk(), threads: new NodeThreads() }
}

const nodeRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) }

/** `Date.now()` has milliseconds only: the steady clock fills in the rest while the two agree. */
const agreementMicros = 2_000n
/** The longest delay that Node's timers can hold. */
const longestDelayMs = 2 ** 31 - 1

class NodeClock implements Clock {
  #anchorWall = 0n
  #anchorSteady = 0n

  nowMicros(): bigint {
    const wall = BigInt(Date.now()) * 1000n
    const steady = process.hrtime.bigint() / 1000n
    const estimate = this.#anchorWall + (steady - this.#anchorSteady)
    const apart = estimate - wall
    if (apart >= -agreementMicros && apart <= agreementMicros) return estimate
    this.#anchorWall = wall
    this.#anchorSteady = steady
    return wall
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, task: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(task)
      return () => clearImmediate(immediate)
    }
    const due = performance.now() + delayMs
    let timer: NodeJS.Timeout
    const arm = (): void => {
      // A timer may fire a fraction of a millisecond early.
      const left = Math.ceil(due - performance.now())
      if (left <= 0) task()
      else timer = setTimeout(arm, Math.min(left, longestDelayMs))
    }
    timer = setTimeout(arm, Math.min(Math.ceil(delayMs), longestDelayMs))
    return () => clearTimeout(timer)
  }
}
