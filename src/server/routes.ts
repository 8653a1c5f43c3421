import type { ShareKind } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import type { Sight } from '../database/sight.ts'
import type { Caller } from './caller.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import type { Session } from './sessions.ts'
import type { TakeShare } from './shares.ts'

/** The table of routes: what a path takes, what a caller needs for it, and how it is bounded. */

/**
 * What a caller needs. `topic` and `view` are the ones that the path names.
 *
 * - `public`: nothing, not even a name
 * - `known`: to be somebody; the answer itself shows no more than the caller may see
 * - `read view`, `read topic`: the relation may be read, and the answer itself keeps to the caller's rows and columns
 * - `read view whole`, `read topic whole`: all rows and columns of it, as the answer knows nothing of policies
 * - `trace view`: the same, and of all topics and views that the view is computed from
 * - `trace topic`: the same of the topic, of all views that its events reach, and of what these are computed from
 * - `append topic`; `append`: the answer itself asks for each topic that the body names
 * - `sql`: queries; their answers see the caller's relations only
 * - `status`: figures of everything, without rows
 * - `admin`: everything
 */
export const permissions = [
  'public',
  'known',
  'read view',
  'read view whole',
  'trace view',
  'read topic',
  'read topic whole',
  'trace topic',
  'append topic',
  'append',
  'sql',
  'status',
  'admin',
] as const
export type Permission = (typeof permissions)[number]

/** Some roles by name, for routes that an app makes itself. */
export interface RoleList {
  readonly roles: readonly string[]
}
export type Needs = Permission | RoleList

/**
 * Requests of a class share one rate (rates.ts), and say what of its caller's share they take (shares.ts): whatever
 * route is declared with a class is bounded by it.
 */
export const limitClasses = ['free', 'read', 'append', 'query', 'explain', 'live', 'admin'] as const
export type LimitClass = (typeof limitClasses)[number]

/** One call of a route. */
export interface Call {
  readonly request: ApiRequest
  readonly caller: Caller
  /** What he sees of relations; absent: everything. Whoever reads rows hands it on to the database. */
  readonly sight: Sight | undefined
  /** The path's first variable part, decoded; empty where the pattern has none. */
  readonly name: string
  /** All variable parts by their names in the pattern, decoded. */
  readonly names: Readonly<Record<string, string>>
  /** What stands behind the question mark, still encoded. */
  readonly query: string
  /** What a live stream ends with, and what it may show meanwhile; null for routes of other classes. */
  readonly session: Session | null
  /** Takes of the caller's share what the route's class alone does not say. */
  readonly share: TakeShare
}

export interface Method {
  readonly needs: Needs
  readonly limits: LimitClass
  /** Requests of one caller at the same time, where the route has a bound of its own. */
  readonly atOnce?: number
  /** What a request takes of its caller's share beside what its class does. */
  readonly takes?: ShareKind
  readonly answer: (call: Call) => Promise<ApiAnswer> | ApiAnswer
}

export interface Route {
  /** Segments of the path; `{…}` stands for any name, `{*}` at the end for all that follows, undecoded. */
  readonly pattern: string
  /** By HTTP's name. HEAD goes where GET does. */
  readonly methods: Readonly<Record<string, Method>>
}

export interface Found {
  readonly route: Route
  readonly names: Readonly<Record<string, string>>
  readonly query: string
}

/** One method of a route. A route that is forgotten here has no permission, and doesn't compile. */
export function on(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  needs: Needs,
  limits: LimitClass,
  answer: Method['answer'],
): Route['methods'] {
  return { [method]: { needs, limits, answer } }
}

export function route(pattern: string, ...methods: readonly Route['methods'][]): Route {
  return { pattern, methods: Object.assign({}, ...methods) }
}

/** Routes by path. Where two patterns fit, the one that spells more of the path out counts. */
export class Routes {
  readonly all: readonly Route[]
  readonly #byLength = new Map<number, { readonly route: Route; readonly parts: readonly string[] }[]>()

  /** Those that take all that follows, the longest first. */
  readonly #open: readonly { readonly route: Route; readonly prefix: string }[]

  constructor(routes: readonly Route[]) {
    this.all = routes
    this.#open = routes
      .filter(({ pattern }) => pattern.endsWith('/{*}'))
      .map((each) => ({ route: each, prefix: each.pattern.slice(0, -'{*}'.length) }))
      .sort((a, b) => b.prefix.length - a.prefix.length)
    for (const each of routes) {
      if (each.pattern.endsWith('/{*}')) continue
      const parts = each.pattern.split('/')
      const alike = this.#byLength.get(parts.length) ?? []
      alike.push({ route: each, parts })
      alike.sort((a, b) => variables(a.parts) - variables(b.parts))
      this.#byLength.set(parts.length, alike)
    }
  }

  /** @throws MillraceError not-found, request/malformed */
  find(target: string): Found {
    const at = target.indexOf('?')
    const path = at < 0 ? target : target.slice(0, at)
    const query = at < 0 ? '' : target.slice(at + 1)
    const segments = path.split('/')
    for (const { route: found, parts } of this.#byLength.get(segments.length) ?? []) {
      if (fits(parts, segments)) return { route: found, names: namesIn(parts, segments), query }
    }
    for (const { route: found, prefix } of this.#open) {
      if (path.startsWith(prefix)) return { route: found, names: { '*': path.slice(prefix.length) }, query }
    }
    throw new MillraceError('not-found', `there is nothing at ${shown(path)}`, {
      hint: 'GET /v1/catalog says what is defined',
    })
  }
}

function fits(parts: readonly string[], segments: readonly string[]): boolean {
  for (let i = 0; i < parts.length; i++) if (parts[i] !== segments[i] && !isVariable(parts[i])) return false
  return true
}

/** @throws MillraceError request/malformed */
function namesIn(parts: readonly string[], segments: readonly string[]): Record<string, string> {
  const names: Record<string, string> = {}
  for (let i = 0; i < parts.length; i++) {
    if (isVariable(parts[i])) names[parts[i].slice(1, -1)] = decodeSegment(segments[i])
  }
  return names
}

function isVariable(part: string): boolean {
  return part.startsWith('{')
}

/** The first variable part of a path, or nothing. */
export function firstOf(names: Found['names']): string {
  for (const name in names) return names[name]
  return ''
}

/** @throws WrongMethod */
export function methodOf({ methods }: Route, method: string): Method {
  const asked = method === 'HEAD' ? 'GET' : method
  if (Object.hasOwn(methods, asked)) return methods[asked]
  throw new WrongMethod(method, allowed(methods))
}

export class WrongMethod extends MillraceError {
  readonly allow: string

  constructor(method: string, allow: string) {
    super('request/method', `${shown(method)} is not for this path`, { hint: `it takes ${allow}` })
    this.allow = allow
  }
}

export function allowed(methods: Route['methods']): string {
  return [...Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])), 'OPTIONS'].join(', ')
}

function variables(parts: readonly string[]): number {
  return parts.filter(isVariable).length
}

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
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
