import { describe, expect, it } from 'vitest'
import { bucketOf, logBuckets } from '../../data/log-buckets.ts'
import { histogramOf, suggestionOf } from './lateness.ts'

function counts(...events: readonly (readonly [micros: number, count: number])[]): Float64Array {
  const made = new Float64Array(logBuckets)
  for (const [micros, count] of events) made[bucketOf(micros)] += count
  return made
}

describe('how events are out of order', () => {
  it('is told in buckets of twice the length', () => {
    const all = counts([0, 10], [300, 2], [900, 1], [1_500_000, 3], [1_600_000, 4], [90_000_000_000, 1])
    expect(histogramOf(all)).toEqual([
      { up_to_ms: 0, events: 10 },
      { up_to_ms: 1, events: 3 },
      { up_to_ms: 2048, events: 7 },
      { up_to_ms: 2 ** 27, events: 1 },
    ])
  })

  it('suggests a lateness that lets all but one in a thousand in', () => {
    const some = counts([0, 998_000], [3_500_000, 1900], [60_000_000, 100])
    expect(suggestionOf(some, 0n)).toEqual({
      suggested_lateness_micros: '4000000',
      suggestion:
        "99.9 % of 1,000,000 events came at most 4 seconds behind the newest before them; lateness is not given: '4 seconds' would let them in",
    })
    expect(suggestionOf(some, 10_000_000n).suggestion).toContain('windows would close earlier')
    expect(suggestionOf(counts([0, 5000]), 0n)).toMatchObject({ suggested_lateness_micros: '0' })
    expect(suggestionOf(counts([0, 5000]), 2_000_000n).suggestion).toContain("'0 seconds' would be enough")
    expect(suggestionOf(counts([0, 99]), 0n).suggested_lateness_micros).toBeNull()
  })
})
