import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audience, bearer, gatewayOf, issuer, makeSigner } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { claim, policy } from '../app/gateway.ts'
import { aggregate, type GatewayRoute, route } from '../app/gateway-routes.ts'
import { sql } from '../app/sql-text.ts'
import { nodeIo } from '../io/node.ts'
import { Api } from './api.ts'
import { defaultLimits } from './limits.ts'
import { type Needs, type Permission, permissions, type Route } from './routes.ts'

/**
 * Every route with every kind of caller. What must come of it follows from the permission that the route needs; a
 * route that comes along is in it by itself, and a permission without a line here doesn't compile.
 */

const app = `
CREATE TABLE sale (tenant text NOT NULL, item text, note text);
CREATE MATERIALIZED VIEW notes AS SELECT tenant, item, note FROM sale;
`
const policies = ['sale', 'notes'].map((name) =>
  policy(name, { role: 'tenant', rows: sql`tenant = ${claim('tenant')}` }),
)
const roles = {
  admin: { admin: true },
  reader: { read: ['sale', 'notes'] },
  viewer: { read: ['notes'] },
  tenant: { read: '*' as const, sql: true },
  writer: { append: ['sale'] },
  querier: { sql: true },
  watcher: { status: true },
  nothing: {},
}
type Role = keyof typeof roles

/** Roles that each permission is granted to, for the topic `sale` and the view `notes`. */
const granted: Readonly<Record<Exclude<Permission, 'public'>, readonly Role[]>> = {
  known: Object.keys(roles) as Role[],
  'read view': ['admin', 'reader', 'viewer', 'tenant'],
  'read view whole': ['admin', 'reader', 'viewer'],
  'trace view': ['admin', 'reader'],
  'read topic': ['admin', 'reader', 'tenant'],
  'read topic whole': ['admin', 'reader'],
  'trace topic': ['admin', 'reader'],
  'append topic': ['admin', 'writer'],
  append: ['admin', 'writer'],
  sql: ['admin', 'tenant', 'querier'],
  status: ['admin', 'watcher'],
  admin: ['admin'],
}

/** What stands for the variable parts of paths. */
const samples: Readonly<Record<string, string>> = {
  view: 'notes',
  topic: 'sale',
  node: 'sale',
  offset: '0',
  name: 'main',
  file: 'x',
  '*': 'a/b',
}
const bodies: Readonly<Record<string, string>> = {
  '/v1/topics/{topic}/events': '{"tenant":"a","item":"x","note":"planted-in-a"}',
  '/v1/append': '{"events":[{"topic":"sale","data":{"tenant":"a","item":"y","note":"planted-in-a"}}]}',
  '/v1/sql': '{"sql":"SELECT 1 AS one"}',
  '/v1/sql/live': '{"sql":"SELECT * FROM notes"}',
}
/** Only rows of tenant a hold it. */
const planted = 'planted-in-a'

let folder: string
let running: Running
const headersOf = new Map<string, Record<string, string>>()

let service: Server

/** Routes of the app's own, beside the server's. */
function appRoutes(): readonly GatewayRoute[] {
  const to = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  return [
    route('/api/reading', { to, needs: { roles: ['reader'] }, methods: ['GET', 'DELETE'] }),
    route('/api/known', { to }),
    route('/api/open', { to, needs: 'public' }),
    aggregate('/api/both', { parts: { notes: { view: 'notes' }, to: { to } }, needs: { roles: ['reader', 'tenant'] } }),
  ]
}

const keysFile = (): string => path.join(folder, 'keys.json')

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-matrix-'))
  const signer = await makeSigner('one')
  await writeFile(keysFile(), JSON.stringify(signer.jwks))
  const many = { requests: 1_000_000, seconds: 1 }
  const rates = { read: many, append: many, query: many, live: many, admin: many, failures: many }
  service = createServer((_, response) => void response.end('{}'))
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  const gateway = gatewayOf(keysFile(), { roles, policies, rates, routes: appRoutes() })
  running = await startRunning({ gateway }, app)
  for (const role of Object.keys(roles)) {
    headersOf.set(role, bearer(await signer.sign({ sub: role, role, tenant: 'b' })))
  }
  const admin = { sub: 'admin', role: 'admin' }
  const unsigned = new UnsecuredJWT(admin).setIssuer(issuer).setAudience(audience).setExpirationTime('5m')
  headersOf.set('no token', {})
  headersOf.set('expired', bearer(await signer.sign(admin, { seconds: -60 })))
  headersOf.set('wrong audience', bearer(await signer.sign(admin, { audience: 'others' })))
  headersOf.set('wrong issuer', bearer(await signer.sign(admin, { issuer: 'https://evil.example' })))
  headersOf.set('alg none', bearer(unsigned.encode()))
  headersOf.set('wrong key', bearer(await (await makeSigner('one')).sign(admin)))
  headersOf.set('no such key', bearer(`mlr_${'0'.repeat(12)}_${'0'.repeat(64)}`))
  headersOf.set('no such role', bearer(await signer.sign({ sub: 'x', role: 'emperor' })))
  headersOf.set('tenant without its claim', bearer(await signer.sign({ sub: 'x', role: 'tenant' })))
  const rows = ['a', 'b'].map((tenant) => ({ tenant, item: 'x', note: `planted-in-${tenant}` }))
  const { tick } = await running.database.appendText('sale', new TextEncoder().encode(JSON.stringify(rows)), 'json')
  await running.database.waitForTick(tick)
})

