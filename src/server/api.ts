import type { NamedChart } from '../app/chart.ts'
import type { Gateway } from '../app/gateway.ts'
import { Bug, MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import type { Database } from '../database.ts'
import type { Io } from '../io/io.ts'
import { listenedByMany } from '../io/listened-by-many.ts'
import { Answers } from './answers.ts'
import { backUp } from './backup.ts'
import { chartsRoute } from './charts.ts'
import { diff } from './diff.ts'
import { type ApiAnswer, type ApiRequest, admittedBody, jsonAnswer, problemAnswer } from './exchange.ts'
import { explainRoutes } from './explain-sql.ts'
import { Front, refusalHeaders, unlimited } from './front.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { holding } from './held.ts'
import { withoutNames } from './hidden-names.ts'
import { appendEvents, appendMixed } from './ingest.ts'
import { Gate, type Limits } from './limits.ts'
import { streamView } from './live.ts'
import { streamSql } from './live-sql.ts'
import { Metrics } from './metrics.ts'
import { describeApi } from './openapi/document.ts'
import { Page } from './page.ts'
import { type Project, projectRoutes } from './project.ts'
import { nameRequest, tracedRequest } from './request-trace.ts'
import { allowed, type Found, firstOf, methodOf, on, type Route, Routes, route, WrongMethod } from './routes.ts'
import { seenCatalogBody } from './seen-catalog.ts'
import { type Session, Sessions } from './sessions.ts'
import { runSql } from './sql.ts'
import { livez, readyz } from './status.ts'
import { RequestCount, telemetryRoutes } from './telemetry.ts'
import { readEvents } from './topic-events.ts'
import { streamTopic } from './topic-live.ts'
import { GatewayRoutes } from './upstreams/gateway-routes.ts'
import { viewErrors } from './view-errors.ts'
import { readView } from './view-read.ts'
import { whyRoutes } from './why.ts'

export interface ApiOptions extends GuardOptions {
  readonly io: Io
  readonly limits: Limits
  /** Who may ask for what; null: everybody for everything. */
  readonly gateway: Gateway | null
  readonly project?: Project | undefined
  readonly charts?: (() => readonly NamedChart[]) | undefined
  /** Told of what is our own mistake. */
  readonly onMistake: (error: unknown) => void
}

/** What a page of another origin may send beside what every page may. */
const askedHeaders =
  'Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Millrace-Act-As, traceparent'

/** On every answer: nothing is guessed, embedded or told on. */
const safeHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

interface Made {
  readonly guard: Guard
  readonly upstreams: GatewayRoutes
  readonly routes: Routes
}

function held(session: Session | null): Session {
  if (session === null) throw new Bug('a live stream has a session')
  return session
}

/** The HTTP interface without sockets: requests to answers. */
export class Api {
  readonly streams: Gate
  readonly metrics: Metrics
  readonly #options: ApiOptions
  readonly #database: Database
  #guard: Guard
  #front: Front
  #upstreams: GatewayRoutes
  readonly #requests: Gate
  readonly #closing = new AbortController()
  /** Those that are there whatever stands in front. */
  readonly #own: readonly Route[]
  #routes: Routes
  readonly #page: Page
  readonly #requestCount: RequestCount
  readonly #sessions: Sessions

  constructor(database: Database, options: ApiOptions) {
    const { io, limits } = options
    listenedByMany(this.#closing.signal)
    this.#options = options
    this.#database = database
    this.#front = new Front(options.gateway, database, io, options.onMistake)
    this.#sessions = new Sessions(io.clock, () => this.#front)
    this.#requests = new Gate(limits.requests, 'requests at a time')
    this.streams = new Gate(limits.liveStreams, 'live streams')
    this.metrics = new Metrics(database, () => this.streams.taken)
    this.#page = new Page(io.disk)
    this.#requestCount = new RequestCount(io.clock)
    this.#own = [...this.#makeRoutes(database), ...this.#page.routes()]
    const made = this.#made(options.gateway, this.#front)
    this.#guard = made.guard
    this.#upstreams = made.upstreams
    this.#routes = made.routes
  }

  /** What follows from a gateway, beside the front. @throws MillraceError app/load */
  #made(gateway: Gateway | null, { access }: Front): Made {
    const { io, allowedOrigins } = this.#options
    const guard = new Guard({
      ...this.#options,
      allowedOrigins: [...allowedOrigins, ...(gateway?.origins ?? [])],
    })
    const upstreams = new GatewayRoutes({ database: this.#database, clock: io.clock, access })
    return { guard, upstreams, routes: new Routes([...this.#own, ...upstreams.routes(gateway?.routes ?? [])]) }
  }

  /**
   * Another gateway takes over at once. Streams that are open are looked at anew: who sees something else through one
   * begins anew in it, and who may not go on is told why.
   * @returns how many streams ended
   * @throws MillraceError app/load; then the one before goes on
   */
  use(gateway: Gateway | null): number {
    const { io, onMistake } = this.#options
    const front = new Front(gateway, this.#database, io, onMistake, this.#front)
    const { guard, upstreams, routes } = this.#made(gateway, front)
    const before = { front: this.#front, upstreams: this.#upstreams }
    this.#front = front
    this.#guard = guard
    this.#upstreams = upstreams
    this.#routes = routes
    front.takeOver()
    before.upstreams.close()
    if (before.front.journals !== front.journals) void before.front.journals.flush()
    return this.#sessions.rejudge()
  }

  #makeRoutes(database: Database): readonly Route[] {
    const { io, limits } = this.#options
    const { clock } = io
    const reader = { database, clock, limits, nonce: hex(io.random.bytes(6)), answers: new Answers(limits.answerBytes) }
    const live = { database, clock, limits, streams: this.streams, closing: this.#closing.signal }
    const sql = { database, clock, limits, queries: new Gate(limits.queries, 'queries at a time') }
    const explaining = { ...sql, queries: new Gate(limits.explanations, 'explanations at a time') }
    const comparing = { ...sql, queries: new Gate(1, 'comparisons of definitions at a time') }
    return [
      route(
        '/v1/topics/{topic}/events',
        on('POST', 'append topic', 'append', ({ request, caller, name, query }) =>
          appendEvents(database, request, this.#front.scopeOf(caller), name, query),
        ),
        on('GET', 'read topic', 'read', ({ sight, name, query }) => readEvents(database, limits, name, query, sight)),
      ),
      route(
        '/v1/topics/{topic}/live',
        on('GET', 'read topic', 'live', ({ request, session, name, query }) =>
          streamTopic({ ...live, session: held(session) }, request, name, query),
        ),
      ),
      route(
        '/v1/append',
        on('POST', 'append', 'append', ({ request, caller, query }) =>
          appendMixed(database, request, this.#front.appender(caller), query),
        ),
      ),
      route(
        '/v1/views/{view}',
        on('GET', 'read view', 'read', ({ request, sight, name, query }) =>
          readView(reader, request, sight, name, query),
        ),
      ),
      route(
        '/v1/views/{view}/errors',
        on('GET', 'trace view', 'query', ({ request, name, query }) => viewErrors(sql, request, name, query)),
      ),
      route(
        '/v1/views/{view}/live',
        on('GET', 'read view', 'live', ({ request, session, name, query }) =>
          streamView({ ...live, session: held(session) }, request, name, query),
        ),
      ),
      route(
        '/v1/sql',
        on('POST', 'sql', 'query', ({ request, sight, query }) => runSql(sql, request, sight, query)),
      ),
      route('/v1/sql/live', {
        POST: {
          needs: 'sql',
          limits: 'live',
          takes: 'liveQuery',
          answer: ({ request, session, share, query }) =>
            streamSql({ ...sql, ...live, session: held(session), share }, request, query),
        },
      }),
      route(
        '/v1/backup',
        on('POST', 'admin', 'admin', ({ request, query }) => backUp(database, io.disk, request, query)),
      ),
      route(
        '/v1/diff',
        on('POST', 'admin', 'admin', ({ request, query }) => diff(comparing, request, query)),
      ),
      route(
        '/v1/catalog',
        on('GET', 'known', 'read', async ({ caller }) => {
          const body = await seenCatalogBody(database, this.#front.viewer(caller))
          return jsonAnswer(200, body, { 'cache-control': 'no-store' })
        }),
      ),
      route(
        '/v1/ticket',
        on('POST', 'known', 'read', ({ caller }) => this.#front.ticket(caller)),
      ),
      route(
        '/v1/whoami',
        on('GET', 'known', 'read', ({ caller }) => this.#front.whoami(caller)),
      ),
      route(
        '/livez',
        on('GET', 'public', 'free', () => livez(database, this.#front.access !== null)),
      ),
      route(
        '/readyz',
        on('GET', 'public', 'free', () => readyz(database, this.#front.access !== null)),
      ),
      route(
        '/metrics',
        on('GET', 'status', 'read', () => this.metrics.answer()),
      ),
      ...whyRoutes(explaining),
      ...explainRoutes(sql),
      chartsRoute(this.#options.charts, (caller) => seenCatalogBody(database, this.#front.viewer(caller))),
      ...projectRoutes(database, this.#options.project),
      ...telemetryRoutes(database, {
        liveStreams: () => this.streams.taken,
        requests: this.#requestCount,
        clock,
        limits,
        samples: new Gate(1, 'samples at a time'),
      }),
      route(
        '/openapi.json',
        on('GET', 'known', 'read', async ({ caller }) => {
          const body = await seenCatalogBody(database, this.#front.viewer(caller))
          return jsonAnswer(200, describeApi(this.routes, body))
        }),
      ),
    ]
  }

  /** All routes, for what is made from them. */
  get routes(): readonly Route[] {
    return this.#routes.all
  }

  /** Never fails: every mistake becomes an answer. */
  answer(request: ApiRequest): Promise<ApiAnswer> {
    return tracedRequest(request, () => this.#answer(request))
  }

  async #answer(request: ApiRequest): Promise<ApiAnswer> {
    const { clock } = this.#options.io
    this.#requestCount.count()
    const start = clock.monotonicMs()
    let route: Route | null = null
    let answer: ApiAnswer
    const seen: { caller: string | null } = { caller: null }
    try {
      const leave = this.#requests.enter()
      try {
        this.#guard.check(request)
        const found = this.#routes.find(request.target)
        route = found.route
        nameRequest(request.method, route.pattern)
        answer = await this.#call(request, found, seen)
      } finally {
        leave()
      }
    } catch (error) {
      if (!(error instanceof MillraceError) && !request.signal.aborted) this.#options.onMistake(error)
      const isNowhere = route === null && error instanceof MillraceError && error.code === 'not-found'
      answer =
        (isNowhere ? await this.#page.missing(request).catch(() => null) : null) ??
        problemAnswer(error, error instanceof WrongMethod ? { allow: error.allow } : refusalHeaders(error))
    }
    const seconds = (clock.monotonicMs() - start) / 1000
    this.metrics.observe(route?.pattern ?? 'none', request.method, answer.status, seconds)
    this.#front.journals.answered(request, route?.pattern ?? 'none', seen.caller, answer.status, seconds)
    return { status: answer.status, body: answer.body, headers: this.#headersOf(request, answer) }
  }

  #headersOf(request: ApiRequest, answer: ApiAnswer): Readonly<Record<string, string>> {
    // One by one: spreading would cost a read whose answer is kept more than finding it.
    const headers: Record<string, string> = { ...safeHeaders }
    for (const name in answer.headers) headers[name] = answer.headers[name]
    const origin = request.header('origin')
    return origin === null ? headers : { ...headers, ...this.#crossOrigin(request, answer, origin) }
  }

  async #call(request: ApiRequest, found: Found, seen: { caller: string | null }): Promise<ApiAnswer> {
    const { route, names } = found
    if (request.method === 'OPTIONS') return { status: 204, headers: { allow: allowed(route.methods) }, body: null }
    const method = methodOf(route, request.method)
    const front = this.#front
    const { caller, query, headers, share, leave: leaveShare } = await front.admit(request, found, method)
    if (front !== this.#front) {
      // Another gateway has taken over meanwhile: it is the one to ask.
      leaveShare()
      return this.#call(request, this.#routes.find(request.target), seen)
    }
    seen.caller = caller.id
    const sight = front.sightOf(caller)
    const name = firstOf(names)
    const isLive = method.limits === 'live'
    const begun = isLive ? this.#sessions.begin({ caller, needs: method.needs, name, sight }) : null
    const leave = (): void => {
      leaveShare()
      begun?.leave()
    }
    try {
      const asked = request.method === 'GET' ? request : admittedBody(request, (bytes) => share('bodyBytes', bytes))
      const answer = await method.answer({
        request: asked,
        caller,
        sight,
        name,
        names,
        query,
        session: begun?.session ?? null,
        share,
      })
      const body = holding(answer.body, request, leave)
      return {
        status: answer.status,
        headers: headers === unlimited ? answer.headers : { ...headers, ...answer.headers },
        body,
      }
    } catch (error) {
      leave()
      throw withoutNames(error, sight)
    }
  }

  /** Pages of origins that were allowed by name may read answers. */
  #crossOrigin(request: ApiRequest, answer: ApiAnswer, origin: string): Readonly<Record<string, string>> {
    if (!this.#guard.isAllowed(origin)) return {}
    const { vary } = answer.headers
    const shared = {
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Millrace-Tick, ETag, Retry-After, RateLimit, RateLimit-Policy',
      'cross-origin-resource-policy': 'cross-origin',
      vary: vary === undefined ? 'Origin' : `${vary}, Origin`,
    }
    if (request.method !== 'OPTIONS') return shared
    return {
      ...shared,
      'access-control-allow-methods': answer.headers.allow ?? 'GET',
      'access-control-allow-headers': askedHeaders,
      'access-control-max-age': '600',
    }
  }

  /** Resolves when all that was to be told of requests is in the log. */
  flush(): Promise<void> {
    return this.#front.journals.flush()
  }

  /** Ends the live streams. */
  close(): void {
    this.#closing.abort(
      new MillraceError('request/busy', 'the server is about to end', { hint: 'ask again in a while' }),
    )
    this.#sessions.close()
    this.#upstreams.close()
    this.metrics.close()
  }
}
