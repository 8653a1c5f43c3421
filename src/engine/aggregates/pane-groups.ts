import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import { addressLane } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { gatherBatch, gatherColumn, gatherWords, listRows } from '../lanes.ts'
import type { Step } from '../operator.ts'
import type { Windows } from '../windows.ts'
import type { Calls } from './calls.ts'

/** How a GROUP BY over panes gets to its windows. */
export interface PaneKeys {
  readonly windows: Windows
  /** Which of the keys are a window's start, which its end: below, both are the pane. */
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/**
 * What a tick adds to a GROUP BY over overlapping windows, by pane instead of by window: a change is looked up once,
 * and only what the pane's groups add up to goes to every window. Empty between ticks.
 */
export class PaneGroups {
  readonly table: Table
  touched: number[] = []
  readonly #step: Step
  readonly #keys: PaneKeys
  readonly #pane: number
  readonly #calls: Calls

  constructor(step: Step, lanes: readonly Lane[], payloadBytes: number, keys: PaneKeys, calls: Calls) {
    this.#step = step
    this.#keys = keys
    this.#pane = [...keys.starts, ...keys.ends][0]
    this.#calls = calls
    this.table = new Table(step.heap, lanes, payloadBytes)
  }

  /** In how many windows a row with an error in its keys counts: one whose time is the error, in one. */
  windowsOf(keys: readonly Column[], row: number): number {
    const { state } = keys[this.#pane]
    return state !== 0 && this.#step.memory.u8[state + row] > 1 ? 1 : this.#keys.windows.each
  }

  /**
   * Hands over all groups, once per window, and forgets them.
   * @param take gets the keys with windows instead of panes, and the addresses of as many u32 entries
   * @param report gets each window that can't be told, with the number of its rows
   */
  empty(
    take: (keys: readonly Column[], rows: number, entries: number) => void,
    report: (code: number, weight: number) => void,
  ): void {
    const touched = this.touched
    if (touched.length === 0) return
    this.touched = []
    const { arena } = this.#step
    const part = Math.max(1, Math.floor(batchRows / this.#keys.windows.each))
    for (let from = 0; from < touched.length; from += part) {
      const mark = arena.mark()
      const rows = Math.min(part, touched.length - from)
      this.#expand(addressLane(arena, touched, from, rows), rows, take, report)
      arena.release(mark)
    }
    for (const entry of touched) this.#calls.release(entry)
    this.table.clear()
  }

  #expand(
    entries: number,
    count: number,
    take: (keys: readonly Column[], rows: number, entries: number) => void,
    report: (code: number, weight: number) => void,
  ): void {
    const { arena, memory } = this.#step
    const { windows, starts, ends } = this.#keys
    const keys = this.table.load(arena, entries, count)
    const { list, start, end, state, rows } = windows.of(this.#step, keys[this.#pane], 0, count)
    const columns = keys.map((column, k): Column => {
      const data = starts.includes(k) ? start : ends.includes(k) ? end : null
      return data === null ? gatherColumn(arena, column, list, rows) : { lane: 'i64', data, state, heap: 0 }
    })
    const owners = gatherWords(arena, entries, list, rows)
    if (state === 0) {
      take(columns, rows, owners)
      return
    }
    const told = listRows(arena, rows, (row) => {
      const code = memory.u8[state + row]
      const entry = memory.u32[(owners >>> 2) + row]
      if (code !== 0) report(code, memory.f64[(entry + this.table.payload) / 8])
      return code === 0
    })
    const kept: Batch = gatherBatch(arena, { rows, columns, weights: 0 }, told.list, told.rows)
    take(kept.columns, told.rows, gatherWords(arena, owners, told.list, told.rows))
  }
}
