import type { Gateway } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import type { Io } from '../io/io.ts'
import { ApiKeys, looksLikeKey, type StoredKey } from './api-keys.ts'
import type { ApiRequest } from './exchange.ts'
import { type Claims, invalid, Tokens } from './tokens.ts'

/** Who asks. */
export interface Caller {
  /** For logs and limits, such as `token alice` or `key 5f0c…`: never a secret. */
  readonly id: string
  readonly role: string
  readonly claims: Claims
  readonly admin: boolean
  /** The admin who asks as somebody else. */
  readonly actor: string | null
  /** Until when the token is good, in seconds since 1970; null: for good. */
  readonly until: number | null
}

/** Where no gateway stands in front, everybody may do everything. */
export const anybody: Caller = { id: 'anybody', role: '', claims: {}, admin: true, actor: null, until: null }

/**
 * Who comes through a public route: he needs no name there, and has none. He may do what the role of callers without
 * a token may, and nothing where there is none.
 */
export function stranger({ anonymous }: Gateway): Caller {
  return { id: 'nobody', role: anonymous ?? '', claims: {}, admin: false, actor: null, until: null }
}

const noSubject = 'without a subject'

/** Whether the id is one's own: those without a token, or without a subject in it, have theirs in common. */
export function isNamed({ id }: Pick<Caller, 'id'>): boolean {
  return id !== anybody.id && id !== 'nobody' && id !== `token ${noSubject}`
}

/** Of a key's holder, before the key's id. */
const keyPrefix = 'key '
const ticketMs = 30_000
/** Tickets of one caller that are good at a time: more than that and his own oldest one goes. */
const ticketsOfCaller = 100
const actAsLength = 4096

/** Tells who asks: by a token, an API key, or a ticket for what can't send headers. */
export class Callers {
  readonly #gateway: Gateway
  readonly #io: Io
  readonly #tokens: Tokens | null
  readonly #keys: ApiKeys | null
  readonly #ticketsOf = new Map<string, Set<string>>()
  readonly #tickets = new Map<string, { readonly caller: Caller; readonly until: number }>()

  /** @throws MillraceError app/load */
  constructor(gateway: Gateway, io: Io) {
    const { jwt, apiKeys } = gateway.auth
    this.#gateway = gateway
    this.#io = io
    this.#tokens = jwt === undefined ? null : new Tokens(jwt, io.disk, io.clock)
    this.#keys = apiKeys === undefined ? null : new ApiKeys(io.disk, io.clock, apiKeys.file)
  }

  /**
   * @param ticket from the query of a live stream, or null
   * @returns null for who shows nothing and has no role without
   * @throws MillraceError auth/invalid, auth/forbidden for a role that doesn't exist, auth/unavailable
   */
  async of(request: ApiRequest, ticket: string | null): Promise<Caller | null> {
    const caller = await this.#shown(request, ticket)
    const asked = request.header('millrace-act-as')
    if (asked === null) return caller
    if (caller === null) return null
    return this.#acting(caller, asked)
  }

