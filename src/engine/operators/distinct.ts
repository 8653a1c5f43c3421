import { type Batch, batchRows } from '../../data/batch.ts'
import { Bug } from '../../data/errors.ts'
import type { Lane } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { addressLane, payloadColumn, restorePayload } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { constantWeights } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

/**
 * DISTINCT: Δout = the rows whose weight rose above 0 (+1) or fell to 0 (−1) in this tick.
 *
 * State: each row with its weight. Costs one probe per change, emits net at the end of the tick. Right because
 * presence is a function of the row's weight alone.
 */
export class Distinct extends BaseOperator {
  readonly #table: Table
  readonly #lanes: readonly Lane[]
  #touched: number[] = []

  constructor(step: Step, lanes: readonly Lane[]) {
    super(step)
    this.#lanes = lanes
    // f64 weight, u32 "was put out".
    this.#table = new Table(step.heap, lanes, 16)
    this.arrangements.set('rows', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory } = this.step
    const entries = arena.allocate(batch.rows * 4)
    this.#table.locate(batch.columns, batch.rows, entries, true)
    const { u32, i32, f64 } = memory
    const { epoch } = this.step
    for (let i = 0; i < batch.rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      f64[(entry + this.#table.payload) / 8] += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]
      const stamp = (entry >>> 2) + 1
      if (u32[stamp] === epoch) continue
      u32[stamp] = epoch
      this.#touched.push(entry)
    }
  }

  override endTick(): void {
    const touched = this.#touched
    this.#touched = []
    const come: number[] = []
    const gone: number[] = []
    const { u32, f64 } = this.step.memory
    for (const entry of touched) {
      const at = entry + this.#table.payload
      const weight = f64[at / 8]
      if (weight < 0) throw new Bug('a row was retracted more often than inserted')
      const was = u32[(at + 8) >>> 2] === 1
      if (weight > 0 && !was) come.push(entry)
      if (weight === 0 && was) gone.push(entry)
      u32[(at + 8) >>> 2] = weight > 0 ? 1 : 0
    }
    this.#emit(gone, -1)
    this.#emit(come, 1)
    for (const entry of touched) if (f64[(entry + this.#table.payload) / 8] === 0) this.#table.remove(entry)
  }

  #emit(entries: readonly number[], weight: number): void {
    const { arena } = this.step
    for (let from = 0; from < entries.length; from += batchRows) {
      const rows = Math.min(batchRows, entries.length - from)
      const mark = arena.mark()
      const columns = this.#table.load(arena, addressLane(arena, entries, from, rows), rows)
      this.output.emit({ rows, columns, weights: constantWeights(arena, rows, weight) })
      arena.release(mark)
    }
  }

  #contents(): Contents {
    const { arena } = this.step
    const table = this.#table
    const width = this.#lanes.length
    return {
      sections: [[...this.#lanes, 'f64', 'f64']],
      bytesOf: () => table.layout.bytes,
      save: (out) =>
        out.each(0, (entries, rows) => [
          ...table.load(arena, entries, rows),
          payloadColumn(arena, entries, rows, table.payload),
          payloadColumn(arena, entries, rows, table.payload + 8),
        ]),
      restore: (_section, { columns, rows }) => {
        const entries = arena.allocate(rows * 4)
        table.restore(columns.slice(0, width), rows, entries)
        restorePayload(arena, entries, rows, table.payload, columns[width])
        restorePayload(arena, entries, rows, table.payload + 8, columns[width + 1])
      },
      release: () => {},
    }
  }
}
