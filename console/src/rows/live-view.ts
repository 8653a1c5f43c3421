/** A view on the page, kept up to date by its live stream. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector } from 'millrace/client'
import type { ViewInfo } from '../ask/catalog.ts'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { Bag, type HeldRow } from './bag.ts'
import { type Compare, comparator } from './order.ts'

/** One change as the changelog lists it. */
export interface LoggedChange {
  readonly key: string
  readonly tick: number
  readonly row: Readonly<Record<string, unknown>>
  readonly weight: number
}

export interface LiveState {
  readonly tick: number | null
  readonly rows: readonly HeldRow[]
  readonly size: number
  /** All rows of the snapshot have come. */
  readonly whole: boolean
  readonly refusal: Refusal | null
}

const mostLogged = 1000

/** Rows change with the screen's frames, however many changes come between two of them. */
export class LiveView {
  readonly #state = signal<LiveState>({ tick: null, rows: [], size: 0, whole: false, refusal: null })
  readonly #log = signal<readonly LoggedChange[]>([])
  readonly #stop = new AbortController()
  readonly #bag: Bag
  #tick: number | null = null
  #whole = false
  #logged: LoggedChange[] = []
  #serial = 0
  /** From left to right: an update's two rows, alike in their first columns, come to stand together. */
  readonly #likeness: Compare
  #frame = 0

  constructor(server: Inspector, view: ViewInfo, order: readonly string[]) {
    this.#bag = new Bag(view.columns, order)
    this.#likeness = comparator(view.columns.slice(0, 1), [])
    void this.#follow(server, view.name)
  }

  get state(): ReadonlySignal<LiveState> {
    return this.#state
  }

  /** The latest changes, the newest first. */
  get log(): ReadonlySignal<readonly LoggedChange[]> {
    return this.#log
  }

  reorder(order: readonly string[]): void {
    this.#bag.reorder(order)
    this.#soon()
  }

  close(): void {
    this.#stop.abort()
    cancelAnimationFrame(this.#frame)
  }

  async #follow(server: Inspector, name: string): Promise<void> {
    try {
      for await (const { kind, tick, changes } of server.relations.live(name, { signal: this.#stop.signal })) {
        this.#tick = tick
        if (kind === 'reset') {
          this.#bag.clear()
          this.#whole = false
        } else {
          if (kind === 'change') this.#whole = true
          this.#bag.apply(changes, kind === 'change' ? performance.now() : 0)
          if (kind === 'change') this.#note(tick, changes)
        }
        this.#soon()
      }
    } catch (error) {
      if (!this.#stop.signal.aborted && !isAbort(error)) {
        this.#state.value = { ...this.#state.value, refusal: refusalOf(error) }
      }
    }
  }

  #note(tick: number, changes: readonly { readonly row: LoggedChange['row']; readonly weight: number }[]): void {
    const ordered = [...changes].sort((a, b) => this.#likeness(a.row, b.row) || b.weight - a.weight)
    const noted = ordered
      .slice(-mostLogged)
      .map(({ row, weight }) => ({ key: String(this.#serial++), tick, row, weight }))
    this.#logged = [...noted, ...this.#logged].slice(0, mostLogged)
  }

  #soon(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      const { rows, size } = this.#bag
      this.#state.value = { tick: this.#tick, rows, size, whole: this.#whole, refusal: null }
      if (this.#log.value !== this.#logged) this.#log.value = this.#logged
    })
  }
}
