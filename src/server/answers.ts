import { LRUCache } from 'lru-cache'
import type { Database } from '../database.ts'
import { sha256 } from '../io/digest.ts'
import type { View } from '../views/view.ts'
import { hex } from './api-keys.ts'

/** An answer to a view read as it was printed, all but its tick. */
export interface Rendered {
  readonly tick: number
  /** What stands behind the tick. */
  readonly tail: Uint8Array
  readonly etag: string
}

/** Answers larger than this are printed anew each time. */
const mostBytes = 256 * 1024

/** A moment of a view: what was read of it then holds as long as the view has not changed. */
export class Standing {
  readonly name: string
  readonly view: WeakRef<View>
  readonly changedTick: number
  /** Readers were promised a tick as new as this. */
  readonly minTick: number

  private constructor(name: string, view: View, minTick: number) {
    this.name = name
    this.view = new WeakRef(view)
    this.changedTick = view.changedTick
    this.minTick = minTick
  }

  static of(database: Database, name: string, minTick: number): Standing {
    return new Standing(name, database.standing(name).view, minTick)
  }

  /** @returns the tick at which it still holds, or null */
  holdsAt(database: Database): number | null {
    const { view, tick } = database.standing(this.name)
    return view === this.view.deref() && view.changedTick === this.changedTick && tick >= this.minTick ? tick : null
  }
}

interface Kept {
  readonly standing: Standing
  readonly tail: Uint8Array
  readonly etag: string
}

/**
 * Answers to view reads, for who asks the same. An answer holds until its view changes, however many ticks pass: no
 * time is involved, and none is ever stale. What the tick is, is told anew each time.
 */
export class Answers {
  readonly #kept: LRUCache<string, Kept>

  constructor(bytes: number) {
    this.#kept = new LRUCache({ maxSize: bytes, sizeCalculation: ({ tail }, key) => tail.length + key.length + 256 })
  }

  /** @param key all that the answer depends on but the view's rows: what is asked, and what the reader sees */
  find(key: string, database: Database): Rendered | null {
    const kept = this.#kept.get(key)
    if (kept === undefined) return null
    const tick = kept.standing.holdsAt(database)
    if (tick !== null) return { tick, tail: kept.tail, etag: kept.etag }
    this.#kept.delete(key)
    return null
  }

  /** @param standing of before the read: a change meanwhile leaves nothing behind that is newer than it says */
  keep(key: string, standing: Standing, { tail, etag }: Rendered): void {
    if (tail.length <= mostBytes) this.#kept.set(key, { standing, tail, etag })
  }
}

/** By content: the same rows have the same tag, at whatever tick and on whatever server. */
export function etagOf(tail: Uint8Array): string {
  return `W/"${hex(sha256(tail).subarray(0, 16))}"`
}
