import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { ChartControls, chartInAddress } from '../chart/chart-controls.tsx'
import { RowsChart } from '../chart/rows-chart.tsx'
import { Empty } from '../design/empty.tsx'
import { Table } from '../design/table.tsx'
import type { HeldRow } from '../rows/bag.ts'
import { tableColumns } from '../rows/columns.tsx'
import type { Answer } from './run.ts'

const litMs = 1400

export function ResultRows({ answer }: { readonly answer: Answer }): JSX.Element {
  const { rows } = answer
  const shape = answer.columns.map(({ name, type }) => `${name} ${type}`).join()
  const columns = useMemo(() => tableColumns<HeldRow>(answer.columns, ({ row }) => row), [shape])
  if (rows.length === 0) return <Empty title="No rows" />
  const now = performance.now()
  return (
    <Table
      label="Result"
      columns={columns}
      rows={rows}
      keyOf={({ key }) => key}
      lit={({ litAt, changed }, column) =>
        litAt > 0 && now - litAt < litMs && (changed === null || changed.has(column)) ? 'flash' : ''
      }
    />
  )
}

export function ResultChart({ answer: { columns, rows } }: { readonly answer: Answer }): JSX.Element {
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
      <RowsChart
        label={`Result: ${shape.y}`}
        columns={columns}
        rows={rows.flatMap(({ row, weight }) => Array.from({ length: weight }, () => row))}
        shape={shape}
      />
    </>
  )
}
