import type { Batch, Column } from '../data/batch.ts'
import { cellErrorTexts } from '../data/cell.ts'
import type { Arena } from '../data/memory.ts'
import { laneWidth } from '../data/sql-type.ts'

/** What operators do to whole columns. Row lists are u32 lanes in the arena. */

/** Rows of a column, in the order listed. A bytes cell keeps pointing into the same heap. */
export function gatherColumn(arena: Arena, column: Column, list: number, rows: number): Column {
  const wide = laneWidth(column.lane) === 8
  const data = arena.allocate(rows * (wide ? 8 : 4))
  const state = column.state === 0 ? 0 : arena.allocate(rows)
  const { u8, i32, u32 } = arena.memory
  const from = column.data >>> 2
  const to = data >>> 2
  const l = list >>> 2
  if (wide) {
    for (let i = 0; i < rows; i++) {
      const r = from + 2 * u32[l + i]
      i32[to + 2 * i] = i32[r]
      i32[to + 2 * i + 1] = i32[r + 1]
    }
  } else for (let i = 0; i < rows; i++) i32[to + i] = i32[from + u32[l + i]]
  if (state !== 0) for (let i = 0; i < rows; i++) u8[state + i] = u8[column.state + u32[l + i]]
  return { lane: column.lane, data, state, heap: column.heap }
}

export function gatherWords(arena: Arena, lane: number, list: number, rows: number): number {
  const data = arena.allocate(rows * 4)
  const { u32 } = arena.memory
  for (let i = 0, to = data >>> 2, from = lane >>> 2, l = list >>> 2; i < rows; i++)
    u32[to + i] = u32[from + u32[l + i]]
  return data
}

export function gatherBatch(arena: Arena, batch: Batch, list: number, rows: number): Batch {
  return {
    rows,
    columns: batch.columns.map((column) => gatherColumn(arena, column, list, rows)),
    weights: batch.weights === 0 ? 0 : gatherWords(arena, batch.weights, list, rows),
  }
}

/** The rows for which `keep` holds, as a list. */
export function listRows(arena: Arena, rows: number, keep: (row: number) => boolean): { list: number; rows: number } {
  const list = arena.allocate(rows * 4)
  const at = list >>> 2
  let n = 0
  for (let i = 0; i < rows; i++) if (keep(i)) arena.memory.u32[at + n++] = i
  return { list, rows: n }
}

/** Does a cell of these columns hold an error? */
export function anyErrors(arena: Arena, columns: readonly Column[], rows: number): boolean {
  const { u8 } = arena.memory
  for (const { state } of columns) {
    if (state === 0) continue
    for (let i = 0; i < rows; i++) if (u8[state + i] > 1) return true
  }
  return false
}

/** The least error code among the row's cells, 0 if there is none. */
export function rowError(arena: Arena, columns: readonly Column[], row: number): number {
  const { u8 } = arena.memory
  let code = 0
  for (const { state } of columns) {
    const s = state === 0 ? 0 : u8[state + row]
    if (s > 1 && (code === 0 || s < code)) code = s
  }
  return code
}

/**
 * Takes the rows with an error in one of `keys` out of a batch: they meet a key, so they become error rows.
 * @param report gets each one's code and weight
 */
export function withoutErrors(
  arena: Arena,
  batch: Batch,
  keys: readonly number[],
  report: (code: number, weight: number, row: number) => void,
): Batch {
  const columns = keys.map((key) => batch.columns[key])
  if (!anyErrors(arena, columns, batch.rows)) return batch
  const { list, rows } = listRows(arena, batch.rows, (row) => {
    const code = rowError(arena, columns, row)
    if (code !== 0) report(code, batch.weights === 0 ? 1 : arena.memory.i32[(batch.weights >>> 2) + row], row)
    return code === 0
  })
  return gatherBatch(arena, batch, list, rows)
}

/** An i32 lane of one weight. */
export function constantWeights(arena: Arena, rows: number, weight: number): number {
  if (weight === 1) return 0
  const address = arena.allocate(rows * 4)
  arena.memory.i32.fill(weight, address >>> 2, (address >>> 2) + rows)
  return address
}

/** What an error row says: the kind of error, and what met it. */
export function errorReason(code: number, where: string): string {
  return `${cellErrorTexts[code]?.text ?? `error ${code}`} (in ${where})`
}
