import { MillraceError } from '../data/errors.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import type { Merge } from './merge.ts'
import { netChange, openRead, rowsOf } from './read.ts'
import type { Rows } from './rows.ts'
import { stepRows } from './run.ts'
import { isDamaged } from './stored-page.ts'
import type { View } from './view.ts'
import type { Successor, ViewSet } from './view-set.ts'

/**
 * `reset`: forget everything, a snapshot follows. `snapshot`: a piece of the rows at `tick`, in the view's order;
 * `last` with the piece that completes it. `change`: the net change from the last tick told to this one.
 */
export type LiveMessage =
  | { readonly kind: 'reset'; readonly tick: number }
  | { readonly kind: 'snapshot'; readonly tick: number; readonly rows: Rows; readonly last: boolean }
  | { readonly kind: 'change'; readonly tick: number; readonly rows: Rows }

export interface LiveOptions {
  /** Resume: the tick up to which the subscriber has everything. */
  readonly fromTick?: number
  /** Of what happened up to the start tell each tick's own change, instead of the net change of all. */
  readonly eachTick?: boolean
  /** Ends the stream. */
  readonly signal?: AbortSignal
  /** Rows in one piece of a snapshot (default 1000). */
  readonly pieceRows?: number
  /** The order of a snapshot's rows (default: the view's own), which may have been redefined since the last one. */
  readonly order?: (view: ViewDefinition) => Promise<readonly Order[]>
}

/**
 * The change that was told last of each view: subscribers that keep up lack the same, and are told the same object. Of
 * one view, two ticks determine it.
 */
const toldLast = new WeakMap<View, { readonly from: number; readonly tick: number; readonly rows: Promise<Rows> }>()

/**
 * A subscriber: a cursor, not a queue. Each pull gives what has happened since the last one, as one net change, so a
 * slow reader costs no memory; one that is so slow that the changes it lacks are gone starts anew.
 */
