import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { claim, type defineGateway, policy } from '../app/gateway.ts'
import { sql } from '../app/sql-text.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { EventStreamParser } from '../protocol/event-stream.ts'

let running: Running | null = null
const open: Stream[] = []

afterEach(async () => {
  for (const stream of open.splice(0)) await stream.end()
  await running?.stop()
  running = null
})

interface Told {
  readonly event: string
  readonly id: string | null
  readonly body: {
    readonly tick: number
    readonly complete?: boolean
    readonly code?: string
    readonly events?: readonly {
      readonly offset: number
      readonly tick: number
      readonly op: string
      readonly data: Readonly<Record<string, unknown>>
    }[]
  }
}

/** A topic's stream, read message by message. */
class Stream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #parser = new EventStreamParser()
  readonly #told: Told[] = []
  lastId: string | null = null

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader
    open.push(this)
  }

  static async open(target: string, headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
    const response = await fetch(running!.url + target, { headers })
    expect([target, response.status]).toEqual([target, 200])
    return new Stream(response.body!.getReader())
  }

  /** Null at the end. */
  async next(): Promise<Told | null> {
    while (this.#told.length === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return null
      this.#told.push(...this.#parser.feed(value).map(({ event, id, data }) => ({ event, id, body: JSON.parse(data) })))
    }
    const told = this.#told.shift()!
    this.lastId = told.id ?? this.lastId
    return told
  }

  /** What the next message that has events says of them. */
  async events(column = 'auction'): Promise<unknown[]> {
    for (;;) {
      const told = await this.next()
      expect(told?.event).toBe('events')
      const { events = [] } = told!.body
      if (events.length > 0) return events.map(({ data }) => data[column])
    }
  }

  async end(): Promise<void> {
    await this.#reader.cancel().catch(() => {})
  }
}

const encoder = new TextEncoder()

async function append(bids: readonly number[], topic = 'bid'): Promise<number> {
  const body = encoder.encode(bids.map((bid) => bidJson(bid)).join('\n'))
  return (await running!.database.appendText(topic, body, 'ndjson')).tick
}

