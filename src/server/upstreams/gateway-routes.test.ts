import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner } from '../../../test/support/gateway.ts'
import { bidJson, type Running, startRunning } from '../../../test/support/running-server.ts'
import { defineGateway, policy } from '../../app/gateway.ts'
import { aggregate, type GatewayRoute, route } from '../../app/gateway-routes.ts'
import { urlBelow } from './passing.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let service: Server
let to: string
let seen: Seen[] = []
let answerWith: (request: Seen) => { status: number; body: string; headers?: Record<string, string>; delayMs?: number }
let running: Running | null = null

beforeAll(async () => {
  service = createServer((request, response) => {
    let body = ''
    request.on('data', (piece) => {
      body += String(piece)
    })
    request.on('end', () => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
      seen.push(one)
      const { status, body: text, headers = {}, delayMs = 0 } = answerWith(one)
      setTimeout(() => {
        response.writeHead(status, { 'content-type': 'application/json', 'set-cookie': 'a=b', ...headers })
        response.end(text)
      }, delayMs)
    })
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  to = `http://127.0.0.1:${(service.address() as AddressInfo).port}/base`
})
afterAll(() => new Promise((resolve) => service.close(resolve)))
afterEach(async () => {
  await running?.stop()
  running = null
  seen = []
})

async function start(...routes: readonly GatewayRoute[]): Promise<string> {
  answerWith = ({ url }) => ({ status: 200, body: JSON.stringify({ url }) })
  const gateway = defineGateway({
    auth: { apiKeys: { file: 'none.json' } },
    anonymous: 'anyone',
    roles: { anyone: { read: ['by_auction'], append: ['bid'] } },
    routes,
  })
  running = await startRunning({ gateway })
  return running.url
}

async function get(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(running!.url + path, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
}

describe('a route to a service', () => {
  it('passes on what is below it, and of headers only what says what is asked', async () => {
    await start(route('/api/orders', { to, headers: { 'x-own': 'secret' } }))
    const headers = { cookie: 'session=1', 'x-odd': '1', accept: 'application/json', 'x-forwarded-for': '1.2.3.4' }
    const answer = await get('/api/orders/a%20b/c?x=1&y=%2F', { headers })
    expect(answer).toMatchObject({ status: 200, body: { url: '/base/a%20b/c?x=1&y=%2F' } })
    expect(answer.headers.get('set-cookie')).toBeNull()
    expect((await get('/api/orders')).body).toEqual({ url: '/base' })
    const [first] = seen
    expect(first.headers).toMatchObject({
      'x-own': 'secret',
      'x-forwarded-for': '127.0.0.1',
      'millrace-role': 'anyone',
    })
    for (const name of ['cookie', 'x-odd', 'authorization']) expect(first.headers).not.toHaveProperty(name)
  })

  it.each([
    '..',
    '%2e%2e',
    '%2E.',
    'a%2fb',
    'a%5cb',
    'a%00b',
    'a%0d%0aX:1',
    'a\\b',
    '%252e%252e',
    'a%3fb',
    'a%ffb',
    '..;',
    '..;a=b',
    '..%3b',
    '.;',
    '..%20',
  ])('refuses %s in a path', (segment) => {
    expect(() => urlBelow('http://orders.internal/base', `x/${segment}/y`, '')).toThrow('different ways')
  })

  it('never leads out of its service', () => {
    expect(urlBelow('http://a.internal/base', '/evil.example/x', '')).toBe('http://a.internal/base//evil.example/x')
    expect(urlBelow('http://a.internal/base', '@evil.example', '')).toBe('http://a.internal/base/@evil.example')
    expect(urlBelow('http://a.internal', 'x', 'q=http://evil.example')).toBe(
      'http://a.internal/x?q=http://evil.example',
    )
    expect(() => urlBelow('http://a.internal', 'x', 'a=1#b')).toThrow()
  })

  it('takes bodies up to its bound, for its methods alone, and changes what it is told to', async () => {
    await start(
      route('/api/orders', {
        to,
        methods: ['POST'],
        bodyBytes: 100,
        request: (body) => ({ ...(body as object), by: 'millrace' }),
        answer: (body) => ({ wrapped: body }),
      }),
    )
    const post = (body: string) =>
      get('/api/orders', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    expect(await post('{"a":1}')).toMatchObject({ status: 200, body: { wrapped: { url: '/base' } } })
    expect(JSON.parse(seen[0].body)).toEqual({ a: 1, by: 'millrace' })
    expect(await post(`{"a":"${'x'.repeat(200)}"}`)).toMatchObject({ status: 413 })
    expect(await post('{"a":')).toMatchObject({ status: 400 })
    expect((await get('/api/orders')).status).toBe(405)
    expect(seen).toHaveLength(1)
  })

  it('tries again what may be tried again, in time, and follows nothing', async () => {
    await start(
      route('/api/a', { to, methods: ['GET', 'POST'], retries: 2 }),
      route('/api/slow', { to, timeoutMs: 50, retries: 0 }),
    )
    answerWith = () => ({ status: seen.length < 3 ? 503 : 200, body: '{}' })
    expect((await get('/api/a')).status).toBe(200)
    expect(seen).toHaveLength(3)
    seen = []
    answerWith = () => ({ status: 502, body: '{"down":true}' })
    expect(await get('/api/a', { method: 'POST', body: 'x' })).toMatchObject({ status: 502, body: { down: true } })
    expect(seen).toHaveLength(1)
    answerWith = () => ({ status: 302, body: '', headers: { location: 'http://169.254.169.254/' } })
    expect(await get('/api/a')).toMatchObject({ status: 502, body: { code: 'upstream/failed' } })
    answerWith = () => ({ status: 200, body: '{}', delayMs: 500 })
    expect(await get('/api/slow')).toMatchObject({ status: 504, body: { code: 'upstream/timeout' } })
  })

  it('leaves a service alone that fails, and asks it no more than its budget of retries allows', async () => {
    await start(route('/api/a', { to, retries: 5 }))
    answerWith = () => ({ status: 503, body: '{}' })
    const statuses = new Set<unknown>()
    for (let i = 0; i < 30; i++) statuses.add(((await get('/api/a')).body as { code?: string }).code)
    expect(statuses).toContain('upstream/open')
    expect(seen.length).toBeLessThan(30)
  })

  it('keeps answers for each caller, unless told not to', async () => {
    await start(route('/api/a', { to, cacheSeconds: 60 }))
    await get('/api/a/x')
    expect((await get('/api/a/x')).headers.get('millrace-cache')).toBe('hit')
    answerWith = () => ({ status: 200, body: '{}', headers: { 'cache-control': 'no-store' } })
    await get('/api/a/y')
    await get('/api/a/y')
    expect(seen.map(({ url }) => url)).toEqual(['/base/x', '/base/y', '/base/y'])
  })

  it.each([
    [{ 'cache-control': 'no-cache' }, false],
    [{ 'cache-control': 'private' }, false],
    [{ 'cache-control': 'max-age=0' }, false],
    [{ 'cache-control': 'max-age=60', age: '60' }, false],
    [{ 'cache-control': 'max-age=60', age: '5' }, true],
    [{ vary: 'Accept, Accept-Language' }, true],
    [{ vary: 'User-Agent' }, false],
    [{ vary: '*' }, false],
  ])('keeps of a service what it allows: %j, %s', async (headers, kept) => {
    await start(
      route('/api/kept', { to, cacheSeconds: 60 }),
      route('/api/open', { to, cacheSeconds: 60, needs: 'public' }),
    )
    answerWith = () => ({ status: 200, body: '{}', headers: headers as Record<string, string> })
    for (let i = 0; i < 2; i++) await get('/api/kept')
    expect(seen.length).toBe(kept ? 1 : 2)
    // Those without a name have one cache together.
    for (let i = 0; i < 2; i++) await get('/api/open')
    expect(seen.length).toBe(kept ? 2 : 4)
  })

  it('keeps for each one by himself what is for him alone', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-routes-'))
    try {
      const signer = await makeSigner('one')
      const keys = path.join(folder, 'jwks.json')
      await writeFile(keys, JSON.stringify(signer.jwks))
      const routes = [route('/api/kept', { to, cacheSeconds: 60 })]
      running = await startRunning({ gateway: gatewayOf(keys, { roles: { anyone: {} }, routes, anonymous: 'anyone' }) })
      answerWith = () => ({ status: 200, body: '{}', headers: { 'cache-control': 'private' } })
      const asked = async (claims: Record<string, unknown> | null): Promise<number> => {
        const before = seen.length
        const headers = claims === null ? {} : bearer(await signer.sign({ role: 'anyone', ...claims }))
        for (let i = 0; i < 2; i++) expect(await get('/api/kept', { headers })).toMatchObject({ status: 200 })
        return seen.length - before
      }
      // Many have no name, and so has who has a token without a subject.
      expect([await asked({ sub: 'a' }), await asked({ sub: 'b' }), await asked(null), await asked({})]).toEqual([
        1, 1, 2, 2,
      ])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('says so where an answer, or what is made of it, is no JSON', async () => {
    const thrown = new Error('planted-in-a-function')
    await start(
      route('/api/broken', { to, answer: (body) => body }),
      route('/api/nothing', { to, answer: () => undefined }),
      route('/api/throwing', {
        to,
        answer: () => {
          throw thrown
        },
      }),
    )
    answerWith = () => ({ status: 200, body: '{"a":' })
    expect(await get('/api/broken')).toMatchObject({ status: 502, body: { code: 'upstream/failed' } })
    answerWith = () => ({ status: 200, body: '{}' })
    expect(await get('/api/nothing')).toMatchObject({ status: 200, body: null })
    const throwing = await get('/api/throwing')
    expect(throwing).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(JSON.stringify(throwing.body)).not.toContain('planted')
  })

  it('keeps no answers to HEAD, nor any for who takes other ones', async () => {
    await start(route('/api/a', { to, cacheSeconds: 60, answer: (body) => body }))
    expect(await get('/api/a/x', { method: 'HEAD' })).toMatchObject({ status: 200, body: null })
    expect((await get('/api/a/x')).body).toEqual({ url: '/base/x' })
    const odd = await get('/api/a/x', { headers: { accept: 'application/odd' } })
    expect(odd.headers.get('millrace-cache')).toBeNull()
    expect(seen).toHaveLength(3)
  })
})

describe('an aggregate', () => {
  it('puts services and views side by side, and says what failed', async () => {
    const parts = {
      orders: { to: '' },
      totals: { view: 'by_auction', where: { auction: '1' } },
      gone: { to: 'http://127.0.0.1:1/', optional: true, retries: 0 },
    }
    await start(aggregate('/api/home', { parts: { ...parts, orders: { to } } }))
    await get('/v1/topics/bid/events', {
      method: 'POST',
      body: `[${bidJson(1)},${bidJson(2)}]`,
      headers: { 'content-type': 'application/json' },
    })
    await expect
      .poll(async () => (await get('/api/home')).body)
      .toEqual({
        orders: { url: '/base' },
        totals: [{ auction: '1', bids: '1', total: '1.50', channel: null }],
        gone: null,
        errors: { gone: 'upstream/failed' },
      })
  })

  it('may be made into something else, fails as a whole, and shows only what may be read', async () => {
    await start(
      aggregate('/api/count', {
        parts: { rows: { view: 'by_auction' } },
        combine: ({ rows }) => ({ count: (rows as unknown[]).length }),
      }),
      aggregate('/api/owners', { parts: { owners: { view: 'owners' } } }),
      aggregate('/api/down', { parts: { orders: { to, retries: 0 } } }),
    )
    expect((await get('/api/count')).body).toEqual({ count: 0 })
    expect(await get('/api/owners')).toMatchObject({ status: 403 })
    answerWith = () => ({ status: 500, body: 'secret inside' })
    const down = await get('/api/down')
    expect(down).toMatchObject({ status: 502 })
    expect(JSON.stringify(down.body)).not.toContain('secret')
  })
})

describe('what is public', () => {
  const rows = aggregate('/api/open', { needs: 'public', parts: { rows: { view: 'owners' } } })

  it('shows no more than callers without a token may see', async () => {
    await start(rows, route('/api/service', { to, needs: 'public' }))
    expect(await get('/api/open')).toMatchObject({ status: 403 })
    await get('/api/service')
    expect(seen[0].headers).toMatchObject({ 'millrace-caller': 'nobody', 'millrace-role': 'anyone' })
  })

  it('shows nothing where such callers have no role', async () => {
    const gateway = defineGateway({
      auth: { apiKeys: { file: 'none.json' } },
      roles: { reader: { read: ['owners'] } },
      routes: [rows],
    })
    running = await startRunning({ gateway })
    expect(await get('/api/open')).toMatchObject({ status: 403 })
  })

  it('keeps to policies and to rates', async () => {
    const gateway = defineGateway({
      auth: { apiKeys: { file: 'none.json' } },
      anonymous: 'anyone',
      roles: { anyone: { read: ['owners'] } },
      policies: [policy('owners', { role: 'anyone', rows: 'id = 2', mask: { owner: 'null' } })],
      rates: { read: { requests: 1, seconds: 60 } },
      routes: [rows],
    })
    running = await startRunning({ gateway })
    const events = [1, 2].map((id) => ({ id, owner: 'ann', limit: 1 }))
    const { tick } = await running.database.appendText(
      'account',
      new TextEncoder().encode(JSON.stringify(events)),
      'json',
    )
    await running.database.waitForTick(tick)
    expect(await get('/api/open')).toMatchObject({ body: { rows: [{ id: '2', owner: null }] } })
    expect(await get('/api/open')).toMatchObject({ status: 429 })
  })
})

describe('routes', () => {
  it.each(['/', '/v1', '/v1/x', '/metrics', 'api', '/a/../b', '/a b', '/a/{x}'])('cannot have the path %s', (path) => {
    expect(() => route(path, { to: 'http://x/' })).toThrow('no route can have the path')
  })
  it.each(['ftp://x/', 'orders', 'http://u:p@x/', 'http://x/?a=1'])('cannot lead to %s', (url) => {
    expect(() => route('/api', { to: url })).toThrow('no service')
  })
})
