import { mkdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inChild } from './child.ts'
import { quantile } from './measure.ts'
import { milliseconds, si, table } from './print.ts'
import type { ServeAnswer, ServeTask } from './serve-job.ts'
import { Server } from './server.ts'

const app = `
CREATE TABLE gauge (id bigint PRIMARY KEY, at_ms bigint NOT NULL, name text);
CREATE MATERIALIZED VIEW gauges AS SELECT id, at_ms, name FROM gauge;
CREATE MATERIALIZED VIEW latest AS SELECT max(at_ms) AS at_ms FROM gauge;
`
const keys = 10_000
const connections = 64
const changesPerSecond = 10

/** Reads of single keys at a fixed rate, beside subscribers of one view that changes all the while. */
export async function reportServe(folder: string, smoke: boolean): Promise<void> {
  const own = path.join(folder, 'serve')
  mkdirSync(own, { recursive: true })
  const server = await Server.start(own, app)
  const subscribers = smoke ? 20 : 1000
  const rate = smoke ? 500 : 10_000
  const seconds = smoke ? 1 : 10
  try {
    await fill(server)
    const { port } = server.client.url
    const alone = await readAlone(server, Number(port), smoke ? 500 : 30_000)
    const listening = inChild<ServeTask, ServeAnswer>(
      new URL('./serve-job.ts', import.meta.url),
      { port: Number(port), subscribers, seconds: seconds + 3 },
      512,
    )
    await sleep(2000)
    const changing = changes(server, seconds)
    const reads = await readAtRate(Number(port), rate, seconds)
    await changing
    const live = await listening
    table(
      [
        `over HTTP, ${subscribers} subscribers and ${changesPerSecond} changes a second`,
        'a second',
        'p50',
        'p99',
        'goal',
      ],
      [
        [
          `reads of single keys, ${si(rate)}/s asked for`,
          si(reads.latencies.length / reads.seconds),
          milliseconds(quantile(reads.latencies, 0.5)),
          milliseconds(quantile(reads.latencies, 0.99)),
          '10 k/s',
        ],
        [
          'append → told to a subscriber',
          si(live.changes / seconds),
          milliseconds(live.p50),
          milliseconds(live.p99),
          '',
        ],
      ],
    )
    const wanted = subscribers * seconds * changesPerSecond
    console.log(`a read by itself takes ${alone.toFixed(0)} µs of the server's processor time`)
    console.log(`subscribers were told ${live.changes} changes of at most ${wanted}; ${live.broken} streams broke off`)
    if (reads.failures > 0 || live.broken > 0) throw new Error(`${reads.failures} reads failed, ${live.broken} streams`)
  } finally {
    await server.stop()
  }
}

async function fill(server: Server): Promise<void> {
  for (let from = 0; from < keys; from += 1000) {
    const rows = Array.from({ length: 1000 }, (_, i) => ({ id: from + i, at_ms: 0, name: `gauge ${from + i}` }))
    await server.client.expect('POST', '/v1/topics/gauge/events', JSON.stringify(rows))
  }
  await sleep(500)
}

async function changes(server: Server, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * changesPerSecond; i++) {
    const row = { id: i % keys, at_ms: Date.now(), name: 'changed' }
    await server.client.expect('POST', '/v1/topics/gauge/events', JSON.stringify(row))
    await sleep(1000 / changesPerSecond)
  }
}

/** As fast as it goes, half of it to warm up. @returns microseconds of processor time per read */
async function readAlone(server: Server, port: number, count: number): Promise<number> {
  await readAtRate(port, count * 100, 0.01)
  const before = server.cpuSeconds
  const { latencies } = await readAtRate(port, count * 100, 0.01)
  return ((server.cpuSeconds - before) / latencies.length) * 1e6
}

interface Reads {
  readonly latencies: number[]
  readonly seconds: number
  readonly failures: number
}

/** Each read counts from the moment at which it was due, so that a server that falls behind shows it. */
async function readAtRate(port: number, rate: number, seconds: number): Promise<Reads> {
  const latencies: number[] = []
  let failures = 0
  const due: number[] = []
  const readers = Array.from({ length: connections }, () => new Reader(port))
  const idle = [...readers]
  const next = (): void => {
    while (due.length > 0 && idle.length > 0) {
      const at = due.shift()!
      const reader = idle.pop()!
      reader.read(Math.floor(Math.random() * keys), (isRight) => {
        if (isRight) latencies.push(performance.now() - at)
        else failures++
        idle.push(reader)
        next()
      })
    }
  }
  const start = performance.now()
  const count = rate * seconds
  for (let asked = 0; asked < count; await sleep(1)) {
    const wanted = Math.min(count, Math.ceil(((performance.now() - start) / 1000) * rate))
    for (; asked < wanted; asked++) due.push(start + (asked / rate) * 1000)
    next()
  }
  while (idle.length < readers.length || due.length > 0) await sleep(1)
  const took = (performance.now() - start) / 1000
  for (const reader of readers) reader.close()
  return { latencies, seconds: took, failures }
}

/** One connection that is kept, and as little of HTTP as will do. */
class Reader {
  readonly #socket: Socket
  #text = ''
  #done: (isRight: boolean) => void = () => {}

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (piece: string) => {
      this.#text += piece
      const end = this.#text.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1])
      if (this.#text.length < end + 4 + length) return
      const isRight = this.#text.startsWith('HTTP/1.1 200') && this.#text.includes('"rows":[{"id":')
      this.#text = ''
      this.#done(isRight)
    })
  }

  read(key: number, done: (isRight: boolean) => void): void {
    this.#done = done
    this.#socket.write(`GET /v1/views/gauges?id=${key} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }

  close(): void {
    this.#socket.destroy()
  }
}
