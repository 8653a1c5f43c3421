import type { ErrorsOptions, ViewErrors } from './app/database-shape.ts'
import { MillraceError } from './data/errors.ts'
import {
  type DatabaseCatalog,
  type DatabaseOptions,
  type DatabaseStatus,
  type DiffOptions,
  type LiveQueryAnswer,
  type LiveQueryOptions,
  logOptionsOf,
  type QueryAnswer,
  type QueryOptions,
  type ReadAnswer,
  type ReadOptions,
  type Seals,
  type TopicLiveOptions,
} from './database/contract.ts'
import type { Comparison, Difference } from './database/differences.ts'
import {
  type Allows,
  type DecodeOptions,
  type EventFormat,
  type IngestAnswer,
  ingestAnswer,
  nothingAppended,
} from './database/ingest.ts'
import { TopicCursor, type TopicMessage } from './database/live/topic-cursor.ts'
import { known, topicNamed } from './database/names.ts'
import { Programs } from './database/programs.ts'
import { readAt } from './database/read-at.ts'
import type { Running } from './database/running.ts'
import { standingOf } from './database/telemetry/standing.ts'
import { Telemetry } from './database/telemetry/telemetry.ts'
import { readVisible } from './database/topic-blocks.ts'
import type { Explanations } from './database/why/explanations.ts'
import type { Definition } from './engine/definitions.ts'
import type { ErrorRow } from './engine/port.ts'
import type { BackupAnswer, BackupOptions } from './log/backup.ts'
import { openFileLog } from './log/file-log.ts'
import type { Append, AppendAnswer, Idempotency, Log, ReadBlock } from './log/log.ts'
import { openMemoryLog } from './log/memory-log.ts'
import type { TopicDefinition, ViewDefinition } from './plan/program.ts'
import { LiveCursor, type LiveMessage, type LiveOptions } from './views/live.ts'
import { netChange } from './views/read.ts'
import type { Rows } from './views/rows.ts'
import { isDamaged } from './views/stored-page.ts'
import type { View } from './views/view.ts'

export type {
  AsOf,
  DatabaseCatalog,
  DatabaseOptions,
  DatabaseStatus,
  QueryAnswer,
  QueryOptions,
  ReadAnswer,
  ReadOptions,
} from './database/contract.ts'
export type { Comparison, Counted, Difference } from './database/differences.ts'
export type { DecodeOptions, EventFormat, IngestAnswer } from './database/ingest.ts'
export { parseMoment } from './database/past.ts'
export { StillReplaying } from './database/replays.ts'
export type { LiveMessage, LiveOptions } from './views/live.ts'

const waitMsDefault = 10_000

/** A log, an engine and views, composed. After `close` everything is refused with log/closed. */
export class Database {
  readonly #log: Log
  readonly #programs: Programs
  readonly telemetry: Telemetry
  #finished = false
  /** The newest tick that an append was told. */
  #appendedTick = 0
  #closing: Promise<void> | null = null
  /** Resolves when the replay is over and the definitions are at work; rejects as that failed. */
  readonly #started: Promise<void>

  private constructor(options: DatabaseOptions, log: Log, programs: Programs, started: Promise<void>, seals: Seals) {
    this.telemetry = new Telemetry(options, log, programs, () => this.status())
    this.#log = log
    this.#programs = programs
    this.#started = started
    seals.sealNow = () => this.#running.driver.idle
    seals.onWritten = (tick) => this.#running.driver.begin(tick)
    seals.onCommit = (group) => programs.vitals.traces.committed(group)
  }

