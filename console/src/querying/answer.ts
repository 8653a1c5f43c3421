/** Rows of ad-hoc SQL, which come as arrays, as objects. */
import type { SqlBody, WireRow } from 'millrace/client'

export type AnswerColumns = SqlBody['columns']

/** Columns of one name are told apart by their place. */
export function distinctColumns(columns: AnswerColumns): AnswerColumns {
  const seen = new Map<string, number>()
  return columns.map(({ name, type }) => {
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    return { name: times === 1 ? name : `${name} (${times})`, type }
  })
}

/** @param columns distinct ones */
export function rowOf(columns: AnswerColumns, cells: readonly unknown[]): WireRow {
  return Object.fromEntries(columns.map(({ name }, i) => [name, cells[i]]))
}
