import { type Batch, batchRows } from '../../data/batch.ts'
import { copyOutBlock } from '../../data/block.ts'
import type { Lane } from '../../data/sql-type.ts'
import { addressLane } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { anyErrors, errorReason, gatherBatch, listRows, rowError } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'
import type { ErrorRow, ViewDelta } from '../port.ts'

/**
 * A view's end of the dataflow: gathers the tick's changes, nets them, and hands them over as blocks. A row with an
 * error in one of its cells becomes an error row.
 *
 * No state beyond the tick. Changes that cannot cancel each other (an append-only view's, an aggregate's) are copied as
 * they are; others are netted in a table that is emptied again, so that no row is handed over with both signs.
 */
export class Sink extends BaseOperator {
  readonly view: number
  readonly #table: Table | null
  #blocks: Uint8Array[] = []
  #errors = new Map<string, { code: number; reason: string; weight: number }>()
  #touched: number[] = []
  /** Changes that were handed over so far. */
  rows = 0

  constructor(step: Step, view: number, lanes: readonly Lane[], net: boolean) {
    super(step)
    this.view = view
    this.#table = net ? null : new Table(step.heap, lanes, 8)
  }

  push(batch: Batch, _port: number): void {
    const clean = this.#withoutErrors(batch)
    if (clean.rows === 0) return
    if (this.#table !== null) this.#net(this.#table, clean)
    else {
      this.rows += clean.rows
      this.#blocks.push(copyOutBlock(this.step.arena, clean))
    }
  }

  override pushError(code: number, reason: string, weight: number): void {
    const key = `${code} ${reason}`
    const known = this.#errors.get(key)
    if (known === undefined) this.#errors.set(key, { code, reason, weight })
    else known.weight += weight
  }

  #withoutErrors(batch: Batch): Batch {
    const { arena, memory } = this.step
    if (!anyErrors(arena, batch.columns, batch.rows)) return batch
    const { list, rows } = listRows(arena, batch.rows, (row) => {
      const code = rowError(arena, batch.columns, row)
      const weight = batch.weights === 0 ? 1 : memory.i32[(batch.weights >>> 2) + row]
      if (code !== 0) this.pushError(code, errorReason(code, 'SELECT'), weight)
      return code === 0
    })
    return gatherBatch(arena, batch, list, rows)
  }

  #net(table: Table, batch: Batch): void {
    const { arena, memory, epoch } = this.step
    const entries = arena.allocate(batch.rows * 4)
    table.locate(batch.columns, batch.rows, entries, true)
    const { u32, i32, f64 } = memory
    for (let i = 0; i < batch.rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      f64[(entry + table.payload) / 8] += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]
      if (u32[(entry >>> 2) + 1] === epoch) continue
      u32[(entry >>> 2) + 1] = epoch
      this.#touched.push(entry)
    }
  }

  /** @returns the tick's net change, or null if there is none */
  takeDelta(): ViewDelta | null {
    if (this.#table !== null) this.#writeNet(this.#table)
    const blocks = this.#blocks
    const errors: ErrorRow[] = [...this.#errors.values()].filter(({ weight }) => weight !== 0)
    this.#blocks = []
    this.#errors = new Map()
    return blocks.length === 0 && errors.length === 0 ? null : { view: this.view, blocks, errors }
  }

  #writeNet(table: Table): void {
    const { arena, memory } = this.step
    const { f64 } = memory
    const net = this.#touched.filter((entry) => f64[(entry + table.payload) / 8] !== 0)
    this.rows += net.length
    for (let from = 0; from < net.length; from += batchRows) {
      const rows = Math.min(batchRows, net.length - from)
      const mark = arena.mark()
      const columns = table.load(arena, addressLane(arena, net, from, rows), rows)
      const weights = arena.allocate(rows * 4)
      let plain = true
      for (let i = 0; i < rows; i++) {
        const weight = f64[(net[from + i] + table.payload) / 8]
        memory.i32[(weights >>> 2) + i] = weight
        if (weight !== 1) plain = false
      }
      this.#blocks.push(copyOutBlock(arena, { rows, columns, weights: plain ? 0 : weights }))
      arena.release(mark)
    }
    if (this.#touched.length > 0) table.clear()
    this.#touched = []
  }
}
