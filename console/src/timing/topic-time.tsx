import type { TimeBody } from 'millrace/client'
import type { JSX } from 'preact'
import { topicNamed } from '../ask/catalog.ts'
import { BarChart } from '../chart/bar-chart.tsx'
import { Badge } from '../design/badge.tsx'
import { CopyMenu } from '../design/copy-menu.tsx'
import { topicAddress, viewAddress } from '../shell/place.ts'
import { topicTimeSnippets } from '../snippets/telemetry.ts'
import { percent, plural, short } from '../text/numbers.ts'
import { duration, moment } from '../text/times.ts'
import { ClockLine } from './clock-line.tsx'

type TopicTime = TimeBody['topics'][number]

interface TopicTimeProps {
  readonly topic: TopicTime
  readonly nowMicros: string
}

/** How one topic tells the time: where its watermark is, how late its events come, who waits for it. */
export function TopicTimeCard({ topic, nowMicros }: TopicTimeProps): JSX.Element {
  const { name, event_time: column } = topic
  return (
    <section class="time-topic" aria-label={name}>
      <header class="line">
        <h2>
          <a class="table-link" href={topicAddress(name)}>
            {name}
          </a>
        </h2>
        {column !== null && <Badge>{`by ${column}`}</Badge>}
        {topic.late > 0 && <Badge tone="warn">{`${plural(topic.late, 'event')} late`}</Badge>}
        {column !== null && (
          <div class="panel-actions">
            <CopyMenu of={name} snippets={topicTimeSnippets(name, column)} />
          </div>
        )}
      </header>
      {column !== null && <Known topic={topic} nowMicros={nowMicros} />}
    </section>
  )
}

function Known({ topic, nowMicros }: TopicTimeProps): JSX.Element {
  const { watermark_micros: watermark, newest_micros: newest, behind_ms: behind, histogram, holds } = topic
  const events = histogram.reduce((sum, { events: some }) => sum + some, 0)
  return (
    <div class="time-known">
      <div>
        <ClockLine topic={topic} nowMicros={nowMicros} />
        <dl class="facts num">
          <dt>Watermark</dt>
          <dd>{watermark === null ? 'none yet' : moment(watermark)}</dd>
          <dt>{behind !== null && behind < 0 ? 'Ahead of the clock' : 'Behind the clock'}</dt>
          <dd>{behind === null ? '–' : duration(Math.abs(behind))}</dd>
          <dt>Newest event</dt>
          <dd>{newest === null ? '–' : moment(newest)}</dd>
          <dt>Lateness allowed</dt>
          <dd>{topic.lateness_micros === '0' ? 'none' : duration(Number(topic.lateness_micros) / 1000)}</dd>
          <dt>Suggested</dt>
          <dd>
            {topic.suggested_lateness_micros === null ? '–' : duration(Number(topic.suggested_lateness_micros) / 1000)}
          </dd>
          <dt>Holds open</dt>
          <dd>
            {holds.length === 0
              ? 'no view'
              : holds.map((view, i) => (
                  <span key={view}>
                    {i > 0 && ', '}
                    <a class="link" href={viewAddress(view)}>
                      {view}
                    </a>
                  </span>
                ))}
          </dd>
        </dl>
      </div>
      <div>
        <h3>How much older than the newest before them events were</h3>
        {events === 0 ? (
          <p class="label">No events since the engine’s start.</p>
        ) : (
          <BarChart
            label={`Lateness of ${topicNamed(topic.name)?.name ?? topic.name}`}
            bars={histogram
              .filter(({ events: some }) => some > 0)
              .map(({ up_to_ms: most, events: some }) => ({
                label: most === 0 ? 'in order' : `up to ${duration(most)}`,
                value: Math.log10(1 + some),
                shown: `${short(some)} (${percent(some / events)})`,
              }))}
          />
        )}
        {events > 0 && (
          <>
            <p class="label">{topic.suggestion}</p>
            <p class="label">The bars’ lengths are logarithmic.</p>
          </>
        )}
      </div>
    </div>
  )
}
