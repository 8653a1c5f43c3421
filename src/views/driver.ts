import { invariant, MillraceError } from '../data/errors.ts'
import type { EngineHost } from '../engine/host.ts'
import type { Standing, TickInput, TickOutput } from '../engine/port.ts'
import type { Clock } from '../io/io.ts'
import type { LoggedBlock, SealedTick } from '../log/log.ts'
import type { ViewSet } from './view-set.ts'

/** Ticks in the engine's hands: one at work and one ready, so that it never waits for us. */
const mostUnderWay = 2
/** Ticks that may wait before appenders are held back: what waits is kept in memory. */
const mostQueued = 3
/** In a replay, where nobody waits for a single one: so many small ticks, as long as they are no more bytes together. */
const mostTogether = 96
const togetherBytes = 256 * 1024
const emptyTickMs = 1000
/** The window over which the rate is told. */
const rateMs = 5000

/** What the engine made of a tick, and what that was. */
interface Answer {
  readonly output: TickOutput
  readonly blocks: readonly LoggedBlock[]
  readonly rows: number
  readonly bytes: number
}

/** Somebody who waits for a tick. */
interface Waiter {
  readonly tick: number
  /** Waits on where another driver takes the place of one that failed. */
  readonly outlasts: boolean
  resolve(): void
  reject(error: Error): void
}

/** Takes sealed ticks through the engine into the views, in order. */
export class TickDriver {
  readonly #clock: Clock
  /** Null before the start: ticks wait. */
  #host: EngineHost | null = null
  readonly #views: ViewSet
  readonly #topics: ReadonlySet<number>
  readonly #requestSeal: (evenIfEmpty: boolean) => void
  readonly #queue: SealedTick[] = []
  #underWay = 0
  /** Of ticks that wait, or are in the engine's hands. */
  #bytes = 0
  #roomWaiters: (() => void)[] = []
  #tickWaiters: Waiter[] = []
  #cancelDue: (() => void) | null = null
  #lastEmptyMs = Number.NEGATIVE_INFINITY
  #samples: { readonly ms: number; readonly events: number }[] = []
  /** The newest tick in the engine's hands, or behind it. */
  #handed = 0
  #afterTick: { readonly tick: number; run(reached: boolean): void }[] = []
  /** Later ticks wait. */
  #hold = Number.POSITIVE_INFINITY
  #live = false
  /** A tick in the engine's hands that is not durable yet; 0: there is none. */
  #begun = 0
  /** What the engine made of ticks that the views have not moved to, in order: at most of that one and the next. */
  readonly #answers: Answer[] = []
  /** Another driver has taken this one's place. */
  #left = false
  failure: MillraceError | null = null
  /** Told the failure of a driver that is live; a close is none. */
  onFailure: (error: MillraceError) => void = () => {}
  /** Whether another driver will take this one's place after a failure: who waits for a tick waits on. */
  mends: (error: MillraceError) => boolean = () => false
  /** Told each tick that is in the views now, its events, and their bytes. */
  onFinished: (output: TickOutput, blocks: readonly LoggedBlock[], bytes: number) => void = () => {}
  /** Told the number of each tick that the engine is done with, before the views move to it. */
  onAnswered: (tick: number) => void = () => {}
  /** Told the number of each tick that goes to the engine. */
  onHanded: (tick: number) => void = () => {}
  last: Standing | null = null
  /** Events that went through, those of before the start included. */
  events = 0

  /** @param topics what the engine knows: blocks of other topics are left out */
  constructor(clock: Clock, views: ViewSet, topics: ReadonlySet<number>, requestSeal: (evenIfEmpty: boolean) => void) {
    this.#clock = clock
    this.#views = views
    this.#topics = topics
    this.#requestSeal = requestSeal
  }

