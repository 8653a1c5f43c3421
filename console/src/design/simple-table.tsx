import type { ComponentChildren, JSX } from 'preact'
import './simple-table.css'

export interface SimpleColumn<Row> {
  readonly title: string
  readonly numeric?: boolean
  readonly cell: (row: Row) => ComponentChildren
}

interface SimpleTableProps<Row> {
  readonly label: string
  readonly columns: readonly SimpleColumn<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
}

/** A few rows, all of them on the page. */
export function SimpleTable<Row>({ label, columns, rows, keyOf }: SimpleTableProps<Row>): JSX.Element {
  return (
    <div class="simple-table">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map(({ title, numeric }) => (
              <th key={title} scope="col" class={numeric ? 'num right' : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, numeric, cell }) => (
                <td key={title} class={numeric ? 'num right' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
