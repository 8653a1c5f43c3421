/** A view's changelog on the page: what the server still remembers of it, then what comes. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { ChangesBody, Inspector, WireRow } from 'millrace/client'
import type { ViewInfo } from '../ask/catalog.ts'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { type Compare, comparator } from './order.ts'
import { liveWhileSeen } from './while-seen.ts'

/** One change as the changelog lists it. */
export interface LoggedChange {
  readonly key: string
  readonly tick: number
  readonly row: WireRow
  readonly weight: number
  /** Since when it is listed, on the page's clock; 0: it was there when the page was opened. */
  readonly litAt: number
}

export interface FeedState {
  /** The newest first. */
  readonly changes: readonly LoggedChange[]
  /** All changes behind this tick are listed; null: not known yet. */
  readonly since: number | null
  readonly refusal: Refusal | null
}

/** Changes that are listed. */
const mostLogged = 2000
/** So many are asked for at once, of what there was. */
const askedFor = 1000
/** Fewer than these, and earlier ticks are asked for, too. */
const enough = 200
const firstSpan = 64
const spanFactor = 8

type TickChange = Pick<LoggedChange, 'tick' | 'row' | 'weight'>

export class ChangeFeed {
  readonly #state = signal<FeedState>({ changes: [], since: null, refusal: null })
  readonly #stop = new AbortController()
  readonly #server: Inspector
  /** From left to right: an update's two rows, alike in their first columns, come to stand together. */
  readonly #likeness: Compare
  #logged: readonly LoggedChange[] = []
  #since: number | null = null
  #serial = 0
  #frame = 0

  /** @param tick the newest tick that is known */
  constructor(server: Inspector, view: ViewInfo, tick: number) {
    this.#server = server
    this.#likeness = comparator(view.columns.slice(0, 1), [])
    void this.#follow(view, tick)
  }

  get state(): ReadonlySignal<FeedState> {
    return this.#state
  }

  close(): void {
    this.#stop.abort()
    cancelAnimationFrame(this.#frame)
  }

  async #follow(view: ViewInfo, tick: number): Promise<void> {
    const { signal: stop } = this.#stop
    try {
      const { body, from } = await this.#retained(view, tick)
      this.#since = from
      this.#note(body.changes, 0)
      const steps = liveWhileSeen(this.#server, view.name, { fromTick: body.tick, signal: stop })
      for await (const { kind, tick: at, changes } of steps) {
        if (kind === 'change') {
          const listed = changes.map(({ row, weight }) => ({ tick: at, row, weight }))
          this.#note(listed, performance.now())
        } else {
          // What came in between is forgotten: the list begins anew, so that it never has a gap.
          this.#logged = []
          this.#since = at
          this.#soon()
        }
      }
    } catch (error) {
      if (stop.aborted || isAbort(error)) return
      this.#state.value = { ...this.#state.value, refusal: refusalOf(error) }
    }
  }

  /** The newest ticks that are remembered, as many as make a list: asked for in ever longer stretches. */
  async #retained({ name, oldest_tick: oldest }: ViewInfo, newest: number): Promise<Retained> {
    let last: Retained = { from: newest, body: { tick: newest, changes: [] } }
    for (let span = firstSpan; ; span *= spanFactor) {
      const from = Math.max(oldest, newest - span)
      const body = await this.#asked(name, from)
      // More than there is room for: what was asked for before has to do.
      if (body === null || body.tick < newest) return span === firstSpan ? this.#nearest(name, newest) : last
      last = { from, body }
      if (from === oldest || body.changes.length >= enough) return last
    }
  }

  /** Of busy ticks, the last few. */
  async #nearest(name: string, newest: number): Promise<Retained> {
    for (let span = firstSpan / 8; span >= 1; span /= 4) {
      const from = Math.max(0, newest - Math.ceil(span))
      const body = await this.#asked(name, from)
      if (body !== null && body.tick >= newest) return { from, body }
    }
    return { from: newest, body: { tick: newest, changes: [] } }
  }

  /** Null where one tick alone has more, or what was asked for is forgotten meanwhile, or not this reader's. */
  async #asked(name: string, from: number): Promise<ChangesBody | null> {
    try {
      return await this.#server.changes(name, from, { limit: askedFor, signal: this.#stop.signal })
    } catch (error) {
      const { code } = refusalOf(error)
      if (code === 'request/too-many-rows' || code === 'tick/expired' || code.startsWith('auth')) return null
      throw error
    }
  }

  #note(changes: readonly TickChange[], at: number): void {
    const ordered = [...changes].sort((a, b) => b.tick - a.tick || this.#likeness(a.row, b.row) || b.weight - a.weight)
    const noted = ordered.map((change) => ({ ...change, key: String(this.#serial++), litAt: at }))
    const logged = [...noted, ...this.#logged]
    if (logged.length > mostLogged) this.#since = logged[mostLogged].tick
    this.#logged = logged.slice(0, mostLogged)
    this.#soon()
  }

  #soon(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.#state.value = { changes: this.#logged, since: this.#since, refusal: null }
    })
  }
}

interface Retained {
  readonly from: number
  readonly body: ChangesBody
}
