import { invariant, MillraceError } from '../data/errors.ts'
import type { TickOutput } from '../engine/port.ts'
import type { Clock } from '../io/io.ts'
import type { TickMark } from '../log/log.ts'
import type { ViewDefinition } from '../plan/program.ts'
import type { Retention } from './retained.ts'
import { Slices } from './slices.ts'
import { isDamaged } from './stored-page.ts'
import { type Version, View, type ViewState } from './view.ts'

/** Several views at the same tick. */
export interface Moment {
  readonly tick: number
  readonly timeMicros: bigint
  version(view: View): Version
}

/** The view that takes the place of another. */
export interface Succession {
  readonly view: View
  /** It has the same rows at every tick. */
  readonly same: boolean
}

/** Views that have taken the place of others. */
export interface Successor {
  readonly set: ViewSet
  /** Null: the view was dropped. */
  viewOf(view: View): Succession | null
}

/** All views: they move from tick to tick together, in one turn, so that no two of them ever disagree. */
export class ViewSet {
  readonly views: readonly View[]
  tick = 0
  timeMicros = 0n
  readonly #clock: Clock
  readonly #byId = new Map<number, View>()
  #waiting = new Set<() => void>()
  #successor: Successor | null = null
  #compacting = false
  #merging: Promise<unknown> = Promise.resolve()
  #closed = false

  /** @param retention of all views (default: each one's own) */
  constructor(clock: Clock, definitions: readonly ViewDefinition[], retention?: Retention) {
    this.#clock = clock
    this.views = definitions.map((definition) => new View(definition, retention))
    for (const view of this.views) this.#byId.set(view.definition.id, view)
  }

  /** Other views have taken the place of these, and are at the same tick: who follows one of these moves there. */
  succeedBy(set: ViewSet, viewOf: (view: View) => Succession | null): void {
    invariant(set.tick >= this.tick, 'views are succeeded by older ones')
    this.#successor = { set, viewOf }
    this.wake()
  }

  get successor(): Successor | null {
    return this.#successor
  }

  byId(id: number): View {
    const view = this.#byId.get(id)
    invariant(view !== undefined, `there is no view ${id}`)
    return view
  }

  /** Names resolve in their own spelling first, then in any case. */
  find(name: string): View | null {
    const lower = name.toLowerCase()
    return (
      this.views.find((view) => view.definition.name === name) ??
      this.views.find((view) => view.definition.name.toLowerCase() === lower) ??
      null
    )
  }

  /** Moves every view to the tick. */
  apply(output: Pick<TickOutput, 'tick' | 'timeMicros' | 'deltas'>): void {
    invariant(output.tick > this.tick, `tick ${output.tick} came after tick ${this.tick}`)
    for (const delta of output.deltas) {
      const view = this.#byId.get(delta.view)
      invariant(view !== undefined, `a change of the unknown view ${delta.view}`)
      view.apply(output, delta)
    }
    this.tick = output.tick
    this.timeMicros = output.timeMicros
    this.wake()
    if (!this.#compacting && !this.#closed) void this.#compact()
  }

  /** Goes on from the views as they were at a tick; before the first one. */
  restore(tick: number, timeMicros: bigint, states: ReadonlyMap<View, ViewState>): void {
    invariant(this.tick === 0, 'views with a past are restored')
    for (const view of this.views) {
      const state = states.get(view)
      invariant(state !== undefined, `nothing to restore ${view.definition.name} from`)
      view.restore(state, tick)
    }
    this.tick = tick
    this.timeMicros = timeMicros
  }

  /** The views as they are right now, for reads that take longer than a turn. */
  pin(): Moment {
    const versions = new Map(this.views.map((view) => [view, view.version]))
    return { tick: this.tick, timeMicros: this.timeMicros, version: (view) => versions.get(view)! }
  }

  /**
   * Some of the views as they were at a past tick: what they are now less what has changed since.
   * @throws MillraceError tick/expired, naming the oldest tick at which all of them are known
   */
  pinPast({ tick, timeMicros }: TickMark, views: readonly View[]): Moment {
    this.checkKnown(tick, views)
    const versions = new Map(views.map((view) => [view, view.past(tick)]))
    return { tick, timeMicros, version: (view) => versions.get(view)! }
  }

  slices(): Slices {
    return new Slices(this.#clock)
  }

  /** Brings what changed in these views after a tick into memory, as far as it is known. */
  async recall(tick: number, views: readonly View[]): Promise<void> {
    for (const { retained } of views) await retained.recall(tick)
  }

  /** Whether all that changed in these views after a tick is in memory. */
  knowsPast(tick: number, views: readonly View[]): boolean {
    return tick >= oldestOf(views)
  }

  /** @throws MillraceError tick/expired where it is not */
  checkKnown(tick: number, views: readonly View[]): void {
    if (!this.knowsPast(tick, views)) throw expired(views, tick)
  }

  /** Calls `listener` once: at the next tick or when whoever waits should look around. @returns stops waiting */
  onceChanged(listener: () => void): () => void {
    this.#waiting.add(listener)
    return () => this.#waiting.delete(listener)
  }

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const listener of waiting) listener()
  }

  /** Ends background work. Reads of what is there stay possible. */
  close(): void {
    this.#closed = true
    this.wake()
  }

  /** Has the views' rows lie so that a read by key of what is written now finds them in few pages. */
  async settle(): Promise<void> {
    const slices = this.slices()
    for (const view of this.views) await this.#alone(() => view.settle(slices))
  }

  /** One merges runs at a time. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const working = this.#merging.then(work)
    this.#merging = working.catch(() => {})
    return working
  }

  /** In the background, view by view, until nothing is due. */
  async #compact(): Promise<void> {
    this.#compacting = true
    const slices = this.slices()
    try {
      for (let worked = true; worked && !this.#closed; ) {
        worked = false
        for (const view of this.views) {
          if (this.#closed) break
          if (await this.#alone(() => view.compact(slices))) worked = true
        }
      }
    } catch (error) {
      // Whoever read the page has told of it: what mends it takes the place of these views.
      if (!isDamaged(error)) throw error
      this.#closed = true
    } finally {
      this.#compacting = false
    }
  }
}

function oldestOf(views: readonly View[]): number {
  return views.reduce((oldest, view) => Math.max(oldest, view.retained.expiredTick), 0)
}

function expired(views: readonly View[], tick: number): MillraceError {
  const oldest = views.reduce((most, { retained }) => Math.max(most, retained.knownTick), 0)
  const names = views.filter(({ retained }) => retained.knownTick === oldest).map(({ definition }) => definition.name)
  const what = `${names.join(', ')} no longer knows what changed after tick ${tick}; the oldest tick held is ${oldest}`
  return new MillraceError('tick/expired', what, {
    hint: 'ask with replay: the log is then read again up to that tick; or keep more (retain)',
    place: { tick: oldest },
  })
}
