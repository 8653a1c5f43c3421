import type { WireRow } from 'millrace/client'
import type { JSX } from 'preact'
import { Empty } from '../design/empty.tsx'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { cellText, shownText } from '../rows/order.ts'
import { count, digits, isNumeric } from '../text/numbers.ts'
import { BarChart } from './bar-chart.tsx'
import { LineChart } from './line-chart.tsx'
import { MapChart } from './map-chart.tsx'
import { type ChartColumn, type ChartShape, figureOf, isTime, linesOf, placesOf } from './shape.ts'

interface RowsChartProps {
  readonly label: string
  readonly columns: readonly ChartColumn[]
  /** In their order: bars keep it. */
  readonly rows: readonly WireRow[]
  readonly shape: ChartShape
  readonly height?: number
  /** Rows that bars are drawn of. */
  readonly mostBars?: number
}

/** Rows as a chart. */
export function RowsChart(props: RowsChartProps): JSX.Element {
  const { label, columns, rows, shape, height = 340, mostBars = 40 } = props
  if (rows.length === 0) return <Empty title="No rows to draw" />
  const { mark, x, y } = shape
  if (mark === 'line') {
    const time = isTime(columns.find(({ name }) => name === x)?.type ?? '')
    const { x: xs, series, left } = linesOf(rows, shape, time)
    return (
      <>
        <LineChart label={label} x={xs} time={time} series={series} height={height} />
        {left > 0 && <p class="label">{`The eight longest lines; ${count(left)} more have no room.`}</p>}
      </>
    )
  }
  const places = placesOf(columns)
  if (mark === 'map' && places !== null) {
    const points = rows.flatMap((row) => {
      const [latitude, longitude] = [figureOf(row[places.latitude]), figureOf(row[places.longitude])]
      if (latitude === null || longitude === null) return []
      return [{ label: shownText(row[x]) ?? 'null', latitude, longitude, value: figureOf(row[y]) ?? 0 }]
    })
    // Where there is little room the names are no smaller.
    return <MapChart label={label} measure={y} points={points} nameSize={height < 300 ? 17 : 10} />
  }
  const more = rows.length > mostBars && (
    <p class="label">{`The first ${mostBars} of ${count(rows.length)} rows in the view’s order.`}</p>
  )
  if (mark === 'table') {
    return (
      <>
        <SimpleTable
          label={label}
          columns={tableOf(columns, shape)}
          rows={rows.slice(0, mostBars)}
          keyOf={(row) => JSON.stringify(row)}
        />
        {more}
      </>
    )
  }
  const bars = rows.slice(0, mostBars).map((row) => ({
    label: shownText(row[x]) ?? 'null',
    value: figureOf(row[y]) ?? 0,
    shown: digits(cellText(row[y]) ?? 'null'),
  }))
  return (
    <>
      <BarChart label={label} bars={bars} />
      {more}
    </>
  )
}

/** The columns that a table shows: what names a row, what stands between, the figure. */
function tableOf(columns: readonly ChartColumn[], { x, by, y }: ChartShape): readonly SimpleColumn<WireRow>[] {
  return [...new Set(by === null ? [x, y] : [x, by, y])].map((name) => ({
    title: name,
    numeric: isNumeric(columns.find((column) => column.name === name)?.type ?? ''),
    cell: (row) => shownText(row[name]) ?? <span class="null">null</span>,
  }))
}
