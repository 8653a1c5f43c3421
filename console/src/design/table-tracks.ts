import type { TableColumn } from './table.tsx'

const sample = 200
const shortest = 5
const longest = 44
/** Widths in the table's type, and the room at both sides of a cell. */
const letterPx = 7.9
/** Figures all have the width of the widest. A number that is cut off is a wrong one. */
const figurePx = 8.7
const paddingPx = 18

/** Grid tracks as wide as what the first rows need; a column that grows takes what is left. */
export function tracksOf<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string {
  const grows = columns.some(({ grow }) => grow === true)
  const tracks = columns.map(({ name, text, grow, numeric }) => {
    let length = Math.max(shortest, name.length + 2)
    for (const row of rows.slice(0, sample)) length = Math.max(length, text(row)?.length ?? 4)
    const width = Math.round(Math.min(longest, length) * (numeric === true ? figurePx : letterPx) + paddingPx)
    return grow === true ? `minmax(${width}px, 1fr)` : `${width}px`
  })
  return grows ? tracks.join(' ') : `${tracks.join(' ')} 1fr`
}
