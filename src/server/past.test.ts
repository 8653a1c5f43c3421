// The past over real sockets: views, SQL and changes as of a tick, what is refused, and what is replayed.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { createClient } from '../client/client.ts'
import { MillraceError } from '../data/errors.ts'
import { EventStreamParser, type StreamEvent } from '../protocol/event-stream.ts'

let running: Running | null = null
const folders: string[] = []

afterEach(async () => {
  await running?.stop()
  running = null
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: bodies of all kinds
  readonly body: any
}

async function get(target: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`${running!.url}${target}`, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
}

function ask(body: object, query = ''): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  return get(`/v1/sql${query}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function append(auction: number): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: bidJson(auction) }
  const { tick } = (await get('/v1/topics/bid/events', init)).body
  await get(`/v1/views/by_auction?min_tick=${tick}`)
  return tick
}

interface Then {
  readonly tick: number
  readonly etag: string | null
  readonly view: unknown
  readonly time: Date
}

/** Times are told to the millisecond, and the database's clock may be two of them off: ticks are further apart. */
function apart(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}

/** Appends, and remembers what was there at each tick and when. */
async function fill(count: number): Promise<Then[]> {
  const then: Then[] = []
  for (let i = 0; i < count; i++) {
    const tick = await append(i % 3)
    const { body, headers } = await get('/v1/views/by_auction?order=auction')
    expect(body.tick).toBe(tick)
    await apart()
    then.push({ tick, etag: headers.get('etag'), view: body, time: new Date() })
    await apart()
  }
  return then
}

async function onDisk(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-past-'))
  folders.push(folder)
  return folder
}

describe('the past over HTTP', () => {
  it('shows a view at a tick and at a time, with the tick that it shows', async () => {
    running = await startRunning()
    const then = await fill(8)
    for (const { tick, etag, view, time } of then) {
      for (const at of [String(tick), time.toISOString(), time.toISOString().replace('Z', '%2B00:00')]) {
        const answer = await get(`/v1/views/by_auction?order=auction&as_of=${at}`)
        expect([answer.status, answer.headers.get('millrace-tick'), answer.headers.get('etag')]).toEqual([
          200,
          String(tick),
          etag,
        ])
        expect(answer.body).toEqual(view)
      }
    }
    const { tick, etag } = then[3]
    const headers = { 'if-none-match': etag! }
    expect((await get(`/v1/views/by_auction?as_of=${tick}`, { headers })).status).toBe(304)
    const filtered = await get(`/v1/views/by_auction?as_of=${tick}&auction=0`)
    expect(filtered.body).toMatchObject({ tick, rows: [{ auction: 0, bids: 2 }] })
  })

  it('answers SQL at a tick over views and topics', async () => {
    running = await startRunning()
    const then = await fill(5)
    for (const [i, { tick, time }] of then.entries()) {
      for (const asOf of [tick, time.toISOString()]) {
        const sql = 'SELECT count(*) AS n, (SELECT sum(bids) FROM by_auction) AS b, max(_tick) AS t FROM bid'
        const answer = await ask({ sql: 'SELECT count(*) AS n FROM bid', as_of: asOf })
        expect(answer.body).toMatchObject({ tick, rows: [[i + 1]] })
        expect(answer.headers.get('millrace-tick')).toBe(String(tick))
        const both = await ask({ sql: sql.replace(', max(_tick) AS t', ''), as_of: asOf })
        expect(both.body).toMatchObject({ tick, rows: [[i + 1, i + 1]] })
      }
    }
    expect((await ask({ sql: 'SELECT 1 AS a', as_of: null })).status).toBe(200)
    for (const as_of of ['soon', -1, 1.5, true, {}]) {
      const { status, body } = await ask({ sql: 'SELECT 1 AS a', as_of })
      expect([as_of, status, body.code, body.pointer]).toEqual([as_of, 400, 'request/malformed', '/as_of'])
    }
  })

  it('refuses what is to come and what is forgotten, and says what there is', async () => {
    const data = await onDisk()
    running = await startRunning({}, undefined, data)
    const then = await fill(4)
    const newest = then[3].tick
    for (const target of [`as_of=${newest + 9}`, 'as_of=2999-01-01', `as_of=${newest + 9}&replay=true`]) {
      const { status, body } = await get(`/v1/views/by_auction?${target}`)
      expect([status, body.code, body.tick]).toEqual([400, 'tick/future', newest])
    }
    expect(await ask({ sql: 'SELECT 1 AS a', as_of: newest + 9 })).toMatchObject({ status: 400 })
    expect(await get(`/v1/views/by_auction/live?from_tick=${newest + 9}`)).toMatchObject({ status: 400 })
    await running.stop()
    running = await startRunning({}, undefined, data)
    const { views } = (await get('/v1/catalog')).body
    const oldest = views[0].oldest_tick
    for (const answer of [
      await get(`/v1/views/by_auction?as_of=${then[1].tick}`),
      await get('/v1/views/by_auction?as_of=2000-01-01T00:00:00Z'),
      await ask({ sql: 'SELECT * FROM by_auction', as_of: then[1].tick }),
      await get(`/v1/views/by_auction/live?from_tick=${then[1].tick}`),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([410, 'tick/expired'])
      expect([oldest, 1]).toContain(answer.body.tick)
      expect(answer.body.hint).toMatch(/replay|tick 1/)
    }
    expect(oldest).toBeGreaterThanOrEqual(newest)
    // What is asked with replay is as it was.
    for (const { tick, view } of [then[2], then[0], then[3]]) {
      const answer = await get(`/v1/views/by_auction?order=auction&as_of=${tick}&replay=true`)
      expect([answer.status, answer.body]).toEqual([200, view])
    }
    const sql = await ask({ sql: 'SELECT sum(bids) AS n FROM by_auction', as_of: then[2].tick }, '?replay=true')
    expect(sql.body).toMatchObject({ tick: then[2].tick, rows: [[3]] })
  })

  it('tells of a replay that takes longer, and the client asks again', async () => {
    const data = await onDisk()
    running = await startRunning({}, undefined, data)
    const then = await fill(12)
    await running.stop()
    running = await startRunning({ limits: { replayWaitMs: 0 } }, undefined, data)
    const { tick, view } = then[7]
    const first = await get(`/v1/views/by_auction?as_of=${tick}&replay=true`)
    expect([first.status, first.headers.get('retry-after')]).toEqual([202, '1'])
    expect(first.body).toMatchObject({ status: 'replaying', through_tick: tick })
    const db = createClient({ url: running.url }) as unknown as {
      by_auction: { get(options: object): Promise<{ tick: number; rows: object[] }> }
      sql(query: string, options: object): Promise<{ tick: number; rows: object[] }>
    }
    const answer = await db.by_auction.get({ asOf: tick, replay: true, order: 'auction' })
    expect(answer.tick).toBe(tick)
    expect(answer.rows.length).toBe((view as { rows: object[] }).rows.length)
    const asked = await db.sql('SELECT sum(bids) AS n FROM by_auction', { asOf: tick, replay: true })
    expect(asked).toMatchObject({ tick, rows: [{ n: 8 }] })
    await expect(db.by_auction.get({ asOf: then[1].tick })).rejects.toThrow(MillraceError)
    const recent = await append(1)
    expect((await db.by_auction.get({ asOf: recent })).tick).toBe(recent)
    expect((await db.by_auction.get({ asOf: new Date() })).tick).toBe(recent)
  })
})

describe('changes after a tick', () => {
  /** Events of a stream up to a tick. */
  async function changes(target: string, through: number, headers = {}): Promise<StreamEvent[]> {
    const abort = new AbortController()
    const response = await fetch(`${running!.url}${target}`, { headers, signal: abort.signal })
    expect(response.status).toBe(200)
    const parser = new EventStreamParser()
    const events: StreamEvent[] = []
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      events.push(...parser.feed(piece))
      if (events.some(({ data }) => JSON.parse(data).tick >= through)) break
    }
    abort.abort()
    return events
  }

  it('come tick by tick without a snapshot, and make of what was then what is now', async () => {
    running = await startRunning()
    const then = await fill(9)
    for (const from of [0, 3, 7]) {
      const start = from === 0 ? 0 : then[from - 1].tick
      const later = append(7)
      const last = await later
      const events = await changes(`/v1/views/by_auction/live?from_tick=${start}`, last)
      expect(new Set(events.map(({ event }) => event))).toEqual(new Set(['change']))
      const ticks = events.map(({ id, data }) => {
        expect(Number(id)).toBe(JSON.parse(data).tick)
        return Number(id)
      })
      expect(ticks.slice(0, 9 - from)).toEqual(then.slice(from).map(({ tick }) => tick))
      const rows = new Map<string, number>()
      const add = (row: object, weight: number): void => {
        const key = JSON.stringify(row)
        rows.set(key, (rows.get(key) ?? 0) + weight)
        if (rows.get(key) === 0) rows.delete(key)
      }
      if (from > 0) for (const row of (then[from - 1].view as { rows: object[] }).rows) add(row, 1)
      for (const { data } of events) for (const { row, weight } of JSON.parse(data).changes) add(row, weight)
      const now = (await get('/v1/views/by_auction')).body.rows.map((row: object) => JSON.stringify(row))
      expect([...rows.keys()].sort()).toEqual(now.sort())
    }
    // Who comes back says himself where he is.
    const [first] = await changes('/v1/views/by_auction/live?from_tick=0', 0, { 'last-event-id': String(then[7].tick) })
    expect(Number(first.id)).toBeGreaterThan(then[7].tick)
    expect((await get('/v1/views/by_auction/live?from_tick=x')).status).toBe(400)
  })
})
