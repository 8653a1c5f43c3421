import type { Log } from '../../log/log.ts'
import type { VolumeBody } from '../../protocol/telemetry.ts'

/** A bucket is at least as wide as this. */
const narrowestMicros = 1000n

/**
 * How many events of a topic came when: as many offsets are looked up as there are buckets, by the log's index. Events
 * that were thrown away are not counted, those that a compacted table kept of its past neither.
 * @param topic its id; @param buckets at least 1
 */
export async function volumeBody(log: Log, topic: number, buckets: number): Promise<VolumeBody> {
  const { timeMicros, offsets } = log.position()
  const end = offsets.get(topic) ?? 0
  if (end === 0) return { buckets: [] }
  const [first] = await log.readTopic(topic, log.starts().get(topic)?.firstOffset ?? 0, 1)
  if (first === undefined) return { buckets: [] }
  const begin = first.appendedAtMicros
  // The newest events are of the last tick at the latest.
  const to = timeMicros < begin ? begin + 1n : timeMicros + 1n
  const count = BigInt(buckets)
  // Where all came at once there would be buckets of no width: time before the first event, which is empty, makes room.
  const narrowest = to - count * narrowestMicros
  const from = begin < narrowest ? begin : narrowest
  const edges = Array.from({ length: buckets + 1 }, (_, i) => from + ((to - from) * BigInt(i)) / count)
  const starts: number[] = []
  for (const [i, edge] of edges.entries()) {
    const before = starts[i - 1] ?? first.firstOffset
    if (i === 0) starts.push(first.firstOffset)
    else if (i === buckets || before >= end) starts.push(end)
    else starts.push(Math.min(end, Math.max(before, await log.findOffset(topic, edge))))
  }
  return {
    buckets: edges.slice(0, -1).map((edge, i) => ({
      from_micros: String(edge),
      to_micros: String(edges[i + 1]),
      first_offset: starts[i],
      events: starts[i + 1] - starts[i],
    })),
  }
}
