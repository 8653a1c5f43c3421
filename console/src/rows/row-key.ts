/** Which columns tell a row from the others: so that an address names it, and still does when its figures change. */
import type { WireRow } from 'millrace/client'
import type { ColumnInfo } from '../ask/catalog.ts'
import { cellText } from './order.ts'

const mostRows = 5000

/** The first column, or pair of columns, that is unique among the rows at hand; else all columns. */
export function rowKey(
  columns: readonly ColumnInfo[],
  row: WireRow,
  rows: readonly WireRow[],
): Readonly<Record<string, string | null>> {
  const names = columns.filter(({ type }) => !inexact.has(type)).map(({ name }) => name)
  const others = rows.slice(0, mostRows).filter((other) => other !== row)
  for (const candidate of candidates(names)) {
    const unique = !others.some((other) => candidate.every((name) => cellText(other[name]) === cellText(row[name])))
    if (unique) return keyOf(row, candidate)
  }
  return keyOf(row, names)
}

/** What is printed of these may not be read back as the same. */
const inexact = new Set(['double precision', 'real', 'jsonb'])

function* candidates(names: readonly string[]): Generator<readonly string[]> {
  for (const name of names) yield [name]
  for (const [i, first] of names.entries()) for (const second of names.slice(i + 1)) yield [first, second]
}

function keyOf(row: WireRow, names: readonly string[]): Readonly<Record<string, string | null>> {
  return Object.fromEntries(names.map((name) => [name, cellText(row[name])]))
}
