import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { ChartControls, chartInAddress } from '../chart/chart-controls.tsx'
import { RowsChart } from '../chart/rows-chart.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { query } from '../shell/place.ts'

const mostDrawn = 5000
const refreshMs = 2000

/** A view drawn: as it is, or as it was at the tick that the address names. */
export function ViewChart({ view }: { readonly view: ViewInfo }): JSX.Element {
  const asOf = query.value.get('as_of')
  const shape = chartInAddress(view.columns)
  const asked = useAsked(
    `chart ${view.name} ${asOf}`,
    (server, signal) =>
      server.relations.rows(view.name, { limit: mostDrawn, signal, ...(asOf === null ? {} : { asOf }) }),
    asOf === null ? refreshMs : 0,
  )
  const { value, refusal } = asked.value
  if (shape === null) {
    return (
      <Empty title="Nothing to draw">
        <p>A chart needs a column of numbers and another one to draw it against.</p>
      </Empty>
    )
  }
  if (value === null)
    return refusal === null ? <Waiting what={`Reading ${view.name}`} /> : <Trouble refusal={refusal} />
  return (
    <>
      <ChartControls columns={view.columns} shape={shape} />
      <RowsChart label={`${view.name}: ${shape.y}`} columns={view.columns} rows={value.rows} shape={shape} />
      {value.rows.length === mostDrawn && <p class="label">The first 5,000 rows in the view’s order are drawn.</p>}
    </>
  )
}
