import type { Gateway } from '../app/gateway.ts'
import { Bug, MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import type { Sight } from '../database/sight.ts'
import type { Database } from '../database.ts'
import { networkOf } from '../io/addresses.ts'
import { environment } from '../io/environment.ts'
import type { Io } from '../io/io.ts'
import { claimsOf } from '../plan/policy.ts'
import { Access } from './access.ts'
import { anybody, type Caller, Callers, stranger } from './caller.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer } from './exchange.ts'
import type { Appender } from './ingest.ts'
import { Journals } from './journals.ts'
import { Rates, TooOften } from './rates.ts'
import { type Found, firstOf, type Method } from './routes.ts'
import type { Viewer } from './seen-catalog.ts'
import type { Judge, Opened, Verdict } from './sessions.ts'
import { Shares, sharesOf, type TakeShare } from './shares.ts'

/** A call that was let in. */
export interface Admitted {
  readonly caller: Caller
  /** The query without what the front took out of it. */
  readonly query: string
  /** Where the caller stands with its rate. */
  readonly headers: Readonly<Record<string, string>>
  /** Takes more of it. @throws MillraceError request/share */
  readonly share: TakeShare
  /** Gives back what the call took of the caller's share: once all of its answer is on its way. */
  readonly leave: () => void
}

/** What each request passes before anything is answered: who asks, how often, and whether he may. */
export class Front implements Judge {
  readonly journals: Journals
  readonly #gateway: Gateway | null
  readonly #database: Database
  readonly #callers: Callers | null
  readonly #access: Access | null
  readonly #rates: Rates | null
  readonly #shares: Shares
  /** Told apart from all others: of servers that share a database, and of gateways that follow each other. */
  readonly #name: string
  /** Whether the gateway before told callers apart as this one does. */
  readonly #sameAuth: boolean
  /** What the policies of each role ask tokens for. */
  readonly #claimsByRole = new Map<string, Set<string>>()
  readonly #maskKey: string
  /** The same where it is a random one. */
  readonly #drawnKey: string | null

  /**
   * @param gateway null: everybody may do everything
   * @param before the one whose place it takes: what was counted goes on
   * @throws MillraceError app/load
   */
  constructor(
    gateway: Gateway | null,
    database: Database,
    io: Io,
    onMistake: (error: unknown) => void,
    before: Front | null = null,
  ) {
    const kept = (what: (gateway: Gateway | null) => unknown): boolean =>
      before !== null && JSON.stringify(what(before.#gateway)) === JSON.stringify(what(gateway))
    const journals = kept((each) => [each?.audit ?? false, each?.accessLog ?? false]) ? before?.journals : undefined
    this.journals = journals ?? new Journals(gateway, database, io.clock, onMistake)
    this.#gateway = gateway
    this.#database = database
    this.#name = hex(io.random.bytes(16))
    this.#sameAuth = kept((each) => each?.auth ?? null)
    this.#callers = gateway === null ? null : new Callers(gateway, io)
    this.#access = gateway === null ? null : new Access(gateway, database)
    const rates = before !== null && kept((each) => each?.rates ?? null) ? before.#rates : null
    this.#rates = rates ?? (gateway === null ? null : new Rates(gateway.rates))
    this.#shares = before === null ? new Shares(gateway) : before.#shares
    // Masked values stay what they are for who looks at them, unless another key is given.
    const drawn = before === null ? null : before.#drawnKey
    this.#drawnKey = gateway?.maskKey == null ? (drawn ?? hex(io.random.bytes(32))) : null
    this.#maskKey = this.#drawnKey ?? maskKeyOf(gateway)
    for (const each of gateway?.policies ?? []) {
      const claims = this.#claimsByRole.get(each.role) ?? new Set()
      for (const claim of claimsOf(each)) claims.add(claim)
      this.#claimsByRole.set(each.role, claims)
    }
  }

  /** Null where everybody may do everything. */
  get access(): Access | null {
    return this.#access
  }

  /**
   * @throws MillraceError auth/required, auth/invalid, auth/forbidden, auth/unavailable, request/rate, request/share
   */
  async admit(request: ApiRequest, found: Found, method: Method): Promise<Admitted> {
    const seen: { caller: Caller | null } = { caller: null }
    if (method.needs === 'public') return this.#admit(request, found, method, seen)
    const note = (refusal: unknown): void => {
      const name = firstOf(found.names)
      this.journals.decided(request, found.route.pattern, name, seen.caller, refusal)
    }
    try {
      const admitted = await this.#admit(request, found, method, seen)
      note(null)
      return admitted
    } catch (error) {
      note(error)
      throw error
    }
  }

  async #admit(request: ApiRequest, found: Found, method: Method, seen: { caller: Caller | null }): Promise<Admitted> {
    const { names, query } = found
    if (this.#gateway === null || this.#callers === null || this.#access === null || this.#rates === null) {
      const shares = request.local ? unbounded : this.#taken(networkOf(request.address), anybody, found, method)
      return { caller: anybody, query, headers: unlimited, share: shares.share, leave: shares.leave }
    }
    if (method.needs === 'public') {
      const nobody = `nobody at ${networkOf(request.address)}`
      const caller = stranger(this.#gateway)
      const headers = await this.#rates.take(method.limits, nobody)
      return { caller, query, headers, ...this.#taken(nobody, caller, found, method, headers) }
    }
    const split = method.limits === 'live' ? withoutTicket(query) : { ticket: null, query }
    const name = firstOf(names)
    let caller: Caller | null
    try {
      caller = await this.#callers.of(request, split.ticket)
      seen.caller = caller
      if (caller === null) this.#access.check(caller, method.needs, name)
    } catch (error) {
      if (error instanceof MillraceError && error.status === 401)
        await this.#rates.take('failures', networkOf(request.address))
      throw error
    }
    if (caller === null) throw new MillraceError('auth/required', 'this call needs a token')
    const counted = caller.id === 'nobody' ? `nobody at ${networkOf(request.address)}` : caller.id
    const headers = await this.#rates.take(method.limits, counted)
    try {
      this.#access.check(caller, method.needs, name)
    } catch (error) {
      throw new Refused(error as MillraceError, headers)
    }
    return { caller, query: split.query, headers, ...this.#taken(counted, caller, found, method, headers) }
  }

  /** Takes what the call needs of its caller's share. @throws MillraceError request/share */
  #taken(
    id: string,
    { role }: Caller,
    { route }: Found,
    { limits, takes, atOnce }: Method,
    headers: Admitted['headers'] = {},
  ): Pick<Admitted, 'share' | 'leave'> {
    const holder = { id, role }
    const taken: (() => void)[] = []
    const leave = (): void => {
      for (const each of taken) each()
    }
    try {
      const kinds = [...sharesOf(limits), ...(takes === undefined ? [] : [takes])]
      for (const kind of kinds) taken.push(this.#shares.enter(kind, holder))
      if (atOnce !== undefined) taken.push(this.#shares.enterRoute(route.pattern, holder, atOnce))
    } catch (error) {
      leave()
      throw new Refused(error as MillraceError, headers)
    }
    return { leave, share: (kind, amount) => this.#shares.enter(kind, holder, amount) }
  }

  /** From now on it is the one that counts. */
  takeOver(): void {
    this.#shares.use(this.#gateway)
  }

  /** Whether a stream that was opened under the gateway before may go on. @throws MillraceError why not */
  judge({ caller, needs, name, sight }: Opened): Verdict {
    const now = this.#callerNow(caller)
    this.#access?.check(now, needs, name)
    const seen = this.sightOf(now)
    const names = needs === 'sql' ? this.#namesForQueries() : [name]
    return { caller: now, sight: seen, changed: meaningOf(seen, names) !== meaningOf(sight, names) }
  }

  /**
   * All that a query may come to read: what it names may be defined anew, over relations that are not there yet. The
   * empty name is one of these: of it he sees nothing unless he may read all.
   */
  #namesForQueries(): readonly string[] {
    const { topics, views } = this.#database.catalog()
    const closed = this.#gateway?.policies.map(({ relation }) => relation) ?? []
    return [...[...topics, ...views].map(({ name }) => name), ...closed, '']
  }

  #callerNow(caller: Caller): Caller {
    if (this.#gateway === null) return anybody
    const isNobody = caller.id === 'nobody' && caller.actor === null
    const stands = isNobody ? this.#gateway.anonymous === caller.role : this.#sameAuth && caller.actor === null
    if (!stands || !Object.hasOwn(this.#gateway.roles, caller.role)) {
      throw new MillraceError('auth/invalid', 'who may ask has changed since this stream was opened', {
        hint: 'ask anew',
      })
    }
    return { ...caller, admin: this.#gateway.roles[caller.role].admin === true }
  }

  /** @throws MillraceError auth/invalid for a key that is good no more */
  async stillHolds(caller: Caller): Promise<void> {
    await this.#callers?.stillHolds(caller)
  }

  /** What a caller sees; absent: everything. */
  sightOf(caller: Caller): Sight | undefined {
    if (this.#access === null || caller.admin) return undefined
    const access = this.#access
    const { role, claims } = caller
    const asked = new Set(this.#claimsByRole.get(role) ?? [])
    const known = Object.entries(claims).filter(([name]) => asked.has(name))
    return {
      key: JSON.stringify([this.#name, role, known]),
      of: (relation) => (access.mayRead(caller, relation) ? (access.policy(caller, relation) ?? 'whole') : 'hidden'),
      claims,
      maskKey: this.#maskKey,
    }
  }

  /** Who looks at what is defined. */
  viewer(caller: Caller): Viewer {
    const access = this.#access
    return {
      sight: this.sightOf(caller),
      mayAppend: (topic) => access === null || access.mayAppend(caller, topic),
      mayTrace: (view) => access === null || access.mayTrace(caller, view),
    }
  }

  /** Callers don't meet each other's idempotency keys. */
  scopeOf({ id, claims }: Caller): string {
    if (this.#gateway === null) return ''
    const { iat: _, exp: __, nbf: ___, jti: ____, ...lasting } = claims
    // Tokens without a subject are told apart by what else they say, whenever they were made.
    const isNamed = !id.startsWith('token ') || typeof lasting.sub === 'string'
    return isNamed ? ` ${id}` : ` ${id} ${JSON.stringify(lasting)}`
  }

  /** Whom a list of events over several topics comes from, and to which of them it may append. */
  appender(caller: Caller): Appender {
    const access = this.#access
    return { scope: this.scopeOf(caller), mayAppend: (topic) => access === null || access.mayAppend(caller, topic) }
  }

  /** POST /v1/ticket */
  ticket(caller: Caller): ApiAnswer {
    if (this.#callers === null) {
      throw new MillraceError('request/parameter', 'nobody needs a ticket here: there is no gateway')
    }
    const { ticket, seconds } = this.#callers.issue(caller)
    return jsonAnswer(201, { ticket, expires_in: seconds }, { 'cache-control': 'no-store' })
  }

  /** GET /v1/whoami */
  whoami({ id, role, admin, actor }: Caller): ApiAnswer {
    const body = { gateway: this.#gateway !== null, id, role, admin, ...(actor === null ? {} : { actor }) }
    return jsonAnswer(200, body, { 'cache-control': 'no-store' })
  }
}

/** What a caller sees of some relations, to be compared. */
function meaningOf(sight: Sight | undefined, names: readonly string[]): string {
  const seen = names.map((name) => sight?.of(name) ?? 'whole')
  return JSON.stringify([seen, seen.every((each) => each === 'whole') ? '' : sight?.maskKey])
}

/** No rate is told where none counts. */
export const unlimited: Readonly<Record<string, string>> = {}

/** Who is on this machine already has all of it. */
const unbounded: Pick<Admitted, 'share' | 'leave'> = { share: () => () => {}, leave: () => {} }

const shortestMaskKey = 16

/** @throws MillraceError app/load */
function maskKeyOf(gateway: Gateway | null): string {
  if (gateway?.maskKey == null) throw new Bug('no key is named')
  const { env } = gateway.maskKey
  const key = environment(env) ?? ''
  if (key.length >= shortestMaskKey) return key
  throw new MillraceError(
    'app/load',
    `the environment's ${env}, the key of masks, has under ${shortestMaskKey} characters`,
    {
      hint: 'give it random ones',
    },
  )
}

/** A refusal that tells where the caller stands with its rate, too. */
class Refused extends MillraceError {
  readonly headers: Readonly<Record<string, string>>

  constructor({ code, message, hint }: MillraceError, headers: Readonly<Record<string, string>>) {
    super(code, message, hint === undefined ? {} : { hint })
    this.headers = headers
  }
}

/** What a refusal says in headers. */
export function refusalHeaders(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof MillraceError)) return {}
  // How long another one takes nobody knows.
  const later = error.code === 'request/share' ? { 'retry-after': '1' } : {}
  if (error instanceof TooOften || error instanceof Refused) return { ...error.headers, ...later }
  if (error.code === 'request/share') return later
  if (error.code === 'auth/required') return { 'www-authenticate': 'Bearer' }
  return error.code === 'auth/invalid' ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {}
}

function withoutTicket(query: string): { ticket: string | null; query: string } {
  const parts = query.split('&')
  const tickets = parts.filter((part) => part.startsWith('ticket='))
  if (tickets.length === 0) return { ticket: null, query }
  if (tickets.length > 1) throw new MillraceError('request/parameter', 'ticket is there more than once')
  return { ticket: tickets[0].slice('ticket='.length), query: parts.filter((part) => part !== tickets[0]).join('&') }
}
