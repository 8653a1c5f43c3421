import { MillraceError } from '../data/errors.ts'
import type { Named } from './expression.ts'
import type { EnvironmentValue } from './gateway.ts'

/** Routes to other services beside the views. Plain data, and functions that change what passes. */

/**
 * Who may use a route: everybody, everybody with a token, or some roles. Admins always may. Where everybody may, views
 * show what callers without a token see: nothing, if those have no role.
 */
export type RouteNeeds = 'public' | 'known' | { readonly roles: readonly string[] }

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** How a service is asked. */
export interface UpstreamOptions {
  /** Its URL; what stands behind the route's own path is put behind this one's. */
  readonly to: string
  /** How long it may take to answer, and then for each piece of the answer (10 000). */
  readonly timeoutMs?: number
  /** How often a GET, PUT or DELETE that failed is tried again (1), out of a budget of a tenth of all requests. */
  readonly retries?: number
  /** Sent with each request, such as the service's own credentials. */
  readonly headers?: Readonly<Record<string, string | EnvironmentValue>>
}

export interface RouteOptions extends UpstreamOptions {
  /** `known` if not given. */
  readonly needs?: RouteNeeds
  /** GET alone if not given. */
  readonly methods?: readonly RouteMethod[]
  /** How many requests of one caller are passed on at the same time; of all routes together his share (`shares`). */
  readonly atOnce?: number
  /** The largest body that is passed on (1 MiB). */
  readonly bodyBytes?: number
  /** Keeps answers to GET for so long, for each caller his own; unless the service says `no-store`. */
  readonly cacheSeconds?: number
  /** Changes the JSON of a request before it is sent. */
  readonly request?: (body: unknown) => unknown
  /** Changes the JSON of an answer that went well. */
  readonly answer?: (body: unknown) => unknown
}

export interface UpstreamRoute extends RouteOptions {
  readonly kind: 'route'
  readonly path: string
}

/** A part of an aggregated answer: what a service answers, or a view's rows as the caller sees them. */
export type Part = (UpstreamOptions | ViewPart) & {
  /** Where it fails, null stands for it, and `errors` says why; otherwise all fails. */
  readonly optional?: boolean
}

export interface ViewPart {
  readonly view: Named | string
  /** Columns that must equal a value, as text. */
  readonly where?: Readonly<Record<string, string | null>>
  readonly limit?: number
}

export interface AggregateOptions {
  readonly needs?: RouteNeeds
  readonly parts: Readonly<Record<string, Part>>
  /** Makes the answer of the parts; without it they stand side by side. Numbers of views that JSON rounds are text. */
  readonly combine?: (parts: Readonly<Record<string, unknown>>) => unknown
}

export interface AggregateRoute extends AggregateOptions {
  readonly kind: 'aggregate'
  readonly path: string
}

export type GatewayRoute = UpstreamRoute | AggregateRoute

/**
 * Passes requests for a path, and all below it, on to a service:
 *
 *     route('/api/orders', { to: 'http://orders.internal:3000/orders', methods: ['GET', 'POST'] })
 *
 * @throws MillraceError app/load for a path or URL that will not do
 */
export function route(path: string, options: RouteOptions): UpstreamRoute {
  checkPath(path)
  checkUrl(path, options.to)
  return Object.freeze({ kind: 'route', path, ...options })
}

/**
 * Answers GET with what several services and views say, asked side by side; views at one tick.
 *
 *     aggregate('/api/home', { parts: { orders: { to: 'http://orders.internal/latest' }, revenue: { view: revenue } } })
 *
 * @throws MillraceError app/load for a path or URL that will not do
 */
export function aggregate(path: string, options: AggregateOptions): AggregateRoute {
  checkPath(path)
  for (const part of Object.values(options.parts)) if ('to' in part) checkUrl(path, part.to)
  return Object.freeze({ kind: 'aggregate', path, ...options })
}

/** Where Millrace's own routes are. */
const own = /^\/(v1|livez|readyz|metrics|openapi\.json|page|assets)?(\/|$)/

function checkPath(path: string): void {
  if (/^(\/[a-z0-9_.~-]+)+$/i.test(path) && !own.test(path) && !/\/\.{1,2}(\/|$)/.test(path)) return
  throw new MillraceError('app/load', `no route can have the path ${path}`, {
    hint: 'write it as /api/orders; /v1, /metrics and the like are taken',
  })
}

function checkUrl(path: string, to: string): void {
  const url = URL.canParse(to) ? new URL(to) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '')
    return
  throw new MillraceError('app/load', `the route ${path} leads to ${to}, which is no service's URL`, {
    hint: 'write it as http://orders.internal:3000/orders; credentials go into headers, by env()',
  })
}
