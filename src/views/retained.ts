import type { ColumnSchema } from '../data/sql-type.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { negated, type Page, slicePage } from './page.ts'
import { packPages, type Run, runOf } from './run.ts'

/** What keeping a tick with pages of its own costs beside their bytes, and one among others in a page. */
const looseBytes = 2048
const changeBytes = 96
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

/** One tick's net change of a view. */
export interface RetainedChange {
  readonly tick: number
  readonly timeMicros: bigint
  readonly pages: readonly Page[]
  /** By how much the view's rows and error rows became more. */
  readonly rows: number
  readonly errors: number
}

/** All changes after a tick, oldest first. */
export interface ChangesSince {
  readonly pages: readonly Page[]
  readonly ticks: number
  readonly rows: number
  readonly errors: number
}

/** Several ticks whose rows lie behind each other in one page, or one tick with pages of its own. */
interface Pack {
  readonly changes: readonly Omit<RetainedChange, 'pages'>[]
  readonly pages: readonly Page[]
  /** Of several ticks: where each one's rows begin. */
  readonly starts: Uint32Array | null
  readonly lastTick: number
  readonly lastMicros: bigint
  /** Of all its changes. */
  readonly rows: number
  readonly errors: number
  readonly bytes: number
}

const released: Pack = {
  changes: [],
  pages: [],
  starts: null,
  lastTick: 0,
  lastMicros: 0n,
  rows: 0,
  errors: 0,
  bytes: 0,
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
  readonly #retention: Retention
  readonly #floor: number
  #packs: Pack[] = []
  #first = 0
  /** From here on each pack is one tick, small and to be packed. */
  #loose = 0
  #looseRows = 0

  constructor(schema: readonly ColumnSchema[], retention: Retention) {
    this.#schema = schema
    this.#retention = retention
    this.#floor = Math.min(usualBytes, retention.bytes)
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
    while (this.#first < this.#packs.length && this.#mayExpire(lastMicros)) this.#expire()
    if (this.#first > 64 && this.#first > this.#packs.length / 2) {
      this.#packs = this.#packs.slice(this.#first)
      this.#loose -= this.#first
      this.#first = 0
    }
  }

  /** Makes one of the loose packs. */
  #pack(): void {
    const loose = this.#packs.splice(this.#loose)
    if (loose.length > 1) {
      const pages = loose.flatMap((pack) => pack.pages)
      const page = pages.length === 0 ? [] : [packPages(pages, this.#looseRows, this.#schema)]
      const starts = new Uint32Array(loose.length)
      let bytes = loose.length * changeBytes + looseBytes
      let row = 0
      loose.forEach((pack, i) => {
        starts[i] = row
        for (const { rows } of pack.pages) row += rows
        this.bytes -= pack.bytes
      })
      for (const one of page) bytes += one.bytes
      const changes = loose.flatMap((pack) => pack.changes)
      const { lastTick, lastMicros } = loose[loose.length - 1]
      const { rows, errors } = sumOf(changes, 0)
      this.#packs.push({ changes, pages: page, starts, lastTick, lastMicros, rows, errors, bytes })
      this.bytes += bytes
    } else this.#packs.push(...loose)
    this.#loose = this.#packs.length
    this.#looseRows = 0
  }

  #mayExpire(nowMicros: bigint): boolean {
    const { micros, bytes } = this.#retention
    if (this.bytes > bytes) return true
    if (micros === null || this.bytes <= this.#floor) return false
    // Whoever asks for the time where the retention begins is shown this tick, which needs only those after it.
    return this.#packs[this.#first].lastMicros <= nowMicros - micros
  }

  /** Gives up the changes of every tick up to this one. */
  expireThrough(tick: number): void {
    while (this.#first < this.#packs.length && this.#packs[this.#first].lastTick <= tick) this.#expire()
    this.expiredTick = Math.max(this.expiredTick, tick)
  }

  #expire(): void {
    const { lastTick, bytes, pages } = this.#packs[this.#first]
    if (this.#first >= this.#loose) {
      this.#loose = this.#first + 1
      for (const page of pages) this.#looseRows -= page.rows
    }
    this.#packs[this.#first++] = released
    this.expiredTick = Math.max(this.expiredTick, lastTick)
    this.bytes -= bytes
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

function sumOf(changes: Pack['changes'], from: number): { readonly rows: number; readonly errors: number } {
  let rows = 0
  let errors = 0
  for (let i = from; i < changes.length; i++) {
    rows += changes[i].rows
    errors += changes[i].errors
  }
  return { rows, errors }
}

/** How many changes are not after a tick. */
function countThrough(changes: Pack['changes'], tick: number): number {
  let low = 0
  for (let high = changes.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (changes[middle].tick <= tick) low = middle + 1
    else high = middle
  }
  return low
}

/** The rows of some of a pack's ticks. */
function partOf({ pages, starts, changes }: Pack, from: number, to: number): readonly Page[] {
  if (starts === null || pages.length === 0 || (from === 0 && to === changes.length)) return pages
  const start = starts[from]
  const end = to === changes.length ? pages[0].rows : starts[to]
  return start === end ? [] : [slicePage(pages[0], start, end)]
}

/** A run that takes changes back. */
export function takenBack(pages: readonly Page[]): Run {
  return runOf(pages.map(negated), false)
}
