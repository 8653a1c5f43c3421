import type { JSX } from 'preact'
import type { TopicInfo } from '../ask/catalog.ts'
import { Badge } from '../design/badge.tsx'
import { CopyMenu } from '../design/copy-menu.tsx'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { schemaSnippets } from '../snippets/relations.ts'
import { duration, moment } from '../text/times.ts'

/** A topic's columns, and how it tells the time. */
export function TopicSchema({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  const columns: readonly SimpleColumn<TopicInfo['columns'][number]>[] = [
    {
      title: 'Column',
      cell: ({ name }) => (
        <span class="line">
          {name}
          {topic.primary_key.includes(name) && <Badge>key</Badge>}
          {topic.event_time === name && <Badge>event time</Badge>}
        </span>
      ),
    },
    { title: 'Type', cell: ({ type }) => <span class="mono">{type}</span> },
    { title: 'NULL', cell: ({ nullable }) => (nullable ? 'may be' : <span class="quiet">never</span>) },
  ]
  return (
    <div class="topic-schema">
      <p class="line label topic-head">
        Columns, and how it tells the time.
        <CopyMenu of="columns" snippets={schemaSnippets(topic.name)} />
      </p>
      <SimpleTable label="Columns" columns={columns} rows={topic.columns} keyOf={({ name }) => name} />
      <dl class="facts">
        {topic.event_time === null ? (
          <>
            <dt>Event time</dt>
            <dd>none: its events have no time of their own, so it can’t close windows</dd>
          </>
        ) : (
          <>
            <dt>Lateness</dt>
            <dd class="num">{duration(Number(topic.lateness_micros) / 1000)}</dd>
            <dt>Watermark</dt>
            <dd class="num">{topic.watermark_micros === null ? 'none yet' : moment(topic.watermark_micros)}</dd>
          </>
        )}
      </dl>
    </div>
  )
}
