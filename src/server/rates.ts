import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Rate } from '../app/gateway.ts'
import { MillraceError } from '../data/errors.ts'

/** What one caller may ask for, unless the gateway says otherwise. */
export const defaultRates: Readonly<Record<string, Rate>> = {
  read: { requests: 5000, seconds: 10 },
  append: { requests: 5000, seconds: 10 },
  query: { requests: 100, seconds: 10 },
  explain: { requests: 100, seconds: 10 },
  live: { requests: 100, seconds: 10 },
  admin: { requests: 100, seconds: 10 },
  /** Requests of one address that nobody vouches for. */
  failures: { requests: 300, seconds: 60 },
}

/** How often callers may ask, by class of routes: each caller has a count of its own for each class. */
export class Rates {
  readonly #rates: Readonly<Record<string, Rate>>
  readonly #limiters: ReadonlyMap<string, RateLimiterMemory>

  constructor(rates: Readonly<Record<string, Rate>>) {
    this.#rates = { ...defaultRates, ...rates }
    this.#limiters = new Map(
      Object.entries(this.#rates).map(([name, { requests, seconds }]) => [
        name,
        new RateLimiterMemory({ keyPrefix: name, points: requests, duration: seconds }),
      ]),
    )
  }

  /**
   * Counts a request. @returns the headers that tell where the caller stands
   * @throws TooOften
   */
  async take(name: string, caller: string): Promise<Readonly<Record<string, string>>> {
    const limiter = this.#limiters.get(name)
    if (limiter === undefined) return {}
    try {
      return this.#headers(name, await limiter.consume(caller))
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused
      throw new TooOften(name, this.#rates[name], this.#headers(name, refused), refused.msBeforeNext)
    }
  }

  #headers(name: string, { remainingPoints, msBeforeNext }: RateLimiterRes): Readonly<Record<string, string>> {
    const { requests, seconds } = this.#rates[name]
    return {
      'ratelimit-policy': `"${name}";q=${requests};w=${Math.ceil(seconds)}`,
      ratelimit: `"${name}";r=${Math.max(0, remainingPoints)};t=${Math.ceil(msBeforeNext / 1000)}`,
    }
  }
}

export class TooOften extends MillraceError {
  readonly headers: Readonly<Record<string, string>>

  constructor(
    name: string,
    { requests, seconds }: Rate,
    headers: Readonly<Record<string, string>>,
    msBeforeNext: number,
  ) {
    super('request/rate', `more than ${requests} requests of the kind “${name}” in ${seconds} s`, {
      hint: 'ask again after the seconds that Retry-After says',
    })
    this.headers = { ...headers, 'retry-after': String(Math.max(1, Math.ceil(msBeforeNext / 1000))) }
  }
}
