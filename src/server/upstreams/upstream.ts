import type CircuitBreaker from 'opossum'
import type { UpstreamOptions } from '../../app/gateway-routes.ts'
import { MillraceError } from '../../data/errors.ts'
import { dial } from '../../io/dial.ts'
import { environment } from '../../io/environment.ts'
import type { Clock } from '../../io/io.ts'

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  readonly signal: AbortSignal
}

const defaultTimeoutMs = 10_000
const retried = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])
/** Statuses by which a service says that it can't at the moment. */
const failing = new Set([502, 503, 504])
/** Each request adds so much to the budget, and each retry takes one: a service that fails isn't asked twice as often. */
const budgetShare = 0.1
const budgetMost = 10
/** Of the latest requests, in ten seconds, half must fail, and ten must have been made, before it is left alone. */
const breaker = { errorThresholdPercentage: 50, volumeThreshold: 10, rollingCountTimeout: 10_000, resetTimeout: 5_000 }

/** One service: asked in time, again where that does no harm, and not at all while it fails. */
export class Upstream {
  readonly #options: UpstreamOptions
  readonly #clock: Clock
  readonly #headers: Readonly<Record<string, string>>
  readonly #breaker: Promise<CircuitBreaker<[Asked], Response>>
  #budget = budgetMost

  /** @throws MillraceError app/load for a header's secret that is not set */
  constructor(options: UpstreamOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [
        name.toLowerCase(),
        typeof value === 'string' ? value : secretOf(value.env),
      ]),
    )
    this.#breaker = this.#makeBreaker()
    // Whoever asks meets it.
    this.#breaker.catch(() => {})
  }

  /** Only a server with upstreams loads the library. */
  async #makeBreaker(): Promise<CircuitBreaker<[Asked], Response>> {
    const { default: Breaker } = await import('opossum')
    // Times are kept by our own clock: the breaker only counts.
    return new Breaker((asked: Asked) => this.#once(asked), {
      ...breaker,
      timeout: false,
      errorFilter: (error: unknown) => error instanceof MillraceError && error.code === 'request/slow',
    })
  }

  /** @throws MillraceError upstream/failed, upstream/timeout, upstream/open; the answer's body is still to be read */
  async ask(asked: Asked): Promise<Response> {
    this.#budget = Math.min(budgetMost, this.#budget + budgetShare)
    let left = retried.has(asked.method) ? (this.#options.retries ?? 1) : 0
    for (;;) {
      try {
        return await (await this.#breaker).fire(asked)
      } catch (error) {
        if ((error as { readonly code?: string }).code === 'EOPENBREAKER') throw open()
        const again = left-- > 0 && this.#budget >= 1 && !asked.signal.aborted
        if (again) {
          this.#budget--
          if (error instanceof Failing) await error.response.body?.cancel()
        } else if (error instanceof Failing) return error.response
        else throw error
      }
    }
  }

  async #once({ method, url, headers, body, signal }: Asked): Promise<Response> {
    const timeout = new AbortController()
    const { timeoutMs = defaultTimeoutMs } = this.#options
    const cancel = this.#clock.after(timeoutMs, () => timeout.abort())
    try {
      const response = await dial(url, {
        method,
        headers: { ...headers, ...this.#headers },
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout.signal]),
        ...(body === null ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      })
      if (failing.has(response.status)) throw new Failing(response)
      return response
    } catch (error) {
      if (error instanceof Failing) throw error
      if (timeout.signal.aborted) throw tooSlow(timeoutMs)
      if (signal.aborted) throw new MillraceError('request/slow', 'nobody waits for the answer any more')
      throw new MillraceError('upstream/failed', 'the service behind this route does not answer', { cause: error })
    } finally {
      cancel()
    }
  }

  /** The pieces of an answer, each of which must come in time. */
  async *pieces(response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return
    const reader = response.body.getReader()
    const { timeoutMs = defaultTimeoutMs } = this.#options
    try {
      for (;;) {
        const cancel = this.#clock.after(timeoutMs, () => void reader.cancel(tooSlow(timeoutMs)))
        const { done, value } = await reader.read().finally(cancel)
        if (done) return
        yield value
      }
    } finally {
      await reader.cancel().catch(() => {})
    }
  }

  /** All of an answer. @throws MillraceError upstream/failed for one that is larger than `mostBytes` */
  async whole(response: Response, mostBytes: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let length = 0
    for await (const piece of this.pieces(response)) {
      length += piece.length
      if (length > mostBytes)
        throw new MillraceError('upstream/failed', `the service answers more than ${mostBytes} bytes`)
      pieces.push(piece)
    }
    const all = new Uint8Array(length)
    let at = 0
    for (const piece of pieces) {
      all.set(piece, at)
      at += piece.length
    }
    return all
  }

  close(): void {
    this.#breaker.then((made) => made.shutdown()).catch(() => {})
  }
}

/** An answer that counts as a failure, and is passed on where nothing better comes. */
class Failing extends Error {
  readonly response: Response

  constructor(response: Response) {
    super(`the service answers ${response.status}`)
    this.response = response
  }
}

function secretOf(name: string): string {
  const value = environment(name)
  if (value !== null) return value
  throw new MillraceError('app/load', `the environment's ${name}, which a route sends, is not set`)
}

function open(): MillraceError {
  return new MillraceError(
    'upstream/open',
    'the service behind this route failed too often: it is left alone for now',
    {
      hint: 'ask again in a few seconds',
    },
  )
}

function tooSlow(ms: number): MillraceError {
  return new MillraceError('upstream/timeout', `the service behind this route took longer than ${ms} ms`)
}
