import type { JSX } from 'preact'
import { type Asked, useAsked } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { ChartControls, chartInAddress } from '../chart/chart-controls.tsx'
import { RowsChart } from '../chart/rows-chart.tsx'
import type { ChartShape } from '../chart/shape.ts'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { mostDrawn, useLiveRows } from '../rows/live-rows.ts'
import { query } from '../shell/place.ts'

type Rows = Asked<NonNullable<ReturnType<typeof useLiveRows>['value']['value']>>

/** A view drawn: as it is, or as it was at the tick that the address names. */
export function ViewChart({ view }: { readonly view: ViewInfo }): JSX.Element {
  const asOf = query.value.get('as_of')
  const shape = chartInAddress(view.columns)
  if (shape === null) {
    return (
      <Empty title="Nothing to draw">
        <p>A chart needs a column of numbers and another one to draw it against.</p>
      </Empty>
    )
  }
  return asOf === null ? <Live view={view} shape={shape} /> : <Past view={view} shape={shape} asOf={asOf} />
}

interface DrawnProps {
  readonly view: ViewInfo
  readonly shape: ChartShape
}

function Live({ view, shape }: DrawnProps): JSX.Element {
  return <Drawn view={view} shape={shape} rows={useLiveRows(view, mostDrawn).value} />
}

function Past({ view, shape, asOf }: DrawnProps & { readonly asOf: string }): JSX.Element {
  const asked = useAsked(`chart ${view.name} ${asOf}`, async (server, signal) => {
    const { rows } = await server.relations.rows(view.name, { limit: mostDrawn, signal, asOf })
    return rows
  })
  return <Drawn view={view} shape={shape} rows={asked.value} />
}

function Drawn({ view, shape, rows: { value, refusal } }: DrawnProps & { readonly rows: Rows }): JSX.Element {
  if (value === null)
    return refusal === null ? <Waiting what={`Reading ${view.name}`} /> : <Trouble refusal={refusal} />
  return (
    <>
      <ChartControls columns={view.columns} shape={shape} />
      <RowsChart label={`${view.name}: ${shape.y}`} columns={view.columns} rows={value} shape={shape} />
      {value.length === mostDrawn && <p class="label">The first 5,000 rows in the view’s order are drawn.</p>}
    </>
  )
}
