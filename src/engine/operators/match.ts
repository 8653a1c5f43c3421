import type { Batch, Column } from '../../data/batch.ts'
import { Bug } from '../../data/errors.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { Bag, rowWeightOffset } from '../../state/bag.ts'
import type { BucketWriter } from '../../state/bucket-writer.ts'
import { bagRows, payloadColumn, restorePayload, rowWeights } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { errorReason, gatherBatch, listRows, withoutErrors } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { Pairs } from './pairs.ts'

/** A key's payload: u32 first row, i32 rows, f64 weight of the right side, u32 "the right side was there", u32 0. */
const rightWeight = 8
const rightShown = 16

/**
 * Semi-join A ⋉ B and anti-join A ▷ B by key: rows of A under whose key B has something, or nothing.
 *
 * State: A's rows under their key, and B's weight per key. Costs a probe per change, and for a key that B enters or
 * leaves, A's rows under it. Right for the same reason as an outer join's unmatched rows: presence, as it was when
 * rows were last put out, is kept with the key and settled once at the end of the tick.
 */
export class Match extends BaseOperator {
  readonly #semi: boolean
  readonly #nullsEqual: boolean
  readonly #leftKeys: readonly number[]
  readonly #rightKeys: readonly number[]
  readonly #keys: Table
  readonly #bag: Bag
  readonly #rest: readonly number[]
  readonly #lanes: readonly Lane[]
  #touched: number[] = []

  /** @param nullsEqual whether a NULL key meets a NULL key, as when whole rows are compared */
  constructor(
    step: Step,
    semi: boolean,
    left: { readonly columns: readonly ColumnSchema[]; readonly keys: readonly number[]; readonly appendOnly: boolean },
    rightKeys: readonly number[],
    nullsEqual: boolean,
  ) {
    super(step)
    this.#semi = semi
    this.#nullsEqual = nullsEqual
    this.#leftKeys = left.keys
    this.#rightKeys = rightKeys
    this.#lanes = left.columns.map(({ type }) => laneOf(type))
    this.#rest = left.columns.map((_, i) => i).filter((i) => !left.keys.includes(i))
    this.#keys = new Table(
      step.heap,
      left.keys.map((key) => this.#lanes[key]),
      24,
      !nullsEqual,
    )
    this.#bag = new Bag(
      this.#keys,
      this.#keys.payload,
      this.#rest.map((i) => this.#lanes[i]),
      !left.appendOnly,
    )
    this.arrangements.set('keys', new Arrangement(step.arena, this.#keys, this.#contents()))
  }

  push(batch: Batch, port: number): void {
    const keys = port === 0 ? this.#leftKeys : this.#rightKeys
    // Whole rows may hold errors and still be compared; a key of the query's may not.
    const clean = this.#nullsEqual
      ? batch
      : withoutErrors(this.step.arena, batch, keys, (code, weight) =>
          this.output.error(code, errorReason(code, 'a join condition'), weight),
        )
    if (clean.rows === 0) return
    const entries = this.step.arena.allocate(clean.rows * 4)
    this.#keys.locate(
      keys.map((key) => clean.columns[key]),
      clean.rows,
      entries,
      true,
    )
    if (port === 0) this.#pushLeft(clean, entries)
    else this.#pushRight(clean, entries)
  }

