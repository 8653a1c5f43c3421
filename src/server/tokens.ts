import { LRUCache } from 'lru-cache'
import type { JwtOptions } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { sha256 } from '../io/digest.ts'
import { environment } from '../io/environment.ts'
import type { Clock, Disk } from '../io/io.ts'
import type { TokenVerifier } from './token-verifier.ts'

/** Claims of a token whose signature, issuer, audience and times were checked. */
export type Claims = Readonly<Record<string, unknown>>

/** A token that was found good is not checked again for so long. */
const goodSeconds = 60
const goodTokens = 4096
/** A token longer than this is none of ours. */
const tokenLength = 8192
const shortestSecret = 32

/** Checks JSON Web Tokens of one issuer for one audience. */
export class Tokens {
  readonly #options: JwtOptions
  readonly #clock: Clock
  readonly #verifier: Promise<TokenVerifier>
  readonly #good = new LRUCache<string, { readonly claims: Claims; readonly until: number }>({ max: goodTokens })

  /** @throws MillraceError app/load for a secret that is missing or short */
  constructor(options: JwtOptions, disk: Disk, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#verifier = verifierOf(
      options,
      disk,
      clock,
      options.secret === undefined ? null : secretOf(options.secret.env),
    )
    // Whoever shows a token meets it.
    this.#verifier.catch(() => {})
  }

  /** @throws MillraceError auth/invalid, which tells why and nothing of the token; auth/unavailable */
  async check(token: string): Promise<Claims> {
    if (token.length > tokenLength) throw invalid('it is too long')
    const nowMs = Number(this.#clock.nowMicros() / 1000n)
    // Where the token itself stayed in memory, so would what it opens.
    const digest = new TextDecoder('latin1').decode(sha256(new TextEncoder().encode(token)))
    const good = this.#good.get(digest)
    if (good !== undefined && nowMs < good.until) return good.claims
    const claims = await (await this.#verifier).verify(token, nowMs)
    const until = Math.min(nowMs + goodSeconds * 1000, (claims.exp + clockToleranceOf(this.#options)) * 1000)
    this.#good.set(digest, { claims, until })
    return claims
  }
}

/** Only a server whose gateway takes tokens loads the library for them. */
async function verifierOf(
  options: JwtOptions,
  disk: Disk,
  clock: Clock,
  secret: Uint8Array | null,
): Promise<TokenVerifier> {
  const { TokenVerifier } = await import('./token-verifier.ts')
  return new TokenVerifier(options, secret, disk, clock)
}

/** By how many seconds a signer's clock may differ from ours. */
export function clockToleranceOf({ clockToleranceSeconds = 30 }: JwtOptions): number {
  return clockToleranceSeconds
}

/** @throws MillraceError app/load */
function secretOf(name: string): Uint8Array {
  const secret = new TextEncoder().encode(environment(name) ?? '')
  if (secret.length >= shortestSecret) return secret
  const what = secret.length === 0 ? 'is not set' : `has fewer than ${shortestSecret} bytes`
  throw new MillraceError('app/load', `the environment's ${name}, which tokens are signed with, ${what}`, {
    hint: `give it ${shortestSecret} random bytes or more`,
  })
}

/** What is wrong lies with whoever signs, or with the way to him. */
export function unavailable(cause: unknown): MillraceError {
  return new MillraceError('auth/unavailable', 'the keys that tokens are checked with are out of reach', {
    hint: 'ask again in a while',
    cause,
  })
}

export function invalid(why: string): MillraceError {
  return new MillraceError('auth/invalid', `the token is not good: ${why}`, { hint: 'get a new one' })
}
