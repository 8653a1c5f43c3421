import { Bug } from '../data/errors.ts'
import type { ColdStore, Piece } from './cold.ts'
import type { Heap } from './heap.ts'
import type { StatePart } from './state-part.ts'

/** No slice is larger, however much is asked for: its pieces are in memory, and on their way to another thread. */
const sliceBytesMax = 1024 * 1024

/** Slots looked at before the budget is compared again. */
const walkSlots = 4096
/**
 * Between two ticks no more is forgotten than this, or looked at for it, as the next tick waits: what is left follows
 * behind that. Only who is further beyond the budget than it is wide is not spared.
 */
const forgottenAtOnce = 1024 * 1024
const slotsAtOnce = 65_536
const budgetWidth = 0.05

/**
 * Captures, and memory given back, over all arrangements of an engine. A capture is begun between two ticks, taken
 * in slices between later ones, and durable when its owner says so; until then the next one takes everything again.
 */
export class Captures {
  readonly #parts: readonly StatePart[]
  readonly #heap: Heap
  /** Of the last capture begun. */
  #mark = 0
  #durable = 0
  /** The part that the capture under way is at; null: none is under way. */
  #at: number | null = null
  #cold: ColdStore | null
  /** Where the last walk over clean buckets ended. */
  #clock = 0
  /** How many buckets must have been faulted in before the next walk: those before it found nothing left to forget. */
  #nextWalk = 0
  #patience = walkSlots
  /** All that had not changed for longer than since the last durable capture is forgotten, but for what came back. */
  #oldGone = false
  /** Slots that the walk under way has still to look at; 0: none is under way. */
  #left = 0

  /** @param cold where state is found from the start */
  constructor(parts: readonly StatePart[], heap: Heap, cold: ColdStore | null) {
    this.#parts = parts
    this.#heap = heap
    this.#cold = cold
    if (cold !== null) for (const part of parts) part.start(cold)
  }

  /**
   * Begins a capture of the state as it is now; one that is under way is given up.
   * @param epoch the next tick's epoch
   * @returns the next tick's epoch from now on
   */
  begin(epoch: number): number {
    // The mark is no tick's epoch, nor is mark + 1, the stamp of what is touched by others than operators.
    this.#mark = epoch
    this.#at = 0
    for (const part of this.#parts) part.begin(epoch)
    return epoch + 2
  }

  /** @returns about so many bytes of the capture under way, or fewer, and whether it is whole now */
  slice(maxBytes: number): { pieces: Piece[]; done: boolean } {
    if (this.#at === null) throw new Bug('no capture is under way')
    const pieces: Piece[] = []
    let left = Math.min(maxBytes, sliceBytesMax)
    while (this.#at < this.#parts.length) {
      const from = pieces.length
      if (!this.#parts[this.#at].slice(pieces, left)) return { pieces, done: false }
      this.#at++
      for (let i = from; i < pieces.length; i++) left -= pieces[i].bytes.byteLength
      if (left <= 0 && this.#at < this.#parts.length) return { pieces, done: false }
    }
    this.#at = null
    return { pieces, done: true }
  }

  /**
   * From now on state is found in `cold`.
   * @param captured whether it holds the last capture, too
   */
  adopt(cold: ColdStore, captured: boolean): void {
    this.#cold = cold
    if (captured && this.#at !== null) throw new Bug('a capture is durable before it is whole')
    for (const part of this.#parts) {
      if (captured) part.adopt(cold)
      else part.move(cold)
    }
    if (captured) {
      this.#durable = this.#mark
      this.#nextWalk = 0
      this.#patience = walkSlots
      this.#oldGone = false
      this.#left = 0
    }
  }

  /**
   * Forgets buckets that are as they are outside until the heap is well below the budget, or nothing is left to forget:
   * a stretch at a time, behind each tick.
   */
  evict(budgetBytes: number): void {
    const heap = this.#heap
    const target = budgetBytes * 0.9
    if (this.#cold === null || heap.usedBytes <= target) {
      this.#left = 0
      return
    }
    if (this.#left === 0) {
      if (heap.usedBytes <= budgetBytes || this.faults < this.#nextWalk) return
      this.#left = this.#allSlots()
    }
    const enough = heap.usedBytes - forgottenAtOnce
    const spared = budgetBytes * (1 + budgetWidth)
    for (let looked = 0; looked < slotsAtOnce || heap.usedBytes > spared; ) {
      const part = this.#parts[this.#clock++ % this.#parts.length]
      const slots = Math.max(1, Math.min(part.slots, walkSlots))
      looked += slots
      this.#left -= slots
      // Between ticks nothing points to what is freed.
      if (part.evict(slots, this.#cold, this.#oldGone)) heap.endTick()
      if (heap.usedBytes <= target || (this.#left <= 0 && !this.#nextRound())) return
      if (heap.usedBytes <= enough && heap.usedBytes <= spared) return
    }
  }

  /** @returns whether there may be more to forget: what has changed lately is looked at only then */
  #nextRound(): boolean {
    this.#left = this.#oldGone ? 0 : this.#allSlots()
    if (this.#left > 0) {
      this.#oldGone = true
      return true
    }
    // What is brought in is mostly changed at once, and then has to wait for a capture.
    this.#nextWalk = this.faults + this.#patience
    this.#patience *= 2
    return false
  }

  #allSlots(): number {
    return this.#parts.reduce((sum, { slots }) => sum + Math.max(1, slots), 0)
  }

  /** Whether a capture would let the heap come down to its budget. */
  wanted(budgetBytes: number): boolean {
    return this.#heap.usedBytes > budgetBytes && this.#mark === this.#durable
  }

  /** Buckets that came back from outside so far. */
  get faults(): number {
    return this.#parts.reduce((sum, { faults }) => sum + faults, 0)
  }
}
