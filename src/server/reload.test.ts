import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Logger } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FarClock } from '../../test/support/far-clock.ts'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { defineGateway, type Gateway, type GatewayOptions, policy } from '../app/gateway.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { nodeIo } from '../io/node.ts'
import { EventStreamParser, type EventStreamParser as Parser } from '../protocol/event-stream.ts'
import { createKey, revokeKey } from './api-keys.ts'

const app = `
CREATE TABLE sale (tenant text NOT NULL, item text, note text);
CREATE MATERIALIZED VIEW notes AS SELECT tenant, item, note FROM sale;
CREATE MATERIALIZED VIEW items AS SELECT item, count(*) AS n FROM sale GROUP BY item;
`

let folder: string
let signer: Signer
let running: Running | null = null
const streams: Stream[] = []
const file = (name: string): string => path.join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-reload-'))
  signer = await makeSigner('one')
  await writeFile(file('jwks.json'), JSON.stringify(signer.jwks))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.end()
  await running?.stop()
  running = null
})

/** A live stream, read event by event. */
class Stream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #parser: Parser = new EventStreamParser()
  readonly #events: { event: string; data: string }[] = []

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader
    streams.push(this)
  }

  static async open(target: string, headers: Record<string, string> = {}): Promise<Stream> {
    const response = await fetch(running!.url + target, { headers })
    expect(response.status).toBe(200)
    return new Stream(response.body!.getReader())
  }

  /** The next event as `kind: notes or code`; null at the end. */
  async next(): Promise<string | null> {
    while (this.#events.length === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return null
      this.#events.push(...this.#parser.feed(value))
    }
    const { event, data } = this.#events.shift()!
    const body = JSON.parse(data)
    const rows = body.rows ?? body.changes?.map((change: { row: object }) => change.row) ?? []
    const shown = rows.map((row: Record<string, unknown>) => String(row.note ?? row.item ?? 'NULL')).sort()
    return `${event}: ${body.code ?? shown.join(' ')}`.trim()
  }

  async end(): Promise<void> {
    await this.#reader.cancel().catch(() => {})
  }
}

const roles = { boss: { admin: true }, a: { read: ['notes', 'items'] }, b: { read: ['notes'] } }

function gateway(options: Partial<GatewayOptions> = {}): Gateway {
  return gatewayOf(file('jwks.json'), { roles, ...options })
}

async function begin(options: Partial<GatewayOptions> = {}): Promise<void> {
  running = await startRunning({ gateway: gateway(options) }, app)
  await append('a', 'one')
  await append('b', 'two')
}

async function append(tenant: string, note: string): Promise<void> {
  const { tick } = await running!.database.appendText(
    'sale',
    new TextEncoder().encode(JSON.stringify({ tenant, note, item: `of ${tenant}` })),
    'json',
  )
  await running!.database.waitForTick(tick)
}

const as = async (role: string, sub = role): Promise<Record<string, string>> => bearer(await signer.sign({ sub, role }))

async function status(target: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(running!.url + target, { headers })
  await response.body?.cancel()
  return response.status
}

const live = '/v1/views/notes/live'

