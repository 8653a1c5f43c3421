import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { Io } from '../io/io.ts'
import { backUp } from './backup.ts'
import { diff } from './diff.ts'
import { type ApiAnswer, type ApiRequest, problemAnswer } from './exchange.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { appendEvents, appendMixed } from './ingest.ts'
import { Gate, type Limits } from './limits.ts'
import { streamView } from './live.ts'
import { Metrics } from './metrics.ts'
import { Page } from './page.ts'
import { runSql } from './sql.ts'
import { catalog, livez, readyz } from './status.ts'
import { readEvents } from './topic-events.ts'
import { viewErrors } from './view-errors.ts'
import { readView } from './view-read.ts'

export interface ApiOptions extends GuardOptions {
  readonly io: Io
  readonly limits: Limits
  /** Told of what is our own mistake. */
  readonly onMistake: (error: unknown) => void
}

/** Answers one call. @param name the path's variable part, decoded */
type Handler = (request: ApiRequest, name: string, query: string) => Promise<ApiAnswer> | ApiAnswer

interface Route {
  /** Segments of the path; `{…}` stands for any name. */
  readonly pattern: string
  readonly methods: Readonly<Record<string, Handler>>
}

/** On every answer: nothing is guessed, embedded or told on. */
const safeHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** The HTTP interface without sockets: requests to answers. */
export class Api {
  readonly streams: Gate
  readonly metrics: Metrics
  readonly #options: ApiOptions
  readonly #guard: Guard
  readonly #requests: Gate
  readonly #closing = new AbortController()
  readonly #routes: readonly Route[]
  readonly #page: Page

  constructor(database: Database, options: ApiOptions) {
    const { io, limits } = options
    this.#options = options
    this.#guard = new Guard(options)
    this.#requests = new Gate(limits.requests, 'requests at a time')
    this.streams = new Gate(limits.liveStreams, 'live streams')
    this.metrics = new Metrics(database, () => this.streams.taken)
    this.#page = new Page(io.disk)
    this.#routes = this.#makeRoutes(database)
  }

  #makeRoutes(database: Database): readonly Route[] {
    const { io, limits } = this.#options
    const { clock } = io
    const reader = { database, clock, limits, nonce: hex(io.random.bytes(6)) }
    const live = { database, clock, limits, streams: this.streams, closing: this.#closing.signal }
    const sql = { database, clock, limits, queries: new Gate(limits.queries, 'queries at a time') }
    const comparing = { ...sql, queries: new Gate(1, 'comparisons of definitions at a time') }
    const route = (pattern: string, methods: Route['methods']): Route => ({ pattern, methods })
    return [
      route('/v1/topics/{topic}/events', {
        POST: (request, name, query) => appendEvents(database, request, name, query),
        GET: (_, name, query) => readEvents(database, limits, name, query),
      }),
      route('/v1/append', { POST: (request, _, query) => appendMixed(database, request, query) }),
      route('/v1/views/{view}', { GET: (request, name, query) => readView(reader, request, name, query) }),
      route('/v1/views/{view}/errors', { GET: (request, name, query) => viewErrors(sql, request, name, query) }),
      route('/v1/views/{view}/live', { GET: (request, name, query) => streamView(live, request, name, query) }),
      route('/v1/sql', { POST: (request, _, query) => runSql(sql, request, query) }),
      route('/v1/backup', { POST: (request, _, query) => backUp(database, io.disk, request, query) }),
      route('/v1/diff', { POST: (request, _, query) => diff(comparing, request, query) }),
      route('/v1/catalog', { GET: () => catalog(database) }),
      route('/livez', { GET: () => livez(database) }),
      route('/readyz', { GET: () => readyz(database) }),
      route('/metrics', { GET: () => this.metrics.answer() }),
      route('/openapi.json', { GET: noDescription }),
      ...this.#page.paths.map((path) => route(path, { GET: () => this.#page.answer(path) })),
    ]
  }

  /** Never fails: every mistake becomes an answer. */
  async answer(request: ApiRequest): Promise<ApiAnswer> {
    const { clock } = this.#options.io
    const start = clock.monotonicMs()
    let route: Route | null = null
    let answer: ApiAnswer
    try {
      const leave = this.#requests.enter()
      try {
        this.#guard.check(request)
        const found = this.#find(request.target)
        route = found.route
        answer = await this.#call(request, found)
      } finally {
        leave()
      }
    } catch (error) {
      if (!(error instanceof MillraceError) && !request.signal.aborted) this.#options.onMistake(error)
      answer = problemAnswer(error, error instanceof WrongMethod ? { allow: error.allow } : {})
    }
    const seconds = (clock.monotonicMs() - start) / 1000
    this.metrics.observe(route?.pattern ?? 'none', request.method, answer.status, seconds)
    return { ...answer, headers: { ...safeHeaders, ...answer.headers, ...this.#crossOrigin(request) } }
  }

  /** @throws MillraceError not-found, request/malformed */
  #find(target: string): { route: Route; name: string; query: string } {
    const at = target.indexOf('?')
    const path = at < 0 ? target : target.slice(0, at)
    const segments = path.split('/')
    for (const route of this.#routes) {
      const pattern = route.pattern.split('/')
      if (pattern.length !== segments.length) continue
      if (!pattern.every((part, i) => part.startsWith('{') || part === segments[i])) continue
      const variable = pattern.findIndex((part) => part.startsWith('{'))
      return {
        route,
        name: variable < 0 ? '' : decodeSegment(segments[variable]),
        query: at < 0 ? '' : target.slice(at + 1),
      }
    }
    throw new MillraceError('not-found', `there is nothing at ${shown(path)}`, {
      hint: 'GET /v1/catalog says what is defined',
    })
  }

  #call(request: ApiRequest, found: { route: Route; name: string; query: string }): Promise<ApiAnswer> | ApiAnswer {
    const { methods } = found.route
    const asked = request.method === 'HEAD' ? 'GET' : request.method
    if (Object.hasOwn(methods, asked)) return methods[asked](request, found.name, found.query)
    const allow = allowed(methods)
    if (asked === 'OPTIONS') return { status: 204, headers: { allow }, body: null }
    throw new WrongMethod(request.method, allow)
  }

  /** Pages of origins that were allowed by name may read answers. */
  #crossOrigin(request: ApiRequest): Readonly<Record<string, string>> {
    const origin = request.header('origin')
    if (origin === null || !this.#guard.isAllowed(origin)) return {}
    const shared = {
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Millrace-Tick, ETag, Retry-After',
      'cross-origin-resource-policy': 'cross-origin',
      vary: 'Origin',
    }
    if (request.method !== 'OPTIONS') return shared
    return {
      ...shared,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID',
      'access-control-max-age': '600',
    }
  }

  /** Ends the live streams. */
  close(): void {
    this.#closing.abort()
    this.metrics.close()
  }
}

class WrongMethod extends MillraceError {
  readonly allow: string

  constructor(method: string, allow: string) {
    super('request/method', `${method} is not for this path`, { hint: `it takes ${allow}` })
    this.allow = allow
  }
}

function allowed(methods: Route['methods']): string {
  return [...Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])), 'OPTIONS'].join(', ')
}

function noDescription(): never {
  throw new MillraceError('not-found', 'this version has no /openapi.json yet', {
    hint: 'GET /v1/catalog says what is defined',
  })
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new MillraceError('request/malformed', `${shown(segment)} in the path is no percent-encoded UTF-8`)
  }
}

const shownLength = 200

function shown(text: string): string {
  return text.length <= shownLength ? text : `${text.slice(0, shownLength)}…`
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
