import type { LiveOptions, LiveStep } from '../app/database-shape.ts'
import type { LiveBody, WireRow } from '../protocol/answers.ts'
import { EventStreamParser, eventStreamType, type StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, isRefusal, mayPass, unreachable } from '../protocol/problem.ts'
import type { Connection } from './connection.ts'
import type { ReadRow, Row } from './row-reader.ts'

const shortestWaitMs = 250
const longestWaitMs = 10_000
/** The server says something every 15 s, if only that it is there: after so long a silence it is not. */
const silenceMs = 45_000

/** How rows become what the reader sees. */
export interface Readers {
  /** Asks for what it needs, if anything: before a stream is opened, where a failure is tried again. */
  prepare(): Promise<unknown>
  of(kind: 'topics' | 'views', name: string, sample: WireRow | undefined): Promise<ReadRow>
}

/**
 * A view's rows and changes, over as many connections as it takes: after a break it goes on behind the last tick
 * that came whole. A snapshot that broke off is begun anew, after a `reset`.
 */
export async function* liveSteps(
  connection: Connection,
  readers: Readers,
  name: string,
  { fromTick, signal }: LiveOptions = {},
): AsyncGenerator<LiveStep<Row>> {
  const stream = new LiveStream(connection, name, fromTick ?? null, readers)
  const abort = (): void => stream.end()
  if (signal?.aborted) return
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      const body = await stream.next()
      if (body === null) return
      const { tick } = body.data
      if (body.kind === 'reset') {
        stream.forget()
        yield { kind: 'reset', tick, complete: false, changes: [] }
        continue
      }
      const wired = body.data.changes ?? (body.data.rows ?? []).map((row) => ({ row, weight: 1 }))
      const read = await readers.of('views', name, wired[0]?.row)
      const complete = body.kind === 'change' || body.id !== null
      const changes = wired.map(({ row, weight }) => ({ row: read(row), weight }))
      yield { kind: body.kind, tick, complete, changes }
      stream.taken(body)
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    stream.end()
  }
}

interface Told {
  readonly kind: 'reset' | 'snapshot' | 'change'
  readonly id: string | null
  readonly data: LiveBody
}

class LiveStream {
  readonly #connection: Connection
  readonly #readers: Readers
  readonly #path: string
  readonly #ended = new AbortController()
  #lastId: string | null
  /** Of what was told last. */
  #tick = 0
  /** A snapshot was begun and is not whole yet. */
  #partial = false
  #waitMs = 0
  #cut = new AbortController()
  #open: { reader: ReadableStreamDefaultReader<Uint8Array>; parser: EventStreamParser } | null = null
  readonly #events: StreamEvent[] = []

  constructor(connection: Connection, name: string, fromTick: number | null, readers: Readers) {
    this.#connection = connection
    this.#readers = readers
    this.#path = `/v1/views/${encodeURIComponent(name)}/live?numbers=string`
    this.#lastId = fromTick === null ? null : String(fromTick)
  }

  end(): void {
    this.#ended.abort()
    this.#close()
  }

  /** The next event, or null once ended. @throws MillraceError what will not pass */
  async next(): Promise<Told | null> {
    while (!this.#ended.signal.aborted) {
      try {
        const event = this.#events.shift()
        const told = event === undefined ? await this.#more() : toldBy(event)
        if (told !== null) return told
      } catch (error) {
        if (this.#ended.signal.aborted) return null
        if (!isRefusal(error) || !mayPass(error)) throw error
        this.#close()
        this.#waitMs = Math.min(longestWaitMs, Math.max(shortestWaitMs, this.#waitMs * 2))
        await this.#pause(this.#waitMs)
      }
    }
    return null
  }

  /** The reader has what was told: from there it can go on. */
  taken({ kind, id, data }: Told): void {
    this.#waitMs = 0
    this.#tick = data.tick
    if (kind === 'snapshot') this.#partial = id === null
    // From the middle of a snapshot nobody can go on, wherever it was before.
    if (id !== null || this.#partial) this.#lastId = id
  }

  async #more(): Promise<Told | null> {
    if (this.#open === null) {
      await this.#connect()
      if (!this.#partial || this.#open === null) return null
      // What was begun cannot be gone on with.
      this.#partial = false
      return { kind: 'reset', id: null, data: { tick: this.#tick } }
    }
    const { reader, parser } = this.#open
    const silence = setTimeout(() => this.#cut.abort(), silenceMs)
    try {
      const { done, value } = await reader.read()
      if (done) throw unreachable(this.#path, new Error('the stream ended'))
      this.#events.push(...parser.feed(value))
      return null
    } catch (error) {
      throw isRefusal(error) ? error : unreachable(this.#path, error)
    } finally {
      clearTimeout(silence)
    }
  }

  async #connect(): Promise<void> {
    // What rows look like is needed as soon as there is one, and asking for it may fail like all else.
    await this.#readers.prepare()
    if (this.#ended.signal.aborted) return
    this.#cut = new AbortController()
    const headers = {
      accept: eventStreamType,
      ...(this.#lastId === null ? {} : { 'last-event-id': this.#lastId }),
    }
    const response = await this.#connection.open(this.#path, { headers, signal: this.#cut.signal })
    if (response.body === null) throw unreachable(this.#path, new Error('the answer is empty'))
    this.#open = { reader: response.body.getReader(), parser: new EventStreamParser() }
  }

  #close(): void {
    this.#events.length = 0
    this.#cut.abort()
    this.#open?.reader.cancel().catch(() => {})
    this.#open = null
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#ended
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end, { once: true })
    })
  }

  /** After a reset the old place means nothing any more. */
  forget(): void {
    this.#lastId = null
    this.#partial = false
  }
}

/** @throws MillraceError what the server could only tell in the stream */
function toldBy({ event, id, data }: StreamEvent): Told | null {
  if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable('the stream', new Error(data))
  if (event !== 'reset' && event !== 'snapshot' && event !== 'change') return null
  return { kind: event, id, data: JSON.parse(data) as LiveBody }
}
