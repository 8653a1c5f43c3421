import { MillraceError } from '../src/data/errors.ts'
import { compileRowTexts } from '../src/data/text-print.ts'
import type { Database, ReadAnswer } from '../src/database.ts'
import type { SimulatedIo } from '../src/io/twin/simulated-io.ts'
import type { Log } from '../src/log/log.ts'
import type { Rows } from '../src/views/rows.ts'
import type { ViewName } from './app.ts'
import { type History, type LogContent, type LoggedEvent, type TopicName, topicNames, Violation } from './history.ts'
import type { LifePlan } from './plan.ts'
import type { Planted } from './planted.ts'
import { basesOf, topicOf } from './program.ts'
import { startOf } from './retention.ts'
import { readWholeTopic } from './topic-events.ts'
import type { Trace } from './trace.ts'

/** One life of the program, as those see it who use it. */
export class Life {
  readonly number: number
  readonly plan: LifePlan
  /** More when the app was given another one. */
  views: readonly ViewName[]
  readonly live: Planted['live'] | null
  readonly events: Planted['events'] | null
  readonly io: SimulatedIo
  readonly database: Database
  readonly log: Log
  readonly history: History
  readonly #trace: Pick<Trace, 'add'>
  /** The disk was made small, for a while. */
  full = false
  /** Clients are done: who follows a view gets all of it. */
  settling = false
  /** The database is being closed. */
  closing = false
  /** Events that the log was found to have no more. */
  gone = 0

  constructor(
    number: number,
    plan: LifePlan,
    parts: Pick<Life, 'views' | 'live' | 'events' | 'io' | 'database' | 'log' | 'history'> & {
      readonly trace: Pick<Trace, 'add'>
    },
  ) {
    this.number = number
    this.plan = plan
    this.views = parts.views
    this.live = parts.live
    this.events = parts.events
    this.io = parts.io
    this.database = parts.database
    this.log = parts.log
    this.history = parts.history
    this.#trace = parts.trace
  }

  /** Whether the planned failure of a sync has come. */
  get syncHasFailed(): boolean {
    return this.plan.failSync !== null && this.io.disk.syncs >= this.plan.failSync
  }

  /** A planned failure of a sync was met: nothing can be appended any more, and what is not sealed waits. */
  get poisoned(): boolean {
    return this.plan.failSync !== null && this.database.status().failure?.code === 'log/poisoned'
  }

  get over(): boolean {
    return this.poisoned || this.closing
  }

  trace(who: string, what: string): void {
    this.#trace.add(`${this.number} ${this.io.clock.monotonicMs().toFixed(3)} ${who} ${what}`)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.io.clock.after(ms, resolve))
  }

  /** @throws Violation when it takes so long that it must be stuck */
  async within<T>(what: string, promise: Promise<T>): Promise<T> {
    let cancel = (): void => {}
    const limitMs = 60_000 * Math.max(1, this.plan.slowness / 10)
    const late = new Promise<never>((_, reject) => {
      cancel = this.io.clock.after(limitMs, () => reject(new Violation('nothing hangs', what)))
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      cancel()
    }
  }

  /** Everything the log holds, as of its newest tick. */
  async content(): Promise<{ readonly content: LogContent; readonly tick: number }> {
    for (;;) {
      const { tick } = this.log.position()
      const content = await this.#contentAt(tick)
      // Reading takes its time; what became visible meanwhile would be missing.
      if (this.log.position().tick === tick) return { content, tick }
    }
  }

  async #contentAt(tick: number): Promise<LogContent> {
    const content: Record<TopicName, LoggedEvent[]> = { bid: [], account: [] }
    this.gone = 0
    for (const topic of topicNames) {
      const all = await this.within(`reading ${topic}`, readWholeTopic(this.log, topic))
      const events = all.filter((event) => event.tick <= tick)
      content[topic] = this.history.trims.whole(this.log, topic, events, this.number > 0)
      this.gone += content[topic].length - events.length
    }
    return content
  }

  /** Reads views at one tick and notes what was seen. @returns the tick */
  async read(who: string, names: readonly ViewName[] = this.views, minTick = 0): Promise<number> {
    const floor = Math.max(minTick, this.history.seenTick)
    const options = minTick > 0 ? { minTick } : {}
    const answers = await this.within(`${who} reads`, this.database.readAll(names, options))
    const [{ tick }] = answers
    if (tick < floor) throw new Violation('ticks never go back', `${who} read tick ${tick} after tick ${floor}`)
    return this.#observe(who, names, answers)
  }

