import { invariant, type MillraceError } from '../data/errors.ts'
import type { OpenedProgram } from '../engine/definitions.ts'
import { type EngineHost, startEngine } from '../engine/host.ts'
import type { CaptureSlice, EngineFigures, EngineStatus, StateFiles, TappedBlock } from '../engine/port.ts'
import { type Log, type LogReads, readInSteps, type SealedTick } from '../log/log.ts'
import type { Program } from '../plan/program.ts'
import { TickDriver } from '../views/driver.ts'
import { columnsRead, mergeableRows } from '../views/replay.ts'
import type { View, ViewState } from '../views/view.ts'
import { ViewSet } from '../views/view-set.ts'
import { budgetOf } from './budget.ts'
import type { DatabaseCatalog, DatabaseOptions } from './contract.ts'
import { Ingest } from './ingest.ts'
import type { LogPast } from './log-past.ts'
import { Past } from './past.ts'
import { Queries } from './queries.ts'
import type { Snapshots } from './snapshots/snapshots.ts'
import { Explanations } from './why/explanations.ts'

const replayMergeRows = 262_144
/** So long an engine is held up by a slice of a capture, or until it has so many bytes. */
const sliceMs = 1
const sliceBytes = 1024 * 1024
/** Ticks replayed one by one at most: they take longer than the same events in a few. */
const mostRemembered = 100_000
/** The same behind a snapshot, so that what views know of before it goes on: a start is not to take much longer. */
const mostGoneOnWith = 8192

/** What programs at work stand on. */
export interface Surroundings {
  readonly options: DatabaseOptions
  readonly log: Log
  readonly past: LogPast
  /** Null: state is not kept. */
  readonly snapshots: Snapshots | null
}

/** State at a tick, to go on from. */
export interface Restored {
  readonly timeMicros: bigint
  /** Events up to then. */
  readonly events: number
  /** Where the engine's state is. */
  readonly from: StateFiles
  /** In the order of the program's views. */
  readonly views: readonly ViewState[]
}

/** What a capture is of, beside the engine's state. */
export interface Pinned {
  readonly timeMicros: bigint
  readonly events: number
  /** In the order of the program's views. */
  readonly states: readonly ViewState[]
}

/** State of a program at one tick, on its way to a snapshot: what its views hold; the engine's goes in slices. */
export interface BegunCapture {
  readonly running: Running
  readonly status: Promise<EngineStatus>
  /** Null when the engine failed before it came to the tick. */
  readonly pinned: Promise<Pinned | null>
}

/** Whether snapshots are taken. The test mode *reopen* keeps state in a way of its own. */
export function keepsState({ data, snapshots, reopen }: DatabaseOptions): boolean {
  return data !== null && snapshots !== false && reopen !== true
}

/**
 * Definitions at work: a program, the engine that runs it, and the views it fills, at one tick of the log. It is fed
 * the log's ticks in order; where it began doesn't matter to what it holds.
 */
export class Running {
  readonly text: string
  readonly program: Program
  readonly views: ViewSet
  readonly driver: TickDriver
  readonly ingest: Ingest
  readonly queries: Queries
  readonly past: Past
  readonly explanations: Explanations
  readonly #log: Log
  readonly #past: LogPast
  readonly #options: DatabaseOptions
  /** Ticks came together that views are to know apart: until these are forgotten nobody may go by what is retained. */
  #merging = false
  /** Null before the start. */
  #host: EngineHost | null = null

