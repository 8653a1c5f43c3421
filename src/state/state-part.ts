import type { ColdStore, Piece } from './cold.ts'
import type { Size } from './size.ts'

/** What the engine does with all that has state, keyed or not. */
export interface StatePart {
  /** Stable over processes; set once, before anything leaves or enters memory. */
  name: string
  /** Never leaves memory: its owner walks over all of it. */
  resident: boolean
  /** State as it is now is going to be captured, unless it is as it was in the last durable capture. */
  begin(mark: number): void
  /** Captures about so many bytes more. @returns whether this was the last */
  slice(out: Piece[], maxBytes: number): boolean
  /** The last capture is durable: this is where it can be found from now on. */
  adopt(cold: ColdStore): void
  /** State is found there, but for what has been changed since. */
  start(cold: ColdStore): void
  /** The store has moved; nothing else has changed. */
  move(cold: ColdStore): void
  /** Forgets clean buckets, walking over about `slots` slots. @returns whether any went */
  evict(slots: number, cold: ColdStore, second: boolean): boolean
  readonly slots: number
  /** Buckets that came back from outside so far. */
  readonly faults: number
  /** How much of it is in memory: keys exactly, bytes about. */
  size(): Size
}
