import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import type { Order } from '../../plan/plan.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { FirstRows, firstRowBytes } from '../../state/first-rows.ts'
import type { Table } from '../../state/table.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { Partitions } from './partitions.ts'

/**
 * row_number() = 1 and ORDER BY … LIMIT 1 over an input that only inserts: Δout = new first row − old first row of
 * each partition touched.
 *
 * State: each partition's first row. Costs one comparison per row, and a copy per partition that a batch improves.
 * Right because the order is total (completed by all columns) and what is once behind the first row stays behind it.
 */
export class FirstRow extends BaseOperator {
  readonly #parts: Partitions
  readonly #rank: boolean
  readonly #table: Table
  readonly #rows: FirstRows
  #touched: number[] = []

  /** @param options.rank whether the row's number, 1, comes out as the last column */
  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    options: { readonly partition: readonly number[]; readonly order: readonly Order[]; readonly rank: boolean },
  ) {
    super(step)
    this.#parts = new Partitions(step, input, options, firstRowBytes)
    this.#rank = options.rank
    this.#table = this.#parts.table
    this.#rows = new FirstRows(this.#table, this.#parts.restLanes, this.#parts.order)
    this.arrangements.set('partitions', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory, epoch } = this.step
    const clean = this.#parts.placed(batch, this.output)
    if (clean.rows === 0) return
    const list = arena.allocate(clean.rows * 4)
    const keys = arena.allocate(clean.rows * 4)
    this.#table.make(this.#parts.keysOf(clean.columns), clean.rows, keys)
    const improved = this.#offer(clean.columns, clean.rows, keys, list)
    const { u32 } = memory
    for (let k = 0; k < improved; k++) {
      const key = u32[(list >>> 2) + k]
      if (u32[(key >>> 2) + 1] === epoch) continue
      this.#table.touch(key)
      u32[(key >>> 2) + 1] = epoch
      this.#touched.push(key)
    }
  }

  #offer(columns: readonly Column[], rows: number, keys: number, list: number): number {
    return this.#rows.offer(this.#parts.restOf(columns), rows, keys, list)
  }

  override endTick(): void {
    const touched = this.#touched
    this.#touched = []
    const half = batchRows / 2
    for (let from = 0; from < touched.length; from += half)
      this.#settle(touched, from, Math.min(touched.length, from + half))
  }

  /** Puts out the old and new first rows of some partitions. */
  #settle(touched: readonly number[], from: number, to: number): void {
    const { arena, memory } = this.step
    const { u32, i32 } = memory
    const mark = arena.mark()
    const keys = arena.allocate((to - from) * 8)
    const found = arena.allocate((to - from) * 8)
    const weights = arena.allocate((to - from) * 8)
    let rows = 0
    const add = (key: number, row: number, weight: number): void => {
      u32[(keys >>> 2) + rows] = key
      u32[(found >>> 2) + rows] = row
      i32[(weights >>> 2) + rows++] = weight
    }
    for (let i = from; i < to; i++) {
      const key = touched[i]
      const old = this.#rows.shown(key)
      if (old !== 0) add(key, old, -1)
      add(key, this.#rows.first(key), 1)
      this.#rows.show(key)
    }
    const columns = this.#load(keys, found, rows)
    if (this.#rank) columns.push(ones(this.step, rows))
    this.output.emit({ rows, columns, weights: rows === to - from ? 0 : weights })
    arena.release(mark)
  }

  #load(keys: number, found: number, rows: number): Column[] {
    const { arena } = this.step
    return this.#parts.whole(this.#table.load(arena, keys, rows), this.#rows.load(arena, found, rows))
  }

  #contents(): Contents {
    const { arena, memory } = this.step
    return {
      sections: [this.#parts.lanes],
      bytesOf: () => this.#table.layout.bytes + this.#rows.layout.bytes,
      save: (out) => {
        const found = Array.from(out.entries, (key) => this.#rows.first(key))
        const owners = found.map((_, k) => k)
        out.rows(0, owners, found, (addresses, keys, rows) => this.#load(keys, addresses, rows))
      },
      restore: (_section, { columns, rows }) => {
        const keys = arena.allocate(rows * 4)
        const list = arena.allocate(rows * 4)
        this.#table.restore(this.#parts.keysOf(columns), rows, keys)
        const made = this.#offer(columns, rows, keys, list)
        for (let k = 0; k < made; k++) this.#rows.show(memory.u32[(list >>> 2) + k])
      },
      release: (key) => this.#rows.release(key),
    }
  }
}

function ones({ arena, memory }: Step, rows: number): Column {
  const data = arena.allocate(rows * 8)
  memory.i64.fill(1n, data / 8, data / 8 + rows)
  return { lane: 'i64', data, state: 0, heap: 0 }
}
