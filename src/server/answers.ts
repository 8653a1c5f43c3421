import { LRUCache } from 'lru-cache'
import type { Database } from '../database.ts'
import { sha256Hex } from '../io/digest.ts'
import { type Equality, equalityOf } from '../views/read.ts'
import type { View } from '../views/view.ts'

/** An answer to a view read as it was printed, all but its tick. */
export interface Rendered {
  readonly tick: number
  /** What stands behind the tick. */
  readonly tail: Uint8Array
  readonly etag: string
}

/** Answers larger than this are printed anew each time. */
const mostBytes = 256 * 1024

/** With more changes than this since, an answer is made anew rather than looked through. */
const mostChanges = 256

/**
 * A moment of a view, and which of its rows were asked for: what was read then holds until one of them changes, as the
 * view's own changes tell.
 */
export class Standing {
  readonly #name: string
  readonly #view: WeakRef<View>
  readonly #where: Readonly<Record<string, string | null>>
  /** The same to compare with: made when the view has changed, which many answers never live to see. */
  #equality: Equality | null = null
  /** Up to here its changes were looked through. */
  #changedTick: number

  private constructor(name: string, view: View, where: Readonly<Record<string, string | null>>) {
    this.#name = name
    this.#view = new WeakRef(view)
    this.#changedTick = view.changedTick
    this.#where = where
  }

  /** @param where the columns that are asked for by value: a read that was answered has found them good */
  static of(database: Database, name: string, where: Readonly<Record<string, string | null>>): Standing {
    return new Standing(name, database.standing(name).view, where)
  }

  /** @returns the tick at which it still holds, or null */
  holdsAt(database: Database): number | null {
    const { view, tick } = database.standing(this.#name)
    if (view !== this.#view.deref()) return null
    if (view.changedTick === this.#changedTick) return tick
    this.#equality ??= this.#equalityIn(view)
    if (this.#equality === null || this.#isTouched(view, this.#equality)) return null
    this.#changedTick = view.changedTick
    return tick
  }

  #equalityIn({ definition: { columns } }: View): Equality | null {
    const wanted = new Map(
      Object.entries(this.#where).map(([column, text]) => [columns.findIndex((each) => each.name === column), text]),
    )
    return wanted.size === 0 ? null : equalityOf(columns, wanted)
  }

  #isTouched(view: View, { ordinals, page: wanted }: Equality): boolean {
    const since = view.retained.since(this.#changedTick)
    if (since === null || since.errors !== 0) return true
    let left = mostChanges
    const compare = view.keyCompare(ordinals.map((column) => ({ column, descending: false, nullsFirst: false })))
    for (const page of since.pages) {
      left -= page.rows
      if (left < 0) return true
      for (let row = 0; row < page.rows; row++) if (compare(page, row, wanted, 0) === 0) return true
    }
    return false
  }
}

interface Kept {
  readonly standing: Standing
  readonly tail: Uint8Array
  readonly etag: string
}

/**
 * Answers to view reads, for who asks the same. An answer holds until one of the rows that it may show changes, however
 * many ticks pass: no time is involved, and none is ever stale. What the tick is, is told anew each time.
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
  return `W/"${sha256Hex(tail).slice(0, 32)}"`
}
