import { LRUCache } from 'lru-cache'
import type {
  AggregateRoute,
  GatewayRoute,
  Part,
  RouteMethod,
  UpstreamRoute,
  ViewPart,
} from '../../app/gateway-routes.ts'
import { MillraceError } from '../../data/errors.ts'
import type { Database } from '../../database.ts'
import type { Clock } from '../../io/io.ts'
import { problemOf } from '../../protocol/problem.ts'
import type { Access } from '../access.ts'
import { forbidden, isNamed } from '../caller.ts'
import { type ApiAnswer, jsonType } from '../exchange.ts'
import { mediaTypeOf } from '../media-type.ts'
import { type Call, type LimitClass, on, type Route, route } from '../routes.ts'
import { rowsJson } from '../rows-json.ts'
import { answeredHeaders, sentHeaders, urlBelow } from './passing.ts'
import { Upstream } from './upstream.ts'

const defaultBodyBytes = 1024 * 1024
/** An answer that is looked into, or kept. */
const wholeBytes = 4 * 1024 * 1024
const cacheBytes = 32 * 1024 * 1024
const partRows = 1000

interface Kept {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What the routes to services are made with. */
export interface UpstreamServer {
  readonly database: Database
  readonly clock: Clock
  readonly access: Access | null
}

/** Routes to services beside the views. */
export class GatewayRoutes {
  readonly #server: UpstreamServer
  readonly #upstreams: Upstream[] = []
  readonly #cache = new LRUCache<string, Kept>({
    maxSize: cacheBytes,
    sizeCalculation: ({ body }, key) => body.length + key.length + 256,
  })

  constructor(server: UpstreamServer) {
    this.#server = server
  }

  /** @throws MillraceError app/load */
  routes(declared: readonly GatewayRoute[]): readonly Route[] {
    return declared.flatMap((each) => (each.kind === 'route' ? this.#passing(each) : [this.#aggregating(each)]))
  }

  #passing(declared: UpstreamRoute): readonly Route[] {
    const { path, needs = 'known', methods = ['GET'] } = declared
    const upstream = this.#open(declared)
    const handlers = methods.map((method) =>
      bounded(
        declared,
        on(method, needs, limitsOf(method), (call) => this.#pass(declared, upstream, method, call)),
      ),
    )
    return [route(path, ...handlers), route(`${path}/{*}`, ...handlers)]
  }

  #open(options: UpstreamRoute | Extract<Part, { to: string }>): Upstream {
    const upstream = new Upstream(options, this.#server.clock)
    this.#upstreams.push(upstream)
    return upstream
  }

  async #pass(declared: UpstreamRoute, upstream: Upstream, method: RouteMethod, call: Call): Promise<ApiAnswer> {
    const { path, to, cacheSeconds, answer } = declared
    const { request, caller } = call
    const url = urlBelow(to, call.names['*'] ?? '', call.query)
    // What a service answers may be for the one who asks, and in what he takes. HEAD's answer has no body to keep.
    const wanted = [request.header('accept'), request.header('accept-language')]
    const isGet = request.method === 'GET'
    // Two routes to one service may make different things of its answers.
    const asks = [path, url, caller.id, caller.role, ...wanted]
    const key = cacheSeconds === undefined || !isGet ? null : JSON.stringify(asks)
    const kept = key === null ? undefined : this.#cache.get(key)
    if (kept !== undefined) return { ...kept, headers: { ...kept.headers, 'millrace-cache': 'hit' } }
    const body = method === 'GET' ? null : await sentBody(declared, call)
    const asked = { method: request.method, url, headers: sentHeaders(request, caller), body, signal: request.signal }
    const response = await upstream.ask(asked)
    const { status } = response
    if (status >= 300 && status < 400 && status !== 304) {
      await response.body?.cancel()
      throw new MillraceError('upstream/failed', `the service answers ${status}: redirections are not followed`)
    }
    const headers = answeredHeaders(response.headers)
    if (request.method === 'HEAD' || (answer === undefined && key === null))
      return { status, headers, body: upstream.pieces(response) }
    const whole = await upstream.whole(response, wholeBytes)
    const isJson = status < 300 && (headers['content-type'] ?? '').startsWith(jsonType)
    const made = { status, headers, body: answer !== undefined && isJson ? answeredBody(whole, answer) : whole }
    const seconds =
      key === null || status !== 200 ? 0 : keptSeconds(response.headers, cacheSeconds as number, isNamed(caller))
    if (key !== null && seconds > 0) this.#cache.set(key, made, { ttl: seconds * 1000 })
    return made
  }

  #aggregating({ path, needs = 'known', parts, combine }: AggregateRoute): Route {
    const asking = Object.entries(parts).map(([name, part]) => ({
      name,
      optional: part.optional ?? false,
      ask: 'to' in part ? this.#servicePart(part) : (call: Call, tick: number) => this.#viewPart(part, call, tick),
    }))
    return route(
      path,
      on('GET', needs, 'read', async (call) => {
        const { tick } = this.#server.database.status()
        const errors: Record<string, string> = {}
        const answers = await Promise.all(
          asking.map(async ({ name, optional, ask }) => {
            try {
              return [name, await ask(call, tick)] as const
            } catch (error) {
              if (!optional) throw error
              errors[name] = problemOf(error).code
              return [name, 'null'] as const
            }
          }),
        )
        const failed = Object.keys(errors).length === 0 ? [] : [['errors', JSON.stringify(errors)] as const]
        const text = `{${[...answers, ...failed].map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
        const body = combine === undefined ? text : (JSON.stringify(combine(JSON.parse(text))) ?? 'null')
        const headers = { 'content-type': jsonType, 'cache-control': 'private, no-store' }
        return { status: 200, headers, body: new TextEncoder().encode(`${body}\n`) }
      }),
    )
  }

  #servicePart(part: Extract<Part, { to: string }>): (call: Call) => Promise<string> {
    const upstream = this.#open(part)
    return async ({ request, caller }) => {
      const headers: Record<string, string> = { ...sentHeaders(request, caller), accept: jsonType }
      for (const name of Object.keys(headers)) if (/^if-|^range$|^content-/.test(name)) delete headers[name]
      const asked = { method: 'GET', url: part.to, headers, body: null, signal: request.signal }
      const response = await upstream.ask(asked)
      const whole = new TextDecoder().decode(await upstream.whole(response, wholeBytes))
      if (!response.ok) throw new MillraceError('upstream/failed', `a service of this route answers ${response.status}`)
      try {
        return JSON.stringify(JSON.parse(whole))
      } catch {
        throw new MillraceError('upstream/failed', 'a service of this route does not answer with JSON')
      }
    }
  }

  async #viewPart({ view, where = {}, limit = partRows }: ViewPart, call: Call, tick: number): Promise<string> {
    const { database, clock, access } = this.#server
    const name = typeof view === 'string' ? view : view.name
    if (access !== null && !access.mayRead(call.caller, name)) throw forbidden(`your role may not read ${name}`)
    const { sight } = call
    const at = tick === 0 ? {} : { asOf: { at: { tick } } }
    const { rows } = await database.read(name, { where, limit, ...at, ...(sight === undefined ? {} : { sight }) })
    let text = ''
    const decoder = new TextDecoder()
    for await (const piece of rowsJson(clock, '[', rows, 'rows', ']', { numbers: 'string' })) {
      text += decoder.decode(piece, { stream: true })
    }
    return text
  }

  close(): void {
    for (const upstream of this.#upstreams) upstream.close()
  }
}

function bounded({ atOnce }: UpstreamRoute, methods: Route['methods']): Route['methods'] {
  if (atOnce === undefined) return methods
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, { ...method, atOnce }]))
}

function limitsOf(method: RouteMethod): LimitClass {
  return method === 'GET' ? 'read' : 'append'
}

async function sentBody(
  { bodyBytes = defaultBodyBytes, request: change }: UpstreamRoute,
  { request }: Call,
): Promise<Uint8Array> {
  const stated = Number(request.header('content-length') ?? 0)
  if (stated > bodyBytes) throw tooLarge(bodyBytes)
  const isJson = mediaTypeOf(request) === jsonType
  const body = await request.readBody()
  if (body.length > bodyBytes) throw tooLarge(bodyBytes)
  if (change === undefined || !isJson) return body
  try {
    JSON.parse(new TextDecoder().decode(body))
  } catch {
    throw new MillraceError('request/malformed', 'the body is no JSON')
  }
  return changed(body, change)
}

function changed(body: Uint8Array, change: (value: unknown) => unknown): Uint8Array {
  // What a function gives nothing for is null: an answer has to be JSON.
  return new TextEncoder().encode(JSON.stringify(change(JSON.parse(new TextDecoder().decode(body)))) ?? 'null')
}

/** @throws MillraceError upstream/failed for what calls itself JSON and is none */
function answeredBody(body: Uint8Array, change: (value: unknown) => unknown): Uint8Array {
  try {
    JSON.parse(new TextDecoder().decode(body))
  } catch {
    throw new MillraceError('upstream/failed', 'the service answers with JSON that is none')
  }
  return changed(body, change)
}

/** What an answer may depend on: these are part of its key, or the same for all requests. */
const keyed = new Set(['accept', 'accept-language', 'accept-encoding', 'authorization', 'cookie', 'origin'])

/** For how long an answer may be given again: no longer than its service allows. 0: not at all. */
function keptSeconds(headers: Headers, most: number, isOwn: boolean): number {
  const control = (headers.get('cache-control') ?? '').toLowerCase()
  // Those without a name have one cache together.
  const refusing = isOwn ? /\b(no-store|no-cache)\b/ : /\b(no-store|no-cache|private)\b/
  const vary = (headers.get('vary') ?? '').toLowerCase().split(',')
  const isKeyed = vary.every((name) => name.trim() === '' || keyed.has(name.trim()))
  if (refusing.test(control) || !isKeyed) return 0
  const age = /\bmax-age=(\d+)/.exec(control)?.[1]
  return age === undefined ? most : Math.min(most, Math.max(0, Number(age) - Number(headers.get('age') ?? 0)))
}

function tooLarge(bytes: number): MillraceError {
  return new MillraceError('request/too-large', `the body has more than the ${bytes} bytes that this route takes`)
}
