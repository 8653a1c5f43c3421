import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { asymmetricAlgorithms, type JwtOptions, symmetricAlgorithms } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'
import { dial } from '../io/dial.ts'
import { sha256 } from '../io/digest.ts'
import { environment } from '../io/environment.ts'
import type { Clock, Disk } from '../io/io.ts'
import { readWholeText } from '../io/whole-file.ts'

/** Claims of a token whose signature, issuer, audience and times were checked. */
export type Claims = Readonly<Record<string, unknown>>

/** A token that was found good is not checked again for so long. */
const goodSeconds = 60
const goodTokens = 4096
/** A token longer than this is none of ours. */
const tokenLength = 8192
const shortestSecret = 32
/** A signer's keys are asked for again after so long; for a key that isn't among them, not before so long. */
const keysMaxAgeMs = 600_000
const keysCooldownMs = 30_000
const keysTimeoutMs = 5_000

/** Checks JSON Web Tokens of one issuer for one audience. */
export class Tokens {
  readonly #options: JwtOptions
  readonly #clock: Clock
  readonly #algorithms: string[]
  readonly #key: Uint8Array | JWTVerifyGetKey
  readonly #good = new LRUCache<string, { readonly claims: Claims; readonly until: number }>({ max: goodTokens })

  /** @throws MillraceError app/load for a secret that is missing or short */
  constructor(options: JwtOptions, disk: Disk, clock: Clock) {
    this.#options = options
    this.#clock = clock
    const all = options.secret === undefined ? asymmetricAlgorithms : symmetricAlgorithms
    this.#algorithms = [...(options.algorithms ?? all)]
    if (options.secret !== undefined) this.#key = secretOf(options.secret.env)
    else if (options.jwksFile !== undefined) this.#key = fileKeys(disk, clock, options.jwksFile)
    else {
      this.#key = createRemoteJWKSet(new URL(options.jwks as string), {
        cacheMaxAge: keysMaxAgeMs,
        cooldownDuration: keysCooldownMs,
        timeoutDuration: keysTimeoutMs,
        [customFetch]: (url, init) => dial(url, init),
      })
    }
  }

  /** @throws MillraceError auth/invalid, which tells why and nothing of the token; auth/unavailable */
  async check(token: string): Promise<Claims> {
    if (token.length > tokenLength) throw invalid('it is too long')
    const nowMs = Number(this.#clock.nowMicros() / 1000n)
    // Where the token itself stayed in memory, so would what it opens.
    const digest = new TextDecoder('latin1').decode(sha256(new TextEncoder().encode(token)))
    const good = this.#good.get(digest)
    if (good !== undefined && nowMs < good.until) return good.claims
    const { issuer, audience, clockToleranceSeconds = 30 } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#key as JWTVerifyGetKey, {
        issuer,
        audience,
        algorithms: this.#algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp'],
        currentDate: new Date(nowMs),
      })
      const until = Math.min(nowMs + goodSeconds * 1000, ((payload.exp as number) + clockToleranceSeconds) * 1000)
      this.#good.set(digest, { claims: payload, until })
      return payload
    } catch (error) {
      throw refusalOf(error)
    }
  }
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

/** Keys of a file, read again for a key that isn't among them: so keys can change while the server runs. */
function fileKeys(disk: Disk, clock: Clock, path: string): JWTVerifyGetKey {
  let keys: Promise<JWTVerifyGetKey> | null = null
  let readAtMs = 0
  const read = (): Promise<JWTVerifyGetKey> => {
    readAtMs = clock.monotonicMs()
    const reading = readKeySet(disk, path)
    reading.catch(() => {
      keys = null
    })
    keys = reading
    return reading
  }
  return async (header, token) => {
    const known = await (keys ?? read())
    try {
      return await known(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || clock.monotonicMs() - readAtMs < 1000) throw error
      return (await read())(header, token)
    }
  }
}

async function readKeySet(disk: Disk, path: string): Promise<JWTVerifyGetKey> {
  const text = await readWholeText(disk, path)
  return createLocalJWKSet(JSON.parse(text) as Parameters<typeof createLocalJWKSet>[0])
}

const reasons: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JOSE_ALG_NOT_ALLOWED: 'it is signed in a way that is not taken here',
  ERR_JOSE_NOT_SUPPORTED: 'it is signed in a way that is not taken here',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is not right',
  ERR_JWKS_NO_MATCHING_KEY: 'nobody known signed it',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'it does not say which key signed it',
}
const claimReasons: Readonly<Record<string, string>> = {
  iss: 'it is of another issuer',
  aud: 'it is for another audience',
  exp: 'it does not say until when it is good',
  nbf: 'it is not good yet',
  iat: 'it was made in the future',
}

function refusalOf(error: unknown): MillraceError {
  if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout) return unavailable(error)
  if (error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC') return unavailable(error)
  if (error instanceof errors.JWTClaimValidationFailed) return invalid(claimReasons[error.claim] ?? 'a claim is wrong')
  return invalid(reasons[error.code] ?? 'it is no signed token')
}

function unavailable(cause: unknown): MillraceError {
  return new MillraceError('auth/unavailable', 'the keys that tokens are checked with are out of reach', {
    hint: 'ask again in a while',
    cause,
  })
}

export function invalid(why: string): MillraceError {
  return new MillraceError('auth/invalid', `the token is not good: ${why}`, { hint: 'get a new one' })
}