export class LiveCursor implements AsyncIterableIterator<LiveMessage> {
  #set: ViewSet
  #view: View
  readonly #pieceRows: number
  readonly #order: LiveOptions['order']
  readonly #signal: AbortSignal | undefined
  readonly #failure: () => Error | null
  /** Up to here each tick's change is told by itself. */
  readonly #singlyThrough: number
  /** The subscriber has everything up to here; null before its first snapshot. */
  #tick: number | null
  #snapshot: { readonly tick: number; readonly merge: Merge } | null = null
  /** The views it reads are damaged: it goes on with those that take their place. */
  #damaged = false
  #ended = false
  #begun = false
  #pulling: Promise<unknown> = Promise.resolve()
  readonly #end = (): void => {
    this.#ended = true
    this.#set.wake()
  }

  /** @param failure why no tick will come any more, if so: then the cursor throws it instead of waiting */
  constructor(set: ViewSet, view: View, options: LiveOptions, failure: () => Error | null = () => null) {
    this.#set = set
    this.#view = view
    this.#pieceRows = Math.max(1, options.pieceRows ?? 1000)
    this.#order = options.order
    this.#tick = options.fromTick ?? null
    this.#singlyThrough = options.eachTick === true ? set.tick : 0
    this.#failure = failure
    this.#signal = options.signal
    if (this.#signal?.aborted) this.#ended = true
    else this.#signal?.addEventListener('abort', this.#end, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Pulls queue up behind each other. */
  next(): Promise<IteratorResult<LiveMessage>> {
    const pull = this.#pulling.then(async (): Promise<IteratorResult<LiveMessage>> => {
      const message = await this.#pull()
      return message === null ? { done: true, value: undefined } : { done: false, value: message }
    })
    this.#pulling = pull.catch(() => this.#finish())
    return pull
  }

  /** Ends the stream, a pull that is waiting included. */
  async return(): Promise<IteratorResult<LiveMessage>> {
    this.#end()
    this.#finish()
    return { done: true, value: undefined }
  }

  async #pull(): Promise<LiveMessage | null> {
    if (!this.#begun && !this.#ended) {
      this.#begun = true
      this.#view.subscribers++
    }
    while (!this.#ended) {
      if (this.#set.successor !== null) {
        const reset = this.#move(this.#set.successor)
        if (reset !== null) return reset
      }
      const message = this.#damaged ? await this.#wait() : await this.#read()
      if (message !== null) return message
    }
    this.#finish()
    return null
  }

  /** The next message, or null when it has to look again. */
  async #read(): Promise<LiveMessage | null> {
    if (this.#tick !== null && this.#snapshot === null) return this.#change(this.#tick)
    try {
      if (this.#snapshot === null) return await this.#open()
      return await this.#piece(this.#snapshot)
    } catch (error) {
      if (!isDamaged(error)) throw error
      this.#damaged = true
      this.#snapshot = null
      this.#tick = null
      return { kind: 'reset', tick: this.#set.tick }
    }
  }

  /** Goes on with the view that has taken this one's place. @returns a reset where it is another one */
  #move({ set, viewOf }: Successor): LiveMessage | null {
    const next = viewOf(this.#view)
    this.#damaged = false
    if (next === null) {
      throw new MillraceError('view/unknown', `the view ${this.#view.definition.name} was dropped`)
    }
    this.#set = set
    this.#view.subscribers--
    this.#view = next.view
    this.#view.subscribers++
    if (next.same || (this.#tick === null && this.#snapshot === null)) return null
    this.#tick = null
    this.#snapshot = null
    return { kind: 'reset', tick: set.tick }
  }

  async #open(): Promise<null> {
    const order = (await this.#order?.(this.#view.definition)) ?? []
    // Meanwhile another view may have taken its place.
    if (this.#set.successor !== null) return null
    const moment = this.#set.pin()
    const plan = { where: null, order, limit: null }
    const merge = await openRead(this.#view, moment.version(this.#view), plan, this.#set.slices())
    this.#snapshot = { tick: moment.tick, merge }
    return null
  }

  async #piece({ tick, merge }: { readonly tick: number; readonly merge: Merge }): Promise<LiveMessage> {
    const slices = this.#set.slices()
    const refs = new Uint32Array(this.#pieceRows)
    const weights = new Int32Array(this.#pieceRows)
    let filled = 0
    while (!merge.done && filled < refs.length) {
      filled = merge.fill(refs, weights, filled, stepRows)
      if (merge.waits) await merge.ready()
      if (slices.due) await slices.pause()
    }
    const last = merge.done
    if (last) {
      this.#snapshot = null
      this.#tick = tick
    }
    const rows = rowsOf(this.#view, merge.pages, refs.slice(0, filled), weights.slice(0, filled))
    return { kind: 'snapshot', tick, rows, last }
  }

  /** The net change since the cursor, or null when it has to look again. */
  async #change(from: number): Promise<LiveMessage | null> {
    if (from < this.#view.retained.expiredTick) await this.#view.retained.recall(from)
    const { tick } = this.#set
    const single = from < this.#singlyThrough ? this.#view.retained.next(from) : null
    if (single && single.tick <= this.#singlyThrough) {
      this.#tick = single.tick
      const rows = await netChange(this.#view, single.pages, 1, this.#set.slices())
      return rows.length === 0 ? null : { kind: 'change', tick: single.tick, rows }
    }
    const last = toldLast.get(this.#view)
    if (last !== undefined && last.from === from && last.tick === tick) {
      const rows = await last.rows
      this.#tick = tick
      return rows.length === 0 ? null : { kind: 'change', tick, rows }
    }
    const retained = from > tick ? null : this.#view.retained.since(from)
    if (retained === null) {
      this.#tick = null
      return { kind: 'reset', tick }
    }
    if (retained.pages.length === 0) {
      this.#tick = tick
      return this.#wait()
    }
    const net = netChange(this.#view, retained.pages, retained.ticks, this.#set.slices())
    toldLast.set(this.#view, { from, tick, rows: net })
    const rows = await net
    this.#tick = tick
    return rows.length === 0 ? null : { kind: 'change', tick, rows }
  }

  async #wait(): Promise<null> {
    const failure = this.#failure()
    if (failure !== null) throw failure
    if (!this.#ended) await new Promise<void>((resolve) => this.#set.onceChanged(resolve))
    return null
  }

  #finish(): void {
    this.#ended = true
    if (this.#begun) this.#view.subscribers--
    this.#begun = false
    this.#snapshot = null
    this.#signal?.removeEventListener('abort', this.#end)
  }
}
