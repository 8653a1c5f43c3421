import { blockRows } from '../../data/block.ts'
import { MillraceError } from '../../data/errors.ts'
import { bucketOf } from '../../data/log-buckets.ts'
import type { TickOutput } from '../../engine/port.ts'
import type { Clock } from '../../io/io.ts'
import type { Append, AppendAnswer } from '../../log/log.ts'
import type { DecodedAppend } from '../ingest.ts'
import { FiguresRing } from './figures-ring.ts'
import { DurationRing, quantileSeconds, ringSeconds, SecondRing } from './rings.ts'
import { Watchdog } from './stuck.ts'
import { TickTimes } from './tick-times.ts'
import { Traces } from './traces.ts'

export interface Happening {
  readonly atMicros: bigint
  readonly kind: 'start' | 'definitions' | 'snapshot' | 'notice' | 'failure'
  readonly message: string
}

/** An event may be wrong in more than one place; as many as are listed. */
function badEventsOf({ errors = [] }: MillraceError): number {
  return Math.max(1, new Set(errors.map(({ pointer }) => pointer.split('/')[1])).size)
}

/** Durations that are about the same, together. */
function gathered(durations: readonly number[]): readonly { readonly durationMs: number; readonly times: number }[] {
  const alike = new Map<number, { durationMs: number; times: number }>()
  for (const durationMs of durations) {
    const bucket = bucketOf(Math.max(0, durationMs) * 1000)
    const known = alike.get(bucket)
    if (known === undefined) alike.set(bucket, { durationMs, times: 1 })
    else known.times++
  }
  return [...alike.values()]
}

const mostHappenings = 100
/** Ticks whose appenders are remembered until they are seen: more are under way only where nothing moves. */
const mostAwaited = 4096
/** Appends of one tick that are timed one by one. */
const mostTimed = 256

/** What is counted of one topic. */
export interface TopicVitals {
  readonly events: SecondRing
  readonly late: SecondRing
  /** Late ones that the engine counted, ever; null before it was asked. */
  lateInAll: number | null
  /** Since the start. */
  total: number
  /** By the code of the reason. */
  readonly dropped: Map<string, number>
  lastAppendedMicros: bigint | null
}

/** What is counted of one view. */
export interface ViewVitals {
  readonly changes: SecondRing
  total: number
  readonly freshness: DurationRing
  lastFreshnessMs: number | null
}

/**
 * What a database counts of itself while it works: sums by the second and durations in buckets, all of bounded size.
 * It is told; nothing that is computed reads it.
 */
export class Vitals {
  readonly startedMs: number
  readonly events = new SecondRing()
  readonly changes = new SecondRing()
  readonly appends = new SecondRing()
  readonly reads = new SecondRing()
  /** What is counted was there before the start: how long its ticks take says nothing of those to come. */
  replaying = false
  /** A slice a second. */
  readonly ticks = new DurationRing(1000, ringSeconds)
  /** Of the engine at work. */
  readonly figures = new FiguresRing()
  readonly totals = { events: 0, changes: 0, appends: 0, reads: 0, ticks: 0 }
  readonly traces: Traces
  readonly tickTimes: TickTimes
  readonly #clock: Clock
  readonly #topics = new Map<number, TopicVitals>()
  readonly #views = new Map<number, ViewVitals>()
  readonly #recent: Happening[] = []
  /** When ticks were handed to the engine, and which it is done with that reads don't see yet, in order. */
  readonly #handed: { readonly tick: number; readonly ms: number; answered: boolean }[] = []
  #answeredMs = 0
  /** By tick, when its appends arrived. */
  readonly #arrivals = new Map<number, number[]>()
  readonly #watchdog: Watchdog
  /** Told that the engine has worked on one tick for so long. */
  onStuck: (waitingMs: number) => void = () => {}
  #finishedTick = 0
  #finishedMs = 0