  async #shown(request: ApiRequest, ticket: string | null): Promise<Caller | null> {
    const header = request.header('authorization')
    if (ticket !== null) {
      if (header !== null) throw invalid('a ticket stands beside it')
      return this.#redeem(ticket)
    }
    if (header === null) {
      const { anonymous } = this.#gateway
      return anonymous === null ? null : this.#caller('nobody', anonymous, {})
    }
    const token = /^Bearer +([\x21-\x7e]+)$/i.exec(header)?.[1]
    if (token === undefined) throw invalid('the Authorization header is not “Bearer …”')
    if (looksLikeKey(token)) {
      const key = await this.#keys?.find(token)
      if (key == null) throw invalid('nobody has this key, or it was revoked')
      return this.#keyCaller(key)
    }
    if (this.#tokens === null) throw invalid('only API keys are taken here')
    const claims = await this.#tokens.check(token)
    const role = claims[this.#gateway.auth.jwt?.roleClaim ?? 'role']
    if (typeof role !== 'string') throw forbidden('the token names no role')
    const who = typeof claims.sub === 'string' ? claims.sub : noSubject
    return { ...this.#caller(`token ${who}`, role, claims), until: claims.exp as number }
  }

  #keyCaller({ id, role, claims, expires }: StoredKey): Caller {
    const until = expires === undefined ? null : Date.parse(expires) / 1000
    return { ...this.#caller(`${keyPrefix}${id}`, role, claims), until }
  }

  /**
   * Whether a caller who was let in may still be. A token is good until its time is over; a key may be revoked.
   * @throws MillraceError auth/invalid
   */
  async stillHolds({ id, role, claims, actor }: Caller): Promise<void> {
    if (!id.startsWith(keyPrefix)) return
    const key = await this.#keys?.byId(id.slice(keyPrefix.length))
    if (key == null) {
      throw new MillraceError('auth/invalid', 'the key that opened this stream was revoked, or has expired')
    }
    // Who acts as somebody else has that one's role and claims, as long as he is an admin.
    const same =
      actor === null
        ? JSON.stringify([key.role, key.claims]) === JSON.stringify([role, claims])
        : Object.hasOwn(this.#gateway.roles, key.role) && this.#gateway.roles[key.role].admin === true
    if (!same) throw new MillraceError('auth/invalid', 'the key that opened this stream was changed')
  }

  #caller(id: string, role: string, claims: Claims): Caller {
    const { roles } = this.#gateway
    if (!Object.hasOwn(roles, role)) throw forbidden('there is no such role as the one that the token or key names')
    return { id, role, claims, admin: roles[role].admin === true, actor: null, until: null }
  }

  /** An admin looks at what somebody else would see. */
  #acting(caller: Caller, asked: string): Caller {
    if (!caller.admin) throw forbidden('only an admin may act as somebody else')
    let value: { readonly role?: unknown; readonly claims?: unknown } | null = null
    try {
      if (asked.length <= actAsLength) value = JSON.parse(asked)
    } catch {
      // What is no JSON lacks a role, too.
    }
    const { role, claims = {} } = value ?? {}
    if (typeof role !== 'string' || typeof claims !== 'object' || claims === null) {
      throw new MillraceError('request/parameter', 'Millrace-Act-As is no {"role": text, "claims": {…}}', {
        hint: 'write it as {"role": "tenant", "claims": {"tenant": "a"}}',
      })
    }
    if (!Object.hasOwn(this.#gateway.roles, role)) {
      throw new MillraceError('request/parameter', 'Millrace-Act-As names a role that does not exist')
    }
    return { ...this.#caller(caller.id, role, claims as Claims), actor: caller.id, until: caller.until }
  }

  /** Good once, and for 30 seconds: a page's EventSource can send no header, and a URL is kept in logs. */
  issue(caller: Caller): { readonly ticket: string; readonly seconds: number } {
    const now = this.#io.clock.monotonicMs()
    for (const [ticket, { until }] of this.#tickets) {
      if (until > now) break
      this.#forget(ticket)
    }
    const own = this.#ticketsOf.get(caller.id) ?? new Set()
    if (own.size >= ticketsOfCaller) for (const oldest of [...own].slice(0, 1)) this.#forget(oldest)
    const ticket = hex(this.#io.random.bytes(32))
    this.#tickets.set(ticket, { caller, until: now + ticketMs })
    this.#ticketsOf.set(caller.id, own.add(ticket))
    return { ticket, seconds: ticketMs / 1000 }
  }

  #forget(ticket: string): void {
    const id = this.#tickets.get(ticket)?.caller.id
    this.#tickets.delete(ticket)
    if (id === undefined) return
    const own = this.#ticketsOf.get(id)
    own?.delete(ticket)
    if (own?.size === 0) this.#ticketsOf.delete(id)
  }

  #redeem(ticket: string): Caller {
    const found = this.#tickets.get(ticket)
    this.#forget(ticket)
    if (found !== undefined && this.#io.clock.monotonicMs() < found.until) return found.caller
    throw new MillraceError('auth/invalid', 'the ticket is not good: it was used, or is older than 30 seconds', {
      hint: 'get a new one by POST /v1/ticket',
    })
  }
}

export function forbidden(what: string, hint?: string): MillraceError {
  return new MillraceError('auth/forbidden', what, hint === undefined ? {} : { hint })
}
