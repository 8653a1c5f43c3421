import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { EventStreamParser } from '../protocol/event-stream.ts'

const app = `
CREATE TABLE gauge (id bigint PRIMARY KEY, value bigint NOT NULL, note text);
CREATE MATERIALIZED VIEW gauges AS SELECT id, value FROM gauge;
`
const subscribers = 100
const changes = 20

let folder: string
let signer: Signer
let running: Running
const sockets: Socket[] = []

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-crowd-'))
  signer = await makeSigner('one')
  await writeFile(path.join(folder, 'jwks.json'), JSON.stringify(signer.jwks))
  const many = { requests: 1_000_000, seconds: 1 }
  const gateway = gatewayOf(path.join(folder, 'jwks.json'), {
    roles: { reader: { read: ['gauges'], shares: { live: subscribers } }, writer: { append: ['gauge'] } },
    rates: { read: many, append: many, live: many, failures: many },
  })
  running = await startRunning({ gateway }, app)
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})
afterAll(async () => {
  await running.stop()
  await rm(folder, { recursive: true })
})

/** What a reader has of the view, kept by what the stream tells. */
async function follow(headers: Record<string, string>, opened: () => void): Promise<Map<number, number>> {
  const response = await fetch(`${running.url}/v1/views/gauges/live`, { headers })
  expect(response.status).toBe(200)
  const reader = response.body!.getReader()
  const parser = new EventStreamParser()
  const rows = new Map<number, number>()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) throw new Error('the stream ended')
    for (const { event, data } of parser.feed(value)) {
      expect(['snapshot', 'change']).toContain(event)
      const body = JSON.parse(data)
      if (event === 'snapshot') opened()
      // A change is −old, +new; what goes comes first or last.
      for (const { row, weight } of body.changes ?? []) {
        if (weight > 0) rows.set(row.id, row.value)
        else if (rows.get(row.id) === row.value) rows.delete(row.id)
      }
    }
    if (rows.get(-1) === changes) {
      await reader.cancel()
      return rows
    }
  }
}

function raw(text: string, reads = true): void {
  const socket = connect(running.server.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  if (!reads) socket.pause()
  else socket.resume()
  socket.write(text)
}

/** Clients that mean no good, or are broken. */
function harass(authorization: string): void {
  const head = (line: string, ...headers: string[]): string =>
    `${[`${line} HTTP/1.1`, 'Host: localhost', `Authorization: ${authorization}`, ...headers].join('\r\n')}\r\n\r\n`
  raw(head('GET /v1/views/gauges/live'), false)
  raw(`${head('POST /v1/topics/gauge/events', 'Content-Length: 1000000')}[`)
  raw(head('POST /v1/topics/gauge/events', 'Content-Length: 99999999999'))
  raw(`${head('POST /v1/topics/gauge/events', 'Transfer-Encoding: chunked')}5\r\n[[[[[\r\nzz\r\n`)
  raw(`${head('POST /v1/topics/gauge/events', 'Content-Length: 20000')}${'['.repeat(20_000)}`)
  raw(head('GET /v1/views/gauges/../../etc/passwd'))
  raw(head(`GET /v1/views/gauges?id=${encodeURIComponent("1' OR '1'='1")}`))
  raw(head('GET /livez', `X-Large: ${'x'.repeat(30_000)}`))
  raw('\x16\x03\x01\x02\x00\x01\xfc\x03\x03')
  raw('GET /v1/catalog HTTP/1.1\r\nHost: loc')
}

describe('a crowd of readers', () => {
  it('is told all changes, whatever others do meanwhile', async () => {
    const reader = bearer(await signer.sign({ sub: 'reader', role: 'reader' }))
    const writer = {
      ...bearer(await signer.sign({ sub: 'writer', role: 'writer' })),
      'content-type': 'application/json',
    }
    const nobody = bearer(await signer.sign({ sub: 'hostile', role: 'nobody' }))
    const hostile = [nobody.authorization, bearer(await signer.sign({ sub: 'odd', role: 'reader' })).authorization]
    let open = 0
    const warnings: string[] = []
    const warned = ({ message }: Error): void => void warnings.push(message)
    process.on('warning', warned)
    const following = Array.from({ length: subscribers }, () => follow(reader, () => open++))
    const all = Promise.all(following)
    all.catch(() => {})
    await expect.poll(() => open).toBeGreaterThanOrEqual(subscribers)
    for (let i = 1; i <= changes; i++) {
      for (const authorization of hostile) harass(authorization)
      const rows = [
        { id: i, value: i * 10, note: 'planted' },
        { id: -1, value: i, note: 'planted' },
      ]
      const response = await fetch(`${running.url}/v1/topics/gauge/events`, {
        method: 'POST',
        headers: writer,
        body: JSON.stringify(rows),
      })
      expect(response.status).toBe(201)
      const read = await fetch(`${running.url}/v1/views/gauges?id=-1`, { headers: reader })
      expect(read.status).toBe(200)
      await read.text()
    }
    process.off('warning', warned)
    // Many readers of one server are nothing to warn of.
    expect(warnings.filter((message) => message.includes('AbortSignal'))).toEqual([])
    const expected = new Map([...Array.from({ length: changes }, (_, i): [number, number] => [i + 1, (i + 1) * 10])])
    expected.set(-1, changes)
    for (const rows of await all) expect(new Map([...rows].sort())).toEqual(new Map([...expected].sort()))
    expect(running.database.status().topics.find(({ name }) => name === 'gauge')?.nextOffset).toBe(changes * 2)
  })
})
