import type { ViewDefinition } from '../plan/program.ts'
import { negated, type Page } from './page.ts'
import { type Run, runOf } from './run.ts'

/** What keeping a tick costs beside its pages' bytes. */
const entryBytes = 512
/** Ticks kept at most: a merge tells so many pages apart, and a view's own need some of the numbers, too. */
const mostEntries = 131_072

/** How much of its past a view keeps: ticks of the latest so many microseconds of the timeline, and bytes at most. */
export interface Retention {
  /** Null: as many as there is room for. */
  readonly micros: bigint | null
  readonly bytes: number
}

/** What the definition of a view says, or what is usual. */
export function retentionOf({ retain }: ViewDefinition): Retention {
  if (retain === undefined) return { micros: null, bytes: usualBytes }
  const micros = retain.micros === null ? null : BigInt(retain.micros)
  return { micros, bytes: retain.bytes ?? timedBytes }
}

/** A view that retains a time keeps so much at most, if it isn't told otherwise. */
const timedBytes = 256 * 1024 * 1024

/** Kept whatever the time: subscribers that lag a little shall find what they lack. */
export const usualBytes = 16 * 1024 * 1024

/** One tick's net change of a view. */
export interface RetainedChange {
  readonly tick: number
  readonly timeMicros: bigint
  readonly pages: readonly Page[]
  /** By how much the view's rows and error rows became more. */
  readonly rows: number
  readonly errors: number
}

interface Entry extends RetainedChange {
  readonly bytes: number
}

const released: Entry = { tick: 0, timeMicros: 0n, pages: [], rows: 0, errors: 0, bytes: 0 }

/** All changes after a tick, oldest first. */
export interface ChangesSince {
  readonly pages: readonly Page[]
  readonly ticks: number
  readonly rows: number
  readonly errors: number
}

/**
 * The changes of a view's latest ticks: subscribers catch up with them, and without them the view is what it was
 * before. Which ticks are kept follows from the timeline alone, not from a clock.
 */
export class RetainedChanges {
  /** Changes of every tick after this one are here. */
  expiredTick = 0
  bytes = 0
  readonly #retention: Retention
  readonly #floor: number
  #entries: Entry[] = []
  #first = 0

  constructor(retention: Retention) {
    this.#retention = retention
    this.#floor = Math.min(usualBytes, retention.bytes)
  }

  add(change: RetainedChange): void {
    let bytes = entryBytes
    for (const page of change.pages) bytes += page.bytes
    this.#entries.push({ ...change, bytes })
    this.bytes += bytes
    while (this.#first < this.#entries.length && this.#mayExpire(change.timeMicros)) this.#expire()
    if (this.#first > 64 && this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }

  #mayExpire(nowMicros: bigint): boolean {
    const { micros, bytes } = this.#retention
    if (this.bytes > bytes || this.#entries.length - this.#first > mostEntries) return true
    if (micros === null || this.bytes <= this.#floor) return false
    // Whoever asks for the time where the retention begins is shown this tick, which needs only those after it.
    return this.#entries[this.#first].timeMicros <= nowMicros - micros
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

  /** @returns null when some of the changes after the tick have expired */
  since(tick: number): ChangesSince | null {
    if (tick < this.expiredTick) return null
    const entries = this.#entries.slice(this.#after(tick))
    let rows = 0
    let errors = 0
    for (const entry of entries) {
      rows += entry.rows
      errors += entry.errors
    }
    return { pages: entries.flatMap((entry) => entry.pages), ticks: entries.length, rows, errors }
  }

  /** The oldest change after a tick; undefined where there is none yet, null where it has expired. */
  next(tick: number): RetainedChange | undefined | null {
    return tick < this.expiredTick ? null : this.#entries[this.#after(tick)]
  }

  /** The first entry of a later tick. */
  #after(tick: number): number {
    let low = this.#first
    for (let high = this.#entries.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle].tick <= tick) low = middle + 1
      else high = middle
    }
    return low
  }

  *pages(): Iterable<Page> {
    for (let i = this.#first; i < this.#entries.length; i++) yield* this.#entries[i].pages
  }
}

/** A run that takes changes back. */
export function takenBack(pages: readonly Page[]): Run {
  return runOf(pages.map(negated), false)
}