  get #running(): Running {
    return this.#programs.current
  }

  /**
   * Opens the log, loads or plans the program and replays.
   * @throws MillraceError log/locked, log/corrupt, schema/incompatible, and what planning refuses
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    // The log asks before there is anybody to ask: until then nothing may be sealed.
    const seals: Seals = { sealNow: () => false, onWritten: () => {}, onCommit: () => {} }
    const logOptions = logOptionsOf(seals, options)
    const { io, data, openLog = openFileLog } = options
    const log = data === null ? openMemoryLog(io, logOptions) : await openLog(io, `${data}/log`, logOptions)
    let database: Database | null = null
    try {
      const { programs, started } = await Programs.open(options, log)
      database = new Database(options, log, programs, started, seals)
      if (options.eager !== true) await started
      return database
    } catch (error) {
      await (database === null ? log.close() : database.close())
      throw error
    }
  }

  /** Resolves when the replay has caught up and the definitions are at work. @throws as it failed */
  caughtUp(): Promise<void> {
    return this.#started
  }

  /**
   * Lets other definitions take over at one tick: views that do not change keep their state, the others are built from
   * the log beside those that run, which go on as they are until then, and for good if this fails.
   * @param told now and then, the events that the new views have seen
   * @returns what it made of each view, nothing where it was the same or the database is closed meanwhile
   * @throws MillraceError schema/incompatible, and what planning refuses
   */
  async redefine(definition: Definition, told: (events: number) => void = () => {}): Promise<readonly Difference[]> {
    this.#checkOpen()
    return this.#programs.redefine(definition, told)
  }

  /**
   * What `redefine` would make of each view, at one tick: changed and new views are built from the log beside those
   * that run, compared and thrown away. Nothing is written. One at a time, and none while definitions change.
   * @throws as `redefine`, and the signal's reason
   */
  async diff(definition: Definition, { rows = 20, signal, told = () => {} }: DiffOptions = {}): Promise<Comparison> {
    return this.#programs.whole(async () => {
      this.#checkOpen()
      return this.#programs.diff(definition, rows, told, signal)
    })
  }

  catalog(): DatabaseCatalog {
    return this.#running.catalog
  }

  /** @throws MillraceError topic/unknown */
  topic(name: string): TopicDefinition {
    return topicNamed(this.#running.program, name)
  }

  /** @throws MillraceError view/unknown */
  view(name: string): ViewDefinition {
    return this.#view(name).definition
  }

  #view(name: string): View {
    const found = this.#running.views.find(name)
    if (found !== null) return found
    throw new MillraceError('view/unknown', `there is no view ${name}`, {
      hint: known(this.#running.program.views, name),
    })
  }

  /** Appends blocks atomically. @returns once durable. @throws as Log.append */
  async append(append: Append): Promise<AppendAnswer> {
    this.#checkOpen()
    return this.#programs.vitals.append(append, () => this.#append(append))
  }

  async #append(append: Append): Promise<AppendAnswer> {
    await this.#running.driver.room()
    const { failure } = this.#running.driver
    // While damaged state is made again, events go in.
    if (failure !== null && !isDamaged(failure)) throw failure
    if (this.#finished) throw new MillraceError('log/closed', 'the windows are closed: no event can follow')
    const answer = await this.#log.append(append)
    this.#appendedTick = Math.max(this.#appendedTick, answer.tick)
    return answer
  }

  /**
   * Decodes events of one topic and appends them. @throws MillraceError event/invalid, topic/unknown; as Log.append
   */
  async appendText(
    name: string,
    body: Uint8Array,
    format: EventFormat,
    options?: DecodeOptions,
  ): Promise<IngestAnswer> {
    const topic = this.topic(name)
    const decode = () => this.#running.ingest.decode(topic, body, format, options)
    const decoded = this.#programs.vitals.decoding(topic.id, decode)
    if (decoded.blocks.length > 0) return ingestAnswer(decoded, await this.append(decoded))
    const { tick, offsets } = this.#log.position()
    return nothingAppended(decoded, tick, offsets.get(topic.id) ?? 0)
  }

  /**
   * Appends `{"events": [{"topic", "op"?, "data"}, …]}` atomically over topics; pointers count from the body.
   * @param mayAppend others than these topics are as if they were not there
   * @throws MillraceError event/invalid, and as Log.append
   */
  async appendMixed(body: Uint8Array, idempotency?: Idempotency, mayAppend?: Allows): Promise<AppendAnswer> {
    const append = this.#running.ingest.decodeList(body, idempotency, mayAppend)
    if (append.blocks.length > 0) return this.append(append)
    return { tick: this.#log.position().tick, offsets: [], repeated: false }
  }

  /** The offset of a topic's first event that was appended at a time or later, or of the next one to come. */
  findOffset(name: string, timeMicros: bigint): Promise<number> {
    return this.#log.findOffset(this.topic(name).id, timeMicros)
  }

  /** Events of a topic from an offset on, with its columns of today, visible ones only; blocks may begin before it. */
  async readTopic(name: string, fromOffset: number, limit: number): Promise<readonly ReadBlock[]> {
    const topic = this.topic(name)
    this.#checkOpen()
    return readVisible(this.#log, topic, fromOffset, limit, () => this.#running.views.tick)
  }

  /** A topic's events from an offset on, then those that come: a cursor, as `live` gives of a view. */
  liveTopic(name: string, options: TopicLiveOptions = {}): AsyncIterableIterator<TopicMessage> {
    this.#checkOpen()
    const world = { log: this.#log, current: () => this.#running, checkOpen: () => this.#checkOpen() }
    return new TopicCursor(world, name, options)
  }

  /**
   * The rows of one view at one tick.
   * @throws MillraceError view/unknown, tick/not-reached, request/parameter, engine/stopped (only while waiting)
   */
  async read(name: string, options: ReadOptions = {}): Promise<ReadAnswer> {
    const [answer] = await this.readAll([name], options)
    return answer
  }

  /** A view as it stands now: its rows are the same as long as it and the tick of its last change are. */
  standing(name: string): { readonly view: View; readonly tick: number } {
    return { view: this.#view(name), tick: this.#running.views.tick }
  }

  /** Several views at the same tick. */
  async readAll(names: readonly string[], options: ReadOptions = {}): Promise<readonly ReadAnswer[]> {
    return this.#programs.whole(() => this.#readAll(names, options))
  }

  async #readAll(names: readonly string[], options: ReadOptions): Promise<readonly ReadAnswer[]> {
    const ids = names.map((name) => this.#view(name).definition.id)
    this.#checkOpen()
    this.#programs.vitals.read()
    if (options.minTick !== undefined && options.minTick > this.#running.views.tick) {
      await this.#running.driver.waitFor(options.minTick, options.timeoutMs ?? waitMsDefault)
    }
    const { views, moment } = await this.#running.past.scene(options.asOf, this.#appendedTick, new Set(ids))
    const slices = this.#running.views.slices()
    const answers: ReadAnswer[] = []
    for (const id of ids) answers.push(await readAt(views.byId(id), moment, options, slices))
    return answers
  }

  /** Error rows of a view, at most `limit` kinds of them. */
  errorRows(name: string, limit = 100): readonly ErrorRow[] {
    const rows: ErrorRow[] = []
    for (const row of this.#view(name).errorRows()) if (rows.push(row) >= limit) break
    return rows
  }

  /**
   * Error rows of a view with the positions of the events that they come from, found by a run over the log.
   * @throws MillraceError view/unknown
   */
  async errors(name: string, options: ErrorsOptions = {}): Promise<ViewErrors> {
    this.#checkOpen()
    return this.#running.queries.errors(this.#view(name), options, this.#finished)
  }

  /** Why rows are there or aren't, what became of events, and where they are. */
  get explanations(): Explanations {
    this.#checkOpen()
    return this.#running.explanations.after(this.#appendedTick, this.#finished, this.#programs.vitals.tickTimes)
  }

  /** A view's rows, then its changes: a cursor, which costs nothing while it is not pulled. */
  live(name: string, options: LiveOptions = {}): AsyncIterableIterator<LiveMessage> {
    this.#checkOpen()
    return new LiveCursor(this.#running.views, this.#view(name), options, () => {
      const { failure } = this.#running.driver
      return isDamaged(failure) ? null : failure
    })
  }

  /**
   * The changes of a view after a past tick: each tick's own up to now, then as `live` tells them. No snapshot.
   * @throws MillraceError tick/future, tick/expired
   */
  async changesAfter(
    name: string,
    tick: number,
    options: Pick<LiveOptions, 'signal' | 'order'> = {},
  ): Promise<AsyncIterableIterator<LiveMessage>> {
    this.#checkOpen()
    await this.#running.past.check(tick, this.#appendedTick, this.#view(name))
    return this.live(name, { ...options, fromTick: tick, eachTick: true })
  }

  /** The net change of a view after a tick up to now; null where that is too long ago to be known. */
  async changes(name: string, fromTick: number): Promise<{ readonly tick: number; readonly rows: Rows } | null> {
    this.#checkOpen()
    const view = this.#view(name)
    await view.retained.recall(fromTick)
    const { tick } = this.#running.views
    const retained = fromTick > tick ? null : view.retained.since(fromTick)
    if (retained === null) return null
    return { tick, rows: await netChange(view, retained.pages, retained.ticks, this.#running.views.slices()) }
  }

  /**
   * One SELECT over all relations at one tick, through the planner and the engine, once.
   * @throws MillraceError sql/…, sql/too-many-rows, sql/error-rows
   */
  async query(sql: string, options: QueryOptions = {}): Promise<QueryAnswer> {
    return this.#programs.whole(async () => {
      this.#checkOpen()
      return this.#running.queries.query(sql, options, this.#appendedTick)
    })
  }

  /**
   * The rows of one SELECT over all relations, then their changes, tick by tick: a view that only its readers know.
   * @throws MillraceError sql/…, sql/too-many-rows, sql/error-rows, request/busy, request/timeout; `messages` throws them
   * where they come later
   */
  async liveQuery(sql: string, options: LiveQueryOptions = {}): Promise<LiveQueryAnswer> {
    return this.#programs.whole(async () => {
      this.#checkOpen()
      return this.#programs.liveQueries.open(sql, options)
    })
  }

  /** Makes a tick even if nothing has arrived, so that `now()` moves on. @returns its number, once reads see it */
  async makeTick(): Promise<number> {
    this.#checkOpen()
    const tick = this.#log.position().tick + 1
    this.#log.requestSeal(true)
    await this.#running.driver.waitFor(tick, waitMsDefault)
    return tick
  }

  /**
   * Evaluates final views as if every watermark were infinite, for the end of a batch run. Nothing of it is written;
   * the database takes no more events.
   */
  async closeWindows(): Promise<void> {
    this.#checkOpen()
    this.#finished = true
    await this.#running.driver.waitFor(this.#appendedTick, Number.MAX_SAFE_INTEGER)
    await this.#programs.closeWindows()
  }

  /** Copies the log up to its newest tick into an empty folder, while all goes on. @throws as Log.backup */
  backup(folder: string, options: BackupOptions = {}): Promise<BackupAnswer> {
    return this.#programs.backup(folder, options)
  }

  status(): DatabaseStatus {
    return standingOf(this.#running, this.#log, this.#programs.caughtUp)
  }

  /** Resolves when reads see the tick. @throws MillraceError tick/not-reached, engine/stopped */
  waitForTick(tick: number, timeoutMs = waitMsDefault): Promise<void> {
    return this.#running.driver.waitFor(tick, timeoutMs)
  }

  /** An engine that has stopped leaves the views readable at its last tick, if they were ever whole. */
  #checkOpen(): void {
    if (this.#closing !== null) throw new MillraceError('log/closed', 'the database is closed')
    if (this.#programs.caughtUp) return
    if (this.#running.driver.failure !== null) throw this.#running.driver.failure
    throw new MillraceError('request/busy', 'the log is still being replayed', { hint: 'ask again in a while' })
  }

  /** What is queued becomes durable, then everything stops. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#programs.close()
    await this.#log.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
