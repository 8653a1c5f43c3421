import { MillraceError } from '../data/errors.ts'
import type { ApiRequest } from './exchange.ts'

/** Whom a server answers. */
export interface GuardOptions {
  /** The address it listens on. */
  readonly host: string
  /** Names beside it under which it may be asked, without a port. */
  readonly allowedHosts: readonly string[]
  /** Origins beside its own from which pages may ask. */
  readonly allowedOrigins: readonly string[]
}

/**
 * Keeps other sites' pages out. Any page can make its reader's browser send requests to this machine; a name that
 * an attacker points here (DNS rebinding) shows in Host, a request from another page in Origin.
 */
export class Guard {
  readonly #hosts: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  readonly #anyAddress: boolean
  /** The last one that was found to be right: hardly ever is another one asked for. */
  #knownHost: string | null = null

  constructor({ host, allowedHosts, allowedOrigins }: GuardOptions) {
    this.#hosts = new Set([host, ...allowedHosts].map((name) => unbracketed(name.toLowerCase())))
    this.#origins = new Set(allowedOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
    this.#anyAddress = host === '0.0.0.0' || host === '::'
  }

  /** @throws MillraceError request/host, request/origin */
  check(request: ApiRequest): void {
    const host = request.header('host')
    if (host === null || !this.#answersTo(host)) {
      throw new MillraceError('request/host', `this server is not ${host ?? 'without a name'}`, {
        hint: 'ask it as localhost, or start it with that name among the hosts allowed',
      })
    }
    const origin = request.header('origin')
    if (origin === null || this.isAllowed(origin) || isOwn(origin, host)) return
    throw new MillraceError('request/origin', `pages of ${origin} may not ask this server`, {
      hint: 'start it with that origin among those allowed',
    })
  }

  /** Is it an origin, other than the server's own, that may read answers? */
  isAllowed(origin: string): boolean {
    return this.#origins.has(origin.toLowerCase())
  }

  #answersTo(host: string): boolean {
    if (host === this.#knownHost) return true
    const name = hostName(host)
    if (name === null || !this.#knows(name)) return false
    this.#knownHost = host
    return true
  }

  #knows(name: string): boolean {
    if (isLoopback(name) || this.#hosts.has(name)) return true
    // An address, unlike a name, cannot be pointed here by somebody else.
    return this.#anyAddress && isAddress(name)
  }
}

/** @returns the name in lower case without port and brackets, or null if it is none */
function hostName(host: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:@/?#[\]\\]+)(?::\d{1,5})?$/i.exec(host)
  return match === null ? null : unbracketed(match[1].toLowerCase())
}

function unbracketed(name: string): string {
  return name.startsWith('[') ? name.slice(1, -1) : name
}

/** Whether a host's name means this machine. */
export function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || (/^127\./.test(name) && isAddress(name))
}

function isAddress(name: string): boolean {
  if (name.includes(':')) return /^[0-9a-f:.]+$/.test(name)
  return /^(?:\d{1,3}\.){3}\d{1,3}$/.test(name) && name.split('.').every((part) => Number(part) < 256)
}

/** Behind a proxy that ends TLS the scheme differs; the host does not. */
function isOwn(origin: string, host: string): boolean {
  const match = /^(https?):\/\/([^/]+)$/i.exec(origin)
  if (match === null) return false
  const port = match[1].toLowerCase() === 'https' ? ':443' : ':80'
  const plain = (name: string): string =>
    name.toLowerCase().endsWith(port) ? name.toLowerCase().slice(0, -port.length) : name.toLowerCase()
  return plain(match[2]) === plain(host)
}
