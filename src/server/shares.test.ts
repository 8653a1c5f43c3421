import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import type { GatewayOptions, ShareKind } from '../app/gateway.ts'
import { route } from '../app/gateway-routes.ts'
import { holding } from './held.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { defaultShares, Shares } from './shares.ts'

describe('shares', () => {
  it('of a caller depend on nothing that another one does', () => {
    const kinds: readonly ShareKind[] = ['requests', 'query', 'live']
    const step = fc.record({
      who: fc.constantFrom('a', 'b', 'c'),
      kind: fc.constantFrom(...kinds),
      leave: fc.option(fc.nat({ max: 20 }), { nil: null }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const gateway = { roles: { c: { shares: { query: 3 } } }, shares: { requests: 4, query: 2, live: 1 } }
        const shares = new Shares(gateway)
        /** What each one holds, by a model that knows of one caller at a time. */
        const held = new Map<string, (() => void)[]>()
        for (const { who, kind, leave } of steps) {
          const own = held.get(`${who} ${kind}`) ?? []
          held.set(`${who} ${kind}`, own)
          if (leave !== null) {
            own.splice(leave, 1)[0]?.()
            continue
          }
          const most = who === 'c' && kind === 'query' ? 3 : { requests: 4, query: 2, live: 1 }[kind as 'live']
          let entered = true
          try {
            own.push(shares.enter(kind, { id: who, role: who }))
          } catch (error) {
            entered = false
            expect(error).toMatchObject({ code: 'request/share', status: 429 })
            expect((error as Error).message).toContain(String(most))
          }
          expect(entered).toBe(own.length <= most && entered)
          if (!entered) expect(own.length).toBe(most)
        }
        for (const own of held.values()) for (const leave of [...own, ...own]) leave()
        expect(shares.size).toBe(0)
      }),
    )
  })

  it('leave room for others in what the server has', () => {
    const server: Readonly<Record<ShareKind, keyof Limits>> = {
      requests: 'requests',
      query: 'queries',
      liveQuery: 'liveQueries',
      explain: 'explanations',
      live: 'liveStreams',
      bodyBytes: 'bodyBytesInAll',
    }
    for (const [kind, bound] of Object.entries(server)) {
      expect(defaultShares[kind as ShareKind] * 2, kind).toBeLessThanOrEqual(defaultLimits[bound])
    }
    expect(defaultShares.bodyBytes).toBeGreaterThan(defaultLimits.bodyBytes)
  })

  it('that were taken of nothing leave nothing wrong behind', () => {
    const shares = new Shares(null)
    const one = { id: 'one', role: '' }
    const empty = shares.enter('bodyBytes', one, 0)
    shares.enter('bodyBytes', one, 5)()
    empty()
    expect(shares.size).toBe(0)
    const all = shares.enter('bodyBytes', one, defaultShares.bodyBytes)
    expect(() => shares.enter('bodyBytes', one, 1)).toThrow('bytes of bodies')
    all()
  })

  it('are given back once the answer is over, read or not', async () => {
    const body = () =>
      (async function* () {
        yield new Uint8Array(1)
      })()
    const gone = new AbortController()
    const counts: number[] = []
    const held = (signal = gone.signal) => {
      counts.push(0)
      const at = counts.length - 1
      return holding(body(), { signal }, () => {
        counts[at] = 1
      }) as AsyncIterableIterator<Uint8Array>
    }
    for await (const _ of held()) expect(counts).toEqual([0])
    await held().return?.()
    expect(counts).toEqual([1, 1])
    held()
    expect(counts).toEqual([1, 1, 0])
    gone.abort()
    expect(counts).toEqual([1, 1, 1])
    held(AbortSignal.abort())
    expect(counts).toEqual([1, 1, 1, 1])
  })
})

const roles = {
  tenant: { read: '*' as const, append: '*' as const, sql: true },
  many: { read: '*' as const, sql: true, shares: { live: 5 } },
}
/** Takes as long as it is given. */
const slowSql = `SELECT count(*) AS n FROM generate_series(1, 9000) AS a(x), generate_series(1, 9000) AS b(y),
  generate_series(1, 9000) AS c(z) WHERE a.x * b.y + c.z = 7`

let folder: string
let signer: Signer
let running: Running | null = null
const sockets: (Socket | ReturnType<typeof httpRequest>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-shares-'))
  signer = await makeSigner('one')
  await writeFile(path.join(folder, 'jwks.json'), JSON.stringify(signer.jwks))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await running?.stop()
  running = null
})

