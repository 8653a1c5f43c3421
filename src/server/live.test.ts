import { mkdtemp, rm } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { EventStreamParser, type StreamEvent } from '../protocol/event-stream.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

interface Told {
  readonly event: string
  readonly id: string | null
  readonly body: {
    readonly tick: number
    readonly rows?: readonly object[]
    readonly changes?: readonly { readonly row: object; readonly weight: number }[]
  }
}

/** Events of one connection, until `enough` says so or the stream ends. */
async function listen(
  url: string,
  lastId: string | null,
  enough: (told: readonly Told[]) => boolean,
  pieces = Number.POSITIVE_INFINITY,
): Promise<readonly Told[]> {
  const abort = new AbortController()
  const headers = lastId === null ? {} : { 'last-event-id': lastId }
  const response = await fetch(url, { headers, signal: abort.signal })
  expect(response.status).toBe(200)
  const parser = new EventStreamParser()
  const told: Told[] = []
  const reader = response.body!.getReader()
  try {
    for (let piece = 0; piece < pieces && !enough(told); piece++) {
      const { done, value } = await reader.read()
      if (done) break
      told.push(
        ...parser.feed(value).map(({ event, id, data }: StreamEvent) => ({ event, id, body: JSON.parse(data) })),
      )
    }
  } finally {
    abort.abort()
  }
  return told
}

/** What a subscriber has after some events: rows with how often each is there. */
class Copy {
  readonly rows = new Map<string, number>()
  lastId: string | null = null

  take(told: readonly Told[]): void {
    // A connection without a place to go on from starts from nothing.
    if (this.lastId === null) this.rows.clear()
    for (const { event, id, body } of told) {
      if (event === 'reset') {
        this.rows.clear()
        this.lastId = null
      }
      for (const row of body.rows ?? []) this.#add(row, 1)
      for (const { row, weight } of body.changes ?? []) this.#add(row, weight)
      if (id !== null) {
        expect(Number(id)).toBe(body.tick)
        expect(Number(id)).toBeGreaterThan(Number(this.lastId ?? -1))
        this.lastId = id
      }
    }
  }

  #add(row: object, weight: number): void {
    const key = JSON.stringify(row)
    const sum = (this.rows.get(key) ?? 0) + weight
    if (sum === 0) this.rows.delete(key)
    else this.rows.set(key, sum)
  }

  get list(): string[] {
    const all: string[] = []
    for (const [key, weight] of this.rows) {
      expect(weight).toBeGreaterThan(0)
      for (let n = 0; n < weight; n++) all.push(key)
    }
    return all.sort()
  }
}

const encoder = new TextEncoder()

function append(bids: readonly number[]): Promise<{ readonly tick: number }> {
  return running!.database.appendText('bid', encoder.encode(bids.map((bid) => bidJson(bid)).join('\n')), 'ndjson')
}

