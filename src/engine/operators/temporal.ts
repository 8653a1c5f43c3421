import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import { addressLane } from '../../state/columns.ts'
import { Single, type SingleWriter } from '../../state/single.ts'
import { Tree } from '../../state/tree.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { errorReason, gatherBatch, listRows, withoutErrors } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

/**
 * A filter over `now()`: rows are there while from ≤ now < until, where now is the tick's time.
 *
 * State: rows that will still enter or leave, ordered by when. Costs O(log n) per change and per entering or leaving
 * row. Right because when a row enters and leaves is a function of the row alone, and every tick first carries out
 * what became due since the last one.
 */
export class Temporal extends BaseOperator {
  readonly #from: number | null
  readonly #until: number | null
  readonly #bounds: readonly number[]
  readonly #lanes: readonly Lane[]
  /** Field 0 is when the row is due, then its columns. */
  readonly #tree: Tree
  #root = 0
  readonly #state: Single

  constructor(step: Step, input: readonly ColumnSchema[], from: number | null, until: number | null) {
    super(step)
    this.#from = from
    this.#until = until
    this.#bounds = [from, until].filter((column) => column !== null)
    this.#lanes = input.map(({ type }) => laneOf(type))
    this.#tree = new Tree(step.heap, ['i64', ...this.#lanes], [{ field: 0, descending: false, nullsFirst: false }])
    this.#state = this.#single()
    this.arrangements.set('rows', this.#state)
  }

  /** When the next row enters or leaves, or null. */
  dueMicros(): bigint | null {
    const first = this.#tree.first(this.#root)
    return first === 0 ? null : this.#dueOf(first)
  }

  #dueOf(row: number): bigint {
    return this.step.memory.i64[(row + this.#tree.layout.fields[0].offset) / 8]
  }

  beginTick(): void {
    const now = this.step.nowMicros
    const due: number[] = []
    this.#tree.visit(this.#root, 0, (row) => {
      if (this.#dueOf(row) > now) return false
      due.push(row)
      return true
    })
    if (due.length > 0) this.#state.touch()
    for (let from = 0; from < due.length; from += batchRows) this.#carryOut(due.slice(from, from + batchRows))
    for (const row of due) this.#root = this.#tree.remove(this.#root, row)
  }

  #carryOut(due: readonly number[]): void {
    const { arena, memory, nowMicros } = this.step
    const rows = due.length
    const [when, ...columns] = this.#tree.load(arena, addressLane(arena, due, 0, rows), rows)
    const weights = due.map((row) => this.#tree.weightOf(row))
    const dues = arena.allocate(rows * 8)
    const signs = weights.map((weight, i) => {
      const leaves = this.#until !== null && sameMicros(memory.i64, columns[this.#until], when, i)
      if (leaves && !this.#entersAt(columns, when, i)) return -weight
      const until = this.#until === null ? null : memory.i64[columns[this.#until].data / 8 + i]
      if (until !== null && until <= nowMicros) return 0
      if (until !== null) this.#keep(dues, columns, i, until, weight)
      return weight
    })
    const all: Batch = { rows, columns, weights: intColumn(this.step, signs, 0, rows).data }
    const { list, rows: kept } = listRows(arena, rows, (i) => signs[i] !== 0)
    this.output.emit(kept === rows ? all : gatherBatch(arena, all, list, kept))
  }

  /** An interval without length is entered and left at once: it never shows. */
  #entersAt(columns: readonly Column[], when: Column, row: number): boolean {
    return this.#from !== null && sameMicros(this.step.memory.i64, columns[this.#from], when, row)
  }

  /** @param data an i64 lane with room for the row's due time */
  #keep(data: number, columns: readonly Column[], row: number, due: bigint, weight: number): void {
    this.step.memory.i64[data / 8 + row] = due
    this.#root = this.#tree.add(this.#root, [{ lane: 'i64', data, state: 0, heap: 0 }, ...columns], row, weight)
    const { touched } = this.#tree
    if (this.#tree.weightOf(touched) === 0) this.#root = this.#tree.remove(this.#root, touched)
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory, nowMicros } = this.step
    const clean = withoutErrors(arena, batch, this.#bounds, (code, weight) => {
      this.output.error(code, errorReason(code, 'WHERE'), weight)
    })
    const at = (column: number, row: number): bigint => memory.i64[clean.columns[column].data / 8 + row]
    const isNull = (column: number, row: number): boolean => {
      const { state } = clean.columns[column]
      return state !== 0 && memory.u8[state + row] !== 0
    }
    if (clean.rows > 0) this.#state.touch()
    const dues = arena.allocate(clean.rows * 8)
    const { list, rows } = listRows(arena, clean.rows, (row) => {
      if (this.#bounds.some((column) => isNull(column, row))) return false
      const weight = clean.weights === 0 ? 1 : memory.i32[(clean.weights >>> 2) + row]
      if (this.#from !== null && at(this.#from, row) > nowMicros) {
        this.#keep(dues, clean.columns, row, at(this.#from, row), weight)
        return false
      }
      if (this.#until === null) return true
      const until = at(this.#until, row)
      if (until <= nowMicros) return false
      this.#keep(dues, clean.columns, row, until, weight)
      return true
    })
    this.output.emit(rows === clean.rows ? clean : gatherBatch(arena, clean, list, rows))
  }

  #single(): Single {
    const { arena, memory } = this.step
    const save = (out: SingleWriter): void => {
      const all: number[] = []
      this.#tree.forEach(this.#root, (row) => {
        all.push(row)
      })
      out.rows(0, all, (addresses, rows, from) => {
        const weights = all.slice(from, from + rows).map((row) => this.#tree.weightOf(row))
        return [...this.#tree.load(arena, addresses, rows), intColumn(this.step, weights, 0, rows)]
      })
    }
    return new Single(arena, save, (_section, batch) => {
      const columns = batch.columns.slice(0, -1)
      const weights = batch.columns[batch.columns.length - 1].data >>> 2
      for (let i = 0; i < batch.rows; i++) {
        this.#root = this.#tree.add(this.#root, columns, i, memory.i32[weights + i])
      }
    })
  }
}

function sameMicros(i64: BigInt64Array, a: Column, b: Column, row: number): boolean {
  return i64[a.data / 8 + row] === i64[b.data / 8 + row]
}
