import type { Page } from './page.ts'

/** What keeping a tick costs beside its pages' bytes. */
const entryBytes = 512

interface Entry {
  readonly tick: number
  readonly pages: readonly Page[]
  readonly bytes: number
}

const released: Entry = { tick: 0, pages: [], bytes: 0 }

/** The changes of a view's latest ticks, for subscribers that catch up: as many as fit a budget. */
export class RetainedChanges {
  /** Changes of every tick after this one are here. */
  expiredTick = 0
  bytes = 0
  readonly #budget: number
  #entries: Entry[] = []
  #first = 0

  constructor(budget: number) {
    this.#budget = budget
  }

  add(tick: number, pages: readonly Page[]): void {
    let bytes = entryBytes
    for (const page of pages) bytes += page.bytes
    this.#entries.push({ tick, pages, bytes })
    this.bytes += bytes
    while (this.bytes > this.#budget && this.#first < this.#entries.length) this.#expire()
    if (this.#first > 64 && this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }

  /** Gives up the changes of every tick up to this one. */
  expireThrough(tick: number): void {
    while (this.#first < this.#entries.length && this.#entries[this.#first].tick <= tick) this.#expire()
    this.expiredTick = Math.max(this.expiredTick, tick)
  }

  #expire(): void {
    const { tick, bytes } = this.#entries[this.#first]
    this.#entries[this.#first++] = released
    this.expiredTick = tick
    this.bytes -= bytes
  }

  /** Pages of all changes after a tick, oldest first; null when some have expired. */
  since(tick: number): { readonly pages: readonly Page[]; readonly ticks: number } | null {
    if (tick < this.expiredTick) return null
    let from = this.#entries.length
    while (from > this.#first && this.#entries[from - 1].tick > tick) from--
    const entries = this.#entries.slice(from)
    return { pages: entries.flatMap((entry) => entry.pages), ticks: entries.length }
  }

  *pages(): Iterable<Page> {
    for (let i = this.#first; i < this.#entries.length; i++) yield* this.#entries[i].pages
  }
}
