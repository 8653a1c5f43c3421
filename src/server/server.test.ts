import { afterEach, describe, expect, it } from 'vitest'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { nodeIo } from '../io/node.ts'
import type { Limits } from './limits.ts'
import { type RunningServer, type ServerOptions, startServer } from './listen.ts'

const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price numeric(20,2), channel text, at timestamp NOT NULL)
  WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text);
CREATE MATERIALIZED VIEW by_auction AS
  SELECT auction, count(*) AS bids, sum(price) AS total, max(channel) AS channel FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owners AS SELECT id, owner FROM account ORDER BY id DESC;
CREATE MATERIALIZED VIEW shares AS SELECT auction, 100 / auction AS share FROM bid;
`

let database: Database
let server: RunningServer | null = null

async function start(options: ServerOptions & { limits?: Partial<Limits> } = {}): Promise<string> {
  database = await Database.open({ io: nodeIo(), definition: sqlDefinition(sql), data: null, engine: 'inline' })
  server = await startServer(database, { port: 0, ...options })
  return server.url
}

afterEach(async () => {
  await server?.close()
  await database.close()
  server = null
})

const json = { 'content-type': 'application/json' }

async function post(url: string, body: string | Uint8Array, headers: Record<string, string> = json) {
  const response = await fetch(url, { method: 'POST', body: body as string, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: text === '' ? null : JSON.parse(text) }
}

const bid = (auction: number, price = '1.50') => `{"auction":${auction},"price":${price},"at":"2026-11-21T10:00:00"}`

describe('appending', () => {
  it('takes an object, an array and NDJSON', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    expect(await post(url, bid(1))).toMatchObject({ status: 201, body: { first_offset: 0, last_offset: 0 } })
    expect(await post(url, `[${bid(1)},${bid(2)}]`)).toMatchObject({ body: { first_offset: 1, last_offset: 2 } })
    const lines = await post(url, `${bid(3)}\n${bid(3)}\n`, { 'content-type': 'application/x-ndjson' })
    expect(lines).toMatchObject({ status: 201, body: { first_offset: 3, last_offset: 4 } })
    const read = await get(`${server!.url}/v1/views/by_auction?min_tick=${lines.body.tick}`)
    expect(read.body.rows).toEqual([
      { auction: 1, bids: 2, total: 3, channel: null },
      { auction: 2, bids: 1, total: 1.5, channel: null },
      { auction: 3, bids: 2, total: 3, channel: null },
    ])
    expect(read.text).toContain('"total":3.00')
    expect(read.headers.get('millrace-tick')).toBe(String(read.body.tick))
  })
})
