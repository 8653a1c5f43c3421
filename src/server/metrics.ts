import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Database } from '../database.ts'
import type { ApiAnswer } from './exchange.ts'

/** What a server tells Prometheus. Each server has a registry of its own. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests: Histogram<'route' | 'method' | 'status'>
  readonly #bytesIn: Counter

  constructor(database: Database, liveStreams: () => number) {
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    this.#requests = new Histogram({
      name: 'millrace_http_request_seconds',
      help: 'Time from a request to the first byte of its answer',
      labelNames: ['route', 'method', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    })
    this.#bytesIn = new Counter({ name: 'millrace_http_body_bytes_total', help: 'Bytes of bodies read', registers })
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: `millrace_${name}`,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    }
    gauge('tick', 'Newest tick that reads see', () => database.status().tick)
    gauge('sealed_tick', 'Newest tick that is durable', () => database.status().sealedTick)
    gauge('ready', '1 when reads and appends are taken', () => Number(isReady(database)))
    gauge('engine_events', 'Events that went through the engine since the start', () => database.status().events)
    gauge('engine_state_bytes', 'Memory of the operators', () => database.status().stateBytes)
    gauge('view_bytes', 'Memory of the views', () => database.status().viewBytes)
    gauge('live_streams', 'Readers of live views', liveStreams)
    this.#named(database)
  }

  #named(database: Database): void {
    const registers = [this.#registry]
    const each = <L extends 'topic' | 'view'>(
      name: string,
      help: string,
      label: L,
      read: () => readonly (readonly [string, number])[],
    ): void => {
      new Gauge({
        name: `millrace_${name}`,
        help,
        labelNames: [label],
        registers,
        collect() {
          for (const [value, number] of read()) this.set({ [label]: value } as Record<L, string>, number)
        },
      })
    }
    each('topic_events', 'Events that a topic ever had', 'topic', () =>
      database.status().topics.map(({ name, nextOffset }) => [name, nextOffset]),
    )
    each('topic_late_events', 'Events that came late', 'topic', () =>
      database.status().topics.map(({ name, late }) => [name, late]),
    )
    each('view_rows', 'Rows of a view', 'view', () => database.status().views.map(({ name, rows }) => [name, rows]))
    each('view_error_rows', 'Rows of a view that could not be computed', 'view', () =>
      database.status().views.map(({ name, errors }) => [name, errors]),
    )
  }

  /** @param route the pattern, never the path: a reader must not be able to make up label values */
  observe(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe({ route, method, status: String(status) }, seconds)
  }

  countBody(bytes: number): void {
    this.#bytesIn.inc(bytes)
  }

  /** GET /metrics */
  async answer(): Promise<ApiAnswer> {
    const text = await this.#registry.metrics()
    return {
      status: 200,
      headers: { 'content-type': this.#registry.contentType, 'cache-control': 'no-store' },
      body: new TextEncoder().encode(text),
    }
  }

  close(): void {
    this.#registry.clear()
  }
}

function isReady(database: Database): boolean {
  const { caughtUp, failure } = database.status()
  return caughtUp && failure === null
}
