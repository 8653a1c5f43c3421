import type { TableColumn } from './table.tsx'

const sample = 200
const shortest = 5
const longest = 44
/** Width of a figure in the table's type, and the room at both sides of a cell. */
const figurePx = 7.9
const paddingPx = 18

/** Grid tracks as wide as what the first rows need; a column that grows takes what is left. */
export function tracksOf<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const grows = columns.some(({ grow }) => grow === true)
  const tracks = columns.map(({ name, text, grow }) => {
    let length = Math.max(shortest, name.length + 2)
    for (const row of rows.slice(0, sample)) length = Math.max(length, text(row)?.length ?? 4)
    const width = Math.round(Math.min(longest, length) * figurePx + paddingPx)
    return grow === true ? `minmax(${width}px, 1fr)` : `${width}px`
  })
  return grows ? tracks.join(' ') : `${tracks.join(' ')} 1fr`
}
