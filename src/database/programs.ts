import { MillraceError } from '../data/errors.ts'
import { begunNow, type Definition, definitionBlock, type OpenedProgram, openProgram } from '../engine/definitions.ts'
import type { BackupAnswer, BackupOptions } from '../log/backup.ts'
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
import { baseMissing, firstProgram, newStarts } from './first-program.ts'
import { LiveQueries } from './live/live-queries.ts'
import { LogPast } from './log-past.ts'
import { nameIn } from './names.ts'
import { replayFailed } from './refusals.ts'
import { keepsState, type Restored, Running, type Surroundings } from './running.ts'
import { madeAnew } from './snapshots/made-anew.ts'
import { letGo } from './snapshots/retention.ts'
import { SnapshotSchedule } from './snapshots/snapshot-schedule.ts'
import { Snapshots } from './snapshots/snapshots.ts'
import { tellStart } from './started.ts'
import { atOneTick, end, prepare, type Stage, succeed } from './take-over.ts'
import { stuckWords } from './telemetry/stuck.ts'
import { Vitals } from './telemetry/vitals.ts'

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
  readonly liveQueries: LiveQueries
  readonly #options: DatabaseOptions
  readonly #log: Log
  readonly #past: LogPast
  readonly #feed: Feed
  readonly #snapshots: Snapshots | null
  readonly #schedule: SnapshotSchedule | null
  /** What changes or compares definitions, one after the other, behind the start. */
  #changing: Promise<unknown> = Promise.resolve()
  #started: Promise<void> = Promise.resolve()
  readonly #closing = new AbortController()
  /** The definitions at work are the ones that the log holds, not those that a start begins with. */
  #complete = false

  private constructor({ options, log, past, snapshots }: Surroundings, first: Running) {
    this.current = first
    this.vitals = new Vitals(options.io.clock, (id) => nameIn(this.current.program, id))
    this.#options = options
    this.#log = log
    this.#past = past
    this.#feed = new Feed(log)
    this.liveQueries = new LiveQueries({ options, past, current: () => this.current }, log)
    this.#snapshots = snapshots
    const tell = (line: string): void => this.#tell(line)
    const running = (): Running => this.current
    const taken = (): Promise<void> => this.#letGo()
    const when = options.snapshots || {}
    this.#schedule = snapshots === null ? null : new SnapshotSchedule(snapshots, running, when, tell, taken)
    if (this.#schedule !== null) this.#schedule.onTaken = () => this.vitals.happened('snapshot', 'a snapshot was taken')
    if (snapshots !== null) snapshots.onDamage = (error) => this.current.driver.fail(error)
    this.#wire(first)
  }

  /** @throws MillraceError schema/incompatible, and what planning refuses */
  static async open(options: DatabaseOptions, log: Log): Promise<{ programs: Programs; started: Promise<void> }> {
    const wanted = await openProgram(log, options.definition)
    const past = new LogPast(log)
    const snapshots = keepsState(options) ? await Snapshots.open(options, log, past) : null
    const around = { options, log, past, snapshots }
    const first = await firstProgram(around, wanted)
    const programs = new Programs(around, new Running(around, first))
    const started = programs.#start(first).then(async () => {
      if (first !== wanted) await programs.#takeOver(options.definition ?? null, wanted, () => {})
      programs.#complete = true
      void programs.#schedule?.exclusively(() => programs.#letGo())
    })
    programs.#started = started
    started.catch(() => {})
    return { programs, started }
  }

  #wire(running: Running): void {
    const { driver } = running
    const snapshots = this.#snapshots
    const schedule = this.#schedule
    if (snapshots !== null) driver.mends = isDamaged
    driver.onFailure = (error) => {
      this.vitals.happened('failure', error.message)
      if (snapshots === null || schedule === null || !isDamaged(error)) this.#options.onFailure?.(error)
      else schedule.exclusively(() => this.#startAnew(snapshots, error)).catch(() => {})
    }
    this.vitals.restarted()
    this.vitals.onStuck = (ms) => this.#tell(stuckWords(this.current.program, this.current.views.tick, ms))
    driver.onHanded = (tick) => this.vitals.handed(tick)
    driver.onAnswered = (tick) => this.vitals.answered(tick)
    driver.onFinished = (output, blocks, bytes) => {
      this.vitals.finished(output)
      this.liveQueries.finished(running, output, blocks)
      schedule?.count(bytes, output.wantsCapture)
    }
  }

  async #start(first: OpenedProgram): Promise<void> {
    const { current } = this
    const { views, program } = current
    const { tick } = this.#log.position()
    let restored: Restored | null = null
    this.vitals.replaying = true
    try {
      restored = (await this.#snapshots?.restore(program, views, (line) => this.#tell(line))) ?? null
      if (restored === null) this.#checkWhole(program)
      await current.start(restored)
      await this.#feed.follow(current, () => this.#toldProgress())
      current.driver.goLive()
      this.#snapshots?.follow(current)
    } catch (error) {
      if (this.#snapshots === null || !isDamaged(error)) throw this.#failed(error)
      await this.#startAnew(this.#snapshots, error)
    }
    try {
      if (first.changed) {
        for (const line of newStarts(first.program, first.before?.program ?? null)) this.#tell(line)
        const answer = await this.#log.append({ blocks: [definitionBlock(first.text, first.program)] })
        await this.current.driver.waitFor(answer.tick, waitMs)
        if (tick > 0) this.current.expireChanges()
      }
      this.#toldProgress()
      this.caughtUp = true
      tellStart(this.vitals, this.#log, this.current, this.current === current ? restored : null)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /**
   * Views that no snapshot was found for must be in the log from its beginning.
   * @throws MillraceError log/corrupt where events of theirs are gone; state/corrupt where the base may still have them
   */
  #checkWhole(program: Program): void {
    if (this.#past.viewsBeyond(program).size === 0) return
    const missing = baseMissing(this.#options, this.#past, program)
    if (this.#snapshots === null || this.#snapshots.base === null) throw missing
    throw new MillraceError('state/corrupt', 'no snapshot can be used', { cause: missing })
  }

  /** What may go by now goes. What goes wrong is told: it is tried again behind the next snapshot. */
  async #letGo(): Promise<void> {
    const [current, snapshots] = [this.current, this.#snapshots]
    // What was defined behind the base needs events that those before it don't.
    if (snapshots === null || !this.#complete || current.driver.failure !== null) return
    try {
      await letGo({ log: this.#log, past: this.#past, snapshots }, current)
    } catch (error) {
      if (isDamaged(error)) current.driver.fail(error)
      if (!this.#closing.signal.aborted) this.#tell(`nothing of the log could be let go: ${(error as Error).message}`)
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
    return this.#inTurn(() =>
      this.#past.reading(async (): Promise<Comparison> => {
        signal?.throwIfAborted()
        const wanted = await openProgram(this.#log, definition)
        const stage = this.#stage(definition, told, signal)
        return compareDefinitions(stage, () => this.current, wanted, most)
      }),
    )
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
    const [log, past, feed, snapshots] = [this.#log, this.#past, this.#feed, this.#snapshots]
    return { options, log, past, feed, snapshots, told, signal }
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
    definition: Definition | null,
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
      // Nothing mended it: what it needs is gone, and that says more than what was met first.
      if (this.current === current) throw current.driver.failure ?? error
      return await this.#exclusively(() => this.#replace(stage, wanted))
    }
  }

  async #replace(stage: Stage, opened: OpenedProgram): Promise<readonly Pair[]> {
    const { current } = this
    // Only now is it certain that nothing more goes until they take over.
    const wanted = opened.changed ? begunNow(opened, current.program, this.#past.starts) : opened
    let next: Running | null = null
    let pairs: readonly Pair[]
    try {
      const made = await prepare(stage, current, wanted)
      next = made
      if (wanted.changed) {
        for (const line of newStarts(wanted.program, current.program)) this.#tell(line)
        await this.#log.append({ blocks: [definitionBlock(wanted.text, wanted.program)] })
      }
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
      const next = await madeAnew(stage, { text, program, before: null, changed: false })
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
      // Nothing mends it any more.
      current.driver.failure = failure
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
      const { failure } = this.current.driver
      if (failure !== null && !isDamaged(failure)) throw failure
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

  /** Copies the log, and what stands for events that it has not any more. @throws as Log.backup */
  backup(folder: string, options: BackupOptions): Promise<BackupAnswer> {
    return this.#past.reading(async () => {
      const base = (await this.#snapshots?.baseFiles()) ?? null
      if (base === null && this.#past.viewsBeyond(this.current.program).size > 0) {
        const what = 'what stands for events that are gone is damaged, so that a copy would be of no use'
        throw new MillraceError('backup/refused', what, { hint: 'it is made again with the next snapshot: try then' })
      }
      return this.#log.backup(folder, { ...options, base })
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
    await this.liveQueries.close(closed)
    await this.#schedule?.close()
    this.current.driver.giveUp(closed)
    // A start, or a change of definitions, ends before what it may have started is stopped.
    await this.#started.catch(() => {})
    await this.#changing
    this.current.driver.giveUp(closed)
    await this.current.stop()
    this.vitals.restarted()
    await this.#snapshots?.close()
  }
}

function describePairs(pairs: readonly Pair[]): string {
  const changed = pairs.filter(({ same }) => !same).map(({ name }) => name)
  return changed.length === 0 ? 'the definitions were changed, no view was' : `changed views: ${changed.join(', ')}`
}