describe('GET /v1/topics/{topic}/live', () => {
  it('begins at the end, or where it is asked to', async () => {
    running = await startRunning()
    const tick = await append([1, 2, 3])
    await running.database.waitForTick(tick)
    const end = await Stream.open('/v1/topics/bid/live')
    const told = { event: 'events', id: '3', body: { events: [], tick, complete: true } }
    expect(await end.next()).toEqual(told)
    const all = await Stream.open('/v1/topics/BID/live?from=0&numbers=string')
    const events = [1, 2, 3].map((auction, offset) => {
      const data = { auction: String(auction), price: '1.50', channel: null, at: '2026-11-21T10:00:00' }
      return { offset, tick, op: 'append', data }
    })
    expect(await all.next()).toEqual({ ...told, body: { ...told.body, events } })
    expect(await (await Stream.open('/v1/topics/bid/live?from=2')).events()).toEqual([3])
    const later = await Stream.open('/v1/topics/bid/live?from_time=2100-01-01')
    const next = await append([4])
    for (const stream of [end, all, later]) expect(await stream.events()).toEqual([stream === all ? '4' : 4])
    expect(end.lastId).toBe('4')
    const resumed = await Stream.open('/v1/topics/bid/live?from=0', { 'last-event-id': '2' })
    expect((await resumed.next())?.body).toMatchObject({ tick: next, complete: true, events: [{ offset: 2 }, {}] })
  })

  it('tells of a table what its events did', async () => {
    running = await startRunning()
    const list = (op: string, id: number): object => ({ topic: 'account', op, data: { id } })
    const stream = await Stream.open('/v1/topics/account/live')
    const events = [list('upsert', 1), list('upsert', 2), list('delete', 1)]
    const bytes = encoder.encode(JSON.stringify({ events }))
    await running.database.appendMixed(bytes)
    await stream.next()
    const told = await stream.next()
    expect(told?.body.events?.map(({ op, data }) => [op, data])).toEqual([
      ['upsert', { id: 1, owner: null, limit: null }],
      ['upsert', { id: 2, owner: null, limit: null }],
      ['delete', { id: 1 }],
    ])
  })

  it('refuses what it does not know', async () => {
    running = await startRunning()
    await append([1])
    const status = async (target: string, init: RequestInit = {}): Promise<number> =>
      (await fetch(`${running!.url}/v1/topics/${target}`, init)).status
    for (const query of [
      'from=-1',
      'from=x',
      'from=1&from=2',
      'from=1e3',
      'from=9007199254740993',
      'from=1&from_time=2026-01-01',
      'from_time=soon',
      'numbers=all',
      'limit=1',
      'where=1',
      'from=%ff',
    ]) {
      expect([query, await status(`bid/live?${query}`)]).toEqual([query, 400])
    }
    for (const id of ['x', '-1', '1.5', '1-2', '99999999999999999999']) {
      expect([id, await status('bid/live', { headers: { 'last-event-id': id } })]).toEqual([id, 400])
    }
    expect(await status('nope/live')).toBe(404)
    expect(await status('by_auction/live')).toBe(404)
    expect(await status('bid/live', { method: 'POST' })).toBe(405)
    expect(await status('bid/live', { method: 'HEAD' })).toBe(200)
    expect(running.server).toBeDefined()
  })

  it('resets who comes with an offset that the log never had', async () => {
    running = await startRunning()
    await running.database.waitForTick(await append([1, 2]))
    const stream = await Stream.open('/v1/topics/bid/live', { 'last-event-id': '77' })
    expect(await stream.next()).toMatchObject({ event: 'reset', id: '0' })
    expect(await stream.events()).toEqual([1, 2])
  })

  it('sends signs of life while nothing comes, and ends with the server', async () => {
    running = await startRunning({ limits: { heartbeatMs: 20 } })
    const response = await fetch(`${running.url}/v1/topics/bid/live`)
    const reader = response.body!.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (!text.includes(':\n\n:\n\n')) text += decoder.decode((await reader.read()).value)
    expect(text).toContain('retry: 1000')
    const closing = running.server.close()
    for (let done = false; !done; ) done = (await reader.read()).done
    await closing
  })

  it('cuts off a reader that takes nothing, and keeps nothing for it', async () => {
    running = await startRunning({ limits: { slowReaderMs: 200 } })
    const large = JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ id, owner: 'x'.repeat(500) })))
    await running.database.appendText('account', encoder.encode(large), 'json')
    const url = `${running.url}/v1/topics/account/live?from=0`
    const taken = async (): Promise<string> =>
      /millrace_live_streams (\d+)/.exec(await (await fetch(`${running!.url}/metrics`)).text())![1]
    await new Promise<void>((resolve, reject) => {
      const request = httpGet(url, (response) => {
        // Not reading: the sockets fill up.
        response.pause()
        response.once('error', () => resolve())
        expect
          .poll(taken)
          .toBe('0')
          .then(() => response.resume(), reject)
        response.once('end', () => reject(new Error('the stream ended as if it were whole')))
      })
      request.once('error', () => resolve())
    })
  })

  it('is one of the live streams that the server takes', async () => {
    running = await startRunning({ limits: { liveStreams: 1 } })
    const first = await Stream.open('/v1/topics/bid/live')
    expect((await fetch(`${running.url}/v1/views/owners/live`)).status).toBe(503)
    await first.end()
    const free = async (): Promise<number> => {
      const response = await fetch(`${running!.url}/v1/topics/bid/live`)
      await response.body!.cancel()
      return response.status
    }
    await expect.poll(free).toBe(200)
  })

  it('goes on over new definitions, with the columns of each moment', async () => {
    running = await startRunning({}, 'CREATE TABLE bid (auction bigint); CREATE TABLE other (a bigint);')
    const { database } = running
    const stream = await Stream.open('/v1/topics/bid/live')
    const gone = await Stream.open('/v1/topics/other/live')
    await gone.next()
    await database.appendText('bid', encoder.encode('{"auction":1,"more":"x"}'), 'json')
    expect(await stream.events('more')).toEqual(['x'])
    await database.redefine(sqlDefinition('CREATE TABLE bid (auction bigint, extra text);'))
    await database.appendText('bid', encoder.encode('{"auction":2}'), 'json')
    expect(await stream.events('extra')).toEqual([null])
    expect(await gone.next()).toMatchObject({ event: 'problem', body: { code: 'topic/unknown' } })
    expect(await gone.next()).toBeNull()
  })

  it('has no gap and no duplicate at the seam, however it is resumed', async () => {
    running = await startRunning({ limits: { heartbeatMs: 10 } })
    const seen: unknown[] = []
    const sent: number[] = []
    let lastId: string | null = null
    const step = fc.record({
      bids: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
      messages: fc.integer({ min: 0, max: 3 }),
      apart: fc.boolean(),
    })
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    const listen = async (enough: (messages: number) => boolean): Promise<void> => {
      const headers = lastId === null ? {} : { 'last-event-id': lastId }
      const stream = await Stream.open('/v1/topics/bid/live?from=0', headers)
      for (let messages = 0; !enough(messages); messages++) {
        const { event, id, body } = (await stream.next())!
        expect(event).toBe('events')
        for (const { offset, data } of body.events!) {
          expect(offset).toBe(seen.length)
          seen.push(data['auction'])
        }
        expect(id).toBe(String(seen.length))
        lastId = id
      }
      await stream.end()
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        for (const { bids, messages, apart } of steps) {
          const appended = apart
            ? bids.reduce((before, bid) => before.then(() => append([bid])), Promise.resolve(0))
            : append(bids)
          sent.push(...bids)
          await listen((heard) => heard >= messages || seen.length >= sent.length)
          await appended
        }
        await listen(() => seen.length >= sent.length)
        expect(seen).toEqual(sent)
      }),
      { seed, numRuns: 10 },
    )
  })
})

