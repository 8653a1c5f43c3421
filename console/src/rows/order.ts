/** The order of rows on the page: PostgreSQL's, over values as the wire has them. */
import type { WireRow } from 'millrace/client'
import type { ColumnInfo } from '../ask/catalog.ts'
import { isNumeric } from '../text/numbers.ts'

export type Compare = (a: WireRow, b: WireRow) => number

/** @param order columns, with a minus before those that descend; beyond, all columns from left to right */
export function comparator(columns: readonly Pick<ColumnInfo, 'name' | 'type'>[], order: readonly string[]): Compare {
  const keys: { name: string; descending: boolean; numeric: boolean }[] = []
  const add = (name: string, descending: boolean): void => {
    const column = columns.find((one) => one.name === name)
    if (column === undefined || keys.some((key) => key.name === name)) return
    keys.push({ name, descending, numeric: isNumeric(column.type) })
  }
  for (const text of order) {
    const own = columns.some(({ name }) => name === text)
    if (own || !text.startsWith('-')) add(text, false)
    else add(text.slice(1), true)
  }
  for (const { name } of columns) add(name, false)
  return (a, b) => {
    for (const { name, descending, numeric } of keys) {
      const result = compareValues(a[name], b[name], numeric)
      if (result !== 0) return descending ? -result : result
    }
    return 0
  }
}

function compareValues(a: unknown, b: unknown, numeric: boolean): number {
  if (a === b) return 0
  // NULLs are greater than all else.
  if (a === null) return 1
  if (b === null) return -1
  if (numeric) {
    const difference = Number(a) - Number(b)
    if (difference !== 0 && !Number.isNaN(difference)) return difference
    return compareDigits(String(a), String(b))
  }
  const [left, right] = [cellText(a) ?? '', cellText(b) ?? '']
  return left < right ? -1 : left > right ? 1 : 0
}

/** Of numbers that are the same double. */
function compareDigits(a: string, b: string): number {
  if (!/^-?\d+$/.test(a) || !/^-?\d+$/.test(b)) return 0
  const difference = BigInt(a) - BigInt(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** A value as a cell shows it, or null for NULL. */
export function cellText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const timestamp = /^(\d{4,}-\d\d-\d\d)T(\d\d:\d\d:\d\d.*)$/

/** The same, easier on the eye. */
export function shownText(value: unknown): string | null {
  const text = cellText(value)
  return text === null ? null : text.replace(timestamp, '$1 $2')
}