  #pushLeft(batch: Batch, entries: number): void {
    const { arena, memory } = this.step
    const shown = (this.#keys.payload + rightShown) >>> 2
    const { list, rows } = listRows(arena, batch.rows, (i) => {
      const key = memory.u32[(entries >>> 2) + i]
      return (key !== 0 && memory.u32[(key >>> 2) + shown] === 1) === this.#semi
    })
    this.output.emit(rows === batch.rows ? batch : gatherBatch(arena, batch, list, rows))
    this.#bag.add(
      this.#rest.map((i) => batch.columns[i]),
      batch.rows,
      entries,
      batch.weights,
    )
  }

  #pushRight(batch: Batch, entries: number): void {
    const { memory, epoch } = this.step
    const { u32, i32, f64 } = memory
    for (let i = 0; i < batch.rows; i++) {
      const key = u32[(entries >>> 2) + i]
      if (key === 0) continue
      f64[(key + this.#keys.payload + rightWeight) / 8] += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]
      if (u32[(key >>> 2) + 1] === epoch) continue
      u32[(key >>> 2) + 1] = epoch
      this.#touched.push(key)
    }
  }

  override endTick(): void {
    const { memory } = this.step
    const touched = this.#touched
    this.#touched = []
    const pairs = new Pairs(this.step, (rows, keys, found, weights) => {
      this.output.emit({ rows, columns: this.#load(keys, found, rows), weights })
    })
    for (const key of touched) {
      const weight = memory.f64[(key + this.#keys.payload + rightWeight) / 8]
      if (weight < 0) throw new Bug('a matched row was retracted more often than inserted')
      const shown = (key + this.#keys.payload + rightShown) >>> 2
      const is = weight > 0 ? 1 : 0
      if (memory.u32[shown] === is) continue
      memory.u32[shown] = is
      for (let row = this.#bag.first(key); row !== 0; row = this.#bag.following(row)) {
        const rowWeight = memory.i32[(row + rowWeightOffset) >>> 2]
        if (rowWeight !== 0) pairs.add(key, row, (is === 1) === this.#semi ? rowWeight : -rowWeight)
      }
    }
    pairs.end()
    const idle = new Set(touched)
    this.#bag.endTick((key) => idle.add(key))
    for (const key of idle) {
      const empty = this.#bag.first(key) === 0 && memory.f64[(key + this.#keys.payload + rightWeight) / 8] === 0
      if (empty) this.#keys.remove(key)
    }
  }

  #load(keys: number, found: number, rows: number): Column[] {
    const { arena } = this.step
    const columns = new Array<Column>(this.#lanes.length)
    const rest = this.#bag.load(arena, found, rows)
    const key = this.#keys.load(arena, keys, rows)
    this.#rest.forEach((column, k) => {
      columns[column] = rest[k]
    })
    this.#leftKeys.forEach((column, k) => {
      columns[column] = key[k]
    })
    return columns
  }

  #contents(): Contents {
    const keyLanes = this.#keys.keys
    return {
      sections: [
        [...keyLanes, 'f64', 'f64'],
        [...this.#lanes, 'i32'],
      ],
      bytesOf: (key) => this.#keys.layout.bytes + this.#bag.rowsOf(key) * this.#bag.layout.bytes,
      save: (out) => this.#save(out),
      restore: (section, batch) => {
        if (section === 0) this.#restoreKeys(batch)
        else this.#restoreRows(batch)
      },
      release: (key) => this.#bag.removeRows(key),
    }
  }

  #save(out: BucketWriter): void {
    const { arena } = this.step
    const { payload } = this.#keys
    out.each(0, (keys, rows) => [
      ...this.#keys.load(arena, keys, rows),
      payloadColumn(arena, keys, rows, payload + rightWeight),
      payloadColumn(arena, keys, rows, payload + rightShown),
    ])
    const { owners, things } = bagRows(this.#bag, out.entries)
    out.rows(1, owners, things, (found, keys, rows) => [
      ...this.#load(keys, found, rows),
      rowWeights(arena, found, rows),
    ])
  }

  #restoreKeys({ columns, rows }: Batch): void {
    const { arena } = this.step
    const { payload } = this.#keys
    const width = this.#keys.keys.length
    const keys = arena.allocate(rows * 4)
    this.#keys.restore(columns.slice(0, width), rows, keys)
    restorePayload(arena, keys, rows, payload + rightWeight, columns[width])
    restorePayload(arena, keys, rows, payload + rightShown, columns[width + 1])
  }

  #restoreRows({ columns, rows }: Batch): void {
    const keys = this.step.arena.allocate(rows * 4)
    const keyColumns = this.#leftKeys.map((key) => columns[key])
    this.#keys.restore(keyColumns, rows, keys)
    const rest = this.#rest.map((i) => columns[i])
    this.#bag.add(rest, rows, keys, columns[this.#lanes.length].data)
  }
}
