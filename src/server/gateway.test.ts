import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FarClock } from '../../test/support/far-clock.ts'
import { audience, bearer, gatewayOf, issuer, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { defineGateway, env, type GatewayOptions } from '../app/gateway.ts'
import { gatewayFromJson } from '../app/gateway-json.ts'
import { nodeIo } from '../io/node.ts'
import { createKey, revokeKey } from './api-keys.ts'

const roles = {
  boss: { admin: true },
  writer: { append: ['bid'] },
  reader: { read: ['by_auction'], status: true },
}

let folder: string
let signer: Signer
let running: Running | null = null
const file = (name: string): string => path.join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-gateway-'))
  signer = await makeSigner('one')
  await writeFile(file('jwks.json'), JSON.stringify(signer.jwks))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  await running?.stop()
  running = null
})

async function start(options: Partial<GatewayOptions> = {}, io = nodeIo()): Promise<string> {
  const gateway =
    options.auth === undefined
      ? gatewayOf(file('jwks.json'), { roles, ...options })
      : defineGateway({ roles, ...options, auth: options.auth })
  running = await startRunning({ gateway, io })
  return running.url
}

async function status(target: string, headers: Record<string, string> = {}): Promise<[number, string]> {
  const response = await fetch(running!.url + target, { headers })
  const body = (await response.json()) as { code?: string }
  return [response.status, body.code ?? '']
}

const view = '/v1/views/by_auction'

