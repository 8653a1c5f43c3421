import type { JSX } from 'preact'
import { short } from '../text/numbers.ts'

interface SparklineProps {
  readonly values: readonly number[]
  readonly label: string
  /** Points that fill the width: where there are fewer, the left stays empty. */
  readonly points?: number
}

const width = 240
const height = 32

/** A series without axes: its course, from 0 to its peak. */
export function Sparkline({ values, label, points = 120 }: SparklineProps): JSX.Element {
  const peak = Math.max(0, ...values)
  const said =
    values.length === 0 ? `${label}: nothing yet` : `${label}: peak ${short(peak)}, now ${short(values.at(-1)!)}`
  const step = width / Math.max(1, points - 1, values.length - 1)
  const start = width - step * (values.length - 1)
  const y = (value: number): string => (height - 1 - (peak === 0 ? 0 : (value / peak) * (height - 4))).toFixed(1)
  const line = values.map((value, i) => `${i === 0 ? 'M' : 'L'}${(start + i * step).toFixed(1)} ${y(value)}`).join('')
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={said}>
      <line class="sparkline-floor" x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
      {values.length > 1 && peak > 0 && (
        <>
          <path class="sparkline-area" d={`${line}L${width} ${height}L${start} ${height}Z`} />
          <path class="sparkline-line" d={line} />
        </>
      )}
    </svg>
  )
}
