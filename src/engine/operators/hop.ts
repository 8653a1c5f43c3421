import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { gatherBatch, gatherColumn, gatherWords, listRows } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'
import type { Windows } from '../windows.ts'

/**
 * tumble and hop: Δout = for each change, one row per window [k·slide, k·slide + size) that holds its time.
 *
 * No state; costs size/slide rows per change. Linear, so retractions pass like insertions. A NULL time yields no row.
 */
export class Hop extends BaseOperator {
  readonly #time: number
  readonly #windows: Windows

  constructor(step: Step, time: number, windows: Windows) {
    super(step)
    this.#time = time
    this.#windows = windows
  }

  push(batch: Batch, _port: number): void {
    const part = Math.max(1, Math.floor(batchRows / this.#windows.each))
    for (let from = 0; from < batch.rows; from += part) {
      this.#pushPart(batch, from, Math.min(part, batch.rows - from))
    }
  }

  #pushPart(batch: Batch, from: number, count: number): void {
    const { rows, list, start, end, state } = this.#windows.of(this.step, batch.columns[this.#time], from, count)
    if (rows === 0) return
    const { arena } = this.step
    // tumble without NULL times keeps every row where it was.
    const same = rows === batch.rows && this.#windows.each === 1
    const added: Column[] = [start, end].map((data) => ({ lane: 'i64', data, state, heap: 0 }))
    const columns = same ? batch.columns : batch.columns.map((column) => gatherColumn(arena, column, list, rows))
    const weights = same || batch.weights === 0 ? batch.weights : gatherWords(arena, batch.weights, list, rows)
    this.output.emit({ rows, columns: [...columns, ...added], weights })
  }
}

/**
 * hop, below a GROUP BY that puts panes together to windows itself: one row per change, with its pane in the place of
 * both window columns. No state, linear.
 */
export class Panes extends BaseOperator {
  readonly #time: number
  readonly #windows: Windows

  constructor(step: Step, time: number, windows: Windows) {
    super(step)
    this.#time = time
    this.#windows = windows
  }

  push(batch: Batch, _port: number): void {
    const timed = this.#withTime(batch)
    const pane = this.#windows.panes(this.step, timed.columns[this.#time], timed.rows)
    this.output.emit({ ...timed, columns: [...timed.columns, pane, pane] })
  }

  #withTime(batch: Batch): Batch {
    const { arena, memory } = this.step
    const { state } = batch.columns[this.#time]
    if (state === 0) return batch
    const { list, rows } = listRows(arena, batch.rows, (row) => memory.u8[state + row] !== 1)
    return rows === batch.rows ? batch : gatherBatch(arena, batch, list, rows)
  }
}
