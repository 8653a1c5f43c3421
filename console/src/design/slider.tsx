import type { JSX } from 'preact'
import './controls.css'

interface SliderProps {
  readonly label: string
  readonly from: number
  readonly to: number
  readonly value: number
  readonly shown: string
  readonly onChange: (value: number) => void
}

/** One of a row of numbers, such as a tick. */
export function Slider({ label, from, to, value, shown, onChange }: SliderProps): JSX.Element {
  return (
    <div class="slider">
      <input
        type="range"
        aria-label={label}
        aria-valuetext={shown}
        min={from}
        max={Math.max(from, to)}
        step={1}
        value={value}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
      {/* No output element: it would be read out with each tick. */}
      <span class="label slider-value">{shown}</span>
    </div>
  )
}
