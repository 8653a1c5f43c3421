import type { TimeBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { shownText } from '../rows/order.ts'
import { PageHead } from '../shell/page-head.tsx'
import { topicAddress, viewAddress } from '../shell/place.ts'
import { timeSnippets } from '../snippets/telemetry.ts'
import { count, plural } from '../text/numbers.ts'
import { moment } from '../text/times.ts'
import { LateEvents } from '../timing/late-events.tsx'
import { TopicTimeCard } from '../timing/topic-time.tsx'
import '../topic/topic.css'
import '../timing/time.css'

const everyMs = 1000
const shownWindows = 50

/** Watermarks against the clock, lateness, and which windows wait for whom. */
export function Page(): JSX.Element {
  const asked = useAsked('time', (server, signal) => server.time({ signal }), everyMs)
  const { value, refusal } = asked.value
  return (
    <div class="page">
      <PageHead
        title="Time"
        note={value !== null && <span>{`${moment(value.now_micros)} UTC`}</span>}
        actions={<CopyAs snippets={timeSnippets('{ topics, windows }')} />}
      />
      {value !== null ? (
        <Time time={value} />
      ) : refusal !== null ? (
        <Trouble refusal={refusal} />
      ) : (
        <Waiting what="Asking for the time" />
      )}
    </div>
  )
}

function Time({ time }: { readonly time: TimeBody }): JSX.Element {
  const { topics, windows } = time
  if (topics.length === 0) return <Empty title="No topics are defined yet" />
  const timed = topics.filter(({ event_time: column }) => column !== null)
  const late = timed.reduce((sum, topic) => sum + topic.late, 0)
  const timeless = topics.filter(({ event_time: column }) => column === null)
  return (
    <>
      {timed.map((topic) => (
        <TopicTimeCard key={topic.name} topic={topic} nowMicros={time.now_micros} />
      ))}
      {timeless.length > 0 && (
        <p class="label timeless">{`Without an event time: ${timeless.map(({ name }) => name).join(', ')}`}</p>
      )}
      <Panel title="Windows held open" note={plural(windows.length, 'window')} copy={timeSnippets('{ windows }')}>
        {windows.length === 0 ? (
          <p class="label">None: no final view has rows whose window the watermark has not passed.</p>
        ) : (
          <SimpleTable
            label="Windows held open"
            columns={windowColumns}
            rows={windows.slice(0, shownWindows)}
            keyOf={({ view, window_start: start, window_end: end }) => `${view} ${start} ${end}`}
          />
        )}
        {windows.length > shownWindows && <p class="label">{`The oldest ${shownWindows} are shown.`}</p>}
      </Panel>
      {late > 0 && <LateEvents late={late} />}
    </>
  )
}

/** Microseconds since 1970, or a timestamp's own text. */
function boundary(at: string): string {
  return /^-?\d+$/.test(at) ? moment(at) : (shownText(at) ?? '')
}

const windowColumns: readonly SimpleColumn<TimeBody['windows'][number]>[] = [
  {
    title: 'View',
    cell: ({ view }) => (
      <a class="table-link" href={viewAddress(view)}>
        {view}
      </a>
    ),
  },
  {
    title: 'From',
    cell: ({ window_start: start }) => <span class="num">{start === null ? '–' : boundary(start)}</span>,
  },
  { title: 'To', cell: ({ window_end: end }) => <span class="num">{boundary(end)}</span> },
  { title: 'Rows', numeric: true, cell: ({ rows }) => count(rows) },
  {
    title: 'Waits for',
    cell: ({ waits_for: topic }) =>
      topic === null ? (
        '–'
      ) : (
        <a class="link" href={topicAddress(topic)}>
          {topic}
        </a>
      ),
  },
]