  /** Reads views as of a past tick, or by its time, and notes what was told: it is held against the same model. */
  async readPast(
    who: string,
    names: readonly ViewName[],
    past: number,
    byTime: boolean,
    replay: boolean,
  ): Promise<void> {
    const timeMicros = this.history.tickTimes.get(past)
    const at = byTime && timeMicros !== undefined ? { timeMicros } : { tick: past }
    const asOf = replay ? { at, replay: {} } : { at }
    const answers = await this.within(`${who} reads the past`, this.database.readAll(names, { asOf }))
    const [{ tick }] = answers
    // Later ticks may have the same time: then the newest of them is meant.
    if (tick < past || (tick > past && 'tick' in at)) {
      throw new Violation('the past is what was asked for', `${who} read tick ${tick}, not ${past}`)
    }
    this.#observe(`${who}, looking back`, names, answers)
  }

  /**
   * The same by replay, of whatever tick: where what made it is gone, the first tick is told that can be told.
   * @param first the views that were there from the beginning: every base has them
   */
  async replayPast(who: string, names: readonly ViewName[], past: number, byTime: boolean, first: readonly ViewName[]) {
    try {
      await this.readPast(who, names, past, byTime, true)
    } catch (error) {
      if (codeOf(error) !== 'tick/expired' || this.history.trims.tried === 0) throw error
      const bases = this.bases()
      const { tick: from = 0 } = (error as MillraceError).place
      this.trace(who, `tick ${past} of ${names.join()} is told from ${from} on; the base is of ${bases.join()}`)
      if (this.history.damaged) return
      const known = bases.some((tick) => tick <= past) && names.every((name) => first.includes(name))
      if (known || from < past) {
        const what = `${names.join()} at tick ${past}, from ${from} on, with bases of ${bases.join()}`
        throw new Violation('the past behind the base is told', what)
      }
      await this.readPast(who, names, from, false, true).catch((again: unknown) => {
        const explained = codeOf(again) === 'request/busy' || this.over || bases.join() !== this.bases().join()
        if (!explained) throw again
      })
    }
  }

  /** The tick up to which events are gone of any of some topics. */
  goneOf(topics: readonly TopicName[]): number {
    const starts = this.log.starts()
    return Math.max(...topics.map((name) => starts.get(topicOf(name).id)?.throughTick ?? 0))
  }

  /** The ticks of the bases on disk. */
  bases(): readonly number[] {
    return basesOf(this.io.disk)
  }

  /** The tick up to which bids are left out for a view. */
  startOf(view: ViewName): number {
    return startOf(this.database.catalog().views, view)
  }

  #observe(who: string, names: readonly ViewName[], answers: readonly ReadAnswer[]): number {
    const [{ tick, timeMicros }] = answers
    this.history.sawTick(tick, timeMicros)
    for (const [i, answer] of answers.entries()) {
      if (answer.tick !== tick) {
        throw new Violation('views move together', `${names[i]} at tick ${answer.tick}, ${names[0]} at tick ${tick}`)
      }
      const { errors, rows } = answer
      this.history.observe({ who, view: names[i], tick, rows: rowTexts(rows), errors, start: this.startOf(names[i]) })
    }
    this.trace(who, `read ${names.join()} at ${tick}`)
    return tick
  }
}

/** Rows as text, each as often as it is there, sorted. */
export function rowTexts(rows: Rows): string[] {
  const texts: string[] = []
  for (const [text, weight] of changesOf(rows)) {
    if (weight < 0) throw new Violation('no row is there less than never', `${text} × ${weight}`)
    for (let n = 0; n < weight; n++) texts.push(text)
  }
  return texts.sort()
}

export function changesOf(rows: Rows): (readonly [text: string, weight: number])[] {
  const texts = compileRowTexts(rows.columns)
  const changes: (readonly [string, number])[] = []
  rows.forEach((page, row, weight) => {
    changes.push([JSON.stringify(texts(page.memory, page.columns, row)), weight])
  })
  return changes
}

export function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : 'none'
}
