import type { Batch, Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { payloadColumn, restorePayload } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { constantWeights, gatherColumn, gatherWords } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

const fromBatch = 0
const fromRow = 4
const present = 8

/**
 * A table: upserts and deletes by primary key become changes, Δ = −old row + new row per key and tick.
 *
 * State: the row per key. Costs one probe per event. Right because within a tick only a key's last event counts,
 * and `old` is the row as it was put out.
 */
export class Upsert extends BaseOperator {
  readonly #table: Table
  readonly #keys: readonly number[]
  readonly #values: readonly number[]
  #batches: { readonly batch: Batch; readonly operations: number; readonly entries: number }[] = []

  /**
   * @param lanes the lanes of the columns pushed
   * @param keys which of them are the primary key
   */
  constructor(step: Step, lanes: readonly Lane[], keys: readonly number[]) {
    super(step)
    this.#keys = keys
    this.#values = lanes.map((_, i) => i).filter((i) => !keys.includes(i))
    // u32 batch and row of the key's last event in this tick, u32 "is there", u32 0.
    this.#table = new Table(
      step.heap,
      keys.map((key) => lanes[key]),
      16,
      false,
      this.#values.map((i) => lanes[i]),
    )
    this.arrangements.set('rows', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(_batch: Batch, _port: number): void {
    throw new TypeError('a table takes events, not changes')
  }

  /** @param operations address of an i32 per event, 1: delete; 0: all are upserts */
  events(batch: Batch, operations: number): void {
    const { arena, memory } = this.step
    const entries = arena.allocate(batch.rows * 4)
    this.#table.locate(
      this.#keys.map((key) => batch.columns[key]),
      batch.rows,
      entries,
      true,
    )
    const { u32 } = memory
    const ordinal = this.#batches.length
    for (let i = 0; i < batch.rows; i++) {
      const at = (u32[(entries >>> 2) + i] + this.#table.payload) >>> 2
      u32[at + fromBatch / 4] = ordinal
      u32[at + fromRow / 4] = i
    }
    this.#batches.push({ batch, operations, entries })
  }

  override endTick(): void {
    const batches = this.#batches
    this.#batches = []
    batches.forEach(({ batch, operations, entries }, ordinal) => {
      const mark = this.step.arena.mark()
      this.#settle(batch, operations, entries, ordinal)
      this.step.arena.release(mark)
    })
  }

  #settle(batch: Batch, operations: number, entries: number, ordinal: number): void {
    const { arena, memory } = this.step
    const { u32, i32 } = memory
    const values = this.#values.map((i) => batch.columns[i])
    const gone = arena.allocate(batch.rows * 4)
    const come = arena.allocate(batch.rows * 4)
    const removed: number[] = []
    const equal = arena.allocate(batch.rows)
    this.#table.equalValues(values, batch.rows, entries, equal)
    const { u8 } = memory
    let minus = 0
    let plus = 0
    for (let i = 0; i < batch.rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      const at = (entry + this.#table.payload) >>> 2
      if (u32[at + fromBatch / 4] !== ordinal || u32[at + fromRow / 4] !== i) continue
      const was = u32[at + present / 4] === 1
      const is = operations === 0 || i32[(operations >>> 2) + i] === 0
      if (was && is && u8[equal + i] === 1) continue
      if (was) u32[(gone >>> 2) + minus++] = entry
      if (is) u32[(come >>> 2) + plus++] = i
      else removed.push(entry)
    }
    this.#emitOld(gone, minus)
    if (plus > 0) {
      const columns = plus === batch.rows ? batch.columns : batch.columns.map((c) => gatherColumn(arena, c, come, plus))
      this.output.emit({ rows: plus, columns, weights: 0 })
    }
    this.#keep(values, come, plus, entries)
    for (const entry of removed) this.#table.remove(entry)
  }

  /** Remembers rows as put out. */
  #keep(values: readonly Column[], list: number, rows: number, entries: number): void {
    const { arena, memory } = this.step
    const kept = values.map((column) => gatherColumn(arena, column, list, rows))
    const keptEntries = gatherWords(arena, entries, list, rows)
    this.#table.storeValues(kept, 0, rows, keptEntries)
    const { u32 } = memory
    for (let k = 0; k < rows; k++) u32[(u32[(keptEntries >>> 2) + k] + this.#table.payload + present) >>> 2] = 1
  }

  #emitOld(entries: number, rows: number): void {
    if (rows === 0) return
    const { arena } = this.step
    const stored = this.#table.load(arena, entries, rows)
    const columns = this.#inOrder(stored)
    this.output.emit({ rows, columns, weights: constantWeights(arena, rows, -1) })
  }

  /** From keys then values to the order of the columns pushed. */
  #inOrder<T>(stored: readonly T[]): T[] {
    const columns = new Array<T>(this.#keys.length + this.#values.length)
    this.#keys.forEach((column, k) => {
      columns[column] = stored[k]
    })
    this.#values.forEach((column, k) => {
      columns[column] = stored[this.#keys.length + k]
    })
    return columns
  }

  #contents(): Contents {
    const { arena } = this.step
    const table = this.#table
    const lanes = table.layout.fields.map(({ lane }) => lane)
    return {
      sections: [[...lanes, 'f64']],
      bytesOf: () => table.layout.bytes,
      save: (out) =>
        out.each(0, (entries, rows) => [
          ...table.load(arena, entries, rows),
          payloadColumn(arena, entries, rows, table.payload + present),
        ]),
      restore: (_section, { columns, rows }) => {
        const entries = arena.allocate(rows * 4)
        table.restore(columns.slice(0, this.#keys.length), rows, entries)
        restorePayload(arena, entries, rows, table.payload + present, columns[lanes.length])
        table.storeValues(columns.slice(this.#keys.length, lanes.length), 0, rows, entries)
      },
      release: () => {},
    }
  }
}
