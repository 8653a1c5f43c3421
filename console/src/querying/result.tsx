import type { SqlBody, WireRow } from 'millrace/client'
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { ChartControls, chartInAddress } from '../chart/chart-controls.tsx'
import { RowsChart } from '../chart/rows-chart.tsx'
import { Empty } from '../design/empty.tsx'
import { Table } from '../design/table.tsx'
import { tableColumns } from '../rows/columns.tsx'

/** An answer's rows as objects; columns of one name are told apart by their place. */
export function rowsOf({ columns, rows }: SqlBody): readonly WireRow[] {
  return rows.map((cells) => Object.fromEntries(distinctNames(columns).map((name, i) => [name, cells[i]])))
}

function distinctNames(columns: SqlBody['columns']): readonly string[] {
  const seen = new Map<string, number>()
  return columns.map(({ name }) => {
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    return times === 1 ? name : `${name} (${times})`
  })
}

export function distinctColumns({ columns }: SqlBody): SqlBody['columns'] {
  return distinctNames(columns).map((name, i) => ({ name, type: columns[i].type }))
}

export function ResultRows({ answer }: { readonly answer: SqlBody }): JSX.Element {
  const rows = useMemo(() => rowsOf(answer), [answer])
  const shape = answer.columns.map(({ name, type }) => `${name} ${type}`).join()
  const columns = useMemo(() => tableColumns<WireRow>(distinctColumns(answer), (row) => row), [shape])
  if (rows.length === 0) return <Empty title="No rows" />
  return <Table label="Result" columns={columns} rows={rows} keyOf={(_, index) => String(index)} />
}

export function ResultChart({ answer }: { readonly answer: SqlBody }): JSX.Element {
  const columns = distinctColumns(answer)
  const shape = chartInAddress(columns)
  if (shape === null) {
    return (
      <Empty title="Nothing to draw">
        <p>A chart needs a column of numbers and another one to draw it against.</p>
      </Empty>
    )
  }
  return (
    <>
      <ChartControls columns={columns} shape={shape} />
      <RowsChart label={`Result: ${shape.y}`} columns={columns} rows={rowsOf(answer)} shape={shape} />
    </>
  )
}
