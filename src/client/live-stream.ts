import type { LiveBody, TopicLiveBody } from '../protocol/answers.ts'
import { EventStreamParser, eventStreamType, type StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, isRefusal, mayPass, unreachable } from '../protocol/problem.ts'
import type { Connection } from './connection.ts'

const shortestWaitMs = 250
const longestWaitMs = 10_000
/** The server says something every 15 s, if only that it is there: after so long a silence it is not. */
const silenceMs = 45_000
const theStream = 'the stream'

/** What a stream told. `W`: how a row is written. */
export interface Told<W> {
  readonly kind: (typeof kinds)[number]
  readonly id: string | null
  readonly data: LiveBody<W> & TopicLiveBody
}

const kinds = ['reset', 'snapshot', 'change', 'events'] as const

/** What is followed. */
export interface Followable {
  /** Asked for at each connection, with whatever else is needed by then: a failure is tried again. */
  readonly path: () => Promise<string>
  /** How it is asked for. */
  readonly init?: RequestInit
  /** The tick to go on behind; null: from the rows as they are. */
  readonly fromTick: number | null
}

/** One live answer, over as many connections as it takes. */
export class LiveStream<W> {
  readonly #connection: Connection
  readonly #what: Followable
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

  constructor(connection: Connection, what: Followable) {
    this.#connection = connection
    this.#what = what
    this.#lastId = what.fromTick === null ? null : String(what.fromTick)
  }

  end(): void {
    this.#ended.abort()
    this.#close()
  }

  /** The next event, or null once ended. @throws MillraceError what will not pass */
  async next(): Promise<Told<W> | null> {
    while (!this.#ended.signal.aborted) {
      try {
        const event = this.#events.shift()
        const told = event === undefined ? await this.#more() : toldBy<W>(event)
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
  taken({ kind, id, data }: Told<W>): void {
    this.#waitMs = 0
    this.#tick = data.tick
    if (kind === 'snapshot') this.#partial = id === null
    // From the middle of a snapshot nobody can go on, wherever it was before.
    if (id !== null || this.#partial) this.#lastId = id
  }

  async #more(): Promise<Told<W> | null> {
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
      if (done) throw unreachable(theStream, new Error('the stream ended'))
      this.#events.push(...parser.feed(value))
      return null
    } catch (error) {
      throw isRefusal(error) ? error : unreachable(theStream, error)
    } finally {
      clearTimeout(silence)
    }
  }

  async #connect(): Promise<void> {
    const path = await this.#what.path()
    if (this.#ended.signal.aborted) return
    this.#cut = new AbortController()
    const { init } = this.#what
    const headers = {
      ...(init?.headers as Readonly<Record<string, string>> | undefined),
      accept: eventStreamType,
      ...(this.#lastId === null ? {} : { 'last-event-id': this.#lastId }),
    }
    const response = await this.#connection.open(path, { ...init, headers, signal: this.#cut.signal })
    if (response.body === null) throw unreachable(path, new Error('the answer is empty'))
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
function toldBy<W>({ event, id, data }: StreamEvent): Told<W> | null {
  if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable(theStream, new Error(data))
  const kind = kinds.find((one) => one === event)
  return kind === undefined ? null : { kind, id, data: JSON.parse(data) }
}
