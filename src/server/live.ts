import { MillraceError } from '../data/errors.ts'
import type { PrintOptions } from '../data/json-print.ts'
import { type Sight, seenLive, viewRestriction } from '../database/sight.ts'
import type { Database, LiveMessage } from '../database.ts'
import type { Clock } from '../io/io.ts'
import { eventEnd, eventHead, eventStreamType, heartbeat, retryLine } from '../protocol/event-stream.ts'
import { problemOf } from '../protocol/problem.ts'
import { openOrder } from '../views/restricted-read.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import type { Gate, Limits } from './limits.ts'
import { Parameters, wholeNumber } from './parameters.ts'
import { rowsJson } from './rows-json.ts'
import { numberForms } from './view-read.ts'

export interface LiveServer {
  readonly database: Database
  readonly clock: Clock
  readonly limits: Limits
  readonly streams: Gate
  /** Aborted when the server closes. */
  readonly closing: AbortSignal
  /** What the reader sees; absent: everything. */
  readonly sight: Sight | undefined
  /** Until when he may look, in seconds since 1970; null: for good. */
  readonly until: number | null
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
  const view = server.database.view(name)
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  const afterTick = parameters.integer('from_tick')
  parameters.end()
  const last = request.header('last-event-id')
  const fromTick = last === null || last === '' ? null : wholeNumber('Last-Event-ID', last)
  // A policy that doesn't fit is told before the stream begins.
  const restriction = await viewRestriction(server.sight, view)
  const order = restriction === null ? {} : { order: openOrder(view.order, restriction) }
  if (request.method === 'HEAD') return { status: 200, headers: streamHeaders, body: null }
  const { signal, end } = openStream(server, request)
  try {
    // Who comes back names the tick that he has; from_tick is where he began.
    const cursor =
      fromTick === null && afterTick !== null
        ? await server.database.changesAfter(view.name, afterTick, signal)
        : server.database.live(view.name, { signal, ...order, ...(fromTick === null ? {} : { fromTick }) })
    const seen = seenLive(cursor, server.sight, view.name)
    return { status: 200, headers: streamHeaders, body: streamOf(server, view.name, seen, { numbers }, end) }
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
  { streams, clock, until, closing }: LiveServer,
  request: ApiRequest,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const leave = streams.enter()
  const ending = new AbortController()
  const cancel = until === null ? (): void => {} : afterSeconds(clock, until, () => end())
  const signals = [request.signal, closing]
  // What a stream left behind at the server's own signal would be there as long as the server; and a stream that
  // nobody begins to read has no end of its own.
  const end = (): void => {
    cancel()
    for (const signal of signals) signal.removeEventListener('abort', end)
    ending.abort()
    leave()
  }
  for (const signal of signals) signal.addEventListener('abort', end)
  if (signals.some((signal) => signal.aborted)) end()
  return { signal: ending.signal, end }
}

/** When a token is over, so is what it opened. */
function afterSeconds(clock: Clock, until: number, task: () => void): () => void {
  const left = until * 1000 - Number(clock.nowMicros() / 1000n)
  return clock.after(Math.max(0, left), task)
}

/**
 * Whoever asks for a piece gets the next one as soon as there is one: as long as the socket is full nobody asks, and
 * nothing is gathered.
 */
async function* streamOf(
  { clock, limits, database }: LiveServer,
  view: string,
  cursor: AsyncIterableIterator<LiveMessage>,
  options: PrintOptions,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  let tick = 0
  try {
    yield encoder.encode(retryLine(retryMs))
    for (;;) {
      const pulled = cursor.next()
      // It is awaited below; until then a failure must not count as unhandled.
      pulled.catch(() => {})
      while (!(await settlesWithin(clock, pulled, limits.heartbeatMs))) yield encoder.encode(heartbeat)
      const { done, value } = await pulled
      if (done) return
      const sent = value.kind === 'change' ? database.telemetry.pushing(view, tick, value.tick) : null
      yield* eventOf(clock, value, options)
      sent?.()
      tick = value.tick
    }
  } catch (error) {
    // The answer has begun: what went wrong can only be told in the stream itself.
    if (!(error instanceof MillraceError)) throw error
    yield encoder.encode(`${eventHead('problem', null)}${JSON.stringify(problemOf(error))}${eventEnd}`)
  } finally {
    end()
    await cursor.return?.()
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
    case 'change': {
      const head = `${eventHead('change', String(tick))}{"tick":${tick},"changes":[`
      yield* rowsJson(clock, head, message.rows, 'changes', `]}${eventEnd}`, options)
    }
  }
}
