import type { EventRef } from 'millrace/client'
import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import { topicNamed, topics } from '../ask/catalog.ts'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Table, type TableColumn } from '../design/table.tsx'
import { tableColumns } from '../rows/columns.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { eventAddress, go, query, setQuery } from '../shell/place.ts'
import { findSnippets } from '../snippets/explanations.ts'
import { count, plural } from '../text/numbers.ts'
import { appendedAt } from '../why/event-link.tsx'
import '../journey/journey.css'

const mostFound = 200

/** Finds events by their offset, or by what is in them. */
export function Page(): JSX.Element {
  const topic = query.value.get('topic') ?? topics.value[0]?.name ?? ''
  const column = query.value.get('column')
  const value = query.value.get('value')
  return (
    <div class="page whole">
      <PageHead
        title="Events"
        note={<span>find one, and see what it did</span>}
        actions={
          column === null || value === null ? undefined : (
            <CopyAs snippets={findSnippets(topic, column, value, mostFound)} />
          )
        }
      />
      <FindForm key={topic} topic={topic} />
      {column === null || value === null ? (
        <Empty title="Which event?">
          <p>
            Name a topic and a column’s value, such as a customer’s id, or an offset. The newest events are looked at
            first.
          </p>
        </Empty>
      ) : (
        <Found topic={topic} column={column} value={value} />
      )}
    </div>
  )
}

function FindForm({ topic }: { readonly topic: string }): JSX.Element {
  const columns = topicNamed(topic)?.columns ?? []
  const [column, setColumn] = useState(query.value.get('column') ?? columns[0]?.name ?? '_offset')
  const [value, setValue] = useState(query.value.get('value') ?? '')
  return (
    <form
      class="find-form"
      role="search"
      aria-label="Find events"
      onSubmit={(event) => {
        event.preventDefault()
        if (column === '_offset' && /^\d+$/.test(value)) go(eventAddress(topic, Number(value)))
        else setQuery({ topic, column, value }, false)
      }}
    >
      <label>
        <span class="label">Topic</span>
        <select
          class="field"
          value={topic}
          onChange={(event) => setQuery({ topic: event.currentTarget.value, column: null, value: null })}
        >
          {topics.value.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        <span class="label">Column</span>
        <select class="field" value={column} onChange={(event) => setColumn(event.currentTarget.value)}>
          {columns.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
          <option value="_offset">offset</option>
        </select>
      </label>
      <label>
        <span class="label">Value</span>
        <input
          class="field"
          type="text"
          size={28}
          autocomplete="off"
          spellcheck={false}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button primary">
        Find
      </button>
    </form>
  )
}

interface FoundProps {
  readonly topic: string
  readonly column: string
  readonly value: string
}

function Found({ topic, column, value }: FoundProps): JSX.Element {
  const asked = useAsked(`find ${topic} ${column} ${value}`, (server, signal) =>
    server.find(topic, { [column]: value }, { limit: mostFound, signal }),
  )
  const own = topicNamed(topic)?.columns
  const columns = useMemo<readonly TableColumn<EventRef>[]>(
    () => [
      { name: 'offset', numeric: true, text: ({ offset }) => String(offset) },
      { name: 'tick', numeric: true, text: ({ tick }) => String(tick) },
      { name: 'appended', text: appendedAt },
      ...tableColumns<EventRef>(own ?? [], ({ data }) => data),
    ],
    [own],
  )
  const { value: found, refusal } = asked.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (found === null) return <Waiting what="Searching the log" />
  const searched = `${plural(found.searched, 'event')} looked at`
  if (found.events.length === 0) return <Empty title={`No event of ${topic} has ${column} = ${value}; ${searched}`} />
  return (
    <>
      <p class="label num">{`${count(found.events.length)} found, the newest first; ${searched}${found.more ? '; there are more' : ''}`}</p>
      <Table
        label={`Events of ${topic} where ${column} is ${value}`}
        columns={columns}
        rows={found.events}
        keyOf={({ offset }) => String(offset)}
        onOpen={({ offset }) => go(eventAddress(topic, offset))}
      />
    </>
  )
}
