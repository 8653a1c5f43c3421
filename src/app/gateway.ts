import { MillraceError } from '../data/errors.ts'
import { fold } from '../sql/tokens.ts'
import type { App } from './app.ts'
import type { Named } from './expression.ts'
import type { GatewayRoute } from './gateway-routes.ts'
import { quotedText, type SqlText } from './sql-text.ts'

/** What stands in front of an app: who may ask, for what, and how often. Plain data. */

/** A secret that stands in the environment, not in the code. */
export interface EnvironmentValue {
  readonly env: string
}

export interface JwtOptions {
  /** Who signs: must equal the token's `iss`. */
  readonly issuer: string
  /** For whom: must be among the token's `aud`. */
  readonly audience: string
  /** Where the signer's public keys are: an https URL, or http on this machine. */
  readonly jwks?: string
  /** The same in a file; read again when a token names a key that it lacks. */
  readonly jwksFile?: string
  /** A shared secret of 32 bytes or more, for HS256, HS384 and HS512 alone. */
  readonly secret?: EnvironmentValue
  /** What tokens may be signed with; otherwise all asymmetric ones, or HS256 to HS512 with a secret. */
  readonly algorithms?: readonly string[]
  /** The claim that names the caller's role (`role`). */
  readonly roleClaim?: string
  /** How far clocks may be apart (30). */
  readonly clockToleranceSeconds?: number
}

export interface AuthOptions {
  readonly jwt?: JwtOptions
  /** Keys made by `millrace key create`: a file of their hashes. */
  readonly apiKeys?: { readonly file: string }
}

/** What callers of a role may do. What isn't listed is refused. */
export interface Role {
  /** Everything, for all rows and columns, and to act as others. */
  readonly admin?: boolean
  /** Views, topics and named queries that may be read; `*` stands for all. */
  readonly read?: '*' | readonly (Named | string)[]
  /** Topics that events may be appended to. */
  readonly append?: '*' | readonly (Named | string)[]
  /** Whether queries may be run: over what may be read. */
  readonly sql?: boolean
  /** Whether figures of everything may be seen, such as metrics: names, counts and times, no rows. */
  readonly status?: boolean
  /** What each caller of the role may have at a time, where it is not what all others may. */
  readonly shares?: CallerShares
}

/**
 * What one caller may have at the same time: requests at work, queries and explanations among them, live streams, live
 * queries among them, bytes of bodies on their way in.
 */
export const shareKinds = ['requests', 'query', 'explain', 'live', 'liveQuery', 'bodyBytes'] as const
export type ShareKind = (typeof shareKinds)[number]
export type CallerShares = Readonly<Partial<Record<ShareKind, number>>>

/** Shown instead of a column's values: NULL, a keyed hash (equal values stay equal), or an expression over the row. */
export type Mask = 'null' | 'hash' | SqlText | string

export interface Policy {
  readonly relation: string
  readonly role: string
  /** Rows that are there for the role: a condition over the relation's columns, in SQL. */
  readonly rows: string | null
  readonly mask: Readonly<Record<string, string>>
}

export interface PolicyOptions {
  readonly role: string
  readonly rows?: SqlText | string
  readonly mask?: Readonly<Record<string, Mask>>
}

/** Requests of one caller: so many in so many seconds. */
export interface Rate {
  readonly requests: number
  readonly seconds: number
}

export interface Gateway {
  readonly kind: 'gateway'
  readonly auth: AuthOptions
  /** The role of who shows no token; null: such callers are refused. */
  readonly anonymous: string | null
  readonly roles: Readonly<Record<string, Role>>
  readonly policies: readonly Policy[]
  /** By class of routes: read, append, query, explain, live, admin; failures: of one address, with no good token. */
  readonly rates: Readonly<Record<string, Rate>>
  /** What each caller may have at a time. */
  readonly shares: CallerShares
  /** Keys the hashes of masks, so that nobody can find values by trying; otherwise another one at each start. */
  readonly maskKey: EnvironmentValue | null
  /** Origins, such as `https://app.example.com`, whose pages may ask and read answers. */
  readonly origins: readonly string[]
  /** Routes to other services beside the views. */
  readonly routes: readonly GatewayRoute[]
  /** Every decision becomes an event of the topic `_audit`: who, what, and whether he may. */
  readonly audit: boolean
  /** Every request becomes an event of the topic `_access`. */
  readonly accessLog: boolean
}

