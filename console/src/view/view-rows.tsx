import type { WireRow } from 'millrace/client'
import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Table } from '../design/table.tsx'
import type { HeldRow } from '../rows/bag.ts'
import { tableColumns } from '../rows/columns.tsx'
import type { LiveView } from '../rows/live-view.ts'
import { rowKey } from '../rows/row-key.ts'
import { go, query, setQuery, whyAddress } from '../shell/place.ts'
import { count, plural } from '../text/numbers.ts'
import { TickBar } from './tick-bar.tsx'

/** Rows asked for at a time where they are not streamed. */
export const pageRows = 1000
const refreshMs = 2000
const litMs = 1400

interface ViewRowsProps {
  readonly view: ViewInfo
  /** Null where the view is too large to be streamed whole. */
  readonly live: LiveView | null
}

/** A view's rows: as they are now, each change lighting up, or as they were at a past tick. */
export function ViewRows({ view, live }: ViewRowsProps): JSX.Element {
  const asOf = query.value.get('as_of')
  const order = query.value.get('order') ?? view.order[0] ?? null
  useEffect(() => live?.reorder(order === null ? [] : [order, ...view.order]), [live, order])
  const shared = { view, order }
  return (
    <>
      <TickBar view={view} />
      {asOf !== null ? (
        <PastRows {...shared} asOf={asOf} />
      ) : live !== null ? (
        <LiveRows {...shared} live={live} />
      ) : (
        <FirstRows {...shared} />
      )}
    </>
  )
}

interface RowsProps {
  readonly view: ViewInfo
  readonly order: string | null
}

function LiveRows({ view, order, live }: RowsProps & { readonly live: LiveView }): JSX.Element {
  const { rows, whole, refusal, tick } = live.state.value
  const columns = useMemo(() => tableColumns<HeldRow>(view.columns, ({ row }) => row), [view.columns])
  if (refusal !== null) return <Trouble title="The live stream ended" refusal={refusal} />
  if (tick === null) return <Waiting what={`Reading ${view.name}`} />
  if (rows.length === 0 && whole) return <NoRows view={view} />
  if (rows.length === 0) return view.rows === 0 ? <NoRows view={view} /> : <Waiting what={`Reading ${view.name}`} />
  const now = performance.now()
  return (
    <Table
      label={`Rows of ${view.name}`}
      columns={columns}
      rows={rows}
      keyOf={({ key }) => key}
      order={order}
      onOrder={(next) => setQuery({ order: next })}
      onOpen={({ row }) =>
        go(
          whyAddress(
            view.name,
            rowKey(
              view.columns,
              row,
              rows.map((held) => held.row),
            ),
            null,
          ),
        )
      }
      lit={({ litAt, changed }, column) =>
        litAt > 0 && now - litAt < litMs && (changed === null || changed.has(column)) ? 'flash' : ''
      }
    />
  )
}

function FirstRows({ view, order }: RowsProps): JSX.Element {
  const options = { limit: pageRows, ...(order === null ? {} : { order: [order] }) }
  const asked = useAsked(
    `first ${view.name} ${order}`,
    (server, signal) => server.relations.rows(view.name, { ...options, signal }),
    refreshMs,
  )
  const { value, refusal } = asked.value
  if (value === null && refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what={`Reading ${view.name}`} />
  return (
    <>
      <p class="label num rows-note">
        {`The first ${count(value.rows.length)} of ${plural(view.rows, 'row')}, asked for every two seconds. `}
        <a class="link" href={`/query?draft=${encodeURIComponent(`SELECT * FROM ${view.name} WHERE `)}`}>
          Query for others
        </a>
      </p>
      <PlainRows view={view} order={order} rows={value.rows} asOf={null} />
    </>
  )
}

function PastRows({ view, order, asOf }: RowsProps & { readonly asOf: string }): JSX.Element {
  const replay = query.value.get('replay') === 'true'
  const asked = useAsked(`past ${view.name} ${order} ${asOf} ${replay}`, (server, signal) =>
    server.relations.rows(view.name, {
      asOf,
      replay,
      limit: pageRows,
      signal,
      ...(order === null ? {} : { order: [order] }),
    }),
  )
  const { value, refusal } = asked.value
  if (refusal !== null) {
    return (
      <>
        <Trouble title={`The rows as of ${asOf} are not at hand`} refusal={refusal} />
        {refusal.code === 'tick/expired' && !replay && (
          <p>
            <button type="button" class="button" onClick={() => setQuery({ replay: 'true' })}>
              Read the log again up to there
            </button>
          </p>
        )}
      </>
    )
  }
  if (value === null) return <Waiting what={replay ? 'Reading the log up to there' : 'Going back'} />
  if (value.rows.length === 0) return <Empty title={`${view.name} had no rows at tick ${count(value.tick)}`} />
  return <PlainRows view={view} order={order} rows={value.rows} asOf={value.tick} />
}

interface PlainRowsProps extends RowsProps {
  readonly rows: readonly WireRow[]
  readonly asOf: number | null
}

function PlainRows({ view, order, rows, asOf }: PlainRowsProps): JSX.Element {
  const columns = useMemo(() => tableColumns<WireRow>(view.columns, (row) => row), [view.columns])
  return (
    <Table
      label={`Rows of ${view.name}`}
      columns={columns}
      rows={rows}
      keyOf={(_, index) => String(index)}
      order={order}
      onOrder={(next) => setQuery({ order: next })}
      onOpen={(row) => go(whyAddress(view.name, rowKey(view.columns, row, rows), asOf))}
      rowCount={asOf === null ? view.rows : rows.length}
    />
  )
}

function NoRows({ view }: { readonly view: ViewInfo }): JSX.Element {
  return (
    <Empty title={`${view.name} has no rows`}>
      <p>
        {view.emit === 'final'
          ? 'A final view shows a window once its topic’s watermark has passed the window’s end. '
          : 'No event so far makes one. '}
        Append events to a topic that it reads, and they appear here at once.
      </p>
      <p>
        <a class="link" href="?tab=definition">
          What it reads
        </a>
      </p>
    </Empty>
  )
}
