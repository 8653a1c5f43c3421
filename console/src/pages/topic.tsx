import type { JSX } from 'preact'
import { catalog, type TopicInfo, topicNamed } from '../ask/catalog.ts'
import { Badge } from '../design/badge.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Waiting } from '../design/empty.tsx'
import { TabPanel, Tabs, tabOf } from '../design/tabs.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { query } from '../shell/place.ts'
import type { PageProps } from '../shell/routes.ts'
import { sqlName } from '../snippets/quotes.ts'
import { topicSnippets } from '../snippets/relations.ts'
import { plural } from '../text/numbers.ts'
import { AppendForm } from '../topic/append-form.tsx'
import { exampleEvent, exampleOf, fieldKind } from '../topic/form-value.ts'
import { TopicEvents } from '../topic/topic-events.tsx'
import { TopicFilter } from '../topic/topic-filter.tsx'
import { TopicSchema } from '../topic/topic-schema.tsx'
import { TopicVolume } from '../topic/topic-volume.tsx'
import '../topic/topic.css'

export function Page({ names: [name] }: PageProps): JSX.Element {
  const topic = topicNamed(name)
  if (topic !== undefined) return <Topic topic={topic} />
  if (catalog.value.value === null) return <Waiting what="Asking what is defined" />
  return (
    <Empty title={`There is no topic ${name}`}>
      <p>Topics and tables are defined by the app that this server runs; those that it has are listed at the left.</p>
    </Empty>
  )
}

const tabs = [
  { id: 'events', title: 'Events' },
  { id: 'append', title: 'Append' },
  { id: 'schema', title: 'Schema' },
]

/** One topic or table: what came in and when, and a way to add to it. */
function Topic({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  const { name, kind, events, late, columns } = topic
  const tab = tabOf(tabs)
  const from = Number(query.value.get('from') ?? Math.max(0, events - 100))
  return (
    <div class="page whole">
      <PageHead
        title={name}
        note={
          <>
            <Badge>{kind}</Badge>
            <span>{plural(events, 'event')}</span>
            {late > 0 && <Badge tone="warn">{`${plural(late, 'event')} late`}</Badge>}
          </>
        }
        actions={<CopyAs snippets={topicSnippets(topic, from, exampleEvent(columns))} />}
      />
      <Tabs label={`Parts of ${name}`} tabs={tabs} />
      <TabPanel tab={tab}>
        {tab === 'events' && (
          <>
            <TopicVolume topic={topic} />
            <div class="topic-tools">
              <TopicFilter example={exampleCondition(topic)} />
            </div>
            <TopicEvents topic={topic} />
          </>
        )}
        {tab === 'append' && <AppendForm topic={topic} />}
        {tab === 'schema' && <TopicSchema topic={topic} />}
      </TabPanel>
    </div>
  )
}

function exampleCondition({ columns }: TopicInfo): string {
  const column = columns.find(({ type }) => fieldKind(type) === 'number') ?? columns[0]
  if (column === undefined) return ''
  const name = sqlName(column.name)
  return fieldKind(column.type) === 'number' ? `${name} > ${exampleOf(column.type)}` : `${name} = 'a'`
}
