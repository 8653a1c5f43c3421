import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.ts'

/** One event as it was sent: events of both topics carry a `ref` of their own; a delete has only its key. */
export interface Sent {
  readonly topic: 'bid' | 'account'
  readonly op: 'append' | 'upsert' | 'delete'
  readonly data: Readonly<Record<string, string | number | null>>
}

/** An append, under a key or not, and what came of it. */
export interface Request {
  readonly path: string
  readonly type: string
  readonly key: string | null
  readonly body: string
  readonly events: readonly Sent[]
  /** The text of the first answer; null while there is none. */
  answer: string | null
}

export interface Tally {
  answered: number
  retries: number
  /** Requests that were durable before the server was killed, and were answered by the next one. */
  replayed: number
  repeats: number
  unknown: number
}

const auctions = 12
const accounts = 30
const retryMs = 30

/** A client that appends without an end, retries what has a key until it is answered, and sends old requests again. */
export class Appender {
  readonly requests: Request[] = []
  readonly tally: Tally = { answered: 0, retries: 0, replayed: 0, repeats: 0, unknown: 0 }
  readonly #name: string
  readonly #random: Random
  readonly #url: () => string
  readonly #pauseMs: number
  #events = 0

  constructor(name: string, random: Random, url: () => string, pauseMs: number) {
    this.#name = name
    this.#random = random
    this.#url = url
    this.#pauseMs = pauseMs
  }

  /** Ends when told to, with every request under a key answered. */
  async run(going: () => boolean): Promise<void> {
    while (going()) {
      const request = this.#request()
      this.requests.push(request)
      await this.#send(request, going)
      if (this.#random.chance(0.1)) await this.repeat(this.requests[this.#random.below(this.requests.length)])
      if (this.#pauseMs > 0) await sleep(this.#random.below(2 * this.#pauseMs))
    }
  }

  async #send(request: Request, going: () => boolean): Promise<void> {
    for (;;) {
      const answer = await this.#post(request)
      if (answer !== null) {
        request.answer = answer.text
        this.tally.answered++
        if (answer.replayed) this.tally.replayed++
        return
      }
      if (request.key === null) {
        this.tally.unknown++
        return
      }
      this.tally.retries++
      await sleep(going() ? this.#random.below(2 * retryMs) : retryMs)
    }
  }

  /** The same key and body must get the same answer. */
  async repeat(request: Request): Promise<void> {
    if (request.key === null || request.answer === null) return
    const answer = await this.#post(request)
    if (answer === null) return
    this.tally.repeats++
    if (answer.text !== request.answer || !answer.replayed) {
      throw new Error(`${request.key} was answered ${request.answer}, and sent again ${answer.text}`)
    }
  }

  /** @returns null where nobody knows what became of it, or the server is not ready */
  async #post(request: Request): Promise<{ readonly text: string; readonly replayed: boolean } | null> {
    let status: number
    let text: string
    let replayed: boolean
    try {
      const response = await fetch(this.#url() + request.path, {
        method: 'POST',
        headers: {
          'content-type': request.type,
          ...(request.key === null ? {} : { 'idempotency-key': request.key }),
        },
        body: request.body,
      })
      status = response.status
      replayed = response.headers.get('idempotency-replayed') === 'true'
      text = await response.text()
    } catch {
      return null
    }
    if (status === 503) return null
    if (status !== 201) throw new Error(`${request.path} was answered with ${status}: ${text}`)
    return { text, replayed }
  }

  #request(): Request {
    const random = this.#random
    const key = random.chance(0.9) ? `${this.#name}-${this.requests.length}` : null
    const shape = random.below(3)
    if (shape === 0) {
      const events = [this.#bid()]
      return { ...bids, type: 'application/json', key, events, body: JSON.stringify(events[0].data), answer: null }
    }
    if (shape === 1) {
      const events = Array.from({ length: random.between(1, 30) }, () => this.#bid())
      const body = events.map(({ data }) => `${JSON.stringify(data)}\n`).join('')
      return { ...bids, type: 'application/x-ndjson', key, events, body, answer: null }
    }
    const events = Array.from({ length: random.between(1, 10) }, () =>
      random.chance(0.5) ? this.#bid() : this.#account(key !== null),
    )
    const body = JSON.stringify({
      events: events.map(({ topic, op, data }) => (op === 'delete' ? { topic, op, data } : { topic, data })),
    })
    return { path: '/v1/append', type: 'application/json', key, events, body, answer: null }
  }

  #ref(): string {
    return `${this.#name}-${String(this.#events++).padStart(7, '0')}`
  }

  #bid(): Sent {
    const random = this.#random
    const data = {
      ref: this.#ref(),
      auction: random.below(auctions),
      bidder: random.below(accounts),
      price: `${random.below(10_000)}.${String(random.below(100)).padStart(2, '0')}`,
      at: new Date(Date.UTC(2026, 0, 1) + random.below(180_000)).toISOString(),
    }
    return { topic: 'bid', op: 'append', data }
  }

  /** @param mayDelete a delete has no ref: without an answer nobody could say whether it is there */
  #account(mayDelete: boolean): Sent {
    const random = this.#random
    const id = random.below(accounts)
    if (mayDelete && random.chance(0.3)) return { topic: 'account', op: 'delete', data: { id } }
    const owner = random.chance(0.1) ? null : `owner ${random.below(8)}`
    return { topic: 'account', op: 'upsert', data: { id, owner, ref: this.#ref() } }
  }
}

const bids = { path: '/v1/topics/bid/events' }
