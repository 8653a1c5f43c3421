import type { StepBody } from 'millrace/client'
import type { JSX } from 'preact'
import { Badge } from '../design/badge.tsx'
import { cellText } from '../rows/order.ts'
import { count } from '../text/numbers.ts'
import { EventLink } from './event-link.tsx'
import { RowFacts } from './row-facts.tsx'

/** Deeper steps, and more than so many beside each other, are folded until somebody opens them. */
const openDepth = 4
const openInputs = 4

interface StepProps {
  readonly step: StepBody
  readonly depth?: number
}

/** What made a row: the operator, its arithmetic, and below it the rows that it read, down to events. */
export function StepTree({ step, depth = 0 }: StepProps): JSX.Element {
  const { op, label, detail, row, passed, condition, inputs, more = 0, events = [] } = step
  const folded = depth >= openDepth
  return (
    <div class="step">
      <div class="step-head">
        <Badge tone={passed === false ? 'bad' : 'plain'}>{op}</Badge>
        <span class="step-label">{label}</span>
        {events.map((event) => (
          <EventLink key={`${event.topic} ${event.offset}`} event={event} />
        ))}
      </div>
      {detail !== undefined && <p class="step-detail">{detail}</p>}
      {condition !== undefined && (
        <p class="step-detail">
          <code>{condition.text}</code>
          {passed !== undefined && <span class={passed ? 'quiet' : 'bad'}>{passed ? ' is true' : ' is not true'}</span>}
          {Object.keys(condition.values).length > 0 && <span class="quiet">{`: ${valuesText(condition.values)}`}</span>}
        </p>
      )}
      <Arithmetic step={step} />
      {row !== null && <RowFacts row={row} />}
      {inputs.length > 0 && (
        <details class="step-inputs" open={!folded && inputs.length <= openInputs}>
          <summary>{inputsText(inputs.length, more)}</summary>
          {inputs.map((input, i) => (
            <StepTree key={i} step={input} depth={depth + 1} />
          ))}
          {more > 0 && <p class="label">{`and ${count(more)} more`}</p>}
        </details>
      )}
    </div>
  )
}

function inputsText(shown: number, more: number): string {
  const all = shown + more
  if (all === 1) return 'made of one row'
  return more === 0 ? `made of ${count(all)} rows` : `made of ${count(all)} rows; ${count(shown)} are shown`
}

function valuesText(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${cellText(value) ?? 'null'}`)
    .join(', ')
}

function Arithmetic({ step }: { readonly step: StepBody }): JSX.Element | null {
  const { arithmetic = [] } = step
  if (arithmetic.length === 0) return null
  return (
    <dl class="arithmetic">
      {arithmetic.map(({ column, expression, shown, terms }) => (
        <div key={column} class="arithmetic-line">
          <dt>
            <strong>{column}</strong>
            <span class="quiet">{` ${expression}`}</span>
          </dt>
          <dd class="mono">
            {shown}
            {terms.length > 0 && terms.length <= 3 && terms.every(({ event }) => event !== undefined) && (
              <span class="arithmetic-events">
                {terms.map(({ event }) => (
                  <EventLink key={event!.offset} event={event!} />
                ))}
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}
