import { MillraceError } from '../../data/errors.ts'
import { startsNow } from '../../engine/definitions.ts'
import { defaultMemoryBytes } from '../../engine/host.ts'
import type { TickOutput, ViewDelta } from '../../engine/port.ts'
import type { LoggedBlock } from '../../log/log.ts'
import { AdHocRun, type AdHocSource } from '../../views/ad-hoc.ts'
import { LiveCursor, type LiveMessage } from '../../views/live.ts'
import { netted } from '../../views/restriction.ts'
import { Rows } from '../../views/rows.ts'
import { isDamaged } from '../../views/stored-page.ts'
import type { View } from '../../views/view.ts'
import { ViewSet } from '../../views/view-set.ts'
import type { DatabaseOptions, LiveQueryAbout, LiveQueryOptions } from '../contract.ts'
import type { LogPast } from '../log-past.ts'
import type { BoundQuery } from '../queries.ts'
import type { Running } from '../running.ts'
import { type InputTick, InputTicks } from './live-input.ts'

/** What live queries of a database stand on. */
export interface LiveWorld {
  readonly options: DatabaseOptions
  readonly past: LogPast
  current(): Running
  /** Told when a query's next due time may have changed. */
  onDue(): void
}

/** Of its own state a query may have so much: several run beside the views. */
const mostMemoryBytes = 256 * 1024 * 1024
/** Changes of the result that are kept for readers that lag. */
const retainedBytes = 4 * 1024 * 1024
const maxRowsDefault = 10_000

/** A query's result that is kept up to date by an engine of its own. */
interface Built {
  readonly running: Running
  readonly run: AdHocRun
  readonly bound: BoundQuery
  readonly set: ViewSet
  readonly view: View
  readonly startsAtTick: number | null
}

/**
 * A query whose result is kept up to date tick by tick: a view that is in no catalog. It begins with what views and log
 * hold at one tick, in an engine of its own, and takes every later tick's events and changes of views from the program
 * at work, once that one is done with them. So it is what a materialized view would be at each tick, and never ahead
 * of the views; a query that is slow, or hostile, holds up nobody but its own readers.
 */
export class LiveQuery {
  readonly #world: LiveWorld
  readonly #sql: string
  readonly #options: Omit<LiveQueryOptions, 'signal'>
  readonly #ending = new AbortController()
  #input: InputTicks | null = null
  #built: Built | null = null
  /** By the columns of a plan, those that were asked for: others behind them are there to order by. */
  readonly #shown = new WeakMap<object, BoundQuery['columns']>()
  /** Why no tick will come any more. */
  failure: Error | null = null
  /** Resolves when the first snapshot can be read. @throws as it failed */
  readonly ready: Promise<void>
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>

