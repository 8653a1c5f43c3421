import type { JSX } from 'preact'
import { catalog, type ViewInfo } from '../ask/catalog.ts'
import { Dot } from '../design/badge.tsx'
import { Slider } from '../design/slider.tsx'
import { query, setQuery } from '../shell/place.ts'
import { count } from '../text/numbers.ts'

/** The way back through ticks: at its right end is now. */
export function TickBar({ view }: { readonly view: ViewInfo }): JSX.Element {
  const tick = catalog.value.value?.tick ?? 0
  const asOf = query.value.get('as_of')
  const at = asOf === null ? tick : /^\d+$/.test(asOf) ? Number(asOf) : tick
  const from = Math.min(view.oldest_tick, tick)
  return (
    <div class="tick-bar">
      <button
        type="button"
        class="button plain live-button"
        aria-pressed={asOf === null}
        onClick={() => setQuery({ as_of: null, replay: null })}
      >
        <Dot tone={asOf !== null ? 'plain' : catalog.value.refusal === null ? 'good' : 'bad'} />
        Live
      </button>
      {from === tick && asOf === null ? (
        <span class="label num">{`tick ${count(tick)}; no earlier one is remembered`}</span>
      ) : (
        <Slider
          label="Tick to show the rows of"
          from={from}
          to={tick}
          value={at}
          shown={asOf === null ? `tick ${count(tick)}` : /^\d+$/.test(asOf) ? `as of ${count(at)}` : `as of ${asOf}`}
          onChange={(value) => setQuery({ as_of: value >= tick ? null : String(value), replay: null })}
        />
      )}
    </div>
  )
}