export interface GatewayOptions {
  readonly auth: AuthOptions
  readonly anonymous?: string
  readonly roles: Readonly<Record<string, Role>>
  readonly policies?: readonly Policy[]
  readonly rates?: Readonly<Record<string, Rate>>
  readonly shares?: CallerShares
  readonly maskKey?: EnvironmentValue
  readonly origins?: readonly string[]
  readonly routes?: readonly GatewayRoute[]
  readonly audit?: boolean
  readonly accessLog?: boolean
}

/** A value from the environment, read when the server starts. */
export function env(name: string): EnvironmentValue {
  return Object.freeze({ env: name })
}

/**
 * A claim of the caller's token, for a policy: sql`tenant = ${claim('tenant')}`. It is a value, never code; who lacks
 * it sees nothing.
 */
export function claim(name: string): SqlText {
  return Object.freeze({
    kind: 'sql',
    text: `current_claim(${quotedText(name)})`,
    reads: Object.freeze([]),
    uses: Object.freeze([]),
  })
}

/**
 * What a role sees of a relation, wherever it looks: reads, live views, queries, the past.
 *
 *     policy(revenue, { role: 'tenant', rows: sql`tenant = ${claim('tenant')}`, mask: { email: 'hash' } })
 */
export function policy(relation: Named | string, { role, rows, mask = {} }: PolicyOptions): Policy {
  return Object.freeze({
    relation: nameOf(relation),
    role,
    rows: rows === undefined ? null : textOf(rows),
    mask: Object.freeze(Object.fromEntries(Object.entries(mask).map(([column, how]) => [column, textOf(how)]))),
  })
}

/**
 * Says who may ask, and for what: `export const gateway = defineGateway({ … })` beside the app's default export.
 * @throws MillraceError app/load where it contradicts itself
 */
export function defineGateway(options: GatewayOptions): Gateway {
  const { auth, anonymous = null, roles, policies = [], rates = {}, maskKey = null, routes = [] } = options
  const { shares = {}, origins = [], audit = false, accessLog = false } = options
  const gateway: Gateway = {
    kind: 'gateway',
    auth,
    anonymous,
    roles: named(roles),
    policies,
    rates,
    shares,
    maskKey,
    origins,
    routes,
    audit,
    accessLog,
  }
  checkGateway(gateway)
  return Object.freeze(gateway)
}

/** A gateway speaks of what its app has. @throws MillraceError app/load */
export function checkGatewayNames(gateway: Gateway, app: App | null): void {
  if (app === null) return
  const names = new Set(Object.keys(app.definitions).map(fold))
  const check = (what: string, name: string): void => {
    if (name === '*' || name.startsWith('_') || names.has(fold(name))) return
    throw wrong(`${what} names ${name}, which the app lacks`, 'name a topic, table, view or query of the app')
  }
  for (const { relation } of gateway.policies) check('a policy', relation)
  for (const [role, { read = [], append = [] }] of Object.entries(gateway.roles)) {
    for (const each of [...read, ...append]) check(`the role ${role}`, nameOf(each))
  }
}

function named(roles: Readonly<Record<string, Role>>): Readonly<Record<string, Role>> {
  const list = (each: Role['read']): Role['read'] => (each === undefined || each === '*' ? each : each.map(nameOf))
  return Object.fromEntries(
    Object.entries(roles).map(([name, role]) => [
      name,
      {
        ...role,
        ...(role.read === undefined ? {} : { read: list(role.read) }),
        ...(role.append === undefined ? {} : { append: list(role.append) }),
      },
    ]),
  ) as Readonly<Record<string, Role>>
}

function nameOf(relation: Named | string): string {
  return typeof relation === 'string' ? relation : relation.name
}

function textOf(value: SqlText | string): string {
  return typeof value === 'string' ? value : value.text
}

const rateClasses = new Set(['read', 'append', 'query', 'explain', 'live', 'admin', 'failures'])

