import type { ColumnSchema } from '../data/sql-type.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { countThrough, looseBytes, type Pack, packOf, partOf, type RetainedChange, released, sumOf } from './pack.ts'
import { negated, type Page } from './page.ts'
import { type Run, runOf } from './run.ts'

/** So many ticks are packed into one page, or fewer with so many rows: packing must not hold up anybody. */
const packTicks = 256
const packRows = 2048

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

/** All changes after a tick, oldest first. */
export interface ChangesSince {
  readonly pages: readonly Page[]
  readonly ticks: number
  readonly rows: number
  readonly errors: number
}

/** Changes of before those that are in memory, on disk. */
export interface StoredPast {
  /** Changes of every tick after this one are there, up to those in memory. */
  readonly expiredTick: number
  /** Reads those after a tick. @returns null where they can't be read any more, which was told */
  after(tick: number): Promise<RecalledPast | null>
}

export interface RecalledPast {
  /** Changes of every tick after this one were read, oldest first. */
  readonly expiredTick: number
  readonly packs: readonly Pack[]
  /** Null: there are no older ones. */
  readonly older: StoredPast | null
}

/** What a view knows of its past at a tick, for who goes on from there. Immutable. */
export interface RetainedState {
  /** Changes of every tick after this one are in `packs`. */
  readonly expiredTick: number
  readonly packs: readonly Pack[]
  /** From here on each pack is one tick, small and to be packed. */
  readonly loose: number
  readonly stored: StoredPast | null
}

/**
 * Whether the oldest of some changes goes.
 * @param bytes of all of them
 * @param lastMicros the time of its last tick
 */
export function isExpired(
  { micros, bytes: most }: Retention,
  bytes: number,
  lastMicros: bigint,
  nowMicros: bigint,
): boolean {
  if (bytes > most) return true
  if (micros === null || bytes <= Math.min(usualBytes, most)) return false
  // Whoever asks for the time where the retention begins is shown this tick, which needs only those after it.
  return lastMicros <= nowMicros - micros
}

/**
 * The changes of a view's latest ticks: subscribers catch up with them, and without them the view is what it was
 * before. Which ticks are kept follows from the timeline alone, not from a clock. Small changes are packed together:
 * a page for each would weigh many times what is in it.
 */
export class RetainedChanges {
  /** Changes of every tick after this one are here. */
  expiredTick = 0
  bytes = 0
  readonly #schema: readonly ColumnSchema[]
  readonly retention: Retention
  #packs: Pack[] = []
  #first = 0
  /** From here on each pack is one tick, small and to be packed. */
  #loose = 0
  #looseRows = 0
  #stored: StoredPast | null = null
  #recalling: Promise<void> | null = null

  constructor(schema: readonly ColumnSchema[], retention: Retention) {
    this.#schema = schema
    this.retention = retention
  }

