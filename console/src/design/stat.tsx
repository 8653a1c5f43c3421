import type { ComponentChildren, JSX } from 'preact'
import { Sparkline } from './sparkline.tsx'
import './stat.css'

interface StatProps {
  readonly label: string
  readonly value: string
  readonly unit?: string
  readonly note?: ComponentChildren
  /** Drawn below, oldest first. */
  readonly series?: readonly number[]
}

/** One figure with its name: the figure is what the eye finds first. */
export function Stat({ label, value, unit, note, series }: StatProps): JSX.Element {
  return (
    <div class="stat">
      <div class="label">{label}</div>
      <div class="stat-value num">
        {value}
        {unit !== undefined && <span class="stat-unit">{unit}</span>}
      </div>
      {series !== undefined && <Sparkline values={series} label={`${label}, the last two minutes`} />}
      {note !== undefined && <div class="label stat-note">{note}</div>}
    </div>
  )
}