describe('GET /v1/topics/{topic}/live behind a gateway', () => {
  const app = `
    CREATE TABLE sale (tenant text NOT NULL, item text, email text);
    CREATE TABLE customer (id bigint PRIMARY KEY, tenant text);`
  const own = sql`tenant = ${claim('tenant')}`
  const roles = { boss: { admin: true }, tenant: { read: ['sale', 'customer'] }, whole: { read: ['customer'] } }
  const policies = [
    policy('sale', { role: 'tenant', rows: own, mask: { email: 'null' } }),
    policy('customer', { role: 'tenant', rows: own }),
  ]
  let folder: string
  let signer: Signer

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'millrace-topic-live-'))
    signer = await makeSigner('one')
    await writeFile(path.join(folder, 'keys.json'), JSON.stringify(signer.jwks))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const gateway = (options: object = {}): ReturnType<typeof defineGateway> =>
    gatewayOf(path.join(folder, 'keys.json'), { roles, policies, ...options })
  const as = async (role: string): Promise<Record<string, string>> =>
    bearer(await signer.sign({ sub: role, role, tenant: 'a' }))
  const sell = async (...tenants: readonly string[]): Promise<number> => {
    const sales = tenants.map((tenant) => ({ tenant, item: `of ${tenant}`, email: 'secret@example' }))
    return (await running!.database.appendText('sale', encoder.encode(JSON.stringify(sales)), 'json')).tick
  }

  it('shows what its reader sees, as /events does', async () => {
    running = await startRunning({ gateway: gateway() }, app)
    await running.database.waitForTick(await sell('b', 'a', 'b'))
    const stream = await Stream.open('/v1/topics/sale/live?from=0', await as('tenant'))
    const first = (await stream.next())!
    expect(first).toMatchObject({ event: 'events', id: '3', body: { complete: true } })
    expect(first.body.events).toMatchObject([{ offset: 1, data: { tenant: 'a', item: 'of a', email: null } }])
    // Of ticks that are hidden nothing is told.
    await sell('b', 'b')
    await sell('b')
    await sell('b', 'a')
    expect((await stream.next())!.body.events).toMatchObject([{ offset: 7, data: { email: null } }])
    expect(JSON.stringify(first)).not.toContain('secret')
  })

  it('says that a reader of hidden events alone has them behind him', async () => {
    running = await startRunning({ gateway: gateway() }, app)
    await running.database.waitForTick(await sell('b', 'b'))
    const stream = await Stream.open('/v1/topics/sale/live?from=0', await as('tenant'))
    expect(await stream.next()).toMatchObject({ id: '2', body: { events: [], complete: true } })
  })

  it('is not to be had of a table of which one sees some rows', async () => {
    running = await startRunning({ gateway: gateway() }, app)
    const { url } = running
    const refused = await fetch(`${url}/v1/topics/customer/live`, { headers: await as('tenant') })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'auth/forbidden'])
    expect(await (await Stream.open('/v1/topics/customer/live', await as('whole'))).next()).not.toBeNull()
    expect((await fetch(`${url}/v1/topics/sale/live`, { headers: await as('whole') })).status).toBe(403)
    expect((await fetch(`${url}/v1/topics/sale/live`)).status).toBe(401)
  })

  it('ends once its reader sees something else, or may not go on', async () => {
    running = await startRunning({ gateway: gateway() }, app)
    const tenant = await Stream.open('/v1/topics/sale/live', await as('tenant'))
    const boss = await Stream.open('/v1/topics/sale/live', await as('boss'))
    const whole = await Stream.open('/v1/topics/customer/live', await as('whole'))
    for (const stream of [tenant, boss, whole]) await stream.next()
    running.server.use(gateway({ policies: [], roles: { boss: { admin: true }, tenant: { read: ['sale'] } } }))
    expect(await tenant.next()).toMatchObject({ event: 'problem', body: { code: 'auth/invalid' } })
    expect((await whole.next())?.event).toBe('problem')
    for (const stream of [tenant, whole]) expect(await stream.next()).toBeNull()
    await sell('b')
    expect(await boss.events('tenant')).toEqual(['b'])
  })

  it('names no other topics to who followed one that is dropped', async () => {
    running = await startRunning({ gateway: gateway({ policies: [] }) }, app)
    const stream = await Stream.open('/v1/topics/customer/live', await as('whole'))
    await stream.next()
    await running.database.redefine(sqlDefinition('CREATE TABLE sale (tenant text);'))
    const told = await stream.next()
    expect(told).toMatchObject({ event: 'problem', body: { code: 'topic/unknown' } })
    expect(JSON.stringify(told)).not.toContain('sale')
  })

  it('counts as one of its caller’s live streams, and opens with a ticket', async () => {
    running = await startRunning({ gateway: gateway({ shares: { live: 1 } }) }, app)
    const { url } = running
    const headers = await as('tenant')
    const { ticket } = (await (await fetch(`${url}/v1/ticket`, { method: 'POST', headers })).json()) as {
      ticket: string
    }
    await (await Stream.open(`/v1/topics/sale/live?ticket=${ticket}`)).next()
    const more = await fetch(`${url}/v1/topics/sale/live`, { headers })
    expect(((await more.json()) as { code: string }).code).toBe('request/share')
  })
})
