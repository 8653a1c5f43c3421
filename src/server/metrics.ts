import type { Database } from '../database.ts'
import type { ApiAnswer } from './exchange.ts'
import type { MetricRegistry } from './metric-registry.ts'

/** So many requests wait for a registry that nobody has asked for. */
const mostWaiting = 1000

type Observed = readonly [route: string, method: string, status: number, seconds: number]

/**
 * What a server tells Prometheus: docs/METRICS.md. A start need not wait for the library: it is loaded for the first
 * scrape, or when it takes more memory to do without.
 */
export class Metrics {
  readonly #database: Database
  readonly #liveStreams: () => number
  #waiting: Observed[] = []
  #waitingBytes = 0
  #loading: Promise<MetricRegistry> | null = null
  #registry: MetricRegistry | null = null

  constructor(database: Database, liveStreams: () => number) {
    this.#database = database
    this.#liveStreams = liveStreams
  }

  /** @param route the pattern, never the path: a reader must not be able to make up label values */
  observe(route: string, method: string, status: number, seconds: number): void {
    if (this.#registry !== null) {
      this.#registry.observe(route, method, status, seconds)
      return
    }
    this.#waiting.push([route, method, status, seconds])
    // Where it can't be loaded, the scrape says so.
    if (this.#waiting.length === mostWaiting) this.#load().catch(() => {})
  }

  countBody(bytes: number): void {
    if (this.#registry !== null) this.#registry.countBody(bytes)
    else this.#waitingBytes += bytes
  }

  /** GET /metrics */
  async answer(): Promise<ApiAnswer> {
    const registry = await this.#load()
    return {
      status: 200,
      headers: { 'content-type': registry.contentType, 'cache-control': 'no-store' },
      body: new TextEncoder().encode(await registry.scrape()),
    }
  }

  #load(): Promise<MetricRegistry> {
    return (this.#loading ??= this.#makeRegistry())
  }

  async #makeRegistry(): Promise<MetricRegistry> {
    try {
      const { MetricRegistry } = await import('./metric-registry.ts')
      const registry = new MetricRegistry(this.#database, this.#liveStreams)
      for (const observed of this.#waiting) registry.observe(...observed)
      registry.countBody(this.#waitingBytes)
      this.#registry = registry
      return registry
    } catch (error) {
      // The next scrape tries again; until then no more is kept than before.
      this.#loading = null
      throw error
    } finally {
      this.#waiting = []
    }
  }

  close(): void {
    this.#registry?.close()
  }
}
