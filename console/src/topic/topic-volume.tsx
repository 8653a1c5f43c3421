import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import type { TopicInfo } from '../ask/catalog.ts'
import { LineChart } from '../chart/line-chart.tsx'
import { CopyMenu } from '../design/copy-menu.tsx'
import { Trouble } from '../design/empty.tsx'
import { setQuery } from '../shell/place.ts'
import { volumeSnippets } from '../snippets/relations.ts'
import { microsToMs } from '../text/times.ts'

const buckets = 120
const everyMs = 3000

/** How many events came when; a stretch of it leads to its events. */
export function TopicVolume({ topic }: { readonly topic: TopicInfo }): JSX.Element | null {
  const asked = useAsked(
    `volume ${topic.name}`,
    (server, signal) => server.volume(topic.name, { buckets, signal }),
    everyMs,
  )
  const { value, refusal } = asked.value
  if (topic.events === 0) return null
  if (value === null) return refusal === null ? <div class="volume" /> : <Trouble refusal={refusal} />
  const starts = value.buckets.map(({ from_micros: from }) => microsToMs(from) / 1000)
  // Where all came with one append there is one place in time: one bar.
  const isOne = starts[0] === starts.at(-1)
  const x = isOne ? starts.slice(0, 1) : starts
  const counts = value.buckets.map(({ events }) => events)
  const values = isOne ? [counts.reduce((sum, events) => sum + events, 0)] : counts
  const seek = (from: number): void => {
    const bucket = value.buckets.findLast(({ from_micros: start }) => microsToMs(start) / 1000 <= from)
    if (bucket !== undefined) setQuery({ from: String(bucket.first_offset), event: null }, false)
  }
  return (
    <div class="volume">
      <p class="line label topic-head">
        When events were appended. Drag over a stretch, or click, to see its events.
        <CopyMenu of="when events were appended" snippets={volumeSnippets(topic, buckets)} />
      </p>
      <LineChart
        label={`Events of ${topic.name} over time`}
        x={x}
        time
        bars
        height={124}
        series={[{ name: 'events', values }]}
        onSeek={seek}
      />
    </div>
  )
}
