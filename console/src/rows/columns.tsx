import type { WireRow } from 'millrace/client'
import type { TableColumn } from '../design/table.tsx'
import { isNumeric } from '../text/numbers.ts'
import { shownText } from './order.ts'

/** A relation's columns as a table's, for rows that `rowOf` finds in what the table lists. */
export function tableColumns<Item>(
  columns: readonly { readonly name: string; readonly type: string }[],
  rowOf: (item: Item) => WireRow,
): readonly TableColumn<Item>[] {
  return columns.map(({ name, type }) => ({
    name,
    numeric: isNumeric(type),
    text: (item) => shownText(rowOf(item)[name]),
  }))
}
