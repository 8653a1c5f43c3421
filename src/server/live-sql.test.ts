import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, bidSql, type Running, startRunning } from '../../test/support/running-server.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { EventStreamParser } from '../protocol/event-stream.ts'
import type { ServerOptions } from './listen.ts'

let running: Running
const streams: AbortController[] = []

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.abort()
  await running.stop()
})

interface Told {
  readonly event: string
  readonly id: string | null
  // biome-ignore lint/suspicious/noExplicitAny: whatever an event holds
  readonly body: any
}

/** A stream that is read event by event. */
class Stream {
  readonly status: number
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #parser = new EventStreamParser()
  readonly #told: Told[] = []
  readonly ending: AbortController

  constructor(response: Response, ending: AbortController) {
    this.status = response.status
    this.#reader = response.body!.getReader()
    this.ending = ending
  }

  /** @returns null at the end */
  async next(): Promise<Told | null> {
    while (this.#told.length === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return null
      for (const { event, id, data } of this.#parser.feed(value)) this.#told.push({ event, id, body: JSON.parse(data) })
    }
    return this.#told.shift()!
  }
}

async function ask(body: unknown, headers = {}): Promise<Response> {
  const ending = new AbortController()
  streams.push(ending)
  return fetch(`${running.url}/v1/sql/live`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: ending.signal,
  })
}

async function follow(sql: string, params: readonly unknown[] = [], headers = {}): Promise<Stream> {
  const response = await ask({ sql, params }, headers)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  return new Stream(response, streams.at(-1)!)
}

async function refusal(sql: string, headers = {}): Promise<unknown> {
  const response = await ask({ sql }, headers)
  return response.status === 200 ? 'a stream' : ((await response.json()) as { code: string }).code
}

const encoder = new TextEncoder()

async function bids(...auctions: readonly (number | string)[]): Promise<number> {
  const body = encoder.encode(auctions.map((auction) => bidJson(auction)).join('\n'))
  const { tick } = await running.database.appendText('bid', body, 'ndjson')
  await running.database.waitForTick(tick)
  return tick
}