  constructor(world: LiveWorld, sql: string, options: Omit<LiveQueryOptions, 'signal'>) {
    this.#world = world
    this.#sql = sql
    this.#options = options
    this.ready = this.#build(null)
    this.ended = this.ready
      .then(() => this.#live())
      .catch((error: Error) => this.#fail(error))
      .then(() => this.#built?.run.stop())
    this.ready.catch(() => {})
  }

  /** Of the newest snapshot. Once it is ready. */
  get about(): LiveQueryAbout {
    const { startsAtTick, bound } = this.#built!
    const hidden = bound.order.findIndex(({ column }) => column >= bound.columns.length)
    return { startsAtTick, order: hidden < 0 ? bound.order : bound.order.slice(0, hidden) }
  }

  /** The next time at which the passing of time alone changes the result, if it is at the newest tick. */
  get dueMicros(): bigint | null {
    const idle = this.failure === null && this.#input?.isEmpty === true
    return idle ? (this.#built?.run.feed.dueMicros ?? null) : null
  }

  /** The result, then its changes. Once it is ready. */
  async *messages(signal: AbortSignal): AsyncGenerator<LiveMessage, undefined> {
    const { set, view } = this.#built!
    for await (const message of new LiveCursor(set, view, { signal }, () => this.failure)) {
      if (message.kind === 'reset') yield message
      else {
        const rows = this.#shownRows(message.rows, message.kind === 'change')
        if (message.kind === 'snapshot' || rows.length > 0) yield { ...message, rows }
      }
    }
  }

  #shownRows(all: Rows, changes: boolean): Rows {
    const columns = this.#shown.get(all.columns)!
    if (columns.length === all.columns.length) return all
    const rows = new Rows(columns, all.pages, all.refs, all.weights)
    // Rows that differ in what was only there to order by are the same row.
    return changes ? netted(rows) : rows
  }

  /** A tick that the program at work is done with. */
  offer(running: Running, output: TickOutput, blocks: readonly LoggedBlock[]): void {
    if (this.#input?.running === running) this.#input.add(output, blocks)
  }

  /** @param why told to who still reads it */
  end(why: Error): void {
    this.#fail(why)
    this.#ending.abort(why)
  }

  #fail(error: Error): void {
    this.failure ??= error
    this.#input = null
    this.#built?.set.wake()
    this.#world.onDue()
  }

  /** Goes on until it fails or is ended. */
  async #live(): Promise<void> {
    for (;;) {
      const built = this.#built!
      const input = this.#input!
      await this.#follow(built, input)
      const caughtUp = input.hasBeenEmpty
      if (input.lost && !caughtUp) throw tooSlow()
      await built.run.stop()
      await this.#build(built)
    }
  }

  /** Takes tick after tick, until the query has to be built anew. @throws what ends it */
  async #follow({ run, running, set, view }: Built, input: InputTicks): Promise<void> {
    for (;;) {
      this.#ending.signal.throwIfAborted()
      if (running.views.successor !== null || input.lost) return
      const next = input.take(run.byTick)
      if (next === null) {
        const { failure } = running.driver
        // What is damaged is made again, and takes the place of these views.
        if (failure !== null && !isDamaged(failure)) throw failure
        this.#world.onDue()
        await this.#woken(running.views)
      } else {
        await this.#advance(run, set, next)
        run.feed.check(view)
      }
    }
  }

  async #advance(run: AdHocRun, set: ViewSet, { tick, timeMicros, blocks }: InputTick): Promise<void> {
    const { dueMicros } = run.feed
    const due = dueMicros !== null && dueMicros <= timeMicros
    let deltas: readonly ViewDelta[] = []
    if (blocks.length > 0 || due) {
      const step = (): Promise<TickOutput> => run.feed.follow(blocks, run.byTick ? tick : null, timeMicros)
      deltas = (await this.#bounded(run, step)).deltas
    }
    set.apply({ tick, timeMicros, deltas })
  }

  #woken(views: ViewSet): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#ending
      const wake = (): void => {
        forget()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const forget = views.onceChanged(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  /**
   * Builds the result as it is now; whoever follows the one before is told to begin anew.
   * @throws MillraceError sql/…, engine/memory, request/timeout
   */
  async #build(before: Built | null): Promise<void> {
    const { past } = this.#world
    for (;;) {
      const running = this.#world.current()
      this.#ending.signal.throwIfAborted()
      const bound = await running.queries.bind(this.#sql, this.#options)
      // Definitions may have changed meanwhile.
      if (running.views.successor !== null) continue
      const built = await past.reading((held) => {
        const scene = { views: running.views, moment: running.views.pin() }
        return running.queries.inSteps(scene, (source) => {
          held()
          return this.#filled(running, source, bound, past.starts)
        })
      })
      if (built === null) continue
      this.#shown.set(built.view.definition.columns, bound.columns)
      this.#built = built
      before?.set.succeedBy(built.set, () => ({ view: built.view, same: false }))
      return
    }
  }

  /**
   * @param begun what of the topics is gone for the source
   * @returns null where other definitions have taken over by now
   */
  async #filled(
    running: Running,
    source: AdHocSource,
    bound: BoundQuery,
    begun: LogPast['starts'],
  ): Promise<Built | null> {
    if (running.views.successor !== null) return null
    const { io, engine = 'worker', memoryBytes = defaultMemoryBytes } = this.#world.options
    const { maxRows = maxRowsDefault } = this.#options
    const { restrictions } = bound
    const { moment } = source
    const run = new AdHocRun({ ...source, restrictions }, [bound], {
      maxRows,
      engine,
      memoryBytes: Math.min(memoryBytes, mostMemoryBytes),
      signal: this.#ending.signal,
      goesOn: true,
    })
    // The moment is of this very turn: no tick is missed.
    this.#input = new InputTicks(running, run.relations, restrictions)
    try {
      await this.#bounded(run, () => run.fill())
      const [state] = run.feed.states()
      const set = new ViewSet(io.clock, run.views, { micros: null, bytes: retainedBytes })
      const [view] = set.views
      set.restore(moment.tick, moment.timeMicros, new Map([[view, state]]))
      const starts = startsNow(running.program, { ...view.definition, plan: bound.plan }, begun)
      const last = starts?.map(({ throughTick }) => throughTick)
      const startsAtTick = last === undefined ? null : 1 + Math.max(...last)
      return { running, run, bound, set, view, startsAtTick }
    } catch (error) {
      await run.stop()
      throw error
    }
  }

  /** Work of an engine that is stopped where it takes too long, or nobody waits for it any more. */
  async #bounded<T>(run: AdHocRun, work: () => Promise<T>): Promise<T> {
    const { mostMs } = this.#options
    const tooLong = new AbortController()
    const { clock } = this.#world.options.io
    const cancel = mostMs === undefined ? () => {} : clock.after(mostMs, () => tooLong.abort(timeout(mostMs)))
    const signals = [this.#ending.signal, tooLong.signal]
    const stop = (): void => void run.stop()
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true })
    try {
      return await work()
    } catch (error) {
      throw signals.find(({ aborted }) => aborted)?.reason ?? error
    } finally {
      cancel()
      for (const signal of signals) signal.removeEventListener('abort', stop)
    }
  }
}

function timeout(mostMs: number): MillraceError {
  return new MillraceError('request/timeout', `the query took longer than the ${mostMs} ms that it may take`, {
    hint: 'ask for less, or define a view: its result is kept up to date',
  })
}

function tooSlow(): MillraceError {
  return new MillraceError('request/busy', 'the query does not keep up with what comes in', {
    hint: 'ask for less, or define a view: the log waits for it',
  })
}