  /** What is defined, and how columns are read as far as the definitions say. */
  get catalog(): DatabaseCatalog {
    return { ...this.program, text: this.text, reads: this.#options.definition?.reads ?? {} }
  }

  constructor(
    { options, log, past, snapshots }: Surroundings,
    { program, text }: Pick<OpenedProgram, 'program' | 'text'>,
  ) {
    const { io } = options
    this.#past = past
    this.#options = options
    this.text = text
    this.program = program
    this.#log = log
    this.views = new ViewSet(io.clock, program.views)
    this.ingest = new Ingest(program.topics)
    const topics = new Set([...program.topics.map((topic) => topic.id), ...(program.given ?? [])])
    this.driver = new TickDriver(io.clock, this.views, topics, (even) => log.requestSeal(even))
    this.past = new Past({ options, log, past, snapshots }, program, this.views, this.driver)
    this.queries = new Queries({ options, log, past }, program, this.past)
    const { queries } = this
    this.explanations = new Explanations({ options, log, past: this.past, gone: past, program, queries })
  }

  /** Starts the engine. @param restored where to go on; null: at the log's beginning */
  async start(restored: Restored | null): Promise<void> {
    const { io, engine = 'worker', reopen = false } = this.#options
    const { memoryBytes, stateBytes: budgetBytes, cacheBytes } = budgetOf(this.#options)
    const state = keepsState(this.#options)
      ? { state: { budgetBytes, cacheBytes, ...(restored === null ? {} : { from: restored.from }) } }
      : {}
    const gone = restored === null ? this.#past.watermarks(this.program) : []
    this.#host = startEngine(io, this.program, { engine, memoryBytes, reopen, metered: true, gone, ...state })
    if (restored === null) {
      this.driver.start(this.#host)
      return
    }
    const { from, timeMicros, events, views } = restored
    const standing = await this.#host.status()
    this.views.restore(from.tick, timeMicros, new Map(this.views.views.map((view, i) => [view, views[i]])))
    this.driver.start(this.#host, { tick: from.tick, events, standing })
  }

  get #engine(): EngineHost {
    invariant(this.#host !== null, 'an engine is asked before its start')
    return this.#host
  }

  /**
   * Feeds it the log's ticks after the one it stands at, through `tick`. Nobody watches: ticks may come merged, but for
   * those that views are to remember.
   * @param told called now and then
   */
  async catchUp(tick: number, told: () => void): Promise<void> {
    if (tick <= this.views.tick) return
    const each = async (sealed: SealedTick): Promise<void> => {
      if (this.driver.failure !== null) throw this.driver.failure
      this.driver.take(sealed)
      await this.driver.room()
      if (this.driver.failure !== null) throw this.driver.failure
      told()
    }
    // What is compacted meanwhile must not change it between two replays; a slow engine is no reason to give up.
    await readInSteps(this.#log, (log) => this.#catchUp(log, tick, each), Number.POSITIVE_INFINITY)
  }

  async #catchUp(log: LogReads, tick: number, each: (sealed: SealedTick) => Promise<void>): Promise<void> {
    const columns = columnsRead(this.program)
    // What events that are gone did at each tick is not known any more.
    const gone = this.#past.goneThrough(this.program)
    const remembered = Math.min(tick, Math.max(await this.#rememberedFrom(), gone))
    if (remembered > this.views.tick) {
      this.#merging = true
      const rows = mergeableRows(this.program, replayMergeRows)
      await log.replay(each, rows, this.views.tick, remembered, columns)
      await this.driver.drained()
      this.expireChanges()
      this.#merging = false
    }
    await log.replay(each, 0, Math.max(remembered, this.views.tick), tick, columns)
    await this.driver.drained()
  }

  /** The tick after which some view is to know each tick: it retains a time that began there, or knows what was before. */
  async #rememberedFrom(): Promise<number> {
    const { tick, timeMicros } = this.#log.position()
    const { views } = this
    const known = views.views.some(({ retained }) => retained.knownTick < views.tick)
    if (known && tick - views.tick <= mostGoneOnWith) return views.tick
    let longest: bigint | null = null
    for (const { retain } of this.program.views) {
      const micros = retain === undefined || retain.micros === null ? null : BigInt(retain.micros)
      if (micros !== null && (longest === null || micros > longest)) longest = micros
    }
    if (longest === null) return tick
    const began = await this.#log.findTick({ timeMicros: timeMicros - longest })
    return Math.max(began?.tick ?? 0, tick - mostRemembered)
  }

  /** What has gone through the engine; null while there is none. @throws MillraceError as the engine */
  async figures(): Promise<EngineFigures | null> {
    return this.#host === null ? null : this.#host.figures()
  }

  /** As Engine.tap. @throws MillraceError as the engine */
  async tap(node: string | null): Promise<readonly TappedBlock[]> {
    return (await this.#engine.tap(node)).blocks
  }

  /** Has the engine begin to hand its state over, as it is behind the newest tick it was given; ticks go on. */
  beginCapture(): BegunCapture {
    const engine = this.#engine
    let status: Promise<EngineStatus> | null = null
    const pinned = new Promise<Pinned | null>((resolve) => {
      this.driver.behindTick(
        () => {
          status = engine.beginCapture()
        },
        (reached) => {
          const { timeMicros, views } = this.views
          const { events } = this.driver
          resolve(reached ? { timeMicros, events, states: views.map((view) => this.#stateOf(view)) } : null)
        },
      )
    })
    const begun = status!
    // Whoever joins several captures gives up at the first that fails.
    begun.catch(() => {})
    return { running: this, status: begun, pinned }
  }

  #stateOf(view: View): ViewState {
    return this.#merging ? view.state() : { ...view.state(), past: view.retained.state() }
  }

  /** More of the capture that was begun, about as much as the engine makes of it in a millisecond. */
  captured(): Promise<CaptureSlice> {
    return this.#engine.capture(sliceBytes, sliceMs)
  }

  /** The engine's state is in these files now, but for what has changed since it was captured. */
  async adopt(state: StateFiles): Promise<void> {
    await this.#engine.adopt(state)
  }

  /** Nobody can go on from a tick up to now: ticks were merged, or rows were of other definitions. */
  expireChanges(): void {
    for (const view of this.views.views) view.retained.expireThrough(this.views.tick)
  }

  /** Ends the engine; the views stay readable. */
  async stop(why?: MillraceError): Promise<void> {
    this.views.close()
    await this.past.close(why)
    await this.#host?.stop()
  }
}
