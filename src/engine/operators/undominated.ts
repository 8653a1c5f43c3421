import type { Batch, Column } from '../../data/batch.ts'
import { type ColumnSchema, laneOf } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { payloadColumn, restorePayload } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { gatherBatch, listRows } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'
import type { Windows } from '../windows.ts'

/** What is compared within which groups. */
export interface Dominance {
  /** A column of 32 or 64 bits; the greatest value counts, or the least. */
  readonly value: number
  readonly max: boolean
  /** The keys that the rows are joined by: the join tells an error in any of them, whatever stands beside the row. */
  readonly joined: readonly number[]
  /** Columns that say which group. */
  readonly keys: readonly number[]
  /** A time of which the window says which group, too; at its very start it may belong to the window before as well. */
  readonly window: { readonly time: number; readonly windows: Windows } | null
}

/** A group's payload: the best value as two words (of 32 bits: 0 and the value), u32 "there is one", u32 0. */
const present = 8

/**
 * Hands on the rows of which no other row of their group was better so far: all that a join by a group's extreme, over
 * the same rows, can ever match (dominance.ts). Rows only come, so what is dominated once stays so.
 *
 * State: each group's best value. Costs a probe per row. Right because a row that is left out is worse than another one
 * whose group's extreme is at least as good by the end of the tick, and from then on. A row with a NULL or an error
 * where it matters goes on: what becomes of it is the join's business. Without its state, as behind a snapshot of a
 * program that didn't leave rows out, it knows less, and leaves out less.
 */
export class Undominated extends BaseOperator {
  override readonly spare = true
  readonly #dominance: Dominance
  readonly #wide: boolean
  readonly #table: Table

  constructor(step: Step, input: readonly ColumnSchema[], dominance: Dominance) {
    super(step)
    this.#dominance = dominance
    this.#wide = laneOf(input[dominance.value].type) === 'i64'
    const keys = dominance.keys.map((key) => laneOf(input[key].type))
    this.#table = new Table(step.heap, dominance.window === null ? keys : [...keys, 'i64'], 16)
    this.arrangements.set('best', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory } = this.step
    const { value, joined, window } = this.#dominance
    const keys = this.#dominance.keys.map((key) => batch.columns[key])
    const time = window === null ? null : batch.columns[window.time]
    const start = window === null || time === null ? null : window.windows.panes(this.step, time, batch.rows)
    if (start !== null) keys.push(start)
    const groups = arena.allocate(batch.rows * 4)
    this.#table.locate(keys, batch.rows, groups, true)
    const values = batch.columns[value]
    const plain = this.#plain(batch, [values, ...keys, ...joined.map((key) => batch.columns[key])])
    this.#raise(groups, values, plain, batch)
    const { u32 } = memory
    const { list, rows } = listRows(arena, batch.rows, (i) => {
      if (!plain(i) || this.#compare(u32[(groups >>> 2) + i] + this.#table.payload, values, i) >= 0) return true
      if (start === null || time === null) return false
      // What begins a window may be the end of the one before.
      const [at, from] = [(time.data >>> 2) + 2 * i, (start.data >>> 2) + 2 * i]
      return u32[at] === u32[from] && u32[at + 1] === u32[from + 1]
    })
    this.output.emit(rows === batch.rows ? batch : gatherBatch(arena, batch, list, rows))
  }

  /** Tells rows with values in all of these columns, that come. */
  #plain({ weights }: Batch, columns: readonly Column[]): (row: number) => boolean {
    const { u8, i32 } = this.step.memory
    const states = columns.flatMap(({ state }) => (state === 0 ? [] : [state]))
    if (states.length === 0 && weights === 0) return () => true
    return (row) => states.every((state) => u8[state + row] === 0) && (weights === 0 || i32[(weights >>> 2) + row] > 0)
  }

  #raise(groups: number, values: Column, plain: (row: number) => boolean, { rows }: Batch): void {
    const { u32, i32 } = this.step.memory
    const { payload } = this.#table
    for (let i = 0; i < rows; i++) {
      const best = u32[(groups >>> 2) + i] + payload
      if (!plain(i) || (u32[(best + present) >>> 2] === 1 && this.#compare(best, values, i) <= 0)) continue
      const at = (values.data >>> 2) + (this.#wide ? 2 * i : i)
      u32[best >>> 2] = this.#wide ? u32[at] : 0
      i32[(best >>> 2) + 1] = i32[this.#wide ? at + 1 : at]
      u32[(best + present) >>> 2] = 1
    }
  }

  /** @returns above 0 if the row's value is better than what lies at `best`, 0 if it is the same */
  #compare(best: number, values: Column, row: number): number {
    const { u32, i32 } = this.step.memory
    const at = (values.data >>> 2) + (this.#wide ? 2 * row : row)
    const high = i32[this.#wide ? at + 1 : at]
    const low = this.#wide ? u32[at] : 0
    const difference = high - i32[(best >>> 2) + 1] || low - u32[best >>> 2]
    return this.#dominance.max ? difference : -difference
  }

  #contents(): Contents {
    const { arena } = this.step
    const table = this.#table
    const { payload } = table
    const width = table.keys.length
    return {
      sections: [[...table.keys, 'f64', 'f64']],
      bytesOf: () => table.layout.bytes,
      save: (out) =>
        out.each(0, (entries, rows) => [
          ...table.load(arena, entries, rows),
          payloadColumn(arena, entries, rows, payload),
          payloadColumn(arena, entries, rows, payload + present),
        ]),
      restore: (_section, { columns, rows }) => {
        const entries = arena.allocate(rows * 4)
        table.restore(columns.slice(0, width), rows, entries)
        restorePayload(arena, entries, rows, payload, columns[width])
        restorePayload(arena, entries, rows, payload + present, columns[width + 1])
      },
      release: () => {},
    }
  }
}
