import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { defineGateway, type Gateway, type GatewayOptions } from '../../src/app/gateway.ts'

export const issuer = 'https://issuer.example'
export const audience = 'millrace'

/** A signer with a key pair, as an identity provider has one. */
export interface Signer {
  readonly jwks: { readonly keys: readonly object[] }
  sign(claims: JWTPayload, options?: SignOptions): Promise<string>
}

export interface SignOptions {
  readonly issuer?: string
  readonly audience?: string
  readonly seconds?: number
  readonly notBefore?: number
}

export async function makeSigner(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
  return {
    jwks: { keys: [jwk] },
    sign(claims, { issuer: iss = issuer, audience: aud = audience, seconds = 3600, notBefore } = {}) {
      const now = Math.floor(Date.now() / 1000)
      const token = new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuer(iss)
        .setAudience(aud)
        .setIssuedAt(now)
        .setExpirationTime(now + seconds)
      return (notBefore === undefined ? token : token.setNotBefore(now + notBefore)).sign(privateKey)
    },
  }
}

/** A gateway whose tokens are signed by who has this key file. */
export function gatewayOf(jwksFile: string, options: Omit<GatewayOptions, 'auth'>): Gateway {
  return defineGateway({ auth: { jwt: { issuer, audience, jwksFile } }, ...options })
}

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