describe('GET /v1/views/{view}/live', () => {
  it('begins with a snapshot in pieces, of which the last has the id', async () => {
    running = await startRunning()
    const { tick } = await append(Array.from({ length: 2500 }, (_, i) => i))
    await running.database.waitForTick(tick)
    const told = await listen(`${running.url}/v1/views/by_auction/live`, null, (all) => all.at(-1)?.id != null)
    expect(told.map(({ event, id, body }) => [event, id, body.rows?.length])).toEqual([
      ['snapshot', null, 1000],
      ['snapshot', null, 1000],
      ['snapshot', String(tick), 500],
    ])
  })

  it('tells an empty view, then its changes', async () => {
    running = await startRunning()
    const url = `${running.url}/v1/views/by_auction/live?numbers=string`
    let appended: ReturnType<typeof append> | null = null
    const told = await listen(url, null, (all) => {
      if (all.length === 1) appended ??= append([7])
      return all.length === 2
    })
    const { tick } = await appended!
    expect(told[0]).toMatchObject({ event: 'snapshot', body: { rows: [] } })
    expect(told[1]).toEqual({
      event: 'change',
      id: String(tick),
      body: { tick, changes: [{ row: { auction: '7', bids: '1', total: '1.50', channel: null }, weight: 1 }] },
    })
  })

  it('resets who comes with a tick that nobody has reached', async () => {
    running = await startRunning()
    await running.database.waitForTick((await append([1])).tick)
    const url = `${running.url}/v1/views/by_auction/live`
    const told = await listen(url, '999999', (all) => all.length === 2)
    expect(told.map(({ event }) => event)).toEqual(['reset', 'snapshot'])
    expect(told[0].id).toBeNull()
    const refused = await fetch(url, { headers: { 'last-event-id': 'x' } })
    expect([refused.status, (await fetch(`${url}?limit=1`)).status]).toEqual([400, 400])
    expect((await fetch(`${running.url}/v1/views/nope/live`)).status).toBe(404)
  })

  it('sends signs of life while nothing happens, and ends with the server', async () => {
    running = await startRunning({ limits: { heartbeatMs: 20 } })
    const response = await fetch(`${running.url}/v1/views/by_auction/live`)
    const reader = response.body!.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (!text.includes(':\n\n:\n\n')) text += decoder.decode((await reader.read()).value)
    const closing = running.server.close()
    for (let done = false; !done; ) done = (await reader.read()).done
    await closing
  })

  it('cuts off a reader that takes nothing, and keeps nothing for it', async () => {
    running = await startRunning({ limits: { slowReaderMs: 200 } })
    const url = `${running.url}/v1/views/owners/live`
    const large = JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ id, owner: 'x'.repeat(500) })))
    await running.database.appendText('account', encoder.encode(large), 'json')
    const free = async () =>
      /millrace_live_streams (\d+)/.exec(await (await fetch(`${running!.url}/metrics`)).text())![1]
    await new Promise<void>((resolve, reject) => {
      const request = httpGet(url, (response) => {
        // Not reading: the sockets fill up.
        response.pause()
        response.once('error', () => resolve())
        expect
          .poll(free)
          .toBe('0')
          .then(() => response.resume(), reject)
        response.once('end', () => reject(new Error('the stream ended as if it were whole')))
      })
      request.once('error', () => resolve())
    })
  })

  it('resets who comes with rows of another definition', async () => {
    const data = await mkdtemp(path.join(tmpdir(), 'millrace-live-'))
    const defined = (aggregate: string) => `CREATE TABLE bid (auction bigint NOT NULL, price bigint);
      CREATE MATERIALIZED VIEW v AS SELECT auction, ${aggregate} AS n FROM bid GROUP BY auction;`
    try {
      running = await startRunning({}, defined('count(*)'), data)
      const body = encoder.encode('{"auction":1,"price":5}')
      await running.database.waitForTick((await running.database.appendText('bid', body, 'json')).tick)
      const first = await listen(`${running.url}/v1/views/v/live`, null, (all) => all.length === 1)
      expect(first[0].body.rows).toEqual([{ auction: 1, n: 1 }])
      await running.stop()
      running = await startRunning({}, defined('max(price)'), data)
      const second = await listen(`${running.url}/v1/views/v/live`, first[0].id, (all) => all.length === 2)
      expect(second.map(({ event }) => event)).toEqual(['reset', 'snapshot'])
      expect(second[1].body.rows).toEqual([{ auction: 1, n: 5 }])
    } finally {
      await running?.stop()
      running = null
      await rm(data, { recursive: true })
    }
  })

  it('resumes over a restart with the same definitions', async () => {
    const data = await mkdtemp(path.join(tmpdir(), 'millrace-live-'))
    try {
      running = await startRunning({}, undefined, data)
      await running.database.waitForTick((await append([1])).tick)
      const first = await listen(`${running.url}/v1/views/by_auction/live`, null, (all) => all.length === 1)
      await running.stop()
      running = await startRunning({}, undefined, data)
      await append([1])
      const second = await listen(`${running.url}/v1/views/by_auction/live`, first[0].id, (all) => all.length === 1)
      expect(second[0]).toMatchObject({ event: 'change', body: { changes: [{ weight: -1 }, { weight: 1 }] } })
    } finally {
      await running?.stop()
      running = null
      await rm(data, { recursive: true })
    }
  })

  it('resumes without gap or duplicate while events go in', async () => {
    running = await startRunning({ limits: { heartbeatMs: 10 } })
    const url = `${running.url}/v1/views/by_auction/live`
    const copy = new Copy()
    const step = fc.record({
      bids: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
      pieces: fc.integer({ min: 0, max: 4 }),
      apart: fc.boolean(),
    })
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        for (const { bids, pieces, apart } of steps) {
          const appended = apart ? Promise.all(bids.map((bid) => append([bid]))) : append(bids)
          copy.take(await listen(url, copy.lastId, () => false, pieces))
          await appended
        }
        const { tick } = await append([0])
        await running!.database.waitForTick(tick)
        const caughtUp = (told: readonly Told[]): boolean => told.some(({ id }) => id !== null && Number(id) >= tick)
        copy.take(await listen(url, copy.lastId, caughtUp))
        const { rows } = (await (await fetch(`${running!.url}/v1/views/by_auction`)).json()) as { rows: object[] }
        expect(copy.list).toEqual(rows.map((row) => JSON.stringify(row)).sort())
      }),
      { seed, numRuns: 10 },
    )
  })
})
