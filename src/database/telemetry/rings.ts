import { bucketOf, logBuckets, quantile } from '../../data/log-buckets.ts'

/** So much of the past is known second by second. */
export const ringSeconds = 120
/** Rates are told over so many seconds, quantiles over so many. */
export const rateSeconds = 10
export const quantileSeconds = 60

/** Sums by the second, of the latest two minutes. */
export class SecondRing {
  readonly #stamps = new Float64Array(ringSeconds).fill(-1)
  readonly #sums = new Float64Array(ringSeconds)

  add(ms: number, amount: number): void {
    const second = Math.floor(ms / 1000)
    const slot = second % ringSeconds
    if (this.#stamps[slot] !== second) {
      this.#stamps[slot] = second
      this.#sums[slot] = 0
    }
    this.#sums[slot] += amount
  }

  at(second: number): number {
    const slot = second % ringSeconds
    return second >= 0 && this.#stamps[slot] === second ? this.#sums[slot] : 0
  }

  /** @param sinceMs when counting began @returns how much a second, lately */
  rate(ms: number, sinceMs: number): number {
    const now = Math.floor(ms / 1000)
    const from = Math.max(now - rateSeconds, Math.floor(sinceMs / 1000))
    let sum = 0
    for (let second = from; second <= now; second++) sum += this.at(second)
    const seconds = (ms - Math.max(sinceMs, from * 1000)) / 1000
    return sum / Math.max(1, seconds)
  }
}

/** Durations in slices of time, the oldest forgotten slice by slice. */
export class DurationRing {
  readonly #sliceMs: number
  readonly #slices: { stamp: number; longest: number; readonly counts: Uint32Array }[]

  /** @param sliceMs a slice's length; @param slices how many are kept */
  constructor(sliceMs: number, slices: number) {
    this.#sliceMs = sliceMs
    this.#slices = Array.from({ length: slices }, () => ({
      stamp: -1,
      longest: 0,
      counts: new Uint32Array(logBuckets),
    }))
  }

  /** @param durationMs milliseconds, kept to the microsecond */
  add(ms: number, durationMs: number, times = 1): void {
    const stamp = Math.floor(ms / this.#sliceMs)
    const slice = this.#slices[stamp % this.#slices.length]
    if (slice.stamp !== stamp) {
      slice.stamp = stamp
      slice.longest = 0
      slice.counts.fill(0)
    }
    slice.counts[bucketOf(Math.max(0, durationMs) * 1000)] += times
    slice.longest = Math.max(slice.longest, durationMs)
  }

  /** @returns a quantile of one slice in milliseconds; null where nothing was counted in it */
  quantileOf(stamp: number, share: number): number | null {
    const slice = this.#slices[stamp % this.#slices.length]
    const found = stamp >= 0 && slice.stamp === stamp ? quantile(slice.counts, share) : null
    return found === null ? null : found / 1000
  }

  /** Over the slices of the last `windowMs`; in milliseconds. */
  summary(ms: number, windowMs: number): DurationSummary {
    const now = Math.floor(ms / this.#sliceMs)
    const from = now - Math.ceil(windowMs / this.#sliceMs)
    const sum = new Float64Array(logBuckets)
    let longest: number | null = null
    for (const { stamp, counts, longest: own } of this.#slices) {
      if (stamp < from || stamp > now || stamp < 0) continue
      for (let i = 0; i < counts.length; i++) sum[i] += counts[i]
      longest = Math.max(longest ?? 0, own)
    }
    // A bucket's middle may lie above all that is in it.
    const of = (share: number): number | null => {
      const found = quantile(sum, share)
      return found === null || longest === null ? null : Math.min(found / 1000, longest)
    }
    return { p50: of(0.5), p99: of(0.99), longest }
  }
}

export interface DurationSummary {
  readonly p50: number | null
  readonly p99: number | null
  readonly longest: number | null
}
