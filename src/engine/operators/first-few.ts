import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import type { Order } from '../../plan/plan.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import type { BucketWriter } from '../../state/bucket-writer.ts'
import { FirstFewRows, firstFewBytes } from '../../state/first-few-rows.ts'
import type { Table } from '../../state/table.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { Partitions } from './partitions.ts'

/** Up to so many rows a partition, an array is faster than a tree. */
export const fewRows = 32

/**
 * ORDER BY … LIMIT n, and row_number() ≤ n per partition, over an input that only inserts, for small n: Δout = new
 * window − old window of each partition touched.
 *
 * State: each partition's first rows, sorted. Costs one comparison for a row that stays outside, a binary search and a
 * move of addresses for one that enters, O(n) per touched partition and tick. Right because the order is total
 * (completed by all columns) and what is once behind the first n rows stays behind them.
 */
export class FirstFew extends BaseOperator {
  readonly #parts: Partitions
  readonly #offset: number
  readonly #rank: boolean
  readonly #table: Table
  readonly #rows: FirstFewRows
  #touched: number[] = []

  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    options: {
      readonly partition: readonly number[]
      readonly order: readonly Order[]
      readonly limit: number
      readonly offset: number
      /** Whether the row's number comes out as the last column. */
      readonly rank: boolean
    },
  ) {
    super(step)
    this.#parts = new Partitions(step, input, options, firstFewBytes)
    this.#offset = options.offset
    this.#rank = options.rank
    this.#table = this.#parts.table
    this.#rows = new FirstFewRows(this.#table, this.#parts.restLanes, this.#parts.order, options.offset + options.limit)
    this.arrangements.set('partitions', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory, epoch } = this.step
    const clean = this.#parts.placed(batch, this.output)
    if (clean.rows === 0) return
    const keys = arena.allocate(clean.rows * 4)
    const list = arena.allocate(clean.rows * 4)
    this.#table.make(this.#parts.keysOf(clean.columns), clean.rows, keys)
    const touched = this.#rows.offer(this.#parts.restOf(clean.columns), clean.rows, keys, clean.weights, epoch, list)
    for (let k = 0; k < touched; k++) this.#touched.push(memory.u32[(list >>> 2) + k])
  }

  override endTick(): void {
    const touched = this.#touched
    this.#touched = []
    const lanes = new Changes(this.step, (changes) => this.#emit(changes))
    for (const key of touched) {
      if (this.#rank) this.#diffRanked(key, lanes)
      else this.#diffPlain(key, lanes)
      this.#rows.forgetOld(key)
    }
    lanes.end()
  }

  /** With row numbers, a row that moves is another row. */
  #diffRanked(key: number, out: Changes): void {
    const before = this.#rows.oldRowsOf(key)
    const after = this.#rows.rowsOf(key)
    for (let k = this.#offset; k < after; k++) {
      const old = k < before ? this.#rows.oldRow(key, k) : 0
      const row = this.#rows.row(key, k)
      if (old === row) continue
      if (old !== 0) out.add(key, old, -1, k + 1)
      out.add(key, row, 1, k + 1)
    }
  }

  #diffPlain(key: number, out: Changes): void {
    const before = this.#rows.oldRowsOf(key)
    const after = this.#rows.rowsOf(key)
    const inNew = (row: number): number => {
      let times = 0
      for (let k = this.#offset; k < after; k++) if (this.#rows.row(key, k) === row) times++
      return times
    }
    const inOld = (row: number): number => {
      let times = 0
      for (let k = this.#offset; k < before; k++) if (this.#rows.oldRow(key, k) === row) times++
      return times
    }
    // Equal rows lie side by side: each is looked at once.
    for (let k = this.#offset; k < before; k++) {
      const row = this.#rows.oldRow(key, k)
      if (k > this.#offset && this.#rows.oldRow(key, k - 1) === row) continue
      const change = inNew(row) - inOld(row)
      if (change !== 0) out.add(key, row, change, 0)
    }
    for (let k = this.#offset; k < after; k++) {
      const row = this.#rows.row(key, k)
      if (k > this.#offset && this.#rows.row(key, k - 1) === row) continue
      if (inOld(row) === 0) out.add(key, row, inNew(row), 0)
    }
  }

  #emit({ rows, keys, found, weights, ranks }: Changes): void {
    const columns = this.#load(keys, found, rows)
    if (this.#rank) columns.push({ lane: 'i64', data: ranks, state: 0, heap: 0 })
    this.output.emit({ rows, columns, weights })
  }

  #load(keys: number, found: number, rows: number): Column[] {
    const { arena } = this.step
    return this.#parts.whole(this.#table.load(arena, keys, rows), this.#rows.load(arena, found, rows))
  }

  #contents(): Contents {
    return {
      sections: [[...this.#parts.lanes, 'i32']],
      bytesOf: (key) => this.#table.layout.bytes + this.#rows.rowsOf(key) * this.#rows.layout.bytes,
      save: (out) => this.#save(out),
      restore: (_section, batch) => this.#restore(batch),
      release: (key) => this.#rows.release(key),
    }
  }

  #save(out: BucketWriter): void {
    const owners: number[] = []
    const found: number[] = []
    const weights: number[] = []
    out.entries.forEach((key, ordinal) => {
      for (let k = 0; k < this.#rows.rowsOf(key); k++) {
        const row = this.#rows.row(key, k)
        if (k > 0 && this.#rows.row(key, k - 1) === row) weights[weights.length - 1]++
        else {
          owners.push(ordinal)
          found.push(row)
          weights.push(1)
        }
      }
    })
    out.rows(0, owners, found, (addresses, keys, rows, from) => [
      ...this.#load(keys, addresses, rows),
      intColumn(this.step, weights, from, rows),
    ])
  }

  #restore({ columns, rows }: Batch): void {
    const keys = this.step.arena.allocate(rows * 4)
    this.#table.restore(this.#parts.keysOf(columns), rows, keys)
    const weights = columns[this.#parts.lanes.length].data
    this.#rows.restore(this.step.arena, this.#parts.restOf(columns), rows, keys, weights)
  }
}

/** Changes on their way out, handed on when a batch is full. */
class Changes {
  readonly #step: Step
  readonly #flush: (changes: Changes) => void
  rows = 0
  readonly keys: number
  readonly found: number
  readonly weights: number
  readonly ranks: number

  constructor(step: Step, flush: (changes: Changes) => void) {
    this.#step = step
    this.#flush = flush
    const { arena } = step
    this.keys = arena.allocate(batchRows * 4)
    this.found = arena.allocate(batchRows * 4)
    this.weights = arena.allocate(batchRows * 4)
    this.ranks = arena.allocate(batchRows * 8)
  }

  add(key: number, row: number, weight: number, rank: number): void {
    const { u32, i32 } = this.#step.memory
    const at = this.rows++
    u32[(this.keys >>> 2) + at] = key
    u32[(this.found >>> 2) + at] = row
    i32[(this.weights >>> 2) + at] = weight
    u32[(this.ranks >>> 2) + 2 * at] = rank
    u32[(this.ranks >>> 2) + 2 * at + 1] = 0
    if (this.rows === batchRows) this.end()
  }

  end(): void {
    if (this.rows === 0) return
    const mark = this.#step.arena.mark()
    this.#flush(this)
    this.#step.arena.release(mark)
    this.rows = 0
  }
}
