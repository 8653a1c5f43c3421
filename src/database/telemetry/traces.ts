import { MillraceError } from '../../data/errors.ts'
import type { TickOutput } from '../../engine/port.ts'
import type { Clock } from '../../io/io.ts'
import { activeTracer, currentSpan, type SpanName, startSpan } from '../../io/tracing.ts'
import type { Append, AppendAnswer, CommittedGroup } from '../../log/log.ts'

/** Ticks whose spans are known to who pushes their changes on, and ticks that appends wait for. */
const mostTicks = 1024

/**
 * An event's way as OpenTelemetry shows it: append → commit → tick → engine → view → push. A tick of one append belongs
 * to its trace; one of many is a trace of its own with a link to each. Names and numbers are all that is told. Without
 * an SDK each of these is one look at whether there is one.
 */
export class Traces {
  readonly #clock: Clock
  readonly #nameOf: (relation: number) => string
  readonly #appends = new WeakMap<Append, SpanName>()
  /** By tick, the appends that become visible with it. */
  readonly #byTick = new Map<number, SpanName[]>()
  /** By tick, when the engine got it and when it was done. */
  readonly #ticks = new Map<number, { readonly handedMicros: bigint; answeredMicros: bigint }>()
  /** By tick, its span. */
  readonly #seen = new Map<number, SpanName>()
  #finishedTick = 0

  /** @param nameOf a topic's or a view's name by its id */
  constructor(clock: Clock, nameOf: (relation: number) => string) {
    this.#clock = clock
    this.#nameOf = nameOf
  }

  /** Traces an append from its arrival to its being durable. @throws as `work` */
  async append(append: Append, work: () => Promise<AppendAnswer>): Promise<AppendAnswer> {
    if (activeTracer() === null) return work()
    const now = (): bigint => this.#clock.nowMicros()
    const cause = currentSpan()?.spanContext()
    const topics = [...new Set(append.blocks.map(({ topic }) => this.#nameOf(topic)))]
    const events = append.blocks.reduce((sum, { rows }) => sum + rows, 0)
    const span = startSpan('append', {
      fromMicros: now(),
      causes: cause === undefined ? [] : [cause],
      attributes: { 'millrace.topics': topics, 'millrace.events': events },
    })
    if (span !== null) this.#appends.set(append, span.name)
    try {
      const answer = await work()
      span?.set('millrace.tick', answer.tick)
      if (span !== null && !answer.repeated) this.#expect(answer.tick, span.name)
      return answer
    } catch (error) {
      span?.fail(error instanceof MillraceError ? error.code : 'unknown')
      throw error
    } finally {
      span?.end(now())
    }
  }

  #expect(tick: number, append: SpanName): void {
    // Visible already: nobody asks any more.
    if (tick <= this.#finishedTick) return
    const known = this.#byTick.get(tick)
    if (known !== undefined) known.push(append)
    else if (this.#byTick.size < mostTicks) this.#byTick.set(tick, [append])
  }

  /** A group of appends is durable. */
  committed({ beganMicros, appends }: CommittedGroup): void {
    if (activeTracer() === null) return
    const causes = appends.flatMap((append) => this.#appends.get(append) ?? [])
    if (causes.length === 0) return
    const attributes = { 'millrace.appends': appends.length }
    startSpan('commit', { fromMicros: beganMicros, causes, attributes })?.end(this.#clock.nowMicros())
  }

  /** A tick is in the engine's hands. */
  handed(tick: number): void {
    if (activeTracer() === null) return
    const now = this.#clock.nowMicros()
    this.#ticks.set(tick, { handedMicros: now, answeredMicros: now })
  }

  /** The engine is done with a tick. */
  answered(tick: number): void {
    const known = this.#ticks.get(tick)
    if (known !== undefined) known.answeredMicros = this.#clock.nowMicros()
  }

  /** Reads see a tick. */
  finished({ tick, deltas }: TickOutput): void {
    this.#finishedTick = tick
    const known = this.#ticks.get(tick)
    if (known === undefined) return
    this.#ticks.delete(tick)
    const causes = this.#byTick.get(tick)
    this.#byTick.delete(tick)
    // A tick that is replayed, or moves the time alone, is of nobody's trace.
    if (causes === undefined) return
    const { handedMicros, answeredMicros } = known
    const attributes = { 'millrace.tick': tick, 'millrace.views': deltas.map(({ view }) => this.#nameOf(view)) }
    const whole = startSpan('tick', { fromMicros: handedMicros, causes, attributes })
    if (whole === null) return
    const within = { causes: [whole.name] }
    const now = this.#clock.nowMicros()
    startSpan('engine', { fromMicros: handedMicros, ...within })?.end(answeredMicros)
    startSpan('view', { fromMicros: answeredMicros, ...within })?.end(now)
    whole.end(now)
    this.#seen.set(tick, whole.name)
    const oldest = this.#seen.keys().next().value
    if (this.#seen.size > mostTicks && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** A view's change since a tick is on its way to a reader. @returns ends it, when it is sent */
  pushing(view: string, fromTick: number, tick: number): () => void {
    if (activeTracer() === null) return nothing
    const causes: SpanName[] = []
    for (let each = tick; each > fromTick && each > tick - mostTicks; each--) {
      const seen = this.#seen.get(each)
      if (seen !== undefined) causes.push(seen)
    }
    const attributes = { 'millrace.view': view, 'millrace.tick': tick }
    const span = startSpan('push', { fromMicros: this.#clock.nowMicros(), causes, attributes })
    return () => span?.end(this.#clock.nowMicros())
  }

  /** The program at work has changed: ticks that its engine had will not come back. */
  restarted(): void {
    this.#ticks.clear()
  }
}

function nothing(): void {}
