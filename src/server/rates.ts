import type { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
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
  readonly #limiters: Promise<ReadonlyMap<string, RateLimiterMemory>>

  constructor(rates: Readonly<Record<string, Rate>>) {
    this.#rates = { ...defaultRates, ...rates }
    this.#limiters = limitersOf(this.#rates)
    // Whoever is counted meets it.
    this.#limiters.catch(() => {})
  }

  /**
   * Counts a request. @returns the headers that tell where the caller stands
   * @throws TooOften
   */
  async take(name: string, caller: string): Promise<Readonly<Record<string, string>>> {
    const limiter = (await this.#limiters).get(name)
    if (limiter === undefined) return {}
    try {
      return this.#headers(name, await limiter.consume(caller))
    } catch (refused) {
      // What it refuses with is no error.
      if (refused instanceof Error) throw refused
      const counted = refused as RateLimiterRes
      throw new TooOften(name, this.#rates[name], this.#headers(name, counted), counted.msBeforeNext)
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

/** Only a server with a gateway counts, and so loads the library. */
async function limitersOf(rates: Readonly<Record<string, Rate>>): Promise<ReadonlyMap<string, RateLimiterMemory>> {
  const { RateLimiterMemory } = await import('rate-limiter-flexible')
  return new Map(
    Object.entries(rates).map(([name, { requests, seconds }]) => [
      name,
      new RateLimiterMemory({ keyPrefix: name, points: requests, duration: seconds }),
    ]),
  )
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
