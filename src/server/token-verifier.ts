import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { asymmetricAlgorithms, type JwtOptions, symmetricAlgorithms } from '../app/gateway.ts'
import type { MillraceError } from '../data/errors.ts'
import { dial } from '../io/dial.ts'
import type { Clock, Disk } from '../io/io.ts'
import { readWholeText } from '../io/whole-file.ts'
import { type Claims, clockToleranceOf, invalid, unavailable } from './tokens.ts'

/** A signer's keys are asked for again after so long; for a key that isn't among them, not before so long. */
const keysMaxAgeMs = 600_000
const keysCooldownMs = 30_000
const keysTimeoutMs = 5_000

/** Checks signature, issuer, audience and times of JSON Web Tokens. */
export class TokenVerifier {
  readonly #options: JwtOptions
  readonly #algorithms: string[]
  readonly #key: Uint8Array | JWTVerifyGetKey

  /** @param secret what tokens are signed with; null: with keys of the file or the address that the options name */
  constructor(options: JwtOptions, secret: Uint8Array | null, disk: Disk, clock: Clock) {
    this.#options = options
    this.#algorithms = [...(options.algorithms ?? (secret === null ? asymmetricAlgorithms : symmetricAlgorithms))]
    if (secret !== null) this.#key = secret
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
  async verify(token: string, nowMs: number): Promise<Claims & { readonly exp: number }> {
    const { issuer, audience } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#key as JWTVerifyGetKey, {
        issuer,
        audience,
        algorithms: this.#algorithms,
        clockTolerance: clockToleranceOf(this.#options),
        requiredClaims: ['exp'],
        currentDate: new Date(nowMs),
      })
      return payload as Claims & { readonly exp: number }
    } catch (error) {
      throw refusalOf(error)
    }
  }
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
