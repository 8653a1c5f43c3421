import { invariant } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { ErrorRow, ViewDelta } from '../engine/port.ts'
import type { TickMark } from '../log/log.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { dueMerge } from './compaction.ts'
import { openPage, type Page } from './page.ts'
import { RetainedChanges, type RetainedState, retentionOf, takenBack } from './retained.ts'
import { keyCompare, orderName, type RowCompare, type RowOrder, rowOrder } from './row-order.ts'
import { mergeRuns, packRuns, type Run, runOf } from './run.ts'
import type { Slices } from './slices.ts'
import { inMemory } from './stored-page.ts'

/** A view at one tick. Immutable: whoever holds it reads that tick, however far the view moves on. */
export interface Version {
  /** Oldest first; the view's rows are the sum of all their changes. */
  readonly runs: readonly Run[]
  /** Rows, each counted as often as it is there. */
  readonly rows: number
  readonly errors: number
}

/** A view at one tick with all that its later ticks go on from. Immutable. */
export interface ViewState {
  readonly version: Version
  readonly columns: readonly ColumnSchema[]
  readonly errors: readonly ErrorRow[]
  readonly retracts: boolean
  readonly changedTick: number
  /** What it knows of its past; missing: nothing. */
  readonly past?: RetainedState
}

/** Orders that pages keep their rows sorted by, beside the view's own. */
const keptOrders = 8
/** Fewer rows out of order are looked at in no time. */
const settledRows = 4096

/**
 * The rows of one view, on the owner's thread: an LSM-tree of immutable columnar runs. A tick adds a run as it came
 * and costs no more than opening it; sorting waits until somebody reads, netting until enough has gathered.
 */
export class View {
  readonly definition: ViewDefinition
  /** The order its rows are read in unless told otherwise. */
  readonly order: RowOrder
  retained: RetainedChanges
  version: Version = { runs: [], rows: 0, errors: 0 }
  /** The tick of its last change. */
  changedTick = 0
  /** Cursors that have begun and not ended. */
  subscribers = 0
  /** Whether any weight was ever negative: only then can rows cancel. */
  #retracts = false
  readonly #errors = new Map<string, ErrorRow>()
  readonly #ownOrder: string
  readonly #orders = new Map<string, RowOrder>()
  #nextOrder = 1
  readonly #compares = new Map<string, RowCompare>()
  readonly #uses = new Map<number, number>()

  constructor(definition: ViewDefinition, retention = retentionOf(definition)) {
    this.definition = definition
    this.order = rowOrder(0, definition.order, definition.columns)
    this.#ownOrder = orderName(definition.order, definition.columns)
    this.retained = new RetainedChanges(definition.columns, retention)
  }

  get bytes(): number {
    let sum = this.retained.bytes
    for (const run of this.version.runs) sum += run.bytes
    return sum
  }

  get retracts(): boolean {
    return this.#retracts
  }

  /** Error rows with their weights. */
  errorRows(): Iterable<ErrorRow> {
    return this.#errors.values()
  }

