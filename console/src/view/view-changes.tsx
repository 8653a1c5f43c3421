import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import type { ViewInfo } from '../ask/catalog.ts'
import { Empty } from '../design/empty.tsx'
import { Table, type TableColumn } from '../design/table.tsx'
import { tableColumns } from '../rows/columns.tsx'
import type { LiveView, LoggedChange } from '../rows/live-view.ts'
import { count } from '../text/numbers.ts'

interface ViewChangesProps {
  readonly view: ViewInfo
  readonly live: LiveView | null
}

/** A view's changelog, the newest change first: since the page was opened. */
export function ViewChanges({ view, live }: ViewChangesProps): JSX.Element {
  const columns = useMemo<readonly TableColumn<LoggedChange>[]>(
    () => [
      { name: 'tick', numeric: true, text: ({ tick }) => count(tick) },
      {
        name: 'change',
        text: ({ weight }) => (weight > 0 ? `+${weight}` : `−${-weight}`),
        render: ({ weight }) => (
          <span class={weight > 0 ? 'change-in' : 'change-out'}>{weight > 0 ? `+${weight}` : `−${-weight}`}</span>
        ),
      },
      ...tableColumns<LoggedChange>(view.columns, ({ row }) => row),
    ],
    [view.columns],
  )
  const changes = live?.log.value ?? []
  if (live === null) {
    return (
      <Empty title={`${view.name} is too large to be followed here`}>
        <p>Views of more than 20,000 rows are not streamed whole to this page. Its changes, tick by tick:</p>
        <pre>
          <code>{`npx millrace tail ${view.name} --url ${location.origin}`}</code>
        </pre>
      </Empty>
    )
  }
  if (changes.length === 0) {
    return (
      <Empty title="No change since this page was opened">
        <p>
          Each tick that changes {view.name} adds its rows here: <span class="mono">+1</span> for a row that came,{' '}
          <span class="mono">−1</span> for one that went. An update is both.
        </p>
      </Empty>
    )
  }
  return <Table label={`Changes of ${view.name}`} columns={columns} rows={changes} keyOf={({ key }) => key} />
}
