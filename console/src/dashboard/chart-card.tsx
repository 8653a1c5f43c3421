import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { viewNamed } from '../ask/catalog.ts'
import type { ChartInfo } from '../ask/charts.ts'
import { RowsChart } from '../chart/rows-chart.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { viewAddress } from '../shell/place.ts'
import './dashboard.css'

const mostDrawn = 5000
const mostBars = 8
const refreshMs = 2000
const height = 232

/** One chart of a dashboard, kept up to date. Its title leads to the view, drawn in the same way. */
export function ChartCard({ chart }: { readonly chart: ChartInfo }): JSX.Element {
  const { view, x, y, mark, series, title } = chart
  const drawn = new URLSearchParams({ tab: 'chart', mark, x, y, by: series ?? '' })
  const id = `chart-${chart.name}`
  return (
    <section class="chart-card" aria-labelledby={id}>
      <header class="chart-card-head">
        <h2 id={id} class="cut">
          <a class="chart-card-link" href={`${viewAddress(view)}?${drawn}`}>
            {title}
          </a>
        </h2>
        <span class="label cut">{saidOf(chart)}</span>
      </header>
      <Drawing chart={chart} />
    </section>
  )
}

function saidOf({ view, x, y, series }: ChartInfo): string {
  const per = series === undefined ? '' : `, per ${series}`
  return `${view}: ${y} by ${x}${per}`
}

function Drawing({ chart }: { readonly chart: ChartInfo }): JSX.Element {
  const { view: name, x, y, mark, series, title } = chart
  const view = viewNamed(name)
  const asked = useAsked(
    `dashboard ${name}`,
    (server, signal) => server.relations.rows(name, { limit: mostDrawn, signal }),
    refreshMs,
  )
  const { value, refusal } = asked.value
  if (refusal !== null && value === null) return <Trouble refusal={refusal} />
  if (value === null || view === undefined) return <Waiting what={`Reading ${name}`} />
  return (
    <>
      <RowsChart
        label={title}
        columns={view.columns}
        rows={value.rows}
        shape={{ mark, x, y, by: series ?? null }}
        height={height}
        mostBars={mostBars}
      />
      {value.rows.length === mostDrawn && <p class="label">The first 5,000 rows in the view’s order are drawn.</p>}
    </>
  )
}