  /** What it holds, without what it knows of its past. */
  state(): ViewState {
    return {
      version: this.version,
      columns: this.definition.columns,
      errors: [...this.#errors.values()],
      retracts: this.#retracts,
      changedTick: this.changedTick,
    }
  }

  /** Takes over what another view with the same rows remembers; both are at the same tick. */
  inherit(other: View): void {
    this.retained = other.retained
  }

  /** Goes on from a state of the same view at a tick; for one that has seen no tick yet. */
  restore(state: ViewState, tick: number): void {
    invariant(this.version.runs.length === 0 && this.changedTick === 0, 'a view with a past is restored')
    this.version = state.version
    this.#retracts = state.retracts
    this.changedTick = state.changedTick
    for (const error of state.errors) this.#addError(error)
    if (state.past === undefined || this.retained.retention.bytes === 0) this.retained.expireThrough(tick)
    else this.retained.goOnFrom(state.past)
  }

  /** The view as it was at a tick that the set has seen; null where too much of what has changed since is forgotten. */
  past(tick: number): Version | null {
    const since = this.retained.since(tick)
    if (since === null) return null
    const { runs, rows, errors } = this.version
    return {
      runs: since.pages.length === 0 ? runs : [...runs, takenBack(since.pages)],
      rows: rows - since.rows,
      errors: errors - since.errors,
    }
  }

  /** @throws MillraceError log/corrupt when a block is damaged; nothing has changed then */
  apply({ tick, timeMicros }: TickMark, delta: ViewDelta): void {
    const pages = delta.blocks.map((bytes) => openPage(bytes, this.definition.columns)).filter((page) => page.rows > 0)
    const before = this.version
    let { rows, errors, runs } = before
    for (const page of pages) {
      if (page.weights === null) rows += page.rows
      else {
        for (const weight of page.weights) {
          rows += weight
          if (weight < 0) this.#retracts = true
        }
      }
    }
    for (const error of delta.errors) {
      errors += error.weight
      this.#addError(error)
    }
    if (pages.length > 0) runs = [...runs, runOf(pages, false)]
    this.version = { runs, rows, errors }
    this.changedTick = tick
    const change = { tick, timeMicros, pages, rows: rows - before.rows, errors: errors - before.errors }
    if (pages.length > 0 || change.errors !== 0) this.retained.add(change)
  }

  #addError(error: ErrorRow): void {
    const key = `${error.code} ${error.reason}`
    const weight = error.weight + (this.#errors.get(key)?.weight ?? 0)
    if (weight === 0) this.#errors.delete(key)
    else this.#errors.set(key, { ...error, weight })
  }

  /** Merges what is due. Ticks may come in meanwhile. @returns whether there was anything to do */
  async compact(slices: Slices): Promise<boolean> {
    const from = dueMerge(this.version.runs, this.#retracts)
    if (from === null) return false
    await this.#mergeFrom(from, slices)
    return true
  }

  /** Makes one run in order of the newest, which are not, if they are long: a read by key would look at all of them. */
  async settle(slices: Slices): Promise<void> {
    const { runs } = this.version
    let from = runs.length
    let rows = 0
    while (from > 0 && !runs[from - 1].inOrder) rows += runs[--from].rows
    if (this.#retracts && rows >= settledRows) await this.#mergeFrom(from, slices)
  }

  async #mergeFrom(from: number, slices: Slices): Promise<void> {
    const old = this.version.runs.slice(from)
    const merged = this.#retracts
      ? await mergeRuns(old, this.order, this.definition.columns, slices)
      : await packRuns(old, this.definition.columns, slices)
    const { runs } = this.version
    invariant(runs[from] === old[0] && runs.length >= from + old.length, 'runs changed under a merge')
    this.version = {
      ...this.version,
      runs: [...runs.slice(0, from), ...(merged.rows === 0 ? [] : [merged]), ...runs.slice(from + old.length)],
    }
  }

  /** An order of its rows, completed by all columns; pages remember how their rows lie in the latest few. */
  orderBy(order: readonly Order[]): RowOrder {
    if (order.length === 0) return this.order
    const { columns } = this.definition
    const name = orderName(order, columns)
    if (name === this.#ownOrder) return this.order
    const found = this.#orders.get(name) ?? rowOrder(this.#nextOrder++, order, columns)
    this.#orders.delete(name)
    this.#orders.set(name, found)
    if (this.#orders.size > keptOrders) this.#forgetOldestOrder()
    return found
  }

  /** Compares by some columns alone. */
  keyCompare(keys: readonly Order[]): RowCompare {
    const name = keys.map(({ column }) => column).join()
    let compare = this.#compares.get(name)
    if (compare === undefined) {
      if (this.#compares.size >= keptOrders) this.#compares.clear()
      compare = keyCompare(keys, this.definition.columns)
      this.#compares.set(name, compare)
    }
    return compare
  }

  /** @returns how often the order was asked for, this time included */
  countUse(order: RowOrder): number {
    const uses = (this.#uses.get(order.id) ?? 0) + 1
    this.#uses.set(order.id, uses)
    return uses
  }

  #forgetOldestOrder(): void {
    const [name, order] = this.#orders.entries().next().value!
    this.#orders.delete(name)
    this.#uses.delete(order.id)
    for (const page of this.#pages()) page.sorted.delete(order.id)
  }

  *#pages(): Iterable<Page> {
    for (const run of this.version.runs) {
      for (const kept of run.pages) {
        const page = inMemory(kept)
        if (page !== null) yield page
      }
    }
    yield* this.retained.pages()
  }
}