  /** @param nameOf a topic's or a view's name by its id */
  constructor(clock: Clock, nameOf: (relation: number) => string) {
    this.#clock = clock
    this.traces = new Traces(clock, nameOf)
    this.tickTimes = new TickTimes(clock)
    this.#watchdog = new Watchdog(
      clock,
      () => this.waitingSinceMs,
      (waitingMs) => this.onStuck(waitingMs),
    )
    this.startedMs = clock.monotonicMs()
  }

  topic(id: number): TopicVitals {
    let found = this.#topics.get(id)
    if (found === undefined) {
      found = {
        events: new SecondRing(),
        late: new SecondRing(),
        lateInAll: null,
        total: 0,
        dropped: new Map(),
        lastAppendedMicros: null,
      }
      this.#topics.set(id, found)
    }
    return found
  }

  view(id: number): ViewVitals {
    let found = this.#views.get(id)
    if (found === undefined) {
      const freshness = new DurationRing(10_000, 1 + quantileSeconds / 10)
      found = { changes: new SecondRing(), total: 0, freshness, lastFreshnessMs: null }
      this.#views.set(id, found)
    }
    return found
  }

  /** The latest happenings, the newest first. */
  get recent(): readonly Happening[] {
    return [...this.#recent].reverse()
  }

  happened(kind: Happening['kind'], message: string): void {
    this.#recent.push({ atMicros: this.#clock.nowMicros(), kind, message })
    if (this.#recent.length > mostHappenings) this.#recent.shift()
  }

  /** Runs an append, times and traces it. @throws as `work` */
  async append(append: Append, work: () => Promise<AppendAnswer>): Promise<AppendAnswer> {
    const arrivedMs = this.#clock.monotonicMs()
    const answer = await this.traces.append(append, work)
    this.#appended(append, answer, arrivedMs)
    return answer
  }

  #appended({ blocks }: Append, { tick, repeated }: AppendAnswer, arrivedMs: number): void {
    if (repeated) return
    const ms = this.#clock.monotonicMs()
    const micros = this.#clock.nowMicros()
    let events = 0
    for (const { topic, rows } of blocks) {
      const vitals = this.topic(topic)
      vitals.events.add(ms, rows)
      vitals.total += rows
      vitals.lastAppendedMicros = micros
      events += rows
    }
    this.events.add(ms, events)
    this.appends.add(ms, 1)
    this.totals.events += events
    this.totals.appends++
    this.#remember(tick, arrivedMs)
  }

  #remember(tick: number, arrivedMs: number): void {
    // It may be visible before its appender is told of it; then which views it changed is not known any more.
    if (tick <= this.#finishedTick) return
    const arrivals = this.#arrivals.get(tick)
    if (arrivals !== undefined) {
      if (arrivals.length < mostTimed) arrivals.push(arrivedMs)
    } else if (this.#arrivals.size < mostAwaited) this.#arrivals.set(tick, [arrivedMs])
  }

  /** Decodes events of a topic, and counts those that are refused or left out. @throws as `decode` */
  decoding(topic: number, decode: () => DecodedAppend): DecodedAppend {
    try {
      const decoded = decode()
      if (decoded.skippedEvents > 0) this.#drop(topic, decoded.skipped[0]?.code, decoded.skippedEvents)
      return decoded
    } catch (error) {
      if (error instanceof MillraceError) this.#drop(topic, error.code, badEventsOf(error))
      throw error
    }
  }

  #drop(topic: number, code = 'event/invalid', events = 1): void {
    const { dropped } = this.topic(topic)
    dropped.set(code, (dropped.get(code) ?? 0) + events)
  }

  read(): void {
    this.reads.add(this.#clock.monotonicMs(), 1)
    this.totals.reads++
  }

  /** A tick is in the engine's hands. */
  handed(tick: number): void {
    this.#handed.push({ tick, ms: this.#clock.monotonicMs(), answered: false })
    this.#watchdog.watch()
    this.traces.handed(tick)
  }

  /** The engine is done with a tick; it may have to be synced before reads see it, which is not the engine's concern. */
  answered(tick: number): void {
    this.#answeredMs = this.#clock.monotonicMs()
    for (const each of this.#handed) if (each.tick <= tick) each.answered = true
    this.traces.answered(tick)
  }

  /** Reads see a tick. */
  finished(output: TickOutput): void {
    const { tick, deltas, late, figures } = output
    this.traces.finished(output)
    this.tickTimes.visible(tick, output.timeMicros)
    const ms = this.#clock.monotonicMs()
    let began = ms
    while (this.#handed.length > 0 && this.#handed[0].tick <= tick) {
      const seen = this.#handed.shift()!
      began = seen.ms
      if (!seen.answered) this.#answeredMs = ms
    }
    if (this.#handed.length > 0) this.#watchdog.watch()
    else this.#watchdog.rest()
    // The engine takes one after the other.
    if (!this.replaying) this.ticks.add(ms, ms - Math.max(began, this.#finishedMs))
    this.#finishedMs = ms
    this.#finishedTick = Math.max(this.#finishedTick, tick)
    this.totals.ticks++
    if (figures !== undefined) this.figures.add(figures)
    for (const { topic, events } of late) {
      const vitals = this.topic(topic)
      if (vitals.lateInAll !== null && events > vitals.lateInAll) vitals.late.add(ms, events - vitals.lateInAll)
      vitals.lateInAll = events
    }
    const arrivals = this.#arrived(tick)
    const waited = gathered(arrivals.map((arrived) => ms - arrived))
    for (const { view, blocks, errors } of deltas) {
      const vitals = this.view(view)
      let rows = errors.length
      for (const block of blocks) rows += blockRows(block)
      vitals.changes.add(ms, rows)
      vitals.total += rows
      this.changes.add(ms, rows)
      this.totals.changes += rows
      for (const { durationMs, times } of waited) vitals.freshness.add(ms, durationMs, times)
      if (arrivals.length > 0) vitals.lastFreshnessMs = ms - arrivals[arrivals.length - 1]
    }
  }

  /** Since when the engine has been at work on its oldest tick; null: it has none. */
  get waitingSinceMs(): number | null {
    const oldest = this.#handed.find(({ answered }) => !answered)
    return oldest === undefined ? null : Math.max(oldest.ms, this.#answeredMs)
  }

  /** Of a topic over the last minute. */
  lately(topic: number): { readonly events: number; readonly late: number } {
    const now = Math.floor(this.#clock.monotonicMs() / 1000)
    const vitals = this.topic(topic)
    let events = 0
    let late = 0
    for (let second = now - quantileSeconds; second <= now; second++) {
      events += vitals.events.at(second)
      late += vitals.late.at(second)
    }
    return { events, late }
  }

  #arrived(tick: number): readonly number[] {
    const arrivals = this.#arrivals.get(tick) ?? []
    this.#arrivals.delete(tick)
    return arrivals
  }

  /** The program at work has changed: ticks that its engine had will not come back. */
  restarted(): void {
    this.#handed.length = 0
    this.#watchdog.rest()
    this.figures.clear()
    this.traces.restarted()
  }
}
