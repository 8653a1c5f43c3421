import type { JSX } from 'preact'
import { type ViewInfo, viewNamed } from '../ask/catalog.ts'
import type { ChartInfo } from '../ask/charts.ts'
import { RowsChart } from '../chart/rows-chart.tsx'
import { CopyMenu } from '../design/copy-menu.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { mostDrawn, useLiveRows } from '../rows/live-rows.ts'
import { viewAddress } from '../shell/place.ts'
import { viewSnippets } from '../snippets/relations.ts'
import './dashboard.css'

const mostBars = 8
const height = 232

/** One chart of a dashboard, kept up to date. Its title leads to the view, drawn in the same way. */
export function ChartCard({ chart }: { readonly chart: ChartInfo }): JSX.Element {
  const { view, x, y, mark, series, title } = chart
  // A table is how the view's page shows it anyway.
  const drawn = mark === 'table' ? '' : `?${new URLSearchParams({ tab: 'chart', mark, x, y, by: series ?? '' })}`
  const id = `chart-${chart.name}`
  return (
    <section class="chart-card" aria-labelledby={id}>
      <header class="chart-card-head">
        <h2 id={id} class="cut">
          <a class="chart-card-link" href={`${viewAddress(view)}${drawn}`}>
            {title}
          </a>
        </h2>
        <span class="label cut">{saidOf(chart)}</span>
        <ChartCopy chart={chart} />
      </header>
      <Drawing chart={chart} />
    </section>
  )
}

/** What is drawn, as rows. */
function ChartCopy({ chart }: { readonly chart: ChartInfo }): JSX.Element | null {
  const { x, y, mark, series, title } = chart
  const view = viewNamed(chart.view)
  if (view === undefined) return null
  // A map needs more of a row than the chart names, a table shows all of it.
  const columns =
    mark === 'line' || mark === 'bar' ? [...new Set([x, y, ...(series === undefined ? [] : [series])])] : null
  const asked = { order: view.order, limit: mostDrawn, columns }
  return (
    <div class="panel-actions">
      <CopyMenu of={title} snippets={viewSnippets(view, asked)} />
    </div>
  )
}

function saidOf({ view, x, y, series, mark }: ChartInfo): string {
  if (mark === 'table') return view
  const per = series === undefined ? '' : `, per ${series}`
  return `${view}: ${y} by ${x}${per}`
}

function Drawing({ chart }: { readonly chart: ChartInfo }): JSX.Element {
  const view = viewNamed(chart.view)
  return view === undefined ? <Waiting what={`Reading ${chart.view}`} /> : <Drawn chart={chart} view={view} />
}

function Drawn({ chart, view }: { readonly chart: ChartInfo; readonly view: ViewInfo }): JSX.Element {
  const { x, y, mark, series, title } = chart
  const { value, refusal } = useLiveRows(view, mostDrawn).value
  if (value === null)
    return refusal === null ? <Waiting what={`Reading ${view.name}`} /> : <Trouble refusal={refusal} />
  return (
    <>
      <RowsChart
        label={title}
        columns={view.columns}
        rows={value}
        shape={{ mark, x, y, by: series ?? null }}
        height={height}
        mostBars={mostBars}
      />
      {value.length === mostDrawn && <p class="label">The first 5,000 rows in the view’s order are drawn.</p>}
    </>
  )
}