function checkGateway({ auth, anonymous, roles, policies, rates, shares, origins, routes }: Gateway): void {
  checkRoutes(routes, roles)
  checkShares('the gateway', shares)
  for (const [name, role] of Object.entries(roles)) checkShares(`the role ${name}`, role.shares ?? {})
  for (const origin of origins) checkOrigin(origin)
  if (auth.jwt !== undefined) checkJwt(auth.jwt)
  if (auth.jwt === undefined && auth.apiKeys === undefined) {
    throw wrong('the gateway names no way to tell who asks', 'give auth: { jwt: … } or auth: { apiKeys: … }')
  }
  const known = `there are ${Object.keys(roles).join(', ')}`
  if (anonymous !== null && !Object.hasOwn(roles, anonymous)) throw wrong(`there is no role ${anonymous}`, known)
  if (anonymous !== null && roles[anonymous].admin === true) {
    throw wrong(`callers without a token have the role ${anonymous}, which may do everything`, 'give them another role')
  }
  const seen = new Set<string>()
  for (const { relation, role } of policies) {
    if (!Object.hasOwn(roles, role)) throw wrong(`a policy for ${relation} names the role ${role}`, known)
    const key = JSON.stringify([fold(relation), role])
    if (seen.has(key)) {
      throw wrong(`there are two policies for ${relation} and the role ${role}`, 'put their conditions into one')
    }
    seen.add(key)
  }
  for (const [name, { requests, seconds }] of Object.entries(rates)) {
    if (!rateClasses.has(name)) throw wrong(`there is no rate ${name}`, `there are ${[...rateClasses].join(', ')}`)
    if (!(Number.isSafeInteger(requests) && requests > 0 && seconds > 0 && seconds <= 86_400)) {
      throw wrong(`the rate ${name} is no number of requests in some seconds`, 'write { requests: 100, seconds: 1 }')
    }
  }
}

function checkShares(whose: string, shares: CallerShares): void {
  for (const [name, most] of Object.entries(shares)) {
    if (!shareKinds.some((kind) => kind === name)) {
      throw wrong(`${whose} has shares of ${name}, which is nothing`, `there are ${shareKinds.join(', ')}`)
    }
    if (!isCount(most)) throw wrong(`${whose}’s share ${name} is no number from 1`, 'write it as { query: 2 }')
  }
}

function checkOrigin(origin: string): void {
  if (typeof origin === 'string' && /^https?:\/\/[^\s/?#@*]+$/i.test(origin) && URL.canParse(origin)) return
  throw wrong(`${origin} is no origin of pages`, 'write it as https://app.example.com: no path, and no *')
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function checkRoutes(routes: readonly GatewayRoute[], roles: Gateway['roles']): void {
  const paths = new Set<string>()
  for (const each of routes) {
    const { path, needs } = each
    if (each.kind === 'route' && each.atOnce !== undefined && !isCount(each.atOnce)) {
      throw wrong(`the route ${path} takes ${each.atOnce} requests of a caller at once`, 'write a number from 1')
    }
    if (paths.has(path)) throw wrong(`there are two routes for ${path}`, 'leave one of them out')
    paths.add(path)
    const unknown = typeof needs === 'object' ? needs.roles.find((role) => !Object.hasOwn(roles, role)) : undefined
    if (unknown !== undefined) throw wrong(`the route ${path} names the role ${unknown}, which is none`, 'name a role')
  }
}

/** What each way of checking a signature may be done with: a secret never meets a public key. */
export const symmetricAlgorithms: readonly string[] = ['HS256', 'HS384', 'HS512']
export const asymmetricAlgorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]

function checkJwt({ issuer, audience, jwks, jwksFile, secret, algorithms }: JwtOptions): void {
  if (typeof issuer !== 'string' || issuer === '' || typeof audience !== 'string' || audience === '') {
    throw wrong('auth.jwt lacks its issuer or audience', 'name both: tokens made for others must not do here')
  }
  if ([jwks, jwksFile, secret].filter((each) => each !== undefined).length !== 1) {
    throw wrong('auth.jwt needs one of jwks, jwksFile and secret', 'name the one that your tokens are signed with')
  }
  if (jwks !== undefined && !/^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/i.test(jwks)) {
    throw wrong(`auth.jwt.jwks is ${jwks}, and anybody on the way could put in keys of his own`, 'use https')
  }
  const allowed = secret === undefined ? asymmetricAlgorithms : symmetricAlgorithms
  for (const algorithm of algorithms ?? []) {
    if (allowed.includes(algorithm)) continue
    throw wrong(`auth.jwt takes no tokens signed with ${algorithm}`, `with these keys there are ${allowed.join(', ')}`)
  }
}

function wrong(what: string, hint: string): MillraceError {
  return new MillraceError('app/load', what, { hint })
}
