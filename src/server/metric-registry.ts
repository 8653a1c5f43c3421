import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Database } from '../database.ts'
import { processBytes } from '../io/process-memory.ts'
import { type MetricDefinition, metricCatalogue, type Seen } from './metric-catalogue.ts'

/** A server's metrics in the library's hands. Each server has a registry of its own. */
export class MetricRegistry {
  readonly #database: Database
  readonly #liveStreams: () => number
  readonly #registry = new Registry()
  readonly #requests: Histogram<'route' | 'method' | 'status'>
  readonly #bytesIn: Counter
  readonly #read: readonly ((seen: Seen) => void)[]
  /** Scrapes take turns: each sets all values anew. */
  #scraping: Promise<unknown> = Promise.resolve()

  constructor(database: Database, liveStreams: () => number) {
    this.#database = database
    this.#liveStreams = liveStreams
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry })
    this.#requests = new Histogram({
      name: 'millrace_http_request_seconds',
      help: 'Time from a request to the first byte of its answer.',
      labelNames: ['route', 'method', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    })
    this.#bytesIn = new Counter({ name: 'millrace_http_body_bytes_total', help: 'Bytes of bodies read.', registers })
    this.#read = metricCatalogue.map((definition) => reader(definition, this.#registry))
  }

  observe(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe({ route, method, status: String(status) }, seconds)
  }

  countBody(bytes: number): void {
    this.#bytesIn.inc(bytes)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics as text, as they are now. */
  scrape(): Promise<string> {
    const scraped = this.#scraping.then(() => this.#scrape())
    this.#scraping = scraped.catch(() => {})
    return scraped
  }

  async #scrape(): Promise<string> {
    const { telemetry } = this.#database
    const server = { liveStreams: this.#liveStreams(), requestsPerSecond: 0, processBytes: processBytes() }
    const status = await telemetry.status(server)
    const seen = { status, topology: await telemetry.topology(), totals: telemetry.totals() }
    for (const read of this.#read) read(seen)
    return this.#registry.metrics()
  }

  close(): void {
    this.#registry.clear()
  }
}

/** Puts a metric's values into the registry's place, those of before forgotten. */
function reader({ name, kind, labels, help, read }: MetricDefinition, registry: Registry): (seen: Seen) => void {
  const options = { name: `millrace_${name}`, help, labelNames: [...labels], registers: [registry] }
  const metric = kind === 'gauge' ? new Gauge(options) : new Counter(options)
  return (seen) => {
    metric.reset()
    // One without labels would be 0 after a reset, where it is not known.
    metric.remove({})
    for (const [value, ...values] of read(seen)) {
      if (value === null) continue
      metric.inc(Object.fromEntries(labels.map((label, i) => [label, values[i]])), value)
    }
  }
}
