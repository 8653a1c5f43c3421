import type { StatusBody } from 'millrace/client'
import type { JSX } from 'preact'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { topicAddress, viewAddress } from '../shell/place.ts'
import { count, short } from '../text/numbers.ts'
import { ago, duration, microsToMs } from '../text/times.ts'

type ViewStatus = StatusBody['views'][number]
type TopicStatus = StatusBody['topics'][number]

const none = <span class="quiet">–</span>

function ms(value: number | null): JSX.Element | string {
  return value === null ? none : duration(value)
}

function figure(value: number): JSX.Element | string {
  return value === 0 ? <span class="quiet">0</span> : short(value)
}

const viewColumns: readonly SimpleColumn<ViewStatus>[] = [
  {
    title: 'View',
    cell: ({ name }) => (
      <a class="table-link" href={viewAddress(name)}>
        {name}
      </a>
    ),
  },
  { title: 'Rows', numeric: true, cell: ({ rows }) => count(rows) },
  { title: 'Changes/s', numeric: true, cell: ({ changes_per_second: rate }) => figure(rate) },
  { title: 'Fresh p50', numeric: true, cell: ({ freshness_ms: { p50 } }) => ms(p50) },
  { title: 'p99', numeric: true, cell: ({ freshness_ms: { p99 } }) => ms(p99) },
  {
    title: 'Last change',
    numeric: true,
    cell: ({ last_change_tick: tick }) => (tick === 0 ? none : `tick ${count(tick)}`),
  },
  { title: 'Live', numeric: true, cell: ({ subscribers }) => figure(subscribers) },
  {
    title: 'Errors',
    numeric: true,
    cell: ({ name, errors }) =>
      errors === 0 ? (
        figure(0)
      ) : (
        <a class="bad" href={`${viewAddress(name)}?tab=errors`}>
          {count(errors)}
        </a>
      ),
  },
]

/** How fresh each view is: from an append's arrival to its change being visible. */
export function ViewFreshness({ status }: { readonly status: StatusBody }): JSX.Element {
  return <SimpleTable label="Views" columns={viewColumns} rows={status.views} keyOf={({ name }) => name} />
}

function topicColumns(nowMs: number): readonly SimpleColumn<TopicStatus>[] {
  return [
    {
      title: 'Topic',
      cell: ({ name }) => (
        <a class="table-link" href={topicAddress(name)}>
          {name}
        </a>
      ),
    },
    { title: 'Events', numeric: true, cell: ({ next_offset: events }) => count(events) },
    { title: 'Events/s', numeric: true, cell: ({ events_per_second: rate }) => figure(rate) },
    { title: 'Late', numeric: true, cell: ({ late }) => figure(late) },
    {
      title: 'Refused',
      numeric: true,
      cell: ({ dropped }) => {
        const reasons = Object.entries(dropped)
        const sum = reasons.reduce((all, [, events]) => all + events, 0)
        if (sum === 0) return figure(0)
        return (
          <>
            {count(sum)}
            {reasons.map(([code, events]) => (
              <span key={code} class="reason">
                {reasons.length > 1 ? `${count(events)} ${code}` : code}
              </span>
            ))}
          </>
        )
      },
    },
    {
      title: 'Last append',
      numeric: true,
      cell: ({ last_appended_at_micros: at }) => (at === null ? none : ago(nowMs - microsToMs(at))),
    },
  ]
}

export function TopicVolume({ status }: { readonly status: StatusBody }): JSX.Element {
  const columns = topicColumns(Date.now())
  return <SimpleTable label="Topics" columns={columns} rows={status.topics} keyOf={({ name }) => name} />
}
