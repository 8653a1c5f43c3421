import type { Change, LiveOptions, LiveStep } from '../app/database-shape.ts'

/** A view that can be followed. */
export interface Followed<Row> {
  live(options?: LiveOptions): AsyncIterable<LiveStep<Row>>
}

/** What is known of a view at a moment. A new object whenever something has changed. */
export interface LiveRows<Row> {
  /** `connecting` until the rows are whole for the first time; `failed` for good, with `error`. */
  readonly state: 'connecting' | 'live' | 'failed'
  /** The tick of the rows; 0 before there are any. */
  readonly tick: number
  /** A row of weight n is there n times. Rows stay where they are; new ones come behind them. */
  readonly rows: readonly Row[]
  readonly error: unknown
}

export interface LiveRowsOptions<Row> {
  /** Columns that tell rows apart: then a row that replaces another one takes its place. */
  readonly key?: readonly (keyof Row & string)[]
}

const nothing: LiveRows<never> = { state: 'connecting', tick: 0, rows: [], error: null }

/** After the last listener left, so long the stream goes on, for the one that comes next. */
const lingerMs = 1000

/**
 * A view's rows, kept up to date for as long as somebody listens: what user interfaces hold on to, in the form that
 * React's useSyncExternalStore takes and others can.
 */
export class LiveRowsStore<Row> {
  readonly #view: Followed<Row>
  readonly #key: readonly (keyof Row & string)[] | null
  readonly #listeners = new Set<() => void>()
  #held = new Map<string, Held<Row>>()
  #current: LiveRows<Row> = nothing
  #stop: AbortController | null = null
  #linger: ReturnType<typeof setTimeout> | null = null

  constructor(view: Followed<Row>, { key }: LiveRowsOptions<Row> = {}) {
    this.#view = view
    this.#key = key ?? null
  }

  /** @returns what ends it */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    if (this.#linger !== null) clearTimeout(this.#linger)
    this.#linger = null
    if (this.#stop === null) this.#follow()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#linger = setTimeout(() => this.#end(), lingerMs)
    }
  }

  readonly current = (): LiveRows<Row> => this.#current

  /** Where nothing can be followed, as on a server that renders. */
  readonly initial = (): LiveRows<Row> => nothing

  #end(): void {
    this.#stop?.abort()
    this.#stop = null
    this.#held = new Map()
    this.#current = nothing
  }

  async #follow(): Promise<void> {
    const stop = new AbortController()
    this.#stop = stop
    this.#held = new Map()
    try {
      for await (const step of this.#view.live({ signal: stop.signal })) {
        if (stop.signal.aborted) return
        this.#take(step)
      }
    } catch (error) {
      if (stop.signal.aborted) return
      this.#stop = null
      this.#show({ ...this.#current, state: 'failed', error })
    }
  }

  #take({ kind, tick, complete, changes }: LiveStep<Row>): void {
    // What is shown stays until the rows are whole again.
    if (kind === 'reset') this.#held = new Map()
    apply(this.#held, changes, this.#key)
    if (!complete) return
    const rows: Row[] = []
    for (const { row, count } of this.#held.values()) for (let i = 0; i < count; i++) rows.push(row)
    this.#show({ state: 'live', tick, rows, error: null })
  }

  #show(current: LiveRows<Row>): void {
    this.#current = current
    for (const listener of [...this.#listeners]) listener()
  }
}

interface Held<Row> {
  row: Row
  count: number
  /** Of which the row is one: with a key, all that ever had it. */
  identity: string
}

/** What is taken back goes last, so that what comes in its place finds the place. */
function apply<Row>(
  held: Map<string, Held<Row>>,
  changes: readonly Change<Row>[],
  key: readonly (keyof Row & string)[] | null,
): void {
  const placeOf = (row: Row): string => identityOf(key === null ? row : key.map((column) => row[column]))
  for (const { row, weight } of changes) {
    if (weight < 0) continue
    const place = placeOf(row)
    const there = held.get(place)
    const identity = identityOf(row)
    if (there?.identity === identity) there.count += weight
    else if (there === undefined || key !== null) held.set(place, { row, count: weight, identity })
  }
  for (const { row, weight } of changes) {
    if (weight > 0) continue
    const place = placeOf(row)
    const there = held.get(place)
    if (there === undefined || there.identity !== identityOf(row)) continue
    there.count += weight
    if (there.count <= 0) held.delete(place)
  }
}

/** Text that is equal for equal values. */
export function identityOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))
}

const stores = new WeakMap<object, Map<string, LiveRowsStore<never>>>()

/** The store of a view, the same for all who ask: they share one stream. */
export function liveRowsOf<Row>(view: Followed<Row>, options: LiveRowsOptions<Row> = {}): LiveRowsStore<Row> {
  const name = identityOf(options.key ?? null)
  let ofView = stores.get(view)
  if (ofView === undefined) stores.set(view, (ofView = new Map()))
  let store = ofView.get(name) as LiveRowsStore<Row> | undefined
  if (store === undefined) {
    store = new LiveRowsStore(view, options)
    ofView.set(name, store as unknown as LiveRowsStore<never>)
  }
  return store
}
