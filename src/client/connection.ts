import type { CatalogBody, ReplayingBody } from '../protocol/answers.ts'
import { errorOf, notMillrace, unreachable } from '../protocol/problem.ts'

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>

/** Calls to one server: answers as JSON, refusals as errors. */
export class Connection {
  readonly #url: string
  readonly #fetch: Fetch
  readonly #headers: Readonly<Record<string, string>>
  #catalog: Promise<CatalogBody> | null = null

  constructor(url: string, fetcher: Fetch, headers: Readonly<Record<string, string>>) {
    this.#url = url.replace(/\/+$/, '')
    this.#fetch = fetcher
    this.#headers = headers
  }

  /**
   * Asks, and asks again for as long as the server says that it is still replaying.
   * @throws MillraceError server/unreachable, or what the server refuses with; the signal's reason once aborted
   */
  async open(path: string, init: RequestInit = {}, onReplaying = ignore): Promise<Response> {
    for (;;) {
      const response = await this.#ask(path, init)
      if (response.status !== 202) return response
      onReplaying((await response.json()) as ReplayingBody)
      await pause(Number(response.headers.get('retry-after') ?? 1) * 1000, init.signal ?? null)
    }
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...this.#headers, ...(init.headers as Readonly<Record<string, string>> | undefined) }
    let response: Response
    try {
      response = await this.#fetch(this.#url + path, { ...init, headers })
    } catch (error) {
      init.signal?.throwIfAborted()
      throw unreachable(this.#url, error)
    }
    if (response.ok) return response
    const body = await response.json().catch(() => null)
    throw errorOf(body) ?? notMillrace(this.#url, response.status)
  }

  async call<Body>(path: string, init: RequestInit = {}): Promise<Body> {
    const response = await this.open(path, init)
    try {
      return (await response.json()) as Body
    } catch (error) {
      init.signal?.throwIfAborted()
      throw unreachable(this.#url, error)
    }
  }

  get<Body>(path: string, signal?: AbortSignal): Promise<Body> {
    return this.call(path, signal === undefined ? {} : { signal })
  }

  post<Body>(path: string, body: unknown, options: PostOptions = {}): Promise<Body> {
    const { idempotencyKey, signal } = options
    return this.call(path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /** What is defined there, asked for once. @param anew where what was known turned out to be old */
  catalog(anew = false): Promise<CatalogBody> {
    if (anew || this.#catalog === null) {
      const asked = this.get<CatalogBody>('/v1/catalog')
      this.#catalog = asked
      asked.catch(() => {
        if (this.#catalog === asked) this.#catalog = null
      })
    }
    return this.#catalog!
  }
}

function ignore(_: ReplayingBody): void {}

/** @throws the signal's reason */
function pause(ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}

export interface PostOptions {
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}