async function start(options: ServerOptions = {}): Promise<void> {
  running = await startRunning(options)
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('POST /v1/sql/live', () => {
  it('tells the rows in order, with their columns first, then each change by its tick', async () => {
    await start()
    const first = await bids(1, 2, 2)
    const stream = await follow(
      'SELECT auction, count(*) AS n FROM bid WHERE auction <> $1 GROUP BY auction ORDER BY n DESC',
      ['9'],
    )
    expect(await stream.next()).toEqual({
      event: 'snapshot',
      id: String(first),
      body: {
        tick: first,
        columns: [
          { name: 'auction', type: 'bigint' },
          { name: 'n', type: 'bigint' },
        ],
        order: ['-n'],
        rows: [
          [2, 2],
          [1, 1],
        ],
      },
    })
    await bids(9)
    const tick = await bids(1)
    const changes = [
      { row: [1, 1], weight: -1 },
      { row: [1, 2], weight: 1 },
    ]
    expect(await stream.next()).toEqual({ event: 'change', id: String(tick), body: { tick, changes } })
  })

  it('keeps to the first rows of an order, which may be by what is not shown', async () => {
    await start()
    await bids(1, 2, 2, 3, 3, 3)
    const stream = await follow('SELECT auction FROM by_auction ORDER BY bids DESC LIMIT 2')
    expect((await stream.next())!.body.rows).toEqual([[3], [2]])
    // What is shown stays the same: nobody is told.
    await bids(3)
    const tick = await bids(1, 1, 1)
    expect(await stream.next()).toMatchObject({
      body: {
        tick,
        changes: expect.arrayContaining([
          { row: [1], weight: 1 },
          { row: [2], weight: -1 },
        ]),
      },
    })
  })

  it('comes in pieces, of which the last has the id', async () => {
    await start()
    await bids(...Array.from({ length: 2100 }, (_, i) => i + 1))
    const stream = await follow('SELECT auction FROM bid ORDER BY auction')
    const pieces = [await stream.next(), await stream.next(), await stream.next()]
    expect(pieces.map((piece) => [piece!.id === null, piece!.body.rows.length, piece!.body.columns?.length])).toEqual([
      [true, 1000, 1],
      [true, 1000, undefined],
      [false, 100, undefined],
    ])
  })

  it('begins anew for who comes back', async () => {
    await start()
    const tick = await bids(1)
    const stream = await follow('SELECT auction FROM bid', [], { 'last-event-id': '1' })
    expect(await stream.next()).toEqual({ event: 'reset', id: null, body: { tick } })
    expect(await stream.next()).toMatchObject({ event: 'snapshot', body: { tick, rows: [[1]] } })
  })

  it('writes large numbers as text for who asks', async () => {
    await start()
    await bids('9007199254740993')
    const response = await fetch(`${running.url}/v1/sql/live?numbers=string`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"sql":"SELECT auction FROM bid"}',
    })
    const stream = new Stream(response, new AbortController())
    expect((await stream.next())!.body.rows).toEqual([['9007199254740993']])
    await response.body?.cancel().catch(() => {})
  })

  it('refuses before the stream begins what POST /v1/sql refuses', async () => {
    await start()
    await bids(0)
    expect(await refusal('SELEC 1')).toBe('sql/syntax')
    expect(await refusal('SELECT * FROM nothing')).toBe('sql/unknown-relation')
    expect(await refusal('DELETE FROM bid')).toBe('sql/not-select')
    expect(await refusal('SELECT 1 / auction FROM bid')).toBe('sql/error-rows')
    expect(await refusal('SELECT * FROM shares')).toBe('sql/error-rows')
    const past = await ask({ sql: 'SELECT 1', as_of: 1 })
    expect([past.status, ((await past.json()) as { code: string }).code]).toEqual([400, 'request/parameter'])
    expect((await ask('x', { 'content-type': 'text/plain' })).status).toBe(415)
  })

  it('ends with a problem once there is no answer any more', async () => {
    await start()
    await bids(1)
    const failing = await follow('SELECT 100 / auction AS share FROM bid')
    const reading = await follow('SELECT count(*) FROM shares')
    for (const stream of [failing, reading]) expect((await stream.next())!.event).toBe('snapshot')
    await bids(0)
    for (const stream of [failing, reading]) {
      expect(await stream.next()).toMatchObject({ event: 'problem', body: { code: 'sql/error-rows' } })
      expect(await stream.next()).toBeNull()
    }
  })

  it('ends where the result becomes larger than an answer may be', async () => {
    await start({ limits: { sqlRows: 5 } })
    await bids(1, 2, 3)
    const stream = await follow('SELECT auction FROM bid')
    expect((await stream.next())!.body.rows).toHaveLength(3)
    await bids(4, 5, 6)
    let told = await stream.next()
    while (told?.event === 'change') told = await stream.next()
    expect(told).toMatchObject({ event: 'problem', body: { code: 'sql/too-many-rows' } })
    expect(await refusal('SELECT auction FROM bid')).toBe('sql/too-many-rows')
  })

  it('is shared by who asks the same, and gone with the last reader', async () => {
    await start({ limits: { liveQueries: 1 } })
    await bids(1)
    const one = await follow('SELECT auction FROM bid')
    const other = await follow('SELECT auction FROM bid')
    expect(await refusal('SELECT auction + 1 FROM bid')).toBe('request/busy')
    for (const stream of [one, other]) expect((await stream.next())!.event).toBe('snapshot')
    one.ending.abort()
    const tick = await bids(2)
    expect((await other.next())!.body).toEqual({ tick, changes: [{ row: [2], weight: 1 }] })
    other.ending.abort()
    await until(async () => (await refusal('SELECT auction + 1 FROM bid')) === 'a stream')
  })

  it('begins anew when definitions change, and ends where it makes no sense any more', async () => {
    await start()
    const tick = await bids(1, 2)
    const stream = await follow('SELECT * FROM by_auction')
    const doomed = await follow('SELECT owner FROM owners')
    for (const each of [stream, doomed]) expect((await each.next())!.event).toBe('snapshot')
    const changed = bidSql
      .replace('count(*) AS bids,', 'count(*) * 10 AS bids, min(channel) AS least,')
      .replace('CREATE MATERIALIZED VIEW owners', 'CREATE MATERIALIZED VIEW keepers')
    await running.database.redefine(sqlDefinition(changed))
    expect((await stream.next())!.event).toBe('reset')
    const snapshot = (await stream.next())!
    expect(snapshot.body.tick).toBeGreaterThanOrEqual(tick)
    expect(snapshot.body.columns.map(({ name }: { name: string }) => name)).toEqual([
      'auction',
      'bids',
      'least',
      'total',
      'channel',
    ])
    expect(snapshot.body.rows.map((row: unknown[]) => row[1])).toEqual([10, 10])
    await bids(2)
    expect((await stream.next())!.body.changes).toHaveLength(2)
    expect(await doomed.next()).toMatchObject({ event: 'problem', body: { code: 'sql/unknown-relation' } })
    expect(await doomed.next()).toBeNull()
  })

  it('keeps the changes that a reader lags behind together, and no more than that', async () => {
    await start()
    await bids(1)
    const stream = await follow('SELECT auction, bids FROM by_auction')
    for (let i = 0; i < 300; i++) await bids(1)
    const copy = new Map<string, number>()
    for (let tick = 0; tick < running.database.status().tick; ) {
      const { body } = (await stream.next())!
      for (const row of body.rows ?? []) copy.set(String(row), 1)
      for (const { row, weight } of body.changes ?? []) {
        const now = (copy.get(String(row)) ?? 0) + weight
        if (now === 0) copy.delete(String(row))
        else copy.set(String(row), now)
      }
      tick = body.tick
    }
    expect([...copy]).toEqual([['1,301', 1]])
  })
})
