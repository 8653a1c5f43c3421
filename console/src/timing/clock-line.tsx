import type { TimeBody } from 'millrace/client'
import type { JSX } from 'preact'
import { duration, microsToMs } from '../text/times.ts'

interface ClockLineProps {
  readonly topic: TimeBody['topics'][number]
  readonly nowMicros: string
}

/** The watermark against the clock: what lies between them, drawn to scale and said in words. */
export function ClockLine({ topic, nowMicros }: ClockLineProps): JSX.Element | null {
  const { watermark_micros: watermark, newest_micros: newest } = topic
  if (watermark === null || newest === null) return null
  const waited = microsToMs(newest) - microsToMs(watermark)
  const silent = microsToMs(nowMicros) - microsToMs(newest)
  if (waited < 0) return null
  return (
    <figure class="clock-line">
      <div class="clock-line-ends label" aria-hidden="true">
        <span>watermark</span>
        <span>{silent < 0 ? 'newest event' : 'clock'}</span>
      </div>
      <div class="clock-line-track" aria-hidden="true">
        <span class="clock-line-waited" style={{ flexGrow: waited }} />
        <span class="clock-line-silent" style={{ flexGrow: Math.max(0, silent) }} />
      </div>
      <figcaption class="label num">
        {`${duration(waited)} are kept for late events; `}
        {silent < 0
          ? `the newest event is ${duration(-silent)} in the future.`
          : `the newest event is ${duration(silent)} old.`}
      </figcaption>
    </figure>
  )
}
