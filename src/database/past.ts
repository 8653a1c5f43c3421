import { formatTimestamp, parseTimestamptz } from '../data/datetime.ts'
import { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import type { Log, TickMark, TickWanted } from '../log/log.ts'
import type { Program } from '../plan/program.ts'
import type { TickDriver } from '../views/driver.ts'
import type { View } from '../views/view.ts'
import type { Moment, ViewSet } from '../views/view-set.ts'
import type { AsOf } from './contract.ts'
import type { LogPast } from './log-past.ts'
import { Replays } from './replays.ts'
import type { Surroundings } from './running.ts'
import { eventsGone, MadeAgain } from './snapshots/made-again.ts'

/**
 * Reads what a user calls a past moment: a tick's number or a time, as PostgreSQL reads it.
 * @returns null for what is neither
 */
export function parseMoment(text: string): TickWanted | null {
  if (/^\d+$/.test(text)) {
    const tick = Number(text)
    return Number.isSafeInteger(tick) ? { tick } : null
  }
  const timeMicros = parseTimestamptz(text)
  return timeMicros === null ? null : { timeMicros }
}

/** Views at a moment: the live ones, or some made anew. */
export interface Scene {
  readonly views: ViewSet
  readonly moment: Moment
}

/** How long a read waits for a tick that the log has promised already. */
const promisedMs = 10_000
/** A time so little ahead is waited for: clocks differ. */
const aheadMicros = 1_000_000n

/** Looks into the past of a database. */
export class Past {
  readonly #clock: Clock
  readonly #log: Log
  readonly #views: ViewSet
  readonly #driver: TickDriver
  readonly #replays: Replays
  readonly #gone: LogPast
  readonly #program: Program
  readonly #again: MadeAgain

  constructor(around: Surroundings, program: Program, views: ViewSet, driver: TickDriver) {
    const { clock } = around.options.io
    this.#clock = clock
    this.#log = around.log
    this.#views = views
    this.#driver = driver
    this.#gone = around.past
    this.#program = program
    this.#again = new MadeAgain(around, program)
    this.#replays = new Replays(clock, (to, ids, signal, onTick) => this.#again.views(to, ids, signal, onTick))
  }

  /**
   * The views now, or some of them as they were.
   * @param promised the newest tick that somebody was told of: it is waited for
   * @throws MillraceError tick/future, tick/expired, tick/not-reached; as Replays.views
   */
  async scene(asOf: AsOf | undefined, promised: number, relations: ReadonlySet<number>): Promise<Scene> {
    if (asOf === undefined) return { views: this.#views, moment: this.#views.pin() }
    const { at, replay } = asOf
    const mark = await this.#find(at, promised)
    // Who waited for a tick may have waited while other views took the place of these.
    if (mark.tick > this.#views.tick) throw this.#succeeded(mark.tick)
    this.#checkTopics(mark.tick, relations)
    const wanted = this.#views.views.filter(({ definition }) => relations.has(definition.id))
    await this.#views.recall(mark.tick, wanted)
    if (this.#views.knowsPast(mark.tick, wanted)) return this.#retained(mark, wanted)
    const ids = new Set(wanted.map(({ definition }) => definition.id))
    if (replay === undefined) {
      await this.#again.check(mark.tick, ids, wanted)
      return this.#retained(mark, wanted)
    }
    const views = await this.#replays.views(mark, ids, replay)
    return { views, moment: views.pin() }
  }

  /** @throws MillraceError tick/expired */
  #retained(mark: TickMark, wanted: readonly View[]): Scene {
    return { views: this.#views, moment: this.#views.pinPast(mark, wanted) }
  }

  /** @throws MillraceError tick/expired where events of a topic are gone that were there at the tick */
  #checkTopics(tick: number, relations: ReadonlySet<number>): void {
    for (const { id, name } of this.#program.topics) {
      const throughTick = relations.has(id) ? (this.#gone.starts.get(id)?.throughTick ?? 0) : 0
      if (tick < throughTick) throw eventsGone(`events of ${name} before tick ${throughTick}`, tick, throughTick)
    }
  }

  /** @throws MillraceError tick/future, tick/expired where it isn't known what changed in the view after a tick */
  async check(tick: number, promised: number, view: View): Promise<void> {
    // Before the first tick there is nothing: its number may be asked for, too.
    if (tick > 0) await this.#find({ tick }, promised)
    await this.#views.recall(tick, [view])
    this.#views.checkKnown(tick, [view])
  }

  /** The tick that is meant, once reads see it. */
  async #find(wanted: TickWanted, promised: number): Promise<TickMark> {
    if ('tick' in wanted) {
      const newest = Math.max(this.#views.tick, this.#log.position().tick, promised)
      if (wanted.tick > newest) throw this.#future(`tick ${wanted.tick}`)
      await this.#driver.waitFor(wanted.tick, promisedMs)
    } else await this.#passed(wanted.timeMicros)
    const found = await this.#log.findTick(wanted)
    if (found === null) throw await this.#tooEarly(wanted)
    await this.#driver.waitFor(found.tick, promisedMs)
    return found
  }

  /** Which tick is the newest at a time is certain when the time is over. */
  async #passed(timeMicros: bigint): Promise<void> {
    for (;;) {
      if (timeMicros <= this.#log.position().timeMicros) return
      const ahead = timeMicros - this.#clock.nowMicros()
      if (ahead < 0n) return
      if (ahead > aheadMicros) throw this.#future(timeText(timeMicros))
      await new Promise<void>((resolve) => this.#clock.after(Number(ahead / 1000n) + 1, resolve))
    }
  }

  async #tooEarly(wanted: TickWanted): Promise<MillraceError> {
    const first = await this.#log.findTick({ tick: 1 })
    const since = first === null ? '' : `, which was at ${timeText(first.timeMicros)}`
    const asked = 'tick' in wanted ? `tick ${wanted.tick}` : timeText(wanted.timeMicros)
    return new MillraceError('tick/expired', `${asked} is before the first tick${since}`, {
      hint: 'ask for tick 1 or a later one',
      place: { tick: 1 },
    })
  }

  #succeeded(tick: number): MillraceError {
    return new MillraceError('tick/not-reached', `the definitions were changed while tick ${tick} was waited for`, {
      hint: 'ask again',
      place: { tick },
    })
  }

  #future(asked: string): MillraceError {
    const { tick, timeMicros } = this.#views
    const of = tick === 0 ? '' : `, of ${timeText(timeMicros)}`
    return new MillraceError('tick/future', `${asked} is still to come: the newest tick is ${tick}${of}`, {
      hint: 'ask for an earlier one, or wait for it (min_tick)',
      place: { tick },
    })
  }

  close(why?: MillraceError): Promise<void> {
    return this.#replays.close(why)
  }
}

function timeText(micros: bigint): string {
  return formatTimestamp(micros, 'T', 'Z')
}
