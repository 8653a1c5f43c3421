import { Bug } from '../../data/errors.ts'
import type { Step } from '../operator.ts'
import { Words } from './words.ts'

/** More groups than the memory has room for are never made in one tick. */
const ordinals = 2 ** 27
const ticksPerWord = 2 ** 32 / ordinals
/** At a thousand ticks a second, more than four years. */
const ticksMax = 2 ** 37

/**
 * A name for each group that is shorter than its key, for what is kept of the group elsewhere: 37 bits of the tick
 * that made it, 27 bits of the how manieth it was there. So it is unique without a counter that would have to be kept.
 */
export class GroupIds extends Words {
  #tick = -1
  #made = 0

  constructor(step: Step) {
    super(step, 1)
  }

  /** For the generated loop: reads the id of the entry `e` into `low` and `high`, after giving it one if it has none. */
  code(): string {
    return `const z = e + ${this.offset} >>> 2;
      if (u32[z] === 0 && u32[z + 1] === 0) { u32[z + 1] = ids.high(); u32[z] = ids.low(); }
      const low = u32[z], high = u32[z + 1];`
  }

  of(entry: number): bigint {
    return this.step.memory.i64[(entry + this.offset) / 8]
  }

  /** The upper half of the next id. */
  high(): number {
    return Math.floor((this.step.tick + 1) / ticksPerWord)
  }

  /** The lower half of the next id. */
  low(): number {
    const { tick } = this.step
    if (this.#tick !== tick) {
      if (tick + 1 >= ticksMax) throw new Bug(`tick ${tick} is too late to name groups by`)
      this.#tick = tick
      this.#made = 0
    }
    if (this.#made === ordinals) throw new Bug('too many groups made in one tick')
    return ((tick + 1) % ticksPerWord) * ordinals + this.#made++
  }
}
