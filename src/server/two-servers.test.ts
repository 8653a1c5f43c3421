import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { type Policy, policy } from '../app/gateway.ts'
import { EventStreamParser } from '../protocol/event-stream.ts'
import { type RunningServer, startServer } from './listen.ts'

let folder: string
let signer: Signer
let running: Running
let other: RunningServer
const gone = new AbortController()

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-two-servers-'))
  signer = await makeSigner('one')
  await writeFile(path.join(folder, 'jwks.json'), JSON.stringify(signer.jwks))
})
afterEach(async () => {
  gone.abort()
  await other.close()
  await running.stop()
})
afterAll(() => rm(folder, { recursive: true }))

function gateway(policies: readonly Policy[]) {
  return gatewayOf(path.join(folder, 'jwks.json'), { roles: { reader: { read: '*', sql: true } }, policies })
}

/** What a reader is told first of a query that he follows. */
async function follow(url: string, sql: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/sql/live`, {
    method: 'POST',
    headers: { ...bearer(await signer.sign({ sub: 'one', role: 'reader' })), 'content-type': 'application/json' },
    body: JSON.stringify({ sql }),
    signal: gone.signal,
  })
  expect(response.status).toBe(200)
  const parser = new EventStreamParser()
  const reader = response.body!.getReader()
  for (;;) {
    const { value } = await reader.read()
    const [event] = parser.feed(value!)
    if (event !== undefined) return JSON.parse(event.data).rows
  }
}

it('two servers of one database show each what their own gateway shows', async () => {
  running = await startRunning({ gateway: gateway([]) })
  other = await startServer(running.database, {
    port: 0,
    gateway: gateway([policy('bid', { role: 'reader', rows: 'auction = 2', mask: { channel: 'hash' } })]),
  })
  const body = [bidJson(1), bidJson(2)].join('\n')
  const { tick } = await running.database.appendText('bid', new TextEncoder().encode(body), 'ndjson')
  await running.database.waitForTick(tick)
  const sql = 'SELECT auction FROM bid ORDER BY auction'
  expect(await follow(running.url, sql)).toEqual([[1], [2]])
  expect(await follow(other.url, sql)).toEqual([[2]])
})