  add({ pages, ...change }: RetainedChange): void {
    let bytes = looseBytes
    let rows = 0
    for (const page of pages) {
      bytes += page.bytes
      rows += page.rows
    }
    if (rows >= packRows || this.#looseRows + rows > packRows) this.#pack()
    const { tick: lastTick, timeMicros: lastMicros, rows: net, errors } = change
    this.#packs.push({ changes: [change], pages, starts: null, lastTick, lastMicros, rows: net, errors, bytes })
    this.bytes += bytes
    if (rows >= packRows) this.#loose = this.#packs.length
    else {
      this.#looseRows += rows
      if (this.#packs.length - this.#loose >= packTicks) this.#pack()
    }
    this.#expireDue(lastMicros)
    if (this.#first > 64 && this.#first > this.#packs.length / 2) {
      this.#packs = this.#packs.slice(this.#first)
      this.#loose -= this.#first
      this.#first = 0
    }
  }

  /** Makes one of the loose packs. */
  #pack(): void {
    const loose = this.#packs.splice(this.#loose)
    if (loose.length > 0) {
      const pack = packOf(loose, this.#schema)
      for (const { bytes } of loose) this.bytes -= bytes
      this.#packs.push(pack)
      this.bytes += pack.bytes
    }
    this.#loose = this.#packs.length
    this.#looseRows = 0
  }

  #expireDue(nowMicros: bigint): void {
    while (
      this.#first < this.#packs.length &&
      isExpired(this.retention, this.bytes, this.#packs[this.#first].lastMicros, nowMicros)
    )
      this.#expire()
  }

  /** Gives up the changes of every tick up to this one. */
  expireThrough(tick: number): void {
    while (this.#first < this.#packs.length && this.#packs[this.#first].lastTick <= tick) this.#expire()
    this.expiredTick = Math.max(this.expiredTick, tick)
    this.#stored = null
  }

  #expire(): void {
    // What is older goes with it.
    this.#stored = null
    const { lastTick, bytes, pages } = this.#packs[this.#first]
    if (this.#first >= this.#loose) {
      this.#loose = this.#first + 1
      for (const page of pages) this.#looseRows -= page.rows
    }
    this.#packs[this.#first++] = released
    this.expiredTick = Math.max(this.expiredTick, lastTick)
    this.bytes -= bytes
  }

  /** Changes of every tick after this one are here or on disk. */
  get knownTick(): number {
    return this.#stored?.expiredTick ?? this.expiredTick
  }

  /** Brings changes of every tick after this one into memory, if they are known. */
  async recall(tick: number): Promise<void> {
    while (tick < this.expiredTick && tick >= this.knownTick && this.#stored !== null) {
      this.#recalling ??= this.#recall(this.#stored, tick).finally(() => {
        this.#recalling = null
      })
      await this.#recalling
    }
  }

  async #recall(stored: StoredPast, tick: number): Promise<void> {
    const recalled = await stored.after(tick)
    // What came meanwhile may have left no room for it.
    if (this.#stored !== stored) return
    this.#stored = recalled?.older ?? null
    if (recalled === null) return
    const { packs, expiredTick } = recalled
    this.expiredTick = expiredTick
    this.#packs = [...packs, ...this.#packs.slice(this.#first)]
    this.#loose += packs.length - this.#first
    this.#first = 0
    for (const { bytes } of packs) this.bytes += bytes
    this.#expireDue(this.#packs.at(-1)?.lastMicros ?? 0n)
  }

  state(): RetainedState {
    const [from, stored] = [this.#first, this.#stored]
    return { expiredTick: this.expiredTick, packs: this.#packs.slice(from), loose: this.#loose - from, stored }
  }

  /** Goes on from what was known at a tick; for one that knows nothing yet. */
  goOnFrom({ expiredTick, packs, stored }: RetainedState): void {
    this.expiredTick = expiredTick
    this.#packs = [...packs]
    this.#loose = packs.length
    this.#stored = stored
    for (const { bytes } of packs) this.bytes += bytes
  }

  /** @returns null when some of the changes after the tick have expired */
  since(tick: number): ChangesSince | null {
    if (tick < this.expiredTick) return null
    const pages: Page[] = []
    let ticks = 0
    let rows = 0
    let errors = 0
    for (let i = this.#after(tick); i < this.#packs.length; i++) {
      const pack = this.#packs[i]
      const from = countThrough(pack.changes, tick)
      const sum = from === 0 ? pack : sumOf(pack.changes, from)
      ticks += pack.changes.length - from
      rows += sum.rows
      errors += sum.errors
      pages.push(...partOf(pack, from, pack.changes.length))
    }
    return { pages, ticks, rows, errors }
  }

  /** The oldest change after a tick; undefined where there is none yet, null where it has expired. */
  next(tick: number): RetainedChange | undefined | null {
    if (tick < this.expiredTick) return null
    const pack = this.#packs[this.#after(tick)]
    if (pack === undefined) return undefined
    const at = countThrough(pack.changes, tick)
    return { ...pack.changes[at], pages: partOf(pack, at, at + 1) }
  }

  /** The first pack with a later tick. */
  #after(tick: number): number {
    let low = this.#first
    for (let high = this.#packs.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (this.#packs[middle].lastTick <= tick) low = middle + 1
      else high = middle
    }
    return low
  }

  *pages(): Iterable<Page> {
    for (let i = this.#first; i < this.#packs.length; i++) yield* this.#packs[i].pages
  }
}

/** A run that takes changes back. */
export function takenBack(pages: readonly Page[]): Run {
  return runOf(pages.map(negated), false)
}
