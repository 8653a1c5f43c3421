import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { Bag, rowWeightOffset } from '../../state/bag.ts'
import { addressLane, bagRows, rowWeights } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { errorReason, withoutErrors } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

/**
 * emit = 'final': holds rows back until the least watermark of the topics below has reached their window's end.
 *
 * State: the rows of windows that are still open, by end. Costs a probe per change and, when the watermark moves, a
 * look at each open window's end. Right because only events on time reach it, and none of those can change a window
 * that the watermark has passed; a change that comes all the same (an updated table's) passes at once.
 */
export class Final extends BaseOperator {
  readonly #end: number
  readonly #rest: readonly number[]
  readonly #lanes: readonly Lane[]
  readonly #keys: Table
  readonly #bag: Bag
  /** Microseconds; null while an input has none; Infinity closes every window. */
  readonly #watermark: () => bigint | null | 'infinite'

  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    windowEnd: number,
    watermark: () => bigint | null | 'infinite',
  ) {
    super(step)
    this.#end = windowEnd
    this.#watermark = watermark
    this.#lanes = input.map(({ type }) => laneOf(type))
    this.#rest = input.map((_, i) => i).filter((i) => i !== windowEnd)
    this.#keys = new Table(step.heap, [this.#lanes[windowEnd]], 8, true)
    this.#bag = new Bag(
      this.#keys,
      this.#keys.payload,
      this.#rest.map((i) => this.#lanes[i]),
      true,
    )
    const windows = new Arrangement(step.arena, this.#keys, this.#contents())
    // Whichever window the watermark passes must be here.
    windows.resident = true
    this.arrangements.set('windows', windows)
  }

  push(batch: Batch, _port: number): void {
    const { arena } = this.step
    const clean = withoutErrors(arena, batch, [this.#end], (code, weight) =>
      this.output.error(code, errorReason(code, 'window_end'), weight),
    )
    if (clean.rows === 0) return
    const keys = arena.allocate(clean.rows * 4)
    this.#keys.locate([clean.columns[this.#end]], clean.rows, keys, true)
    this.#bag.add(
      this.#rest.map((i) => clean.columns[i]),
      clean.rows,
      keys,
      clean.weights,
    )
  }

  override endTick(): void {
    // Rows that were inserted and retracted within the tick are gone before any are let through.
    this.#bag.endTick((key) => this.#keys.remove(key))
    const watermark = this.#watermark()
    if (watermark === null) return
    const { i64 } = this.step.memory
    const closed: number[] = []
    const field = this.#keys.layout.fields[0]
    this.#keys.forEach((key) => {
      if (watermark === 'infinite' || i64[(key + field.offset) / 8] <= watermark) closed.push(key)
    })
    const keys: number[] = []
    const rows: number[] = []
    for (const key of closed) {
      for (let row = this.#bag.first(key); row !== 0; row = this.#bag.following(row)) {
        keys.push(key)
        rows.push(row)
      }
    }
    this.#emit(keys, rows)
    for (const key of closed) {
      this.#keys.touch(key)
      this.#bag.removeRows(key)
      this.#keys.remove(key)
    }
  }

  /** Windows that are still open: their ends in microseconds and how many rows wait, the oldest first. */
  openWindows(most: number): readonly { readonly endMicros: bigint; readonly rows: number }[] {
    const { i64 } = this.step.memory
    const { offset } = this.#keys.layout.fields[0]
    const open: { endMicros: bigint; rows: number }[] = []
    this.#keys.forEach((key) => {
      const rows = this.#bag.rowsOf(key)
      if (rows > 0) open.push({ endMicros: i64[(key + offset) / 8], rows })
    })
    return open.sort((a, b) => (a.endMicros < b.endMicros ? -1 : 1)).slice(0, most)
  }

  #emit(keys: readonly number[], rows: readonly number[]): void {
    const { arena, memory } = this.step
    for (let from = 0; from < rows.length; from += batchRows) {
      const count = Math.min(batchRows, rows.length - from)
      const mark = arena.mark()
      const columns = this.#load(addressLane(arena, keys, from, count), addressLane(arena, rows, from, count), count)
      const weights = rows.slice(from, from + count).map((row) => memory.i32[(row + rowWeightOffset) >>> 2])
      this.output.emit({ rows: count, columns, weights: intColumn(this.step, weights, 0, count).data })
      arena.release(mark)
    }
  }

  #load(keys: number, found: number, rows: number): Column[] {
    const { arena } = this.step
    const columns = new Array<Column>(this.#lanes.length)
    const rest = this.#bag.load(arena, found, rows)
    this.#rest.forEach((column, k) => {
      columns[column] = rest[k]
    })
    columns[this.#end] = this.#keys.load(arena, keys, rows)[0]
    return columns
  }

  #contents(): Contents {
    const { arena } = this.step
    return {
      sections: [[...this.#lanes, 'i32']],
      bytesOf: (key) => this.#bag.rowsOf(key) * this.#bag.layout.bytes,
      save: (out) => {
        const { owners, things } = bagRows(this.#bag, out.entries)
        out.rows(0, owners, things, (found, keys, rows) => [
          ...this.#load(keys, found, rows),
          rowWeights(arena, found, rows),
        ])
      },
      restore: (_section, { columns, rows }) => {
        const keys = arena.allocate(rows * 4)
        this.#keys.restore([columns[this.#end]], rows, keys)
        const rest = this.#rest.map((i) => columns[i])
        this.#bag.add(rest, rows, keys, columns[this.#lanes.length].data)
      },
      release: (key) => this.#bag.removeRows(key),
    }
  }
}
