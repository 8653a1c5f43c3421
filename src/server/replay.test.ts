import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { bidJson, bidSql, startRunning } from '../../test/support/running-server.ts'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import type { Threads } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { startServer } from './listen.ts'

describe('a server whose database is still replaying', () => {
  it('says so, refuses as busy, and then serves', async () => {
    const data = await mkdtemp(path.join(tmpdir(), 'millrace-replay-'))
    const running = await startRunning({}, bidSql, data)
    await running.database.appendText('bid', new TextEncoder().encode(bidJson(1)), 'json')
    await running.stop()
    // What the engine says is heard only once all has been looked at.
    const io = nodeIo()
    let hear = (): void => {}
    const heard = new Promise<void>((resolve) => {
      hear = resolve
    })
    const threads: Threads = {
      start: (name, onMessage, onFailure) =>
        io.threads.start(name, (message) => void heard.then(() => onMessage(message)), onFailure),
    }
    const database = await Database.open({
      io: { ...io, threads },
      definition: sqlDefinition(bidSql),
      data,
      engine: 'worker',
      eager: true,
    })
    const server = await startServer(database, { port: 0 })
    try {
      expect(database.status().caughtUp).toBe(false)
      const [ready, live, read] = await Promise.all(
        ['/readyz', '/livez', '/v1/views/by_auction'].map((url) => fetch(server.url + url)),
      )
      expect(live.status).toBe(200)
      expect([ready.status, await ready.json()]).toMatchObject([503, { status: 'replaying' }])
      expect([read.status, await read.json()]).toMatchObject([503, { code: 'request/busy' }])
      expect(read.headers.get('retry-after')).toBe('1')
      hear()
      await database.caughtUp()
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
      const { rows } = (await (await fetch(`${server.url}/v1/views/by_auction`)).json()) as { rows: object[] }
      expect(rows).toMatchObject([{ auction: 1, bids: 1 }])
    } finally {
      hear()
      await server.close()
      await database.close()
      await rm(data, { recursive: true })
    }
  })
})

describe('the access log', () => {
  it('tells requests at debug, without query and body', async () => {
    const lines: string[] = []
    const sink = new Writable({
      write(piece, _, done) {
        lines.push(String(piece))
        done()
      },
    })
    const running = await startRunning({ logger: pino({ level: 'debug' }, sink) })
    try {
      await fetch(`${running.url}/v1/views/by_auction?auction=4711`)
      const body = '{"secret":"hush"}'
      await fetch(`${running.url}/v1/topics/bid/events`, { method: 'POST', body })
      await expect.poll(() => lines.length).toBe(2)
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([
        { level: 20, method: 'GET', path: '/v1/views/by_auction', status: 200 },
        { level: 20, method: 'POST', path: '/v1/topics/bid/events', status: 415 },
      ])
      expect(lines.join('')).not.toMatch(/4711|hush/)
    } finally {
      await running.stop()
    }
  })
})

describe('startServer', () => {
  it('says which address is taken', async () => {
    const running = await startRunning()
    try {
      const { port } = running.server
      await expect(startServer(running.database, { port })).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`127.0.0.1:${port}`),
      })
    } finally {
      await running.stop()
    }
  })
})
