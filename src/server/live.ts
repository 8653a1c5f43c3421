import { MillraceError } from '../data/errors.ts'
import type { PrintOptions } from '../data/json-print.ts'
import { seenLive, viewRestriction } from '../database/sight.ts'
import type { Database, LiveMessage } from '../database.ts'
import type { Clock } from '../io/io.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { eventEnd, eventHead, eventStreamType, heartbeat, retryLine } from '../protocol/event-stream.ts'
import { problemOf } from '../protocol/problem.ts'
import type { LiveOptions } from '../views/live.ts'
import { openOrder } from '../views/restricted-read.ts'
import { changeEvent } from './change-event.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import { withoutNames } from './hidden-names.ts'
import type { Gate, Limits } from './limits.ts'
import { Parameters, wholeNumber } from './parameters.ts'
import { rowsJson } from './rows-json.ts'
import type { Session } from './sessions.ts'
import { numberForms } from './view-read.ts'

export interface LiveServer {
  readonly database: Database
  readonly clock: Clock
  readonly limits: Limits
  readonly streams: Gate
  /** Aborted when the server closes. */
  readonly closing: AbortSignal
  /** What the reader sees, and until when. */
  readonly session: Session
}

const encoder = new TextEncoder()
export const retryMs = 1000

export const streamHeaders = {
  'content-type': eventStreamType,
  'cache-control': 'no-store',
  // Proxies that gather an answer would hold changes back.
  'x-accel-buffering': 'no',
}

/** GET /v1/views/{view}/live: rows leave here, the last file of an event's life. */
export async function streamView(
  server: LiveServer,
  request: ApiRequest,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  const { database, session } = server
  const view = database.view(name)
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  const afterTick = parameters.integer('from_tick')
  parameters.end()
  const last = request.header('last-event-id')
  const fromTick = last === null || last === '' ? null : wholeNumber('Last-Event-ID', last)
  // A policy that doesn't fit is told before the stream begins.
  await viewRestriction(session.sight, view)
  if (request.method === 'HEAD') return { status: 200, headers: streamHeaders, body: null }
  const { signal, end } = openStream(server, request)
  try {
    const cursors = new Cursors(server, view.name, signal)
    // Who comes back names the tick that he has; from_tick is where he began.
    if (fromTick === null && afterTick !== null) await cursors.after(afterTick)
    else cursors.begin(fromTick)
    return { status: 200, headers: streamHeaders, body: streamOf(server, view.name, cursors, { numbers }, end) }
  } catch (error) {
    end()
    throw error
  }
}

/**
 * One of the streams at a time, until its request, its reader's right or the server ends.
 * @returns `end` gives it back
 * @throws MillraceError request/busy
 */
export function openStream(
  { streams, session, closing }: LiveServer,
  request: ApiRequest,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const leave = streams.enter()
  const ending = new AbortController()
  const signals = [session.signal, request.signal, closing]
  // What a stream left behind at the server's own signal would be there as long as the server; and a stream that
  // nobody begins to read has no end of its own.
  const end = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', end)
    // What still computes its first rows is refused with the reason.
    ending.abort(signals.find(({ aborted }) => aborted)?.reason)
    leave()
  }
  for (const signal of signals) signal.addEventListener('abort', end)
  if (signals.some((signal) => signal.aborted)) end()
  return { signal: ending.signal, end }
}

/** A stream's cursor, and the one that takes its place where what its reader sees has become something else. */
class Cursors {
  readonly #server: LiveServer
  readonly #view: string
  readonly #ending: AbortSignal
  #round = new AbortController()
  #current: AsyncIterableIterator<LiveMessage> | null = null
  /** Whether the reader sees something else than when the cursor was begun. */
  stale = false

  constructor(server: LiveServer, view: string, ending: AbortSignal) {
    this.#server = server
    this.#view = view
    this.#ending = ending
    server.session.onSight(() => {
      this.stale = true
      this.#round.abort()
    })
  }

