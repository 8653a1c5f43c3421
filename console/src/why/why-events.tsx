import type { EventRef, WhyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Table, type TableColumn } from '../design/table.tsx'
import { shownText } from '../rows/order.ts'
import { eventAddress, go } from '../shell/place.ts'
import { count } from '../text/numbers.ts'
import { appendedAt } from './event-link.tsx'

/** The events that a row is made of: where, when, and what was in them. */
export function WhyEvents({ events }: { readonly events: WhyBody['events'] }): JSX.Element {
  const { listed, count: all, gone } = events
  const columns = useMemo<readonly TableColumn<EventRef>[]>(
    () => [
      { name: 'topic', text: ({ topic }) => topic },
      { name: 'offset', numeric: true, text: ({ offset }) => String(offset) },
      { name: 'tick', numeric: true, text: ({ tick }) => String(tick) },
      { name: 'appended', text: appendedAt },
      {
        name: 'data',
        grow: true,
        text: ({ data }) =>
          Object.entries(data)
            .map(([name, value]) => `${name} ${shownText(value) ?? 'null'}`)
            .join('   '),
      },
    ],
    [],
  )
  return (
    <>
      <p class="label num">
        {`${count(listed.length)} of ${count(all)} events, in the order of the log.`}
        {gone > 0 &&
          ` ${count(gone)} more events of its topics were thrown away by retention: they may have been part of it.`}
      </p>
      <div class="why-events">
        <Table
          label="Events"
          columns={columns}
          rows={listed}
          keyOf={({ topic, offset }) => `${topic} ${offset}`}
          onOpen={({ topic, offset }) => go(eventAddress(topic, offset))}
        />
      </div>
    </>
  )
}