  /** Nothing waits and nothing is under way: a commit may carry its own seal. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#underWay === 0
  }

  get eventsPerSecond(): number {
    const now = this.#clock.monotonicMs()
    const recent = this.#samples.filter(({ ms }) => now - ms <= rateMs)
    const first = recent[0]
    if (first === undefined || recent.length < 2) return 0
    return ((this.events - first.events) * 1000) / Math.max(1, now - first.ms)
  }

  /**
   * A tick is being synced: an engine that is free works on it meanwhile. What it makes of it waits until `take` is
   * told that the tick is durable; where that fails, so does the driver.
   */
  begin(tick: SealedTick): void {
    if (!this.#live || this.failure !== null || !this.idle || this.#host === null || tick.tick > this.#hold) return
    this.#begun = tick.tick
    this.#bytes += bytesOf(tick)
    this.#hand(this.#host, tick)
  }

  take(tick: SealedTick): void {
    if (this.failure !== null || this.#left) return
    if (this.#begun !== 0) {
      invariant(this.#begun === tick.tick, 'the tick that was begun is the next one')
      this.#begun = 0
      // Whoever appended hears of it first.
      if (this.#answers.length > 0) this.#clock.after(0, () => this.#finishAnswered())
      return
    }
    this.#queue.push(tick)
    this.#bytes += bytesOf(tick)
    this.#feed()
  }

  /** From now on the timeline goes on by itself: ticks that are due are asked for. */
  goLive(): void {
    this.#live = true
    this.#scheduleDue()
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.failure === null && this.#queue.length >= (this.#areSmall ? mostTogether : mostQueued)) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve))
    }
  }

  /** Whether ticks are replayed that are better taken many at a time. */
  get #areSmall(): boolean {
    return !this.#live && this.#bytes <= togetherBytes
  }

  /** Resolves when everything taken is in the views. @throws MillraceError as the engine */
  async drained(): Promise<void> {
    while (this.failure === null && !this.idle) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve))
    }
    if (this.failure !== null) throw this.failure
  }

  /**
   * From here on ticks go through the engine.
   * @param from the tick that engine and views hold already, the events up to then, and how things stand
   */
  start(
    host: EngineHost,
    from?: { readonly tick: number; readonly events: number; readonly standing: Standing },
  ): void {
    this.#host = host
    if (from !== undefined) {
      this.#handed = from.tick
      this.events = from.events
      this.last = from.standing
    }
    this.#feed()
  }

  /** The newest tick that the engine has been handed, 0 before the first. */
  get handed(): number {
    return this.#handed
  }

  /** Ticks behind this one wait until they are let go on (null). */
  holdBehind(tick: number | null): void {
    this.#hold = tick ?? Number.POSITIVE_INFINITY
    this.#feed()
  }

  /** Adds blocks to a tick that waits behind the one it is held at. */
  give(tick: number, blocks: readonly LoggedBlock[]): void {
    const [waiting] = this.#queue
    invariant(waiting?.tick === tick, `tick ${tick} is not the next one`)
    this.#bytes -= bytesOf(waiting)
    this.#queue[0] = { ...waiting, blocks: [...waiting.blocks, ...blocks] }
    this.#bytes += bytesOf(this.#queue[0])
  }

  /** Leaves all who wait here to another driver, which has come as far: no tick comes here any more. */
  leaveTo(next: TickDriver): void {
    invariant(next.#views.tick >= this.#views.tick, 'who takes over is behind')
    next.#tickWaiters.push(...this.#tickWaiters.splice(0))
    next.#resolveTicks()
    this.#left = true
    this.#live = false
    this.#cancelDue?.()
    this.#queue.length = 0
    this.#wakeRoom()
  }

  /**
   * Sends the engine a message behind the newest tick that it has been handed.
   * @param message sends it
   * @param run is called when the views are at that tick and have not moved on yet; false: they never will be
   */
  behindTick(message: () => void, run: (reached: boolean) => void): void {
    message()
    if (this.failure !== null) run(false)
    else if (this.#underWay === 0) run(true)
    else this.#afterTick.push({ tick: this.#handed, run })
  }

  /** Evaluates final views as if every watermark were infinite: the end of a batch run. Nothing of it is in the log. */
  async closeWindows(): Promise<void> {
    await this.drained()
    this.#live = false
    this.#cancelDue?.()
    const now = this.#clock.nowMicros()
    const timeMicros = now > this.#views.timeMicros ? now : this.#views.timeMicros
    const input: TickInput = { kind: 'tick', tick: this.#views.tick + 1, timeMicros, blocks: [], closeWindows: true }
    invariant(this.#host !== null, 'windows are closed before the start')
    this.#views.apply(await this.#host.step(input))
  }

  /** @throws MillraceError tick/not-reached after the time; as the engine when it stops */
  waitFor(tick: number, timeoutMs: number): Promise<void> {
    if (this.#views.tick >= tick) return Promise.resolve()
    if (this.failure !== null && !this.mends(this.failure)) return Promise.reject(this.failure)
    return this.#wait(tick, timeoutMs, true)
  }

  /** Resolves when this very driver has come to the tick, and not failed. @throws MillraceError as the engine */
  reach(tick: number): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure)
    if (this.#views.tick >= tick) return Promise.resolve()
    return this.#wait(tick, Number.MAX_SAFE_INTEGER, false)
  }

  #wait(tick: number, timeoutMs: number, outlasts: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#tickWaiters = this.#tickWaiters.filter((other) => other !== waiter)
        const message = `tick ${tick} was not reached within ${timeoutMs} ms; reads see tick ${this.#views.tick}`
        reject(new MillraceError('tick/not-reached', message, { hint: 'ask again, or for an earlier tick' }))
      })
      const waiter: Waiter = {
        tick,
        outlasts,
        resolve: () => {
          cancel()
          resolve()
        },
        reject: (error: Error) => {
          cancel()
          reject(error)
        },
      }
      this.#tickWaiters.push(waiter)
    })
  }

  /** Nothing moves any more: whoever waits is told why. Reads go on with the last tick. */
  fail(error: MillraceError): void {
    if (this.failure !== null) return
    this.failure = error
    this.#queue.length = 0
    for (const { run } of this.#afterTick.splice(0)) run(false)
    this.#cancelDue?.()
    const mends = this.mends(error)
    this.#refuseWaiters(error, ({ outlasts }) => !mends || !outlasts)
    this.#wakeRoom()
    this.#views.wake()
    if (this.#live && error.code !== 'log/closed') this.onFailure(error)
  }

  /** Nobody will take this one's place. */
  giveUp(error: MillraceError): void {
    this.mends = () => false
    this.fail(error)
    this.#refuseWaiters(error)
  }

  #refuseWaiters(error: MillraceError, which: (waiter: Waiter) => boolean = () => true): void {
    const refused = this.#tickWaiters.filter(which)
    this.#tickWaiters = this.#tickWaiters.filter((waiter) => !refused.includes(waiter))
    for (const waiter of refused) waiter.reject(error)
  }

  #feed(): void {
    const host = this.#host
    while (host !== null && this.#queue.length > 0) {
      if (this.#underWay >= (this.#areSmall ? mostTogether : mostUnderWay)) break
      if (this.#queue[0].tick > this.#hold) break
      this.#hand(host, this.#queue.shift()!)
    }
    this.#wakeRoom()
  }

  #hand(host: EngineHost, tick: SealedTick): void {
    const blocks = tick.blocks.filter((block) => this.#topics.has(block.topic))
    let rows = 0
    let bytes = 0
    for (const block of blocks) {
      rows += block.rows
      bytes += block.bytes.byteLength
    }
    const input: TickInput = { kind: 'tick', tick: tick.tick, timeMicros: tick.timeMicros, blocks }
    this.#underWay++
    this.#handed = tick.tick
    this.onHanded(tick.tick)
    host.step(input, !this.#live).then(
      (output) => {
        tick.release?.()
        this.#bytes -= bytesOf(tick)
        if (this.failure !== null) return
        this.onAnswered(output.tick)
        this.#answers.push({ output, blocks, rows, bytes })
        this.#finishAnswered()
      },
      (error) => this.fail(error as MillraceError),
    )
  }

  #finishAnswered(): void {
    while (this.#answers.length > 0 && this.#answers[0].output.tick !== this.#begun) {
      this.#finish(this.#answers.shift()!)
    }
  }

  #finish({ output, blocks, rows, bytes }: Answer): void {
    if (this.failure !== null) return
    this.#underWay--
    try {
      this.#views.apply(output)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.fail(new MillraceError('engine/stopped', `a tick could not be taken over: ${reason}`, { cause: error }))
      return
    }
    this.last = output
    this.events += rows
    while (this.#afterTick.length > 0 && this.#afterTick[0].tick <= output.tick) this.#afterTick.shift()!.run(true)
    this.onFinished(output, blocks, bytes)
    this.#sample()
    this.#feed()
    this.#resolveTicks()
    if (!this.#live) return
    this.#scheduleDue()
    if (this.idle) this.#requestSeal(false)
  }

  #sample(): void {
    const ms = this.#clock.monotonicMs()
    const last = this.#samples.at(-1)
    if (last !== undefined && ms - last.ms < 50) return
    this.#samples.push({ ms, events: this.events })
    if (this.#samples.length > 200) this.#samples = this.#samples.filter((sample) => ms - sample.ms <= rateMs)
  }

  #resolveTicks(): void {
    if (this.#tickWaiters.length === 0) return
    const { tick } = this.#views
    const reached = this.#tickWaiters.filter((waiter) => waiter.tick <= tick)
    if (reached.length === 0) return
    this.#tickWaiters = this.#tickWaiters.filter((waiter) => waiter.tick > tick)
    for (const waiter of reached) waiter.resolve()
  }

  #wakeRoom(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  /** A row waits for `now()` to reach it: asks for a tick then, with events or without, at most once a second. */
  #scheduleDue(): void {
    this.#cancelDue?.()
    this.#cancelDue = null
    const due = this.last?.dueMicros ?? null
    if (due === null || !this.idle || this.failure !== null) return
    const untilDue = Number(due - this.#clock.nowMicros()) / 1000
    const untilAllowed = this.#lastEmptyMs + emptyTickMs - this.#clock.monotonicMs()
    const delay = Math.max(0, Math.ceil(untilDue), Math.ceil(untilAllowed))
    this.#cancelDue = this.#clock.after(Math.min(delay, 2 ** 31 - 1), () => {
      this.#cancelDue = null
      if (this.failure !== null) return
      // The wall clock may have been set back since: then the tick is not due yet.
      if (this.#clock.nowMicros() < due) {
        this.#scheduleDue()
        return
      }
      this.#lastEmptyMs = this.#clock.monotonicMs()
      this.#requestSeal(true)
    })
  }
}

function bytesOf({ blocks }: SealedTick): number {
  let bytes = 0
  for (const block of blocks) bytes += block.bytes.byteLength
  return bytes
}
