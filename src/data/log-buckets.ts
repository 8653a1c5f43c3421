/**
 * Buckets for counting numbers from 0 of any size: exact below 8, then eight to each power of two, so that a bucket's
 * ends differ by an eighth at most.
 */
export const logBuckets = 360

/** Beyond 2^31 a number is counted by its upper part. */
const farBits = 16
const far = 2 ** 31

/** @param value from 0; numbers beyond 2^47 are all in the last bucket */
export function bucketOf(value: number): number {
  if (value >= far) {
    const upper = value / 2 ** farBits
    return upper >= far ? logBuckets - 1 : farBits * 8 + bucketOf(upper)
  }
  const whole = value | 0
  if (whole < 8) return whole
  const exponent = 31 - Math.clz32(whole)
  return (exponent - 2) * 8 + ((whole >>> (exponent - 3)) & 7)
}

/** Where the numbers of a bucket begin. */
export function bucketStart(bucket: number): number {
  return bucket < 8 ? bucket : (8 + (bucket & 7)) * 2 ** ((bucket >>> 3) - 1)
}

/** Numbers counted in buckets. */
export type Counts = Uint32Array | Float64Array

/** @returns about the number that a share of all are not greater than; null where there are none */
export function quantile(counts: Counts, share: number): number | null {
  let total = 0
  for (const count of counts) total += count
  if (total === 0) return null
  let left = Math.max(1, Math.ceil(total * share))
  for (let bucket = 0; bucket < counts.length; bucket++) {
    if (counts[bucket] < left) {
      left -= counts[bucket]
      continue
    }
    const start = bucketStart(bucket)
    return start + ((bucketStart(bucket + 1) - start) * left) / counts[bucket]
  }
  return null
}
