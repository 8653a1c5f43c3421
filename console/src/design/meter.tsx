import type { JSX } from 'preact'
import './meter.css'

interface MeterProps {
  readonly label: string
  readonly value: string
  /** 0 to 1 of what there may be; null where there is no bound. */
  readonly share: number | null
}

/** How much of something is used. */
export function Meter({ label, value, share }: MeterProps): JSX.Element {
  const tone = share === null || share < 0.8 ? '' : share < 0.95 ? ' warn' : ' bad'
  return (
    <div class="meter">
      <div class="spread">
        <span class="label">{label}</span>
        <span class="num">{value}</span>
      </div>
      {share !== null && (
        <div
          class="meter-track"
          role="meter"
          aria-label={label}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
          aria-valuetext={value}
        >
          <div
            class={`meter-fill${tone}`}
            style={{ width: `${Math.min(100, Math.max(share > 0 ? 0.6 : 0, share * 100))}%` }}
          />
        </div>
      )}
    </div>
  )
}
