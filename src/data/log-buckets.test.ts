import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketOf, bucketStart, logBuckets, quantile } from './log-buckets.ts'

describe('logarithmic buckets', () => {
  it('hold each number, and are no wider than an eighth of it', () => {
    const numbers = fc.oneof(
      fc.nat({ max: 100 }),
      fc.maxSafeNat().map((n) => n % 2 ** 46),
    )
    fc.assert(
      fc.property(numbers, (value) => {
        const bucket = bucketOf(value)
        expect(bucketStart(bucket)).toBeLessThanOrEqual(value)
        expect(bucketStart(bucket + 1)).toBeGreaterThan(value)
        expect(bucketStart(bucket + 1) - bucketStart(bucket)).toBeLessThanOrEqual(Math.max(1, value / 8))
      }),
    )
  })

  it('take any number', () => {
    for (const value of [0, 0.5, 2 ** 31 - 1, 2 ** 31, 2 ** 47, 2 ** 53, Number.MAX_VALUE]) {
      expect(bucketOf(value)).toBeGreaterThanOrEqual(0)
      expect(bucketOf(value)).toBeLessThan(logBuckets)
    }
  })

  it('tell quantiles to an eighth', () => {
    const counts = new Float64Array(logBuckets)
    expect(quantile(counts, 0.5)).toBeNull()
    for (let value = 1; value <= 1000; value++) counts[bucketOf(value)]++
    for (const share of [0.01, 0.5, 0.99, 1]) {
      const found = quantile(counts, share)!
      expect(Math.abs(found - share * 1000)).toBeLessThanOrEqual(share * 125 + 1)
    }
  })
})