  /** @throws MillraceError tick/future, tick/expired */
  async after(tick: number): Promise<void> {
    const { database } = this.#server
    this.#current = this.#seen(await database.changesAfter(this.#view, tick, this.#options()))
  }

  /** @param fromTick the tick that the reader has; null: he begins */
  begin(fromTick: number | null): void {
    const options = { ...this.#options(), ...(fromTick === null ? {} : { fromTick }) }
    this.#current = this.#seen(this.#server.database.live(this.#view, options))
  }

  /** Begins anew where the cursor is stale. @returns whether it was */
  renew(): boolean {
    if (!this.stale || this.#ending.aborted) return false
    void this.#current?.return?.()
    this.#round = new AbortController()
    this.stale = false
    this.begin(null)
    return true
  }

  next(): Promise<IteratorResult<LiveMessage>> {
    return this.#current!.next()
  }

  async return(): Promise<void> {
    await this.#current?.return?.()
  }

  #options(): Pick<LiveOptions, 'signal' | 'order'> {
    const { sight } = this.#server.session
    const signal = AbortSignal.any([this.#ending, this.#round.signal])
    if (sight === undefined) return { signal }
    const order = async (view: ViewDefinition): Promise<readonly Order[]> => {
      const restriction = await viewRestriction(sight, view)
      return restriction === null ? view.order : openOrder(view.order, restriction)
    }
    return { signal, order }
  }

  #seen(cursor: AsyncIterableIterator<LiveMessage>): AsyncIterableIterator<LiveMessage> {
    return seenLive(cursor, this.#server.session.sight, this.#view)
  }
}

/**
 * Whoever asks for a piece gets the next one as soon as there is one: as long as the socket is full nobody asks, and
 * nothing is gathered.
 */
async function* streamOf(
  { clock, limits, database, session }: LiveServer,
  view: string,
  cursors: Cursors,
  options: PrintOptions,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  let tick = 0
  try {
    yield encoder.encode(retryLine(retryMs))
    for (;;) {
      const pulled = cursors.next()
      // It is awaited below; until then a failure must not count as unhandled.
      pulled.catch(() => {})
      while (!(await settlesWithin(clock, pulled, limits.heartbeatMs))) yield encoder.encode(heartbeat)
      const { done, value } = await pulled
      session.signal.throwIfAborted()
      if (done === true || cursors.stale) {
        if (!cursors.renew()) return
        yield* eventOf(clock, { kind: 'reset', tick: Math.max(tick, database.status().tick) }, options)
        continue
      }
      const sent = value.kind === 'change' ? database.telemetry.pushing(view, tick, value.tick) : null
      yield* eventOf(clock, value, options)
      sent?.()
      tick = value.tick
    }
  } catch (error) {
    // The answer has begun: what went wrong can only be told in the stream itself.
    if (!(error instanceof MillraceError)) throw error
    const told = problemOf(withoutNames(error, session.sight))
    yield encoder.encode(`${eventHead('problem', null)}${JSON.stringify(told)}${eventEnd}`)
  } finally {
    end()
    await cursors.return()
  }
}

export function settlesWithin(clock: Clock, promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false))
    const settled = (): void => {
      cancel()
      resolve(true)
    }
    promise.then(settled, settled)
  })
}

async function* eventOf(clock: Clock, message: LiveMessage, options: PrintOptions): AsyncGenerator<Uint8Array> {
  const { tick } = message
  switch (message.kind) {
    case 'reset':
      yield encoder.encode(`${eventHead('reset', null)}{"tick":${tick}}${eventEnd}`)
      return
    case 'snapshot': {
      // Only who has all of the snapshot can go on from its tick.
      const head = `${eventHead('snapshot', message.last ? String(tick) : null)}{"tick":${tick},"rows":[`
      yield* rowsJson(clock, head, message.rows, 'rows', `]}${eventEnd}`, options)
      return
    }
    case 'change':
      yield* changeEvent(clock, tick, message.rows, options)
  }
}
