import type { JSX } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import type { TopicInfo } from '../ask/catalog.ts'
import { Badge } from '../design/badge.tsx'
import { cellText, shownText } from '../rows/order.ts'
import { eventAddress, setQuery } from '../shell/place.ts'
import { count } from '../text/numbers.ts'
import { appendedAt } from '../why/event-link.tsx'
import type { TopicEvent } from './event-feed.ts'

interface EventDetailProps {
  readonly topic: TopicInfo
  readonly event: TopicEvent
}

/** One event with all that is known of it, beside the list. */
export function EventDetail({ topic, event }: EventDetailProps): JSX.Element {
  // Before it is painted: whoever sees it may press Escape at once.
  useLayoutEffect(() => {
    const onKeyDown = ({ key }: KeyboardEvent): void => {
      if (key === 'Escape') setQuery({ event: null })
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
  const { offset, tick, op, data } = event
  const known = new Map(topic.columns.map((column) => [column.name, column]))
  const unknown = Object.keys(data).filter((name) => !known.has(name))
  return (
    <aside class="event-detail" aria-label={`Event ${offset}`} tabIndex={0}>
      <header class="spread">
        <h3 class="num">{`Event ${count(offset)}`}</h3>
        <button type="button" class="button plain" onClick={() => setQuery({ event: null })}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      <dl class="facts">
        <dt>Topic</dt>
        <dd>{topic.name}</dd>
        <dt>Offset</dt>
        <dd class="num">{count(offset)}</dd>
        <Origin topic={topic.name} offset={offset} />
        <dt>Visible at</dt>
        <dd class="num">{`tick ${count(tick)}`}</dd>
        <dt>Operation</dt>
        <dd>
          <Badge>{op}</Badge>
        </dd>
      </dl>
      <h3>Fields</h3>
      <dl class="facts">
        {topic.columns.map(({ name, type }) => (
          <Field key={name} name={name} note={type} value={data[name]} />
        ))}
        {unknown.map((name) => (
          <Field key={name} name={name} note="kept; no column has it" value={data[name]} />
        ))}
      </dl>
      <p class="line">
        <a class="button" href={eventAddress(topic.name, offset)}>
          What it did
        </a>
      </p>
    </aside>
  )
}

/** What its commit says of it; nothing where the reader may not ask. */
function Origin({ topic, offset }: { readonly topic: string; readonly offset: number }): JSX.Element | null {
  const asked = useAsked(`origin ${topic} ${offset}`, (server, signal) =>
    server.find(topic, {}, { offset, limit: 1, signal }),
  )
  const event = asked.value.value?.events[0]
  if (event === undefined) return null
  return (
    <>
      <dt>Partition</dt>
      <dd class="num">{event.partition}</dd>
      <dt>Appended</dt>
      <dd class="num">{appendedAt(event)}</dd>
    </>
  )
}

function Field({
  name,
  note,
  value,
}: {
  readonly name: string
  readonly note: string
  readonly value: unknown
}): JSX.Element {
  const text = shownText(value)
  return (
    <>
      <dt title={note}>{name}</dt>
      <dd class="mono field-value" title={cellText(value) ?? undefined}>
        {text === null ? <span class="null">null</span> : text}
      </dd>
    </>
  )
}
