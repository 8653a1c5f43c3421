import { Fragment, type JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { Badge } from '../design/badge.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { eventAddress } from '../shell/place.ts'
import { count, plural } from '../text/numbers.ts'

const mostListed = 100

/** Rows that could not be computed, and the events that they come from. */
export function ViewErrors({ view }: { readonly view: ViewInfo }): JSX.Element {
  const asked = useAsked(`errors ${view.name} ${view.errors}`, (server, signal) =>
    server.relations.errors(view.name, mostListed, signal),
  )
  const { value, refusal } = asked.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what="Reading the log for the events behind them" />
  return (
    <div class="error-rows">
      <p class="label">
        {`${plural(value.errors, 'row')} could not be computed at tick ${count(value.tick)}. An error row goes when the events behind it are taken back, or the definition no longer meets them.`}
      </p>
      <ul class="plain-list">
        {value.rows.map(({ reason, sqlstate, count: times, positions, key }) => (
          <li key={`${reason} ${JSON.stringify(positions)} ${JSON.stringify(key)}`} class="plain-row">
            <span class="bad">{reason}</span> <Badge>{sqlstate}</Badge>
            {times > 1 && <span class="quiet num">{` × ${count(times)}`}</span>}
            {key !== null && <span class="quiet">{` in the group ${JSON.stringify(key)}`}</span>}
            {positions.map(({ topic, offset }) => (
              <Fragment key={`${topic} ${offset}`}>
                {' '}
                <a class="link num" href={eventAddress(topic, offset)}>
                  {`${topic} ${count(offset)}`}
                </a>
              </Fragment>
            ))}
          </li>
        ))}
      </ul>
    </div>
  )
}
