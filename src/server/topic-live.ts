import { ByteWriter } from '../data/byte-writer.ts'
import { MillraceError } from '../data/errors.ts'
import type { PrintOptions } from '../data/json-print.ts'
import type { TopicEvents, TopicMessage } from '../database/live/topic-cursor.ts'
import { topicRestriction } from '../database/sight.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { eventEnd, eventHead, heartbeat, retryLine } from '../protocol/event-stream.ts'
import { problemOf } from '../protocol/problem.ts'
import type { Restriction } from '../views/restriction.ts'
import { EventPrinter, seenEvents } from './event-printer.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import { withoutNames } from './hidden-names.ts'
import { type LiveServer, openStream, retryMs, settlesWithin, streamHeaders } from './live.ts'
import { Parameters, wholeNumber } from './parameters.ts'
import { startOf } from './topic-events.ts'
import { numberForms } from './view-read.ts'

const encoder = new TextEncoder()
/** A message is about so long at most, or has one event. */
const messageBytes = 64 * 1024

/**
 * GET /v1/topics/{topic}/live: events behind an offset, then those that come. Who comes back names the offset that he
 * was told last. What a reader may see is judged as for `/events`; once that changes, the stream ends, as what it told
 * so far was told under other rules.
 */
export async function streamTopic(
  server: LiveServer,
  request: ApiRequest,
  name: string,
  query: string,
): Promise<ApiAnswer> {
  const { database, session } = server
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  const from = parameters.integer('from')
  const fromTime = parameters.one('from_time')
  parameters.end()
  const last = request.header('last-event-id')
  const resumed = last === null || last === '' ? null : wholeNumber('Last-Event-ID', last)
  const begin = resumed ?? (await startOf(database, topic.name, from, fromTime))
  // What the reader may not have at all is refused before the stream begins.
  const restriction = await topicRestriction(session.sight, topic)
  if (restriction !== null) seenEvents(topic, [], restriction)
  if (request.method === 'HEAD') return { status: 200, headers: streamHeaders, body: null }
  const { signal, end } = openStream(server, request)
  try {
    const options = { signal, resumes: resumed !== null, ...(begin === null ? {} : { from: begin }) }
    const cursor = database.liveTopic(topic.name, options)
    return { status: 200, headers: streamHeaders, body: streamOf(server, cursor, { numbers }, end) }
  } catch (error) {
    end()
    throw error
  }
}

/** As long as the socket is full nobody asks for a piece, and the cursor reads nothing. */
async function* streamOf(
  { clock, limits, session }: LiveServer,
  cursor: AsyncIterableIterator<TopicMessage>,
  options: PrintOptions,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  const messages = new Messages(options)
  try {
    yield encoder.encode(retryLine(retryMs))
    for (;;) {
      const pulled = cursor.next()
      // It is awaited below; until then a failure must not count as unhandled.
      pulled.catch(() => {})
      while (!(await settlesWithin(clock, pulled, limits.heartbeatMs))) yield encoder.encode(heartbeat)
      const { done, value } = await pulled
      session.signal.throwIfAborted()
      if (done === true) return
      if (value.kind === 'reset') {
        yield encoder.encode(`${eventHead('reset', String(value.next))}{"tick":${value.tick}}${eventEnd}`)
        continue
      }
      const restriction = await topicRestriction(session.sight, value.topic)
      for (const message of messages.of(value, restriction)) {
        yield message
        session.signal.throwIfAborted()
      }
    }
  } catch (error) {
    // The answer has begun: what went wrong can only be told in the stream itself.
    if (!(error instanceof MillraceError)) throw error
    const told = problemOf(withoutNames(error, session.sight))
    yield encoder.encode(`${eventHead('problem', null)}${JSON.stringify(told)}${eventEnd}`)
  } finally {
    end()
    await cursor.return?.()
  }
}

/** Events as messages of a stream. */
class Messages {
  readonly #options: PrintOptions
  /** For the topic as it was seen last. */
  #columns: TopicDefinition['columns'] | null = null
  #restriction: Restriction | null = null
  #printer: EventPrinter | null = null
  /** Whether the reader knows that he has all there is. */
  #complete = false

  constructor(options: PrintOptions) {
    this.#options = options
  }

  /** A message ends with its id: only then it is known how many events fit. */
  *of(
    { topic, blocks, from, next, tick, complete }: TopicEvents,
    restriction: Restriction | null,
  ): Iterable<Uint8Array> {
    const seen = restriction === null ? { topic, blocks } : seenEvents(topic, blocks, restriction)
    const printer = this.#printerFor(topic, seen.topic, restriction)
    for (let at = from, isLast = false; !isLast; ) {
      const out = new ByteWriter()
      out.ascii(`${eventHead('events', null)}{"events":[`)
      const printed = printer.print(out, seen.blocks, at, Number.POSITIVE_INFINITY, messageBytes)
      isLast = printed.whole
      // Of a live tick whose events are all hidden there is nothing to tell; of a long past, how far it is.
      if (isLast && printed.events === 0 && complete && this.#complete) return
      at = isLast ? next : printed.next
      this.#complete = isLast && complete
      const told = isLast ? { tick, complete } : { tick: printed.tick, complete: false }
      out.ascii(`],"tick":${told.tick},"complete":${told.complete}}\nid: ${at}${eventEnd}`)
      yield out.take()
    }
  }

  #printerFor({ columns }: TopicDefinition, seen: TopicDefinition, restriction: Restriction | null): EventPrinter {
    const known = this.#columns === columns && this.#restriction === restriction
    if (known && this.#printer !== null) return this.#printer
    this.#columns = columns
    this.#restriction = restriction
    this.#printer = new EventPrinter(seen, this.#options)
    return this.#printer
  }
}
