import type { Batch, Column } from '../../data/batch.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import type { Order } from '../../plan/plan.ts'
import type { FieldOrder } from '../../state/compare-code.ts'
import { Table } from '../../state/table.ts'
import { errorReason, withoutErrors } from '../lanes.ts'
import type { Output, Step } from '../operator.ts'

/**
 * How operators that keep the first rows of partitions cut their input: the columns that say which partition, in a
 * table, and the rest, which is what they keep of a row. Both are in the input's order.
 */
export class Partitions {
  readonly table: Table
  /** Lanes of the input's columns. */
  readonly lanes: readonly Lane[]
  readonly restLanes: readonly Lane[]
  /** The order within a partition, over the rest's columns. */
  readonly order: readonly FieldOrder[]
  readonly #step: Step
  readonly #keys: readonly number[]
  readonly #rest: readonly number[]
  readonly #errorColumns: readonly number[]

  /** @param payloadBytes what the owner keeps with a partition */
  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    { partition, order }: { readonly partition: readonly number[]; readonly order: readonly Order[] },
    payloadBytes: number,
  ) {
    this.#step = step
    this.#keys = partition
    this.#rest = input.map((_, i) => i).filter((i) => !partition.includes(i))
    // Within a partition its own columns are all the same.
    const within = order.filter(({ column }) => !partition.includes(column))
    this.#errorColumns = [...partition, ...within.map(({ column }) => column)]
    this.order = within.map(({ column, descending, nullsFirst }) => ({
      field: this.#rest.indexOf(column),
      descending,
      nullsFirst,
    }))
    this.lanes = input.map(({ type }) => laneOf(type))
    this.restLanes = this.#rest.map((i) => this.lanes[i])
    const keyLanes = partition.map((i) => this.lanes[i])
    this.table = new Table(step.heap, keyLanes, payloadBytes)
  }

  /** A batch without the rows that can't be placed, which become error rows. */
  placed(batch: Batch, output: Output): Batch {
    return withoutErrors(this.#step.arena, batch, this.#errorColumns, (code, weight) =>
      output.error(code, errorReason(code, 'ORDER BY'), weight),
    )
  }

  keysOf(columns: readonly Column[]): Column[] {
    return this.#keys.map((i) => columns[i])
  }

  restOf(columns: readonly Column[]): Column[] {
    return this.#rest.map((i) => columns[i])
  }

  /** The input's columns, put together again. */
  whole(keys: readonly Column[], rest: readonly Column[]): Column[] {
    const columns = new Array<Column>(this.lanes.length)
    this.#rest.forEach((column, k) => {
      columns[column] = rest[k]
    })
    this.#keys.forEach((column, k) => {
      columns[column] = keys[k]
    })
    return columns
  }
}
