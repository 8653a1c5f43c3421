import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { catalog, type ViewInfo } from '../ask/catalog.ts'
import { server } from '../ask/server.ts'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Table, type TableColumn } from '../design/table.tsx'
import { ChangeFeed, type LoggedChange } from '../rows/change-feed.ts'
import { tableColumns } from '../rows/columns.tsx'
import { count } from '../text/numbers.ts'

const litMs = 1400

interface ViewChangesProps {
  readonly view: ViewInfo
  /** What its rows are like: of another view the list begins anew. */
  readonly shape: string
}

/** A view's changelog, the newest change first: what is remembered of it, and then what comes. */
export function ViewChanges({ view, shape }: ViewChangesProps): JSX.Element {
  const client = server.value
  const feed = useMemo(() => new ChangeFeed(client, view, catalog.peek().value?.tick ?? 0), [client, shape])
  useEffect(() => () => feed.close(), [feed])
  const columns = useMemo<readonly TableColumn<LoggedChange>[]>(
    () => [
      { name: 'tick', numeric: true, text: ({ tick }) => count(tick) },
      {
        name: 'change',
        text: ({ weight }) => signed(weight),
        render: ({ weight }) => <span class={weight > 0 ? 'change-in' : 'change-out'}>{signed(weight)}</span>,
      },
      ...tableColumns<LoggedChange>(view.columns, ({ row }) => row),
    ],
    [view.columns],
  )
  const { changes, since, refusal } = feed.state.value
  if (refusal !== null) return <Trouble title="The changes are not told any more" refusal={refusal} />
  if (since === null) return <Waiting what={`Reading the changes of ${view.name}`} />
  if (changes.length === 0) {
    return (
      <Empty title={since === 0 ? 'No change yet' : `No change since tick ${count(since)}`}>
        <p>
          Each tick that changes {view.name} adds its rows here: <span class="mono">+1</span> for a row that came,{' '}
          <span class="mono">−1</span> for one that went. An update is both.
        </p>
      </Empty>
    )
  }
  const now = performance.now()
  return (
    <>
      <p class="label num changes-note">
        {since === 0 ? 'All changes, the newest first.' : `All changes since tick ${count(since)}, the newest first.`}
      </p>
      <Table
        label={`Changes of ${view.name}`}
        columns={columns}
        rows={changes}
        keyOf={({ key }) => key}
        lit={({ litAt }) => (litAt > 0 && now - litAt < litMs ? 'flash' : '')}
      />
    </>
  )
}

function signed(weight: number): string {
  return weight > 0 ? `+${weight}` : `−${-weight}`
}
