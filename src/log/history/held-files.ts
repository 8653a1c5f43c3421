import { MillraceError } from '../../data/errors.ts'
import type { Clock } from '../../io/io.ts'
import type { StoreReader } from '../commit.ts'
import type { LogMoment } from './log-moment.ts'

/** Somebody who reads files as they were at one moment. */
class Hold {
  /** Counts what was dropped: what went before its beginning it doesn't read. */
  readonly began: number
  /** Since when it stands still; null while it reads, as who doesn't last always does. */
  restsMs: number | null = null
  /** Reads under way: several may be at a time. */
  reads = 1
  expired = false
  readonly mostIdleMs: number
  readonly #release: (hold: Hold) => Promise<void>

  constructor(began: number, mostIdleMs: number, release: (hold: Hold) => Promise<void>) {
    this.began = began
    this.mostIdleMs = mostIdleMs
    this.#release = release
  }

  release(): Promise<void> {
    return this.#release(this)
  }
}

/** Files that are of no use any more stay until nobody reads them who began before. */
export class HeldFiles {
  readonly #clock: Clock
  readonly #remove: (path: string) => Promise<void>
  /** In the order in which they began. */
  readonly #holds = new Set<Hold>()
  #moment = 0
  #useless: { readonly path: string; readonly dropped: number }[] = []
  #cancel: (() => void) | null = null
  #closed = false

  constructor(clock: Clock, remove: (path: string) => Promise<void>) {
    this.#clock = clock
    this.#remove = remove
  }

  /** @param mostIdleMs whoever stands still for longer keeps nothing from going */
  hold(mostIdleMs = Number.POSITIVE_INFINITY): Hold {
    const hold = new Hold(this.#moment, mostIdleMs, async (released) => {
      this.#holds.delete(released)
      await this.#removeUseless()
    })
    this.#holds.add(hold)
    return hold
  }

  async drop(paths: readonly string[]): Promise<void> {
    this.#moment++
    for (const path of paths) this.#useless.push({ path, dropped: this.#moment })
    await this.#removeUseless()
  }

  /** What is held now is taken away by the next start. */
  close(): void {
    this.#closed = true
    this.#cancel?.()
  }

  /** Runs one read of a lasting reader. @throws MillraceError log/reader-expired */
  async using<T>(hold: Hold, work: () => Promise<T>): Promise<T> {
    this.#check(hold)
    this.#use(hold)
    try {
      return await work()
    } finally {
      this.rest(hold)
    }
  }

  /** Runs what stands still within a read. @throws MillraceError log/reader-expired */
  async resting(hold: Hold, work: () => Promise<void> | void): Promise<void> {
    this.rest(hold)
    try {
      await work()
    } finally {
      this.#use(hold)
    }
    this.#check(hold)
  }

  #use(hold: Hold): void {
    hold.reads++
    hold.restsMs = null
  }

  /** @throws MillraceError log/reader-expired */
  #check(hold: Hold): void {
    if (!hold.expired) return
    const seconds = Math.round(hold.mostIdleMs / 1000)
    const what = `a read of the log stood still for ${seconds} seconds while some of what it reads was to go`
    throw new MillraceError('log/reader-expired', what, { hint: 'ask again' })
  }

  rest(hold: Hold): void {
    if (--hold.reads > 0) return
    hold.restsMs = this.#clock.monotonicMs()
    if (this.#cancel === null) this.#expire()
  }

  async #removeUseless(): Promise<void> {
    if (this.#closed) return
    this.#expire()
    const [first] = this.#holds
    const going = this.#useless.filter(({ dropped }) => first === undefined || first.began >= dropped)
    this.#useless = this.#useless.filter((each) => !going.includes(each))
    for (const { path } of going) await this.#remove(path)
  }

  /** Lets go of who stood still for long, and looks again when the next one has. */
  #expire(): void {
    this.#cancel?.()
    this.#cancel = null
    const newest = this.#useless.at(-1)
    if (newest === undefined || this.#closed) return
    const now = this.#clock.monotonicMs()
    let next = Number.POSITIVE_INFINITY
    for (const hold of this.#holds) {
      if (hold.began >= newest.dropped) break
      if (hold.restsMs === null) continue
      const left = hold.restsMs + hold.mostIdleMs - now
      if (left > 0) next = Math.min(next, left)
      else {
        hold.expired = true
        this.#holds.delete(hold)
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#cancel = this.#clock.after(next, () => void this.#removeUseless())
  }
}

/** Reads a log as it was at a moment, until it is closed. */
export function lastingReader(held: HeldFiles, log: LogMoment, mostIdleMs: number): StoreReader {
  const hold = held.hold(mostIdleMs)
  held.rest(hold)
  return {
    replay: (each, mergeRows, afterTick, throughTick, columns) => {
      const step: typeof each = (tick) => held.resting(hold, () => each(tick))
      return held.using(hold, () => log.replay({ each: step, mergeRows, afterTick, throughTick, columns }))
    },
    findTick: (wanted) => held.using(hold, () => log.findTick(wanted)),
    readTopic: (...asked) => held.using(hold, () => log.readTopic(...asked)),
    starts: () => log.starts(),
    close: () => hold.release(),
  }
}
