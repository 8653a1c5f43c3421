import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { catalog, type ViewInfo, viewNamed } from '../ask/catalog.ts'
import { server } from '../ask/server.ts'
import { Badge } from '../design/badge.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Waiting } from '../design/empty.tsx'
import { TabPanel, Tabs, tabOf } from '../design/tabs.tsx'
import { mostDrawn, mostStreamed, shapeOf } from '../rows/live-rows.ts'
import { LiveView } from '../rows/live-view.ts'
import { PageHead } from '../shell/page-head.tsx'
import { query } from '../shell/place.ts'
import type { PageProps } from '../shell/routes.ts'
import { errorsSnippets, liveSnippets, viewSnippets } from '../snippets/relations.ts'
import type { Snippets } from '../snippets/snippet.ts'
import { topologySnippets } from '../snippets/telemetry.ts'
import { count, plural } from '../text/numbers.ts'
import { ViewChanges } from '../view/view-changes.tsx'
import { ViewChart } from '../view/view-chart.tsx'
import { ViewDefinition } from '../view/view-definition.tsx'
import { ViewErrors } from '../view/view-errors.tsx'
import { pageRows, ViewRows } from '../view/view-rows.tsx'
import { ViewSnippets } from '../view/view-snippets.tsx'
import '../view/view.css'

export function Page({ names: [name] }: PageProps): JSX.Element {
  const view = viewNamed(name)
  if (view !== undefined) return <View view={view} />
  if (catalog.value.value === null) return <Waiting what="Asking what is defined" />
  return (
    <Empty title={`There is no view ${name}`}>
      <p>Views are defined by the app that this server runs; those that it has are listed at the left.</p>
    </Empty>
  )
}

/** One view: its rows, what changed, how it is made. */
function View({ view }: { readonly view: ViewInfo }): JSX.Element {
  const { rows, errors, name } = view
  const shape = shapeOf(view)
  const tabs = [
    { id: 'rows', title: 'Rows' },
    { id: 'changes', title: 'Changes' },
    { id: 'chart', title: 'Chart' },
    { id: 'definition', title: 'Definition' },
    { id: 'snippets', title: 'Snippets' },
    ...(errors > 0 ? [{ id: 'errors', title: 'Errors', note: count(errors) }] : []),
  ]
  const tab = tabOf(tabs)
  const client = server.value
  const streamed = rows <= mostStreamed && tab === 'rows'
  const live = useMemo(() => (streamed ? new LiveView(client, view, view.order) : null), [shape, client, streamed])
  useEffect(() => () => live?.close(), [live])
  const order = query.value.get('order') ?? view.order[0] ?? null
  return (
    <div class="page whole">
      <PageHead
        title={name}
        note={
          <>
            <Badge>{view.emit === 'final' ? 'final view' : 'view'}</Badge>
            <span>{plural(live?.state.value.tick == null ? rows : live.state.value.size, 'row')}</span>
            {errors > 0 && <Badge tone="bad">{plural(errors, 'error row')}</Badge>}
          </>
        }
        actions={<CopyAs snippets={tabSnippets(tab, view, order)} />}
      />
      <Tabs label={`Parts of ${name}`} tabs={tabs} />
      <TabPanel tab={tab}>
        {tab === 'rows' && <ViewRows view={view} live={live} />}
        {tab === 'changes' && <ViewChanges view={view} shape={shape} />}
        {tab === 'chart' && <ViewChart view={view} />}
        {tab === 'definition' && <ViewDefinition view={view} />}
        {tab === 'snippets' && <ViewSnippets view={view} />}
        {tab === 'errors' && <ViewErrors view={view} />}
      </TabPanel>
    </div>
  )
}

/** A part of the page: what it shows, to be asked for elsewhere. */
function tabSnippets(tab: string, view: ViewInfo, order: string | null): Snippets {
  const asOf = query.value.get('as_of')
  const rows = { order: order === null ? [] : [order], asOf, replay: query.value.get('replay') === 'true' }
  switch (tab) {
    case 'changes':
      return liveSnippets(view.name)
    case 'errors':
      return errorsSnippets(view.name)
    case 'definition':
      return topologySnippets(view.name)
    case 'chart':
      return viewSnippets(view, { order: view.order, asOf, limit: mostDrawn })
    default:
      return viewSnippets(view, { ...rows, limit: asOf !== null || view.rows > mostStreamed ? pageRows : null })
  }
}
