/** A view on the page, kept up to date by its live stream. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Inspector } from 'millrace/client'
import type { ViewInfo } from '../ask/catalog.ts'
import { isAbort, type Refusal, refusalOf } from '../ask/refusal.ts'
import { Bag, type HeldRow } from './bag.ts'
import { liveWhileSeen } from './while-seen.ts'

export interface LiveState {
  readonly tick: number | null
  readonly rows: readonly HeldRow[]
  readonly size: number
  /** All rows of the snapshot have come. */
  readonly whole: boolean
  readonly refusal: Refusal | null
}

/** Rows change with the screen's frames, however many changes come between two of them. */
export class LiveView {
  readonly #state = signal<LiveState>({ tick: null, rows: [], size: 0, whole: false, refusal: null })
  readonly #stop = new AbortController()
  readonly #bag: Bag
  #tick: number | null = null
  #whole = false
  #frame = 0

  constructor(server: Inspector, view: ViewInfo, order: readonly string[]) {
    this.#bag = new Bag(view.columns, order)
    void this.#follow(server, view.name)
  }

  get state(): ReadonlySignal<LiveState> {
    return this.#state
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
      const steps = liveWhileSeen(server, name, { fromTick: null, signal: this.#stop.signal })
      for await (const { kind, tick, complete, changes } of steps) {
        this.#tick = tick
        if (kind === 'reset') {
          this.#bag.clear()
          this.#whole = false
        } else {
          this.#whole = complete
          this.#bag.apply(changes, kind === 'change' ? performance.now() : 0)
        }
        this.#soon()
      }
    } catch (error) {
      if (!this.#stop.signal.aborted && !isAbort(error)) {
        this.#state.value = { ...this.#state.value, refusal: refusalOf(error) }
      }
    }
  }

  #soon(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      const { rows, size } = this.#bag
      this.#state.value = { tick: this.#tick, rows, size, whole: this.#whole, refusal: null }
    })
  }
}
