import type { JourneyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { Badge, type Tone } from '../design/badge.tsx'
import { viewAddress } from '../shell/place.ts'
import { RowFacts } from '../why/row-facts.tsx'

type JourneyStep = JourneyBody['steps'][number]
type Outcome = JourneyStep['outcome']

const tones: Readonly<Record<Outcome, Tone>> = {
  passed: 'good',
  aggregated: 'good',
  superseded: 'plain',
  held: 'plain',
  filtered: 'warn',
  late: 'warn',
  'no match yet': 'warn',
  error: 'bad',
  'nothing changed': 'plain',
}

const shownRows = 4

/** What the event did at each operator, in the order in which it went through them. */
export function JourneySteps({ steps }: { readonly steps: JourneyBody['steps'] }): JSX.Element {
  return (
    <ol class="journey">
      {steps.map((step, i) => (
        <li key={`${step.node} ${i}`} class="journey-step">
          <span class="journey-outcome">
            <Badge tone={tones[step.outcome] ?? 'plain'}>{step.outcome}</Badge>
          </span>
          <div class="journey-what">
            <p>
              <strong>{step.label}</strong>
              {step.detail !== '' && <span class="quiet">{` ${step.detail}`}</span>}
            </p>
            {step.rows_out.slice(0, shownRows).map(({ row, weight }, r) => (
              <div key={r} class="journey-row">
                <span class={weight > 0 ? 'change-in num' : 'change-out num'}>
                  {weight > 0 ? `+${weight}` : `−${-weight}`}
                </span>
                <RowFacts row={row} />
              </div>
            ))}
          </div>
          <span class="journey-views">
            {step.views.map((view) => (
              <a key={view} class="journey-view" href={viewAddress(view)}>
                {view}
              </a>
            ))}
          </span>
        </li>
      ))}
    </ol>
  )
}
