import { bucketStart } from '../../data/log-buckets.ts'
import { durationText } from '../../plan/plan-words.ts'
import { counted } from '../../plan/why-words.ts'
import type { TopicTimeBody } from '../../protocol/telemetry.ts'

/** A share of the events that a suggested lateness lets in. */
const share = 0.999
/** So few events say nothing. */
const enough = 1000

/**
 * Disorder in buckets of twice the length each: the first are the events that came in order.
 * @param counts by microseconds, as data/log-buckets.ts counts
 */
export function histogramOf(counts: Float64Array): TopicTimeBody['histogram'] {
  const groups: { up_to_ms: number; events: number }[] = [{ up_to_ms: 0, events: counts[0] }]
  for (let bucket = 1; bucket < counts.length; bucket++) {
    if (counts[bucket] === 0) continue
    const upToMs = 2 ** Math.max(0, Math.ceil(Math.log2(bucketStart(bucket + 1) / 1000)))
    const last = groups[groups.length - 1]
    if (last.up_to_ms === upToMs) last.events += counts[bucket]
    else groups.push({ up_to_ms: upToMs, events: counts[bucket] })
  }
  return groups
}

/** A lateness with which 99.9 % of the events would have been on time, and what to make of it. */
export function suggestionOf(
  counts: Float64Array,
  latenessMicros: bigint,
): Pick<TopicTimeBody, 'suggested_lateness_micros' | 'suggestion'> {
  const events = counts.reduce((sum, count) => sum + count, 0)
  if (events < enough) {
    return { suggested_lateness_micros: null, suggestion: `too few events since the start to tell: ${events}` }
  }
  const suggested = roundedUp(allButFew(counts, events))
  const within = suggested === 0n ? 'in order' : `at most ${durationText(suggested)} behind the newest before them`
  const seen = `99.9 % of ${counted(events, 'event')} came ${within}`
  const now = `lateness is ${latenessMicros === 0n ? 'not given' : `'${durationText(latenessMicros)}'`}`
  const advice =
    suggested > latenessMicros
      ? `${now}: '${durationText(suggested)}' would let them in`
      : suggested === latenessMicros
        ? `${now}, which is right`
        : `${now}: '${durationText(suggested)}' would be enough, and windows would close earlier`
  return { suggested_lateness_micros: String(suggested), suggestion: `${seen}; ${advice}` }
}

/** Microseconds within which the share of the events lies. */
function allButFew(counts: Float64Array, events: number): number {
  let left = Math.ceil(events * share)
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket]
    // Times in a bucket are below its end; those in the first are equal to the newest.
    if (left <= 0) return bucket === 0 ? 0 : bucketStart(bucket + 1)
  }
  return bucketStart(counts.length)
}

/** To a number that people would write. */
function roundedUp(micros: number): bigint {
  const units = [86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 100_000, 10_000, 1000]
  const unit = units.find((each) => micros >= 2 * each) ?? 1000
  return BigInt(Math.ceil(micros / unit) * unit)
}