describe('tokens', () => {
  it('are taken while they are good, and refused for what is wrong with them', async () => {
    await start()
    const asked = async (token: string): Promise<[number, string]> => status(view, bearer(token))
    const claims = { sub: 'r', role: 'reader' }
    expect(await asked(await signer.sign(claims))).toEqual([200, ''])
    // Known already, and once more.
    expect(await asked(await signer.sign(claims, { seconds: -20 }))).toEqual([200, ''])
    const bad: readonly string[] = [
      await signer.sign(claims, { seconds: -40 }),
      await signer.sign(claims, { audience: 'others' }),
      await signer.sign(claims, { issuer: 'https://evil.example' }),
      await signer.sign(claims, { notBefore: 120 }),
      await (await makeSigner('one')).sign(claims),
      await (await makeSigner('two')).sign(claims),
      new UnsecuredJWT(claims).setIssuer(issuer).setAudience(audience).setExpirationTime('5m').encode(),
      // The public key, taken for a shared secret.
      await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(JSON.stringify(signer.jwks.keys[0]))),
      `${(await signer.sign(claims)).slice(0, -4)}AAAA`,
      'x'.repeat(9000),
      'no.token.atall',
      'mlr_000000000000_0000000000000000000000000000000000000000000000000000000000000000',
    ]
    for (const token of bad) expect(await asked(token), token).toEqual([401, 'auth/invalid'])
    for (const role of [undefined, 'nobody', ['boss'], 'constructor', '__proto__']) {
      expect(await asked(await signer.sign({ role }))).toEqual([403, 'auth/forbidden'])
    }
    expect(await status(view)).toEqual([401, 'auth/required'])
    expect(await status(view, { authorization: 'Basic eDp5' })).toEqual([401, 'auth/invalid'])
    const refused = await fetch(running!.url + view)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('may be signed by a key that was added since', async () => {
    await start()
    const next = await makeSigner('next')
    const token = await next.sign({ role: 'reader' })
    expect(await status(view, bearer(token))).toEqual([401, 'auth/invalid'])
    await writeFile(file('jwks.json'), JSON.stringify({ keys: [...signer.jwks.keys, ...next.jwks.keys] }))
    await expect.poll(() => status(view, bearer(token))).toEqual([200, ''])
  })

  it('may be signed with a shared secret, which must be long', async () => {
    process.env.GATEWAY_TEST_SECRET = 'short'
    const auth = { jwt: { issuer, audience, secret: env('GATEWAY_TEST_SECRET') } }
    await expect(start({ auth })).rejects.toThrow('fewer than 32 bytes')
    process.env.GATEWAY_TEST_SECRET = 'a secret of more than thirty-two bytes'
    await start({ auth })
    const token = await new SignJWT({ role: 'reader' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(process.env.GATEWAY_TEST_SECRET))
    expect(await status(view, bearer(token))).toEqual([200, ''])
    expect(await status(view, bearer(await signer.sign({ role: 'reader' })))).toEqual([401, 'auth/invalid'])
  })
})

describe('API keys', () => {
  it('open what their role may, until they are revoked, and are nowhere to be read', async () => {
    const io = nodeIo()
    const path = file('keys.json')
    const { key, stored } = await createKey(io, path, { name: 'app', role: 'reader', claims: {} })
    expect(key).toMatch(/^mlr_[0-9a-f]{12}_[0-9a-f]{64}$/)
    expect(await readFile(path, 'utf8')).not.toContain(key.slice(17))
    await start({ auth: { apiKeys: { file: path } } })
    expect(await status(view, bearer(key))).toEqual([200, ''])
    expect(await status(view, bearer(`${key.slice(0, -1)}x`))).toEqual([401, 'auth/invalid'])
    expect(await status(view, bearer(key.replace(stored.id, '000000000000')))).toEqual([401, 'auth/invalid'])
    await revokeKey(io, path, 'app')
    await expect.poll(() => status(view, bearer(key))).toEqual([401, 'auth/invalid'])
  })
})

describe('tickets', () => {
  it('open one stream, once', async () => {
    const url = await start()
    const headers = bearer(await signer.sign({ role: 'reader' }))
    const issued = await fetch(`${url}/v1/ticket`, { method: 'POST', headers })
    const { ticket } = (await issued.json()) as { ticket: string }
    // For a live stream alone.
    expect((await status(`${view}?ticket=${ticket}`))[0]).toBe(401)
    const stream = await fetch(`${url}${view}/live?ticket=${ticket}`)
    expect(stream.status).toBe(200)
    await stream.body?.cancel()
    expect(await status(`${view}/live?ticket=${ticket}`)).toEqual([401, 'auth/invalid'])
    expect(await status(`${view}/live?ticket=`)).toEqual([401, 'auth/invalid'])
  })

  it('of one caller take nothing from another one', async () => {
    const url = await start()
    const issue = async (sub: string): Promise<string> => {
      const headers = bearer(await signer.sign({ sub, role: 'reader' }))
      const response = await fetch(`${url}/v1/ticket`, { method: 'POST', headers })
      return ((await response.json()) as { ticket: string }).ticket
    }
    const modest = await issue('modest')
    const first = await issue('greedy')
    await Promise.all(Array.from({ length: 100 }, () => issue('greedy')))
    const opened = async (ticket: string): Promise<number> => {
      const response = await fetch(`${url}${view}/live?ticket=${ticket}`)
      await response.body?.cancel()
      return response.status
    }
    expect([await opened(modest), await opened(first)]).toEqual([200, 401])
  })

  it('end with the token that they were got for', async () => {
    const clock = new FarClock()
    const url = await start({}, clock.io)
    const headers = bearer(await signer.sign({ role: 'reader' }, { seconds: 300 }))
    const stream = await fetch(`${url}${view}/live`, { headers })
    expect(stream.status).toBe(200)
    clock.pass(301_000)
    expect(await stream.text()).toContain('event: problem')
  })
})

describe('rates', () => {
  it('are counted per caller and class, and told in headers', async () => {
    const url = await start({ rates: { read: { requests: 2, seconds: 60 } } })
    const one = bearer(await signer.sign({ sub: 'one', role: 'reader' }))
    const two = bearer(await signer.sign({ sub: 'two', role: 'reader' }))
    const first = await fetch(url + view, { headers: one })
    expect(first.headers.get('ratelimit-policy')).toBe('"read";q=2;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"read";r=1;t=\d+$/)
    // A refusal counts as well.
    expect((await fetch(`${url}/v1/views/other`, { headers: one })).headers.get('ratelimit')).toContain('r=0')
    const refused = await fetch(url + view, { headers: one })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ code: 'request/rate' })
    expect(await status(view, two)).toEqual([200, ''])
    expect((await fetch(`${url}/livez`)).headers.get('ratelimit')).toBeNull()
  })
})

describe('appends over several topics', () => {
  it('reach only those that the role may append to', async () => {
    const url = await start()
    const headers = { ...bearer(await signer.sign({ role: 'writer' })), 'content-type': 'application/json' }
    const post = async (events: unknown): Promise<unknown> => {
      const response = await fetch(`${url}/v1/append`, { method: 'POST', headers, body: JSON.stringify({ events }) })
      return [response.status, ((await response.json()) as { code?: string }).code]
    }
    const bid = { topic: 'bid', data: { auction: 1, at: '2026-11-21T10:00:00' } }
    expect(await post([bid])).toEqual([201, undefined])
    const account = await post([bid, { topic: 'account', data: { id: 1 } }])
    expect(account).toEqual(await post([bid, { topic: 'nothing', data: { id: 1 } }]))
    expect((account as number[])[0]).not.toBe(201)
    expect(running!.database.status().topics[0].nextOffset).toBe(1)
  })
})

describe('idempotency keys', () => {
  it('of callers whose tokens name nobody do not meet', async () => {
    const url = await start()
    const post = async (tenant: string, seconds: number): Promise<string | null> => {
      const token = await signer.sign({ role: 'writer', tenant }, { seconds })
      const headers = { ...bearer(token), 'content-type': 'application/json', 'idempotency-key': 'one' }
      const body = '{"auction":1,"at":"2026-11-21T10:00:00"}'
      const response = await fetch(`${url}/v1/topics/bid/events`, { method: 'POST', headers, body })
      expect(response.status).toBe(201)
      return response.headers.get('idempotency-replayed')
    }
    expect([await post('a', 300), await post('b', 300), await post('a', 200)]).toEqual([null, null, 'true'])
  })
})

describe('a gateway', () => {
  it.each([
    [{ auth: {}, roles }, 'no way to tell'],
    [{ auth: { jwt: { issuer, audience } }, roles }, 'one of jwks'],
    [{ auth: { jwt: { issuer: '', audience, jwksFile: 'x' } }, roles }, 'auth.jwt.issuer must be'],
    [{ auth: { jwt: { issuer, audience, jwks: 'http://keys.example/x' } }, roles }, 'use https'],
    [{ auth: { jwt: { issuer, audience, jwksFile: 'x', algorithms: ['HS256'] } }, roles }, 'signed with HS256'],
    [{ auth: { jwt: { issuer, audience, jwksFile: 'x', algorithms: ['none'] } }, roles }, 'signed with none'],
    [{ auth: { apiKeys: { file: 'x' } }, roles, anonymous: 'boss' }, 'may do everything'],
    [{ auth: { apiKeys: { file: 'x' } }, roles, policies: [{ relation: 'v', role: 'x' }] }, 'the role x'],
    [{ auth: { apiKeys: { file: 'x' } }, roles, rates: { reads: { requests: 1, seconds: 1 } } }, 'no rate reads'],
    [{ auth: { apiKeys: { file: 'x' } }, roles: { a: { reads: ['v'] } } }, 'gateway.roles.a.reads'],
    [{ auth: { apiKeys: { file: 'x' } }, roles: { a: { read: 'v' } } }, 'gateway.roles.a.read must be'],
    [[], 'must be an object'],
  ])('as JSON, %j, is refused', (value, why) => {
    const refusal = (() => {
      try {
        gatewayFromJson(JSON.stringify(value), 'auth.json')
        return ''
      } catch (error) {
        return `${(error as Error).message} ${(error as { hint?: string }).hint}`
      }
    })()
    expect(refusal).toContain(why)
  })
})
