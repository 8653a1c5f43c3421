import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { createInspector } from '../client/inspector.ts'
import type { WhyBody } from '../protocol/why.ts'
import { findText, journeyText } from './journey-text.ts'
import { plain, whyText } from './why-tree.ts'

let running: Running

beforeAll(async () => {
  running = await startRunning({})
  const events = [1, 1, 2, 3, '9007199254740993'].map((auction) => bidJson(auction))
  await append('bid', `[${events.join()}]`)
  await append('account', '[{"id":1,"owner":"\\u001b[31mAnn","limit":5},{"id":2,"owner":null,"limit":5}]')
})

afterAll(() => running.stop())

async function append(topic: string, body: string): Promise<void> {
  const { tick } = await running.database.appendText(topic, new TextEncoder().encode(body), 'json')
  await running.database.waitForTick(tick)
}

async function get(path: string): Promise<{ status: number; body: WhyBody & Record<string, unknown> }> {
  const response = await fetch(running.url + path)
  return { status: response.status, body: (await response.json()) as WhyBody & Record<string, unknown> }
}

describe('GET /v1/views/{view}/why', () => {
  it('answers with the row, its events and the steps between', async () => {
    const { status, body } = await get('/v1/views/by_auction/why?auction=1')
    expect(status).toBe(200)
    expect(body).toMatchObject({ view: 'by_auction', found: true, row: { auction: 1, bids: 2, total: '3.00' } })
    expect(body.events).toMatchObject({ count: 2, first: { offset: 0 }, last: { offset: 1 } })
    expect(body.step).toMatchObject({ op: 'aggregate' })
  })

  it('keeps what a double cannot hold as text', async () => {
    const { body } = await get('/v1/views/by_auction/why?auction=9007199254740993')
    expect(body.row).toMatchObject({ auction: '9007199254740993' })
  })

  it('takes columns that are called like parameters, NULL, a limit and a past tick', async () => {
    expect((await get('/v1/views/owners/why?id=2&eq.limit=5&isnull=owner')).body).toMatchObject({ found: true })
    const limited = await get('/v1/views/by_auction/why?auction=1&limit=1&as_of=2')
    expect(limited.body.events).toMatchObject({ count: 2, listed: [{ offset: 0 }] })
    expect((await get('/v1/views/by_auction/why?auction=1&limit=0')).body.events).toMatchObject({
      count: 2,
      listed: [],
    })
    expect((await get('/v1/views/by_auction/why?auction=1&as_of=1')).body).toMatchObject({ found: false, tick: 1 })
  })

  it.each([
    ['by_auction/why?auction=x', 400, 'auction'],
    ['by_auction/why?nothing=1', 400, 'by_auction has auction, bids, total, channel'],
    ['by_auction/why?auction=1&auction=2', 400, 'more than once'],
    ['by_auction/why', 400, 'say which auction'],
    ['by_auction/why?auction=1&limit=100000', 400, 'at most'],
    ['by_auction/why?auction=1&as_of=soon', 400, 'as_of'],
    ['none/why?a=1', 404, 'none'],
  ])('refuses %s', async (path, status, words) => {
    const answer = await get(`/v1/views/${path}`)
    expect(answer.status).toBe(status)
    expect(JSON.stringify(answer.body)).toContain(words)
  })

  it('is printed as a tree, in which no text of a row can play with the terminal', async () => {
    const { body } = await get('/v1/views/owners/why?id=1')
    const lines = whyText(body, plain).split('\n')
    expect(lines[0]).toBe('owners at tick 3  id: 1, owner: \\x1b[31mAnn, limit: 5')
    expect(lines[1]).toMatch(/^made of one event: account 0 \(tick 3, /)
    const { body: grouped } = await get('/v1/views/by_auction/why?auction=1')
    expect(whyText(grouped, plain).split('\n').slice(3)).toEqual([
      'count(*), sum(price), max(channel) GROUP BY auction  2 rows with auction = 1',
      '│  bids     count(*): 2 rows',
      '│  total    sum(price): 1.50 + 1.50 = 3.00',
      '│  channel  max(channel): no values: NULL',
      '├─ bid 0, tick 2  auction: 1, price: 1.50, channel: null, at: 2026-11-21T10:00:00',
      '└─ bid 1, tick 2  auction: 1, price: 1.50, channel: null, at: 2026-11-21T10:00:00',
      '',
    ])
    expect(
      Math.max(
        ...whyText(grouped, plain, 40)
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBe(40)
  })
})

describe('GET /v1/topics/{topic}/find', () => {
  const inspector = () => createInspector({ url: running.url })

  it('finds events by what is in them, the newest first', async () => {
    const { body } = await get('/v1/topics/bid/find?auction=1')
    expect(body).toMatchObject({
      searched: 5,
      more: false,
      events: [{ offset: 1 }, { offset: 0, tick: 2, op: 'append' }],
    })
    const one = await inspector().find('bid', { auction: 1, price: '1.5' }, { limit: 1 })
    expect(one).toMatchObject({ more: true, events: [{ offset: 1, data: { auction: 1, price: '1.50' } }] })
    const next = await inspector().find('bid', { auction: 1 }, { before: 1 })
    expect(next).toMatchObject({ more: false, events: [{ offset: 0 }] })
    expect((await inspector().find('bid', {}, { offset: 3 })).events).toMatchObject([{ offset: 3 }])
    expect((await inspector().find('bid', { auction: 1 }, { offset: 3 })).events).toEqual([])
    expect((await inspector().find('account', { owner: null, limit: 5 })).events).toMatchObject([{ offset: 1 }])
  })

  it.each([
    ['bid/find?auction=x', 400],
    ['bid/find?nothing=1', 400],
    ['bid/find?limit=100000', 400],
    ['none/find', 404],
  ])('refuses %s', async (path, status) => {
    expect((await get(`/v1/topics/${path}`)).status).toBe(status)
  })
})

describe('GET /v1/topics/{topic}/events/{offset}/journey', () => {
  it('tells what became of an event, also as text', async () => {
    const body = await createInspector({ url: running.url }).journey('bid', 1)
    expect(body.event).toMatchObject({ topic: 'bid', offset: 1, tick: 2 })
    expect(journeyText(body, plain).split('\n').slice(3)).toEqual([
      'passed      bid',
      'aggregated  group by auction: count(*), sum(price), max(channel)  auction = 1: count(*) 1 → 2, sum(price) 1.50 → 3.00  [by_auction]',
      'passed      by_auction  2 rows changed  [by_auction]',
      'passed      select auction, 100 / auction as share  1 row changed  [shares]',
      'passed      shares  1 row changed  [shares]',
      '',
      'rows that changed',
      '  by_auction  auction: 1',
      '    − bids: 1, total: 1.50, channel: null',
      '    + bids: 2, total: 3.00, channel: null',
      '  shares  auction: 1, share: 100',
      '    + auction: 1, share: 100',
      '',
    ])
    const found = await createInspector({ url: running.url }).find('bid', { auction: 1 }, { limit: 1 })
    expect(findText(found, plain)).toMatch(/^bid 1, tick 2 {2}auction: 1, .*\n1 found among \d+ events; older/)
  })

  it.each([
    ['bid/events/99/journey', 404],
    ['bid/events/x/journey', 400],
    ['bid/events/1/journey?a=b', 400],
    ['none/events/1/journey', 404],
  ])('refuses %s', async (path, status) => {
    expect((await get(`/v1/topics/${path}`)).status).toBe(status)
  })
})

describe('a client', () => {
  it('asks why by the row’s own values', async () => {
    const body = await createInspector({ url: running.url }).why(
      'owners',
      { id: 2n, owner: null, limit: 5 },
      { limit: 1 },
    )
    expect(body).toMatchObject({ found: true, row: { id: 2 }, events: { count: 1 } })
  })
})