afterAll(async () => {
  await running.stop()
  service.close()
  await rm(folder, { recursive: true })
})

/** All routes, as a server makes them. */
function routes(): readonly Route[] {
  const api = new Api(running.database, {
    io: nodeIo(),
    limits: defaultLimits,
    gateway: gatewayOf(keysFile(), { roles, routes: appRoutes() }),
    host: '127.0.0.1',
    allowedHosts: [],
    allowedOrigins: [],
    onMistake: () => {},
  })
  api.close()
  return api.routes
}

function pathOf(pattern: string): string {
  return pattern.replace(/\{([^}]*)\}/g, (_, name: string) => {
    const sample = samples[name]
    if (sample === undefined) throw new Error(`say in this test what stands for {${name}} of ${pattern}`)
    return sample
  })
}

/** @returns the status and all that can be read: of a live stream its snapshot */
async function ask(method: string, pattern: string, caller: string): Promise<{ status: number; text: string }> {
  const body = method === 'GET' ? {} : { body: bodies[pattern] ?? '{}' }
  const response = await fetch(running.url + pathOf(pattern), {
    method,
    headers: { ...headersOf.get(caller), ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) },
    ...body,
  })
  return { status: response.status, text: await textOf(response) }
}

/** All of an answer; of a live stream its snapshot. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get('content-type') !== 'text/event-stream') return response.text()
  const reader = response.body!.getReader()
  let text = ''
  while (!/^id: \d+[\s\S]*\n\n/m.test(text)) text += new TextDecoder().decode((await reader.read()).value)
  await reader.cancel()
  return text
}

const unauthenticated = ['expired', 'wrong audience', 'wrong issuer', 'alg none', 'wrong key', 'no such key']

function expected(needs: Needs, caller: string): 'answered' | 401 | 403 {
  if (needs === 'public') return 'answered'
  if (caller === 'no token' || unauthenticated.includes(caller)) return 401
  if (caller === 'no such role') return 403
  const role = caller === 'tenant without its claim' ? 'tenant' : (caller as Role)
  const isGranted =
    typeof needs === 'string' ? granted[needs].includes(role) : role === 'admin' || needs.roles.includes(role)
  const readsRows = needs === 'read view' || needs === 'read topic' || typeof needs === 'object'
  return isGranted && !(caller !== role && readsRows) ? 'answered' : 403
}

describe('every route with every caller', () => {
  it('has a cell for each, and each is as its permission says', async () => {
    const cells: string[] = []
    const wrong: string[] = []
    for (const { pattern, methods } of routes()) {
      for (const [method, { needs }] of Object.entries(methods)) {
        for (const caller of headersOf.keys()) {
          const cell = `${method} ${pattern} (${JSON.stringify(needs)}) as ${caller}`
          cells.push(cell)
          const { status, text } = await ask(method, pattern, caller)
          const wanted = expected(needs, caller)
          const isRefused = status === 401 || status === 429 || (status === 403 && text.includes('"code":"auth/'))
          const isRight = wanted === 'answered' ? !isRefused && status < 500 : status === wanted && isRefused
          // Without its claim a role sees no catalog either: what it would be shown follows from the claim.
          const lacksClaim = caller === 'tenant without its claim' && needs !== 'public' && status === 403
          if (!isRight && !lacksClaim) wrong.push(`${cell}: ${status} ${text.slice(0, 200)}`)
          if (!mayKnow(needs, caller) && text.includes(planted)) wrong.push(`${cell} shows rows of another tenant`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(cells.length).toBeGreaterThan(20 * headersOf.size)
    console.log(`${cells.length} cells`)
  })

  it('is made of permissions that are known', () => {
    const used = new Set(routes().flatMap(({ methods }) => Object.values(methods).map(({ needs }) => needs)))
    for (const needs of used) if (typeof needs === 'string') expect(permissions).toContain(needs)
    for (const needs of permissions) if (needs !== 'public') expect(granted[needs]).toContain('admin')
  })

  it('is open without a token only where it is meant to be', () => {
    const open = routes().flatMap(({ pattern, methods }) =>
      Object.values(methods).some(({ needs }) => needs === 'public') ? [pattern] : [],
    )
    expect(open.filter((pattern) => pattern.startsWith('/v1') || pattern === '/metrics')).toEqual([])
  })

  it('holds for tickets as well', async () => {
    for (const caller of ['reader', 'tenant', 'writer', 'no token', 'expired']) {
      const response = await fetch(`${running.url}/v1/ticket`, { method: 'POST', headers: headersOf.get(caller)! })
      const { ticket = 'none' } = (await response.json()) as { ticket?: string }
      const live = await fetch(`${running.url}/v1/views/notes/live?ticket=${ticket}`)
      const wanted = expected('read view', caller)
      expect(live.status, caller).toBe(wanted === 'answered' ? 200 : wanted)
      const text = await textOf(live)
      if (caller !== 'reader') expect(text).not.toContain(planted)
    }
  })
})

function mayKnow(needs: Needs, caller: string): boolean {
  return needs !== 'public' && ['admin', 'reader', 'viewer'].includes(caller)
}
