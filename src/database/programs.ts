import { MillraceError } from '../data/errors.ts'
import { type Definition, definitionBlock, type OpenedProgram, openProgram } from '../engine/definitions.ts'
import type { Log } from '../log/log.ts'
import type { Program } from '../plan/program.ts'
import { isDamaged } from '../views/stored-page.ts'
import type { DatabaseOptions } from './contract.ts'
import {
  type Comparison,
  compareDefinitions,
  countChanges,
  type Difference,
  type Pair,
  pairViews,
} from './differences.ts'
import { Feed } from './feed.ts'
import { replayFailed } from './refusals.ts'
import { keepsState, Running } from './running.ts'
import { SnapshotSchedule } from './snapshot-schedule.ts'
import { Snapshots } from './snapshots.ts'
import { atOneTick, built, end, prepare, type Stage, succeed } from './take-over.ts'
import { Vitals } from './vitals.ts'

const waitMs = 10_000

/**
 * The program at work and the ones that take its place: started from a snapshot or the log's beginning, fed by the
 * log, kept in snapshots, replaced at one tick when its definitions change.
 */
export class Programs {
  current: Running
  /** Whether reads see all that was in the log at the start. */
  caughtUp = false
  readonly vitals: Vitals
  readonly #options: DatabaseOptions
  readonly #log: Log
  readonly #feed: Feed
  readonly #snapshots: Snapshots | null
  readonly #schedule: SnapshotSchedule | null
  /** What changes or compares definitions, one after the other, behind the start. */
  #changing: Promise<unknown> = Promise.resolve()
  #started: Promise<void> = Promise.resolve()
  readonly #closing = new AbortController()