/** However long it takes until all else is looked at, what holds a place holds it until then. */
const patient = { queryMs: 3_600_000, minTickMs: 3_600_000 }
const many = { requests: 1_000_000, seconds: 1 }
const rates = { read: many, append: many, query: many, explain: many, live: many, admin: many }

async function begin(
  options: Partial<GatewayOptions> = {},
  limits: Partial<Limits> = {},
  engine?: 'worker',
): Promise<string> {
  const gateway = gatewayOf(path.join(folder, 'jwks.json'), { roles, rates, ...options })
  running = await startRunning({ gateway, limits }, undefined, null, engine)
  return running.url
}

async function as(sub: string, role = 'tenant'): Promise<Record<string, string>> {
  return bearer(await signer.sign({ sub, role }))
}

describe('one caller that opens all that he can', () => {
  it('changes nothing for another one', async () => {
    const url = await begin(
      { shares: { requests: 20, live: 8, bodyBytes: 10_000 } },
      // Room for all that he sends at once: whose share a request is part of shows only after its token is read.
      { requests: 140, liveStreams: 40, ...patient },
      'worker',
    )
    const greedy = await as('greedy')
    const modest = await as('modest')
    const gone = new AbortController()
    const statuses = new Map<string, number[]>()
    const open = (what: string, target: string, init: RequestInit = {}): void => {
      const { headers = {}, ...rest } = init
      fetch(url + target, { headers: { ...greedy, ...headers }, signal: gone.signal, ...rest }).then(
        ({ status, headers: told }) => {
          statuses.set(what, [...(statuses.get(what) ?? []), status])
          if (status === 429) expect(told.get('retry-after')).toBe('1')
        },
        () => {},
      )
    }
    const json = { 'content-type': 'application/json' }
    for (let i = 0; i < 40; i++) {
      open('live', '/v1/views/owners/live')
      open('sql', '/v1/sql', { method: 'POST', headers: json, body: JSON.stringify({ sql: slowSql }) })
      open('wait', '/v1/views/owners?min_tick=9999')
    }
    // Bodies that are announced and never come.
    for (let i = 0; i < 12; i++) {
      const socket = connect(running!.server.port, '127.0.0.1')
      sockets.push(socket)
      const head = [`POST /v1/append HTTP/1.1`, 'Host: localhost', `Authorization: ${greedy.authorization}`]
      socket.write(`${[...head, 'Content-Type: application/json', 'Content-Length: 9000'].join('\r\n')}\r\n\r\n{`)
    }
    await expect.poll(() => statuses.get('live')?.length).toBe(40)
    await expect.poll(() => statuses.get('sql')?.filter((status) => status === 429).length).toBeGreaterThanOrEqual(38)
    const count = (what: string, status: number): number => statuses.get(what)!.filter((each) => each === status).length
    expect([count('live', 200), count('live', 429)]).toEqual([8, 32])
    expect(statuses.get('wait')?.every((status) => status === 429)).toBe(true)
    const ask = async (target: string, init: RequestInit = {}): Promise<number> => {
      const response = await fetch(url + target, { ...init, headers: { ...modest, ...json } })
      await response.body?.cancel()
      return response.status
    }
    for (let i = 0; i < 3; i++) {
      expect(await ask('/v1/views/owners')).toBe(200)
      expect(await ask('/v1/views/owners/live')).toBe(200)
      expect(await ask('/v1/views/by_auction/why?auction=1')).toBe(200)
      expect(await ask('/v1/sql', { method: 'POST', body: '{"sql":"SELECT 1 AS one"}' })).toBe(200)
      expect(await ask('/v1/topics/bid/events', { method: 'POST', body: bidJson(i) })).toBe(201)
    }
    const refused = await fetch(`${url}/v1/views/owners/live`, { headers: greedy })
    expect([refused.status, await refused.json()]).toMatchObject([
      429,
      { code: 'request/share', detail: expect.stringContaining('8 live streams at a time') },
    ])
    gone.abort()
    // What he gives back he has again.
    const again = async (): Promise<number> => {
      const response = await fetch(`${url}/v1/views/owners/live`, { headers: greedy })
      await response.body?.cancel()
      return response.status
    }
    await expect.poll(again).toBe(200)
  })

  it('has what his role has', async () => {
    const url = await begin({ shares: { live: 1 } })
    const opened = async (role: string): Promise<number[]> => {
      const headers = await as(role, role)
      const answers: Response[] = []
      for (let i = 0; i < 6; i++) answers.push(await fetch(`${url}/v1/views/owners/live`, { headers }))
      await Promise.all(answers.map(({ body }) => body?.cancel()))
      return answers.map(({ status }) => status)
    }
    expect(await opened('many')).toEqual([200, 200, 200, 200, 200, 429])
    expect(await opened('tenant')).toEqual([200, 429, 429, 429, 429, 429])
  })

  it('cannot have all live queries, and has those that his role has', async () => {
    const url = await begin({ roles: { ...roles, many: { read: '*', sql: true, shares: { liveQuery: 6 } } } })
    const followed = async (sub: string, role: string, from: number): Promise<number[]> => {
      const headers = { ...(await as(sub, role)), 'content-type': 'application/json' }
      const statuses: number[] = []
      for (let i = 0; i < 7; i++) {
        const body = JSON.stringify({ sql: `SELECT ${from + i} AS n` })
        const response = await fetch(`${url}/v1/sql/live`, { method: 'POST', headers, body, signal: gone.signal })
        statuses.push(response.status)
        if (response.status === 429) expect(await response.text()).toContain('live queries at a time')
      }
      return statuses
    }
    const gone = new AbortController()
    expect(await followed('greedy', 'tenant', 0)).toEqual([200, 200, 200, 200, 429, 429, 429])
    expect(await followed('modest', 'many', 100)).toEqual([200, 200, 200, 200, 200, 200, 429])
    // Streams that show views have their own count.
    expect(
      (await fetch(`${url}/v1/views/owners/live`, { headers: await as('greedy'), signal: gone.signal })).status,
    ).toBe(200)
    gone.abort()
  })

  it('is told by his address where he has no name', async () => {
    const gateway = gatewayOf(path.join(folder, 'jwks.json'), {
      roles: { many: { read: '*' } },
      rates,
      shares: { live: 1 },
      anonymous: 'many',
    })
    running = await startRunning({ gateway, trustedProxies: ['127.0.0.1'] })
    const from = async (address: string): Promise<number> => {
      const headers = { 'x-forwarded-for': address }
      return (await fetch(`${running!.url}/v1/views/owners/live`, { headers })).status
    }
    expect(await from('192.0.2.1')).toBe(200)
    expect(await from('192.0.2.1')).toBe(429)
    expect(await from('2001:db8::1')).toBe(200)
    expect(await from('2001:db8::2')).toBe(429)
    expect(await from('192.0.2.2')).toBe(200)
  })

  it('has as much of a route as it says', async () => {
    const { createServer } = await import('node:http')
    const held: (() => void)[] = []
    const service = createServer((_, response) => void held.push(() => response.end('{}')))
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    const to = `http://127.0.0.1:${(service.address() as { port: number }).port}`
    try {
      const url = await begin({ routes: [route('/api/slow', { to, atOnce: 2 })] })
      const headers = await as('one')
      const first = [1, 2].map(() => fetch(`${url}/api/slow`, { headers }))
      await expect.poll(() => held.length).toBe(2)
      const third = await fetch(`${url}/api/slow`, { headers })
      expect([third.status, await third.text()]).toEqual([429, expect.stringContaining('2 requests to /api/slow')])
      for (const end of held.splice(0)) end()
      for (const each of first) expect((await each).status).toBe(200)
    } finally {
      service.closeAllConnections()
      service.close()
    }
  })

  it('without a gateway is told by his address, unless he is on this machine', async () => {
    running = await startRunning({ trustedProxies: ['127.0.0.1'], limits: patient }, undefined, null, 'worker')
    const { database } = running
    const query = database.query.bind(database)
    let begun = 0
    database.query = (...asked) => {
      begun++
      return query(...asked)
    }
    const from = async (address: string): Promise<number> => {
      const response = await fetch(`${running!.url}/v1/sql`, {
        method: 'POST',
        headers: { 'x-forwarded-for': address, 'content-type': 'application/json' },
        body: JSON.stringify({ sql: slowSql }),
        signal: gone.signal,
      }).catch(() => null)
      return response?.status ?? 0
    }
    const gone = new AbortController()
    const first = [1, 2].map(() => from('192.0.2.1'))
    await expect.poll(() => begun).toBe(2)
    expect(await from('192.0.2.1')).toBe(429)
    const local = from('127.0.0.1')
    const second = from('192.0.2.2')
    await expect.poll(() => begun).toBe(4)
    expect(await from('192.0.2.3')).toBe(503)
    gone.abort()
    expect(await Promise.all([...first, local, second])).toEqual([0, 0, 0, 0])
  })
})
