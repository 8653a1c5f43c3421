import type { TimeBody, TopicTimeBody } from '../protocol/telemetry.ts'
import type { DatabaseStatus } from './contract.ts'
import type { Programs } from './programs.ts'

/** GET /v1/time */
export function timeBody({ current }: Programs, nowMicros: bigint, status: DatabaseStatus): TimeBody {
  const topics = current.program.topics.map((topic, i): TopicTimeBody => {
    const { name, eventTime, columns, latenessMicros } = topic
    const { watermarkMicros, late } = status.topics[i]
    return {
      name,
      event_time: eventTime === null ? null : columns[eventTime].name,
      lateness_micros: latenessMicros,
      watermark_micros: watermarkMicros === null ? null : String(watermarkMicros),
      newest_micros: watermarkMicros === null ? null : String(watermarkMicros + BigInt(latenessMicros)),
      behind_ms: watermarkMicros === null ? null : Number((nowMicros - watermarkMicros) / 1000n),
      late,
      holds: [],
      histogram: [],
      suggested_lateness_micros: null,
      suggestion: eventTime === null ? 'the topic has no event time' : 'too few events to tell',
    }
  })
  return { now_micros: String(nowMicros), topics, windows: [] }
}
