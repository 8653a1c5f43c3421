import type { Block } from './block.ts'
import type { Cells } from './cell-access.ts'
import type { ColumnSchema, SqlType } from './sql-type.ts'

/** A topic's column as it is now, and what of its past says how blocks of any age hold it. */
export interface StoredColumn extends ColumnSchema {
  /** Its number in blocks (data/block.ts), never another column's; absent: its ordinal. */
  readonly id?: number
  /** It came, or came back, when the topic was there already: an event may have it among its unknown fields. */
  readonly added?: true
  /** The types that it had before, oldest first: blocks of those times have their lanes. */
  readonly was?: readonly SqlType[]
}

export function columnId(columns: readonly StoredColumn[], ordinal: number): number {
  return columns[ordinal].id ?? ordinal
}

export function columnIds(columns: readonly StoredColumn[]): readonly number[] {
  return columns.map(({ id }, ordinal) => id ?? ordinal)
}

/** A topic's columns in the order of its schema, out of one of its blocks. */
export function storedCells(block: Block, columns: readonly StoredColumn[]): readonly Cells[] {
  return columnIds(columns).map((id) => block.columns.get(id) ?? null)
}