  private constructor(options: DatabaseOptions, log: Log, first: Running, snapshots: Snapshots | null) {
    this.current = first
    this.vitals = new Vitals(options.io.clock, (id) => nameOf(this.current.program, id))
    this.#options = options
    this.#log = log
    this.#feed = new Feed(log)
    this.#snapshots = snapshots
    const tell = (line: string): void => this.#tell(line)
    const running = (): Running => this.current
    this.#schedule = snapshots === null ? null : new SnapshotSchedule(snapshots, running, options.snapshots || {}, tell)
    if (this.#schedule !== null) this.#schedule.onTaken = () => this.vitals.happened('snapshot', 'a snapshot was taken')
    if (snapshots !== null) snapshots.onDamage = (error) => this.current.driver.fail(error)
    this.#wire(first)
  }

  /** @throws MillraceError schema/incompatible, and what planning refuses */
  static async open(options: DatabaseOptions, log: Log): Promise<{ programs: Programs; started: Promise<void> }> {
    const wanted = await openProgram(log, options.definition)
    const snapshots = keepsState(options)
      ? await Snapshots.open(options.io, `${options.data}/state`, log.identity)
      : null
    const { tick } = log.position()
    // Where state of the definitions before is at hand, they start, and the new ones take over from there.
    const { before } = wanted
    const kept = before !== null && snapshots !== null && (await snapshots.has(before.program, tick)) ? before : null
    const first = kept === null ? wanted : { ...kept, before: null, changed: false }
    const programs = new Programs(options, log, new Running(options, log, first), snapshots)
    const started = programs.#start(wanted, first.changed).then(async () => {
      if (kept !== null && options.definition !== undefined)
        await programs.#takeOver(options.definition, wanted, () => {})
    })
    programs.#started = started
    started.catch(() => {})
    return { programs, started }
  }

  #wire({ driver }: Running): void {
    const snapshots = this.#snapshots
    const schedule = this.#schedule
    if (snapshots !== null) driver.mends = isDamaged
    driver.onFailure = (error) => {
      this.vitals.happened('failure', error.message)
      if (snapshots === null || schedule === null || !isDamaged(error)) this.#options.onFailure?.(error)
      else schedule.exclusively(() => this.#startAnew(snapshots, error)).catch(() => {})
    }
    this.vitals.restarted()
    driver.onHanded = (tick) => this.vitals.handed(tick)
    driver.onAnswered = (tick) => this.vitals.traces.answered(tick)
    driver.onFinished = (output, bytes) => {
      this.vitals.finished(output)
      schedule?.count(bytes, output.wantsCapture)
    }
  }

  async #start(wanted: OpenedProgram, changed: boolean): Promise<void> {
    const { current } = this
    const { views, program } = current
    const { tick } = this.#log.position()
    try {
      await current.start((await this.#snapshots?.restore(program, views, tick, (line) => this.#tell(line))) ?? null)
      await this.#feed.follow(current, () => this.#toldProgress())
      current.driver.goLive()
      this.#snapshots?.follow(current)
    } catch (error) {
      if (this.#snapshots === null || !isDamaged(error)) throw this.#failed(error)
      await this.#startAnew(this.#snapshots, error)
    }
    try {
      if (changed) {
        const answer = await this.#log.append({ blocks: [definitionBlock(wanted.text, wanted.program)] })
        await this.current.driver.waitFor(answer.tick, waitMs)
        if (tick > 0) this.current.expireChanges()
      }
      this.#toldProgress()
      this.caughtUp = true
      this.vitals.happened('start', `the log was replayed: ${this.current.driver.events} events`)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  #failed(error: unknown): MillraceError {
    const failure = error instanceof MillraceError ? error : replayFailed(error)
    this.current.driver.giveUp(failure)
    return failure
  }

  #tell(line: string): void {
    this.vitals.happened('notice', line)
    this.#options.onNotice?.(line)
  }

  #toldProgress(): void {
    const { driver, program } = this.current
    const { offsets } = this.#log.position()
    const lastEvent = program.topics.reduce((sum, { id }) => sum + (offsets.get(id) ?? 0), 0)
    this.#options.onProgress?.({ events: driver.events, lastEvent })
  }

  /**
   * Lets other definitions take over at one tick: views that do not change keep their state, the others are built from
   * the log beside those that run, which go on as they are until then, and for good if this fails.
   * @param told now and then, the events that the new views have seen
   * @returns what it made of each view; nothing where the database is closed before that is counted
   * @throws MillraceError schema/incompatible, and what planning refuses
   */
  redefine(definition: Definition, told: (events: number) => void): Promise<readonly Difference[]> {
    return this.#inTurn(async () => {
      const wanted = await openProgram(this.#log, definition)
      if (!wanted.changed) return []
      const pairs = await this.#takeOver(definition, wanted, told)
      this.vitals.happened('definitions', describePairs(pairs))
      const { signal } = this.#closing
      try {
        return await countChanges(pairs, this.current.views.slices(), signal)
      } catch (error) {
        if (signal.aborted) return []
        throw error
      }
    })
  }

  /**
   * What `redefine` would make of each view, at one tick. Nothing takes over and nothing is written.
   * @param most differing rows listed per view
   * @throws as `redefine`; the signal's reason
   */
  diff(definition: Definition, most: number, told: (events: number) => void, signal?: AbortSignal) {
    return this.#inTurn(async (): Promise<Comparison> => {
      signal?.throwIfAborted()
      const wanted = await openProgram(this.#log, definition)
      const stage = this.#stage(definition, told, signal)
      return compareDefinitions(stage, () => this.current, wanted, most)
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changing.then(() => this.#started).then(work)
    this.#changing = turn.catch(() => {})
    return turn
  }

  #stage(definition: Definition | null, told: (events: number) => void, asked?: AbortSignal): Stage {
    const closing = this.#closing.signal
    const signal = asked === undefined ? closing : AbortSignal.any([asked, closing])
    const options = definition === null ? this.#options : { ...this.#options, definition }
    return { options, log: this.#log, feed: this.#feed, snapshots: this.#snapshots, told, signal }
  }

  /** Runs `work` while no snapshot is taken and nothing else takes the program's place. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#schedule === null ? work() : this.#schedule.exclusively(work)
  }

  /**
   * State that is found damaged on the way is made from the log again, and then it is tried once more.
   * @returns the views before and after, at the tick at which it happened
   */
  async #takeOver(
    definition: Definition,
    wanted: OpenedProgram,
    told: (events: number) => void,
  ): Promise<readonly Pair[]> {
    const { current } = this
    const stage = this.#stage(definition, told)
    try {
      return await this.#exclusively(() => this.#replace(stage, wanted))
    } catch (error) {
      if (this.#closing.signal.aborted || !isDamaged(error)) throw error
      current.driver.fail(error)
      // What mends it asked first.
      await this.#exclusively(async () => {})
      if (this.current === current) throw error
      return await this.#exclusively(() => this.#replace(stage, wanted))
    }
  }

  async #replace(stage: Stage, wanted: OpenedProgram): Promise<readonly Pair[]> {
    const { current } = this
    let next: Running | null = null
    let pairs: readonly Pair[]
    try {
      const made = await prepare(stage, current, wanted)
      next = made
      await this.#log.append({ blocks: [definitionBlock(wanted.text, wanted.program)] })
      pairs = await atOneTick([current, made], () => {
        const before = pairViews(current, wanted.program, ({ id }) => made.views.byId(id))
        succeed(current, made)
        this.#wire(made)
        this.current = made
        this.#snapshots?.follow(made)
        made.driver.goLive()
        return before
      })
    } catch (error) {
      this.#snapshots?.follow(current)
      if (next !== null) await end(stage, next)
      throw error
    }
    await end(stage, current)
    return pairs
  }

  /**
   * State on disk was found damaged: nothing is lost, since the log has it all. Snapshots are thrown away and the same
   * definitions are brought up from the log's beginning; until then reads stay at the last tick, and events go in.
   */
  async #startAnew(snapshots: Snapshots, damage: MillraceError): Promise<void> {
    this.#tell(`${damage.message}: all views are made from the log again`)
    const { current } = this
    const { text, program } = current
    const stage = this.#stage(null, () => this.#toldProgress())
    current.driver.fail(damage)
    try {
      await snapshots.discard()
      const anew = new Running(stage.options, this.#log, { text, program, before: null, changed: false })
      const next = await built(stage, anew, null)
      succeed(current, next)
      this.#wire(next)
      this.current = next
      snapshots.follow(next)
      next.driver.goLive()
      // What was committed while nobody was free to take it waits for a seal.
      this.#log.requestSeal(false)
      await end(stage, current)
    } catch (error) {
      const failure = this.#failed(error)
      if (!stage.signal.aborted) this.#options.onFailure?.(failure)
      throw error
    }
  }

  /**
   * Runs a read. Where it meets state that is damaged, it is run once more when that was made again.
   * @throws MillraceError request/busy where that takes long
   */
  async whole<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (!isDamaged(error) || this.#snapshots === null) throw error
      await this.#mended(error)
      return await read()
    }
  }

  #mended(damage: MillraceError): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.io.clock.after(waitMs, () => {
        const message = `views are made from the log again, because ${damage.message}`
        reject(new MillraceError('request/busy', message, { hint: 'ask again in a while', cause: damage }))
      })
      // What mends it asked first.
      void this.#exclusively(async () => {
        cancel()
        resolve()
      })
    })
  }

  /** A batch run is at its end: a last snapshot if it is worth while, as none can be of views with closed windows. */
  async closeWindows(): Promise<void> {
    await this.#schedule?.close()
    await this.current.driver.closeWindows()
  }

  /** A last snapshot if it is worth while, then everything stops; what was to take over is given up. */
  async close(): Promise<void> {
    const closed = new MillraceError('log/closed', 'the database was closed')
    this.#closing.abort(closed)
    await this.#schedule?.close()
    this.current.driver.giveUp(closed)
    // A start, or a change of definitions, ends before what it may have started is stopped.
    await this.#started.catch(() => {})
    await this.#changing
    this.current.driver.giveUp(closed)
    await this.current.stop()
    await this.#snapshots?.close()
  }
}

function nameOf({ topics, views }: Program, relation: number): string {
  return [...topics, ...views].find(({ id }) => id === relation)?.name ?? `#${relation}`
}

function describePairs(pairs: readonly Pair[]): string {
  const changed = pairs.filter(({ same }) => !same).map(({ name }) => name)
  return changed.length === 0 ? 'the definitions were changed, no view was' : `changed views: ${changed.join(', ')}`
}
