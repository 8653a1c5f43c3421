import type { JourneyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { Badge } from '../design/badge.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { JourneyChanges } from '../journey/journey-changes.tsx'
import { JourneySteps } from '../journey/journey-steps.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { eventAddress, topicAddress } from '../shell/place.ts'
import type { PageProps } from '../shell/routes.ts'
import { eventSql, journeySnippets } from '../snippets/explanations.ts'
import { count, plural } from '../text/numbers.ts'
import { duration } from '../text/times.ts'
import { RowFacts } from '../why/row-facts.tsx'
import '../why/why.css'
import '../journey/journey.css'

/** What became of one event: at each operator, and in each view. */
export function Page({ names: [topic, place] }: PageProps): JSX.Element {
  const offset = Number(place)
  const asked = useAsked(`journey ${topic} ${offset}`, (server, signal) => server.journey(topic, offset, { signal }))
  const { value, refusal } = asked.value
  return (
    <div class="page">
      <PageHead
        title={`Event ${count(offset)}`}
        note={
          <>
            <span>
              {'of '}
              <a class="link" href={`${topicAddress(topic)}?from=${Math.max(0, offset - 20)}&event=${offset}`}>
                {topic}
              </a>
            </span>
            {value !== null && <Badge>{value.event.op}</Badge>}
          </>
        }
        actions={
          <>
            {offset > 0 && (
              <a class="button" href={eventAddress(topic, offset - 1)}>
                Earlier
              </a>
            )}
            <a class="button" href={eventAddress(topic, offset + 1)}>
              Later
            </a>
            <CopyAs
              snippets={{
                ...eventSql(topic, offset),
                ...journeySnippets(topic, offset, '{ event, times, steps, changes }'),
              }}
            />
          </>
        }
      />
      {refusal !== null ? (
        <Trouble refusal={refusal} />
      ) : value === null ? (
        <Waiting what="Running the log through the plan, with and without it" />
      ) : (
        <Journey topic={topic} offset={offset} journey={value} />
      )}
    </div>
  )
}

interface JourneyProps {
  readonly topic: string
  readonly offset: number
  readonly journey: JourneyBody
}

function Journey({ topic, offset, journey }: JourneyProps): JSX.Element {
  const { event, times, steps, changes } = journey
  return (
    <>
      <Timeline times={times} />
      <RowFacts row={event.data} />
      <div style={{ height: '16px' }} />
      <Panel
        title="Rows that it changed"
        note={plural(changes.length, 'row')}
        copy={journeySnippets(topic, offset, '{ changes }')}
      >
        <JourneyChanges changes={changes} />
      </Panel>
      <Panel title="Its way" note="what happened at each operator" copy={journeySnippets(topic, offset, '{ steps }')}>
        <JourneySteps steps={steps} />
      </Panel>
    </>
  )
}

/** From the request to the push: each with how long it was behind the append. */
function Timeline({ times }: { readonly times: JourneyBody['times'] }): JSX.Element {
  const { appended_at: appended, tick, sealed_at: sealed, visible_at: visible, pushed_at: pushed } = times
  const stations: readonly (readonly [string, string | undefined])[] = [
    ['appended, durable', appended],
    [`tick ${count(tick)} sealed`, sealed],
    ['visible to reads', visible],
    ['pushed to a live stream', pushed],
  ]
  return (
    <ol class="timeline num" aria-label="Times">
      {stations.map(([name, at]) => {
        if (at === undefined) return null
        const waited = at === appended ? null : msBetween(appended, at)
        return (
          <li key={name}>
            <span class="label">{name}</span>
            {clean(at)}
            {waited !== null && <span class="label">{`${duration(waited)} later`}</span>}
          </li>
        )
      })}
    </ol>
  )
}

function clean(at: string): string {
  return at.replace('T', ' ').replace(/\+00(:00)?$|Z$/, '')
}

/** To the microsecond, which Date.parse leaves out. */
function msBetween(from: string, to: string): number | null {
  const ms = Date.parse(to) - Date.parse(from) + belowMs(to) - belowMs(from)
  return Number.isNaN(ms) || ms < 0 ? null : ms
}

function belowMs(at: string): number {
  const digits = /\.\d{3}(\d{1,3})/.exec(at)?.[1] ?? ''
  return Number(digits.padEnd(3, '0')) / 1000
}
