import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import type { TopicInfo } from '../ask/catalog.ts'
import { server } from '../ask/server.ts'
import { CopyMenu } from '../design/copy-menu.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Table, type TableColumn } from '../design/table.tsx'
import { tableColumns } from '../rows/columns.tsx'
import { query, setQuery } from '../shell/place.ts'
import { sqlName } from '../snippets/quotes.ts'
import { topicLiveSnippets } from '../snippets/relations.ts'
import { count, plural } from '../text/numbers.ts'
import { EventDetail } from './event-detail.tsx'
import { EventTail, type FeedState, type TopicEvent } from './event-feed.ts'

const atATime = 300
const litMs = 1400

/** A topic's events: its end as it grows, from an offset on, or those that a condition selects. */
export function TopicEvents({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  const filter = query.value.get('where')
  const from = query.value.get('from')
  if (topic.events === 0) return <NoEvents topic={topic} />
  if (filter !== null) return <Filtered topic={topic} filter={filter} from={from} />
  return from === null ? <Tail topic={topic} /> : <From topic={topic} from={Number(from)} />
}

function Tail({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  const client = server.value
  const tail = useMemo(() => new EventTail(client, topic.name, topic.events), [client, topic.name])
  useEffect(() => () => tail.close(), [tail])
  const state = tail.state.value
  if (state.events.length === 0) {
    if (state.refusal !== null) return <Trouble refusal={state.refusal} />
    if (state.waiting) return <Waiting what="Reading the end of the topic" />
    return <Empty title={`Nothing of ${topic.name} is left to be seen at its end`} />
  }
  const earlier = Math.max(0, topic.events - 2 * atATime)
  return (
    <>
      <p class="line label num events-note">
        The end, as it grows
        {state.behind && <span>catching up</span>}
        {state.skipped > 0 && (
          <span role="status">{`${plural(state.skipped, 'event')} came too fast to be shown here`}</span>
        )}
        {state.refusal !== null && <span role="alert">{`no longer: ${state.refusal.message}`}</span>}
        <button type="button" class="button plain" onClick={() => setQuery({ from: String(earlier) }, false)}>
          Earlier
        </button>
        <CopyMenu of="events as they come" snippets={topicLiveSnippets(topic.name, Math.max(0, topic.events - 100))} />
      </p>
      <EventTable topic={topic} events={state.events} fresh={state} />
    </>
  )
}

function From({ topic, from }: { readonly topic: TopicInfo; readonly from: number }): JSX.Element {
  const asked = useAsked(`events ${topic.name} ${from}`, (client, signal) =>
    client.relations.events(topic.name, { from, limit: atATime, signal }),
  )
  const { value, refusal } = asked.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what="Reading the log" />
  return (
    <>
      <p class="line label num events-note">
        {value.events.length === 0
          ? `No events at ${count(from)} and later`
          : `Offsets ${count(value.events[0].offset)} to ${count(value.events.at(-1)!.offset)}`}
        <button
          type="button"
          class="button plain"
          disabled={from === 0}
          onClick={() => setQuery({ from: String(Math.max(0, from - atATime)) }, false)}
        >
          Earlier
        </button>
        <button
          type="button"
          class="button plain"
          disabled={value.events.length < atATime}
          onClick={() => setQuery({ from: String(value.next) }, false)}
        >
          Later
        </button>
        <button type="button" class="button plain" onClick={() => setQuery({ from: null })}>
          Follow the end
        </button>
      </p>
      <EventTable topic={topic} events={value.events} />
    </>
  )
}

interface FilteredProps {
  readonly topic: TopicInfo
  readonly filter: string
  readonly from: string | null
}

function Filtered({ topic, filter, from }: FilteredProps): JSX.Element {
  const sql = filterSql(topic, filter, from)
  const asked = useAsked(sql, (client, signal) => client.relations.sql(sql, { signal }))
  const { value, refusal } = asked.value
  const events = useMemo<readonly TopicEvent[]>(() => {
    const names = value?.columns.map(({ name }) => name) ?? []
    return (value?.rows ?? []).map((cells, i) => {
      const row = Object.fromEntries(names.map((name, at) => [name, cells[at]]))
      const { _offset: offset = i, _tick: tick = 0, ...data } = row
      return { offset: Number(offset), tick: Number(tick), op: topic.kind === 'table' ? 'upsert' : 'append', data }
    })
  }, [value, topic.kind])
  if (refusal !== null) return <Trouble title="The filter does not run" refusal={refusal} />
  if (value === null) return <Waiting what="Filtering" />
  if (events.length === 0) return <Empty title={`No event of ${topic.name} meets the filter`} />
  return (
    <>
      <p class="label num events-note">
        {topic.kind === 'table'
          ? `${count(events.length)} rows of the table as it is at tick ${count(value.tick)}`
          : `${count(events.length)} events at tick ${count(value.tick)}, the newest first${events.length === atATime ? '; there may be more' : ''}`}
      </p>
      <EventTable topic={topic} events={events} rowsOnly={topic.kind === 'table'} />
    </>
  )
}

/** The filter stands alone in brackets, so that it can't reach the rest. */
export function filterSql(topic: TopicInfo, filter: string, from: string | null): string {
  const columns = topic.columns.map(({ name }) => sqlName(name)).join(', ')
  const relation = sqlName(topic.name)
  if (topic.kind === 'table') return `SELECT ${columns} FROM ${relation} WHERE (${filter}\n) LIMIT ${atATime}`
  const behind = from === null || !/^\d+$/.test(from) ? '' : ` AND _offset >= ${from}`
  return `SELECT _offset, _tick, ${columns} FROM ${relation} WHERE (${filter}\n)${behind} ORDER BY _offset DESC LIMIT ${atATime}`
}

interface EventTableProps {
  readonly topic: TopicInfo
  readonly events: readonly TopicEvent[]
  readonly fresh?: FeedState
  /** Rows of a table: there is no offset to show. */
  readonly rowsOnly?: boolean
}

function EventTable({ topic, events, fresh, rowsOnly = false }: EventTableProps): JSX.Element {
  const columns = useMemo<readonly TableColumn<TopicEvent>[]>(() => {
    const own = tableColumns<TopicEvent>(topic.columns, ({ data }) => data)
    if (rowsOnly) return own
    return [
      { name: 'offset', numeric: true, text: ({ offset }) => String(offset) },
      { name: 'tick', numeric: true, text: ({ tick }) => String(tick) },
      ...(topic.kind === 'table' ? [{ name: 'op', text: ({ op }: TopicEvent) => op }] : []),
      ...own,
    ]
  }, [topic.columns, topic.kind, rowsOnly])
  const now = performance.now()
  const chosen = query.value.get('event')
  const shown = chosen === null ? undefined : events.find(({ offset }) => String(offset) === chosen)
  return (
    <div class="events">
      <Table
        label={`Events of ${topic.name}`}
        columns={columns}
        rows={events}
        keyOf={({ offset }) => String(offset)}
        chosen={chosen}
        onOpen={({ offset }) => !rowsOnly && setQuery({ event: String(offset) })}
        lit={({ offset }) =>
          fresh !== undefined && offset >= fresh.freshFrom && now - fresh.freshAt < litMs ? 'flash' : ''
        }
      />
      {shown !== undefined ? (
        <EventDetail topic={topic} event={shown} />
      ) : (
        chosen !== null && <EventElsewhere key={chosen} topic={topic} offset={Number(chosen)} />
      )}
    </div>
  )
}

/** An event that the list does not reach to. */
function EventElsewhere({ topic, offset }: { readonly topic: TopicInfo; readonly offset: number }): JSX.Element | null {
  const asked = useAsked(`event ${topic.name} ${offset}`, (client, signal) =>
    client.relations.events(topic.name, { from: offset, limit: 1, signal }),
  )
  const event = asked.value.value?.events[0]
  return event === undefined ? null : <EventDetail topic={topic} event={event} />
}

function NoEvents({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  return (
    <Empty title={`${topic.name} has no events yet`}>
      <p>
        <a class="link" href="?tab=append">
          Append one by hand
        </a>
        , or send some: they show here as soon as they are durable.
      </p>
      <pre>
        <code>{`npx millrace append ${topic.name} events.ndjson --url ${location.origin}`}</code>
      </pre>
    </Empty>
  )
}
