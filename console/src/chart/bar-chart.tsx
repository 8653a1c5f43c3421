import type { JSX } from 'preact'
import { short } from '../text/numbers.ts'
import './chart.css'

interface Bar {
  readonly label: string
  readonly value: number
  /** As it was written, every digit. */
  readonly shown?: string
}

/** A figure per name, one below the other, in the order given. */
export function BarChart({ label, bars }: { readonly label: string; readonly bars: readonly Bar[] }): JSX.Element {
  const most = Math.max(...bars.map(({ value }) => Math.abs(value)), 0)
  return (
    <ul class="bars" aria-label={label}>
      {bars.map(({ label: name, value, shown }, i) => (
        <li key={`${name} ${i}`} class="bar-line">
          <span class="bar-name cut" title={name}>
            {name}
          </span>
          <span class="bar-track" aria-hidden="true">
            <span
              class={value < 0 ? 'bar-fill below' : 'bar-fill'}
              style={{ width: `${most === 0 ? 0 : (Math.abs(value) / most) * 100}%` }}
            />
          </span>
          <span class="bar-value num">{shown ?? short(value)}</span>
        </li>
      ))}
    </ul>
  )
}
