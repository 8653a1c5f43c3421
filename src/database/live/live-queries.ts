import { MillraceError } from '../../data/errors.ts'
import type { TickOutput } from '../../engine/port.ts'
import type { Log, LoggedBlock } from '../../log/log.ts'
import type { LiveMessage } from '../../views/live.ts'
import type { LiveQueryAnswer, LiveQueryOptions } from '../contract.ts'
import type { Running } from '../running.ts'
import { LiveQuery, type LiveWorld } from './live-query.ts'

/** Different live queries at the same time, where nobody says otherwise. */
const mostQueriesDefault = 16
const emptyTickMs = 1000
const longestWaitMs = 2 ** 31 - 1

interface Held {
  readonly query: LiveQuery
  readers: number
}

/** All live queries of a database. Readers who ask the same and see the same share one. */
export class LiveQueries {
  readonly #world: LiveWorld
  readonly #log: Log
  readonly #held = new Map<string, Held>()
  readonly #ending = new Set<Promise<unknown>>()
  #cancelDue: () => void = () => {}
  #lastEmptyMs = Number.NEGATIVE_INFINITY
  #closed: MillraceError | null = null

  constructor(world: Omit<LiveWorld, 'onDue'>, log: Log) {
    this.#world = { ...world, onDue: () => this.#scheduleDue() }
    this.#log = log
  }

  /**
   * A query's rows, then their changes.
   * @returns once the first rows can be read
   * @throws MillraceError sql/…, request/busy, request/timeout; the signal's reason
   */
  async open(sql: string, options: LiveQueryOptions): Promise<LiveQueryAnswer> {
    const { parameters = [], sight, maxRows, signal } = options
    signal?.throwIfAborted()
    if (this.#closed !== null) throw this.#closed
    const key = JSON.stringify([sql, parameters, sight?.key ?? null, maxRows])
    const held = this.#held.get(key) ?? this.#begin(key, sql, options)
    held.readers++
    const reading = new AbortController()
    const leave = (): void => {
      if (reading.signal.aborted) return
      reading.abort()
      signal?.removeEventListener('abort', leave)
      if (--held.readers === 0) this.#end(key, held)
    }
    signal?.addEventListener('abort', leave, { once: true })
    try {
      await orAborted(held.query.ready, signal)
      const messages = endedBy(held.query.messages(reading.signal), leave)
      return { about: () => held.query.about, messages }
    } catch (error) {
      leave()
      throw error
    }
  }

  #begin(key: string, sql: string, options: LiveQueryOptions): Held {
    const most = options.mostQueries ?? mostQueriesDefault
    if (this.#held.size >= most) {
      throw new MillraceError('request/busy', `the server has as many different live queries as it takes: ${most}`, {
        hint: 'end one, or define a view: it takes any number of readers',
      })
    }
    // Nobody's own signal: the query goes on for those who come after the first one.
    const { signal: _, ...shared } = options
    const held = { query: new LiveQuery(this.#world, sql, shared), readers: 0 }
    this.#held.set(key, held)
    // Who asks for one that has failed begins anew.
    const over = held.query.ended.then(() => this.#forget(key, held))
    this.#ending.add(over)
    void over.then(() => this.#ending.delete(over))
    return held
  }

  #end(key: string, held: Held): void {
    this.#forget(key, held)
    held.query.end(new MillraceError('request/timeout', 'nobody reads the query any more'))
  }

  #forget(key: string, held: Held): void {
    if (this.#held.get(key) === held) this.#held.delete(key)
  }

  /** A tick that the program at work is done with, and the events that were in it. */
  finished(running: Running, output: TickOutput, blocks: readonly LoggedBlock[]): void {
    for (const { query } of this.#held.values()) query.offer(running, output, blocks)
  }

  /** Rows that wait for `now()` need a tick, with events or without: at most one a second for all queries. */
  #scheduleDue(): void {
    const { clock } = this.#world.options.io
    this.#cancelDue()
    this.#cancelDue = () => {}
    let due: bigint | null = null
    for (const { query } of this.#held.values()) {
      const own = query.dueMicros
      if (own !== null && (due === null || own < due)) due = own
    }
    if (due === null || this.#closed !== null) return
    const untilDue = Number(due - clock.nowMicros()) / 1000
    const untilAllowed = this.#lastEmptyMs + emptyTickMs - clock.monotonicMs()
    const delay = Math.max(0, Math.ceil(untilDue), Math.ceil(untilAllowed))
    this.#cancelDue = clock.after(Math.min(delay, longestWaitMs), () => {
      if (clock.nowMicros() < due) {
        this.#scheduleDue()
        return
      }
      this.#lastEmptyMs = clock.monotonicMs()
      this.#log.requestSeal(true)
    })
  }

  /** Resolves when nothing of them runs any more. */
  async close(why: MillraceError): Promise<void> {
    this.#closed = why
    this.#cancelDue()
    for (const { query } of this.#held.values()) query.end(why)
    await Promise.all(this.#ending)
  }
}

async function* endedBy(messages: AsyncGenerator<LiveMessage>, leave: () => void): AsyncGenerator<LiveMessage> {
  try {
    yield* messages
  } finally {
    leave()
  }
}

/** @throws the signal's reason */
function orAborted(ready: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return ready
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    ready.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