describe('a gateway that takes the place of another one', () => {
  it('counts at once, for new calls and for open streams', async () => {
    await begin()
    const [one, two, boss] = [await as('a'), await as('b'), await as('boss')]
    const staying = await Stream.open(live, one)
    const leaving = await Stream.open(live, two)
    const admin = await Stream.open(live, boss)
    const acting = await Stream.open(live, { ...boss, 'millrace-act-as': '{"role":"a"}' })
    for (const each of [staying, leaving, admin, acting]) expect(await each.next()).toBe('snapshot: one two')
    // Who acts as another one is told to ask anew.
    expect(running!.server.use(gateway({ roles: { ...roles, b: { read: ['items'] } } }))).toBe(2)
    expect(await leaving.next()).toBe('problem: auth/forbidden')
    expect(await leaving.next()).toBeNull()
    expect(await acting.next()).toBe('problem: auth/invalid')
    await append('a', 'three')
    expect(await staying.next()).toBe('change: three')
    expect(await admin.next()).toBe('change: three')
    expect([await status(live, two), await status('/v1/views/items', two)]).toEqual([403, 200])
    // A role that is gone, and one that is no admin any more.
    expect(running!.server.use(gateway({ roles: { boss: { read: ['items'] } } }))).toBe(2)
    expect(await staying.next()).toBe('problem: auth/invalid')
    expect(await admin.next()).toBe('problem: auth/forbidden')
  })

  it('begins a stream anew whose reader sees something else', async () => {
    await begin()
    const one = await Stream.open(live, await as('a'))
    const two = await Stream.open(live, await as('b'))
    expect([await one.next(), await two.next()]).toEqual(['snapshot: one two', 'snapshot: one two'])
    const policies = [policy('notes', { role: 'a', rows: "tenant = 'a'" })]
    expect(running!.server.use(gateway({ policies }))).toBe(0)
    expect([await one.next(), await one.next()]).toEqual(['reset:', 'snapshot: one'])
    await append('b', 'three')
    await append('a', 'four')
    expect(await one.next()).toBe('change: four')
    expect(await two.next()).toMatch(/^change: (three|four three)$/)
    // Kept answers are of the gateway under which they were made.
    const read = async (): Promise<number> => {
      const response = await fetch(`${running!.url}/v1/views/notes`, { headers: await as('a') })
      return ((await response.json()) as { rows: unknown[] }).rows.length
    }
    expect([await read(), await read()]).toEqual([2, 2])
    running!.server.use(gateway({ policies: [policy('notes', { role: 'a', rows: "note = 'one'" })] }))
    expect(await read()).toBe(1)
    running!.server.use(gateway())
    expect(await read()).toBe(4)
  })

  it('tells a stream that nothing has changed nothing', async () => {
    const policies = [policy('notes', { role: 'a', mask: { note: 'hash' } })]
    await begin({ policies })
    const one = await Stream.open(live, await as('a'))
    const first = await one.next()
    const again = gateway({ policies: [policy('notes', { role: 'a', mask: { note: 'hash' } })], origins: [] })
    expect(running!.server.use(again)).toBe(0)
    await append('a', 'one')
    // The same value has the same hash as before: the key of masks stays.
    const [hash] = first!.slice('snapshot: '.length).split(' ')
    const change = await one.next()
    expect(change).toMatch(/^change: \w+$/)
    expect(first).toContain(change!.slice('change: '.length))
    expect(hash).toMatch(/^[0-9a-f]{32}$/)
  })

  it('keeps what callers have used of their rates, and who pages may ask', async () => {
    const rates = { read: { requests: 3, seconds: 60 } }
    await begin({ rates })
    const headers = await as('a')
    for (let i = 0; i < 3; i++) expect(await status('/v1/views/notes', headers)).toBe(200)
    const page = { ...headers, origin: 'https://app.example' }
    expect(await status('/v1/views/notes', page)).toBe(403)
    running!.server.use(gateway({ rates, origins: ['https://app.example'] }))
    expect(await status('/v1/views/notes', page)).toBe(429)
    running!.server.use(gateway({ rates: { read: { requests: 4, seconds: 60 } } }))
    expect(await status('/v1/views/notes', headers)).toBe(200)
    expect(await status('/v1/views/notes', page)).toBe(403)
  })

  it('is refused as a whole where something is wrong, and the one before goes on', async () => {
    await begin()
    const headers = await as('a')
    const stream = await Stream.open(live, headers)
    expect(await stream.next()).toBe('snapshot: one two')
    const bad = gateway({ maskKey: { env: 'RELOAD_TEST_NOT_SET' }, roles: {} })
    expect(() => running!.server.use(bad)).toThrow('RELOAD_TEST_NOT_SET')
    expect(await status('/v1/views/notes', headers)).toBe(200)
    await append('a', 'three')
    expect(await stream.next()).toBe('change: three')
  })

  it('may be the first one, or the last', async () => {
    running = await startRunning({}, app)
    const open = await Stream.open(live)
    expect(await open.next()).toBe('snapshot:')
    running.server.use(gateway())
    expect(await open.next()).toBe('problem: auth/invalid')
    expect(await status('/v1/views/notes', {})).toBe(401)
    const one = await Stream.open(live, await as('a'))
    running.server.use(null)
    expect([await one.next(), await status('/v1/views/notes', {})]).toEqual(['snapshot:', 200])
  })
})

describe('a live query', () => {
  const follow = (sql: string, headers: Record<string, string>): Promise<Response> =>
    fetch(`${running!.url}/v1/sql/live`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ sql }),
    })

  it('is refused with the reason where its first rows are not there yet', async () => {
    const mistakes: unknown[] = []
    const logger = { error: (what: unknown) => void mistakes.push(what), debug: () => {} } as unknown as Logger
    const asking = gateway({ roles: { a: { read: '*', sql: true } } })
    const clock = new FarClock()
    const limits = { queryMs: 3_600_000 }
    running = await startRunning({ gateway: asking, logger, limits, io: clock.io }, app, null, 'worker')
    await append('a', `${'a'.repeat(50)}!`)
    const slow = "SELECT count(*) AS n FROM sale WHERE note ~ '^(a+)+$'"
    const { database } = running
    const liveQuery = database.liveQuery.bind(database)
    let begun = 0
    database.liveQuery = (...asked) => {
      begun++
      return liveQuery(...asked)
    }
    const expiring = follow(slow, bearer(await signer.sign({ role: 'a' }, { seconds: 300 })))
    const lasting = follow(`${slow} OR item = 'x'`, bearer(await signer.sign({ role: 'a' }, { seconds: 900 })))
    await expect.poll(() => begun).toBe(2)
    clock.pass(301_000)
    const expired = await expiring
    running.server.use(gateway({ roles: { a: { read: ['notes'], sql: true } } }))
    for (const each of [expired, await lasting]) {
      expect([each.status, await each.json()]).toMatchObject([401, { code: 'auth/invalid' }])
    }
    expect(mistakes).toEqual([])
  })

  it('shows nothing of what is defined later and closed by then', async () => {
    const before = gateway({ roles: { a: { read: '*', sql: true } } })
    const defined = `${app}CREATE VIEW shown AS SELECT note FROM notes;`
    running = await startRunning({ gateway: before }, defined)
    const response = await follow('SELECT * FROM shown', await as('a'))
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const stream = new Stream(response.body!.getReader())
    expect(await stream.next()).toBe('snapshot:')
    const closing = {
      roles: { a: { read: '*' as const, sql: true } },
      policies: [policy('secret', { role: 'a', rows: 'false' })],
    }
    running.server.use(gateway(closing))
    const later = `${app}CREATE MATERIALIZED VIEW secret AS SELECT note FROM sale;
      CREATE VIEW shown AS SELECT note FROM secret;`
    await running.database.redefine(sqlDefinition(later))
    running.server.use(gateway(closing))
    await append('a', 'one')
    expect([await stream.next(), await stream.next()]).toEqual(['problem: auth/invalid', null])
  })
})

describe('a live stream', () => {
  it('of an admin who looks as somebody else ends when he is none any more', async () => {
    const io = nodeIo()
    const keys = file('admins.json')
    const { key } = await createKey(io, keys, { name: 'boss', role: 'boss', claims: {} })
    running = await startRunning({ gateway: defineGateway({ auth: { apiKeys: { file: keys } }, roles }) }, app)
    const stream = await Stream.open(live, { ...bearer(key), 'millrace-act-as': '{"role":"a"}' })
    expect(await stream.next()).toBe('snapshot:')
    await writeFile(keys, (await readFile(keys, 'utf8')).replace('"role": "boss"', '"role": "b"'))
    expect([await stream.next(), await stream.next()]).toEqual(['problem: auth/invalid', null])
  })

  it('says so when the token that opened it expires', async () => {
    const clock = new FarClock()
    running = await startRunning({ gateway: gateway(), io: clock.io }, app)
    const stream = await Stream.open(live, bearer(await signer.sign({ role: 'a' }, { seconds: 300 })))
    expect(await stream.next()).toBe('snapshot:')
    clock.pass(301_000)
    expect([await stream.next(), await stream.next()]).toEqual(['problem: auth/invalid', null])
  })

  it('ends within seconds once its key is revoked, has expired or is gone', async () => {
    const io = nodeIo()
    const keys = file('keys.json')
    const made = async (name: string, expires?: string) =>
      createKey(io, keys, { name, role: 'a', claims: {}, ...(expires === undefined ? {} : { expires }) })
    const revoked = await made('revoked')
    const staying = await made('staying')
    const expiring = await made('expiring', new Date(Date.now() + 600_000).toISOString())
    const over = await made('over', '2020-01-01T00:00:00Z')
    const clock = new FarClock()
    const gated = defineGateway({ auth: { apiKeys: { file: keys } }, roles, anonymous: 'b' })
    running = await startRunning({ gateway: gated, io: clock.io }, app)
    expect(await status(live, bearer(over.key))).toBe(401)
    const [one, two, three] = await Promise.all(
      [revoked, staying, expiring].map(({ key }) => Stream.open(live, bearer(key))),
    )
    const anonymous = await Stream.open(live)
    for (const each of [one, two, three, anonymous]) expect(await each.next()).toBe('snapshot:')
    await revokeKey(io, keys, 'revoked')
    expect([await one.next(), await one.next()]).toEqual(['problem: auth/invalid', null])
    clock.pass(601_000)
    expect([await three.next(), await three.next()]).toEqual(['problem: auth/invalid', null])
    await append('a', 'one')
    expect([await two.next(), await anonymous.next()]).toEqual(['change: one', 'change: one'])
    // Half a file is no reason to end what was let in; no file is.
    await writeFile(keys, '{')
    await expect.poll(() => status('/v1/views/notes', bearer(staying.key))).toBe(503)
    await append('a', 'two')
    expect(await two.next()).toBe('change: two')
    await rm(keys)
    expect([await two.next(), await two.next()]).toEqual(['problem: auth/invalid', null])
    await append('a', 'three')
    expect(await anonymous.next()).toMatch(/^change: (three two|two)$/)
  })
})
