import type { Batch, Column } from '../../data/batch.ts'
import { Bug, MillraceError } from '../../data/errors.ts'
import { type ColumnSchema, type Lane, laneOf, type SqlType, typeName } from '../../data/sql-type.ts'
import type { AggregateCall } from '../../plan/plan.ts'
import type { StateReader, StateWriter } from '../../state/dump.ts'
import { gatherColumn, gatherWords } from '../lanes.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { BooleanFold } from './bool.ts'
import { Count } from './count.ts'
import { DecimalSum } from './decimal-sum.ts'
import { DistinctValues } from './distinct-values.ts'
import { DoubleSum } from './double-sum.ts'
import { ErrorCounts } from './error-counts.ts'
import { AppendOnlyExtreme, RetractableExtreme } from './extreme.ts'
import { IntegerSum } from './integer-sum.ts'

/**
 * One aggregate call of a GROUP BY: sorts out FILTER, NULLs and errors, makes values distinct where asked, and hands
 * the accumulator nothing but values.
 */
export class Call {
  readonly bytes: number
  readonly saved: readonly Lane[]
  readonly #step: Step
  readonly #argument: number | null
  readonly #filter: number | null
  readonly #accumulator: Accumulator
  readonly #errors: ErrorCounts
  readonly #distinct: DistinctValues | null

  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    keys: readonly number[],
    call: AggregateCall,
    result: SqlType,
    appendOnly: boolean,
  ) {
    this.#step = step
    this.#argument = call.argument
    this.#filter = call.filter
    const argument = call.argument === null ? null : input[call.argument].type
    // min and max of distinct values are min and max.
    const distinct = call.distinct && call.fn !== 'min' && call.fn !== 'max'
    this.#accumulator = accumulatorFor(step, call, argument, result, appendOnly)
    this.#errors = new ErrorCounts(step)
    this.#distinct =
      distinct && argument !== null
        ? new DistinctValues(
            step,
            keys.map((key) => laneOf(input[key].type)),
            keys,
            laneOf(argument),
          )
        : null
    this.bytes = this.#accumulator.bytes + this.#errors.bytes
    this.saved = [...this.#accumulator.saved, 'bytes']
  }

  place(offset: number): void {
    this.#accumulator.offset = offset
    this.#errors.offset = offset + this.#accumulator.bytes
  }

  /** @param groups address of the rows' entries */
  update(batch: Batch, groups: number): void {
    const column = this.#argument === null ? null : batch.columns[this.#argument]
    const filter = this.#filter === null ? null : batch.columns[this.#filter]
    if (filter === null && (column === null || column.state === 0)) {
      this.#apply(batch, groups, batch.rows, column, batch.weights)
      return
    }
    const { arena } = this.#step
    const list = arena.allocate(batch.rows * 4)
    const rows = this.#select(batch, groups, column, filter, list)
    if (rows === 0) return
    const values = column === null ? null : { ...gatherColumn(arena, column, list, rows), state: 0 }
    const weights = batch.weights === 0 ? 0 : gatherWords(arena, batch.weights, list, rows)
    const kept =
      this.#distinct === null
        ? batch
        : { ...batch, columns: batch.columns.map((c) => gatherColumn(arena, c, list, rows)) }
    this.#apply(kept, gatherWords(arena, groups, list, rows), rows, values, weights)
  }

  /** Lists the rows that count; those with an error are counted as errors. */
  #select(batch: Batch, groups: number, column: Column | null, filter: Column | null, list: number): number {
    const { u8, u32, i32 } = this.#step.memory
    let n = 0
    for (let i = 0; i < batch.rows; i++) {
      let code = column === null || column.state === 0 ? 0 : u8[column.state + i]
      if (filter !== null) {
        const state = filter.state === 0 ? 0 : u8[filter.state + i]
        if (state > 1) code = state
        else if (state === 1 || i32[(filter.data >>> 2) + i] === 0) continue
      }
      if (code === 0) u32[(list >>> 2) + n++] = i
      else if (code > 1) {
        this.#errors.add(u32[(groups >>> 2) + i], code, batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i])
      }
    }
    return n
  }

  #apply(batch: Batch, groups: number, rows: number, column: Column | null, weights: number): void {
    if (this.#distinct === null || column === null) {
      this.#accumulator.update(groups, rows, column, weights)
      return
    }
    const change = this.#distinct.update(batch.columns, groups, rows, column, weights)
    if (change.rows > 0) this.#accumulator.update(change.groups, change.rows, change.column, change.weights)
  }

  finish(entries: number, rows: number): Column {
    return this.#errors.apply(entries, rows, this.#accumulator.finish(entries, rows))
  }

  release(entry: number): void {
    this.#accumulator.release(entry)
    this.#errors.release(entry)
  }

  endTick(): void {
    this.#distinct?.endTick()
  }

  save(entries: number, rows: number): Column[] {
    return [...this.#accumulator.save(entries, rows), this.#errors.save(entries, rows)]
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    this.#accumulator.restore(entries, rows, columns.slice(0, -1))
    this.#errors.restore(entries, rows, columns[columns.length - 1])
  }

  saveRows(out: StateWriter, name: string, groups: readonly number[]): void {
    this.#accumulator.saveRows?.(out, `${name}/values`, groups)
    this.#distinct?.save(out, `${name}/distinct`)
  }

  restoreRows(from: StateReader, name: string, groupAt: (ordinal: number) => number): void {
    this.#accumulator.restoreRows?.(from, `${name}/values`, groupAt)
    this.#distinct?.restore(from, `${name}/distinct`)
  }
}

function accumulatorFor(
  step: Step,
  call: AggregateCall,
  argument: SqlType | null,
  result: SqlType,
  appendOnly: boolean,
): Accumulator {
  if (call.fn === 'count') return new Count(step)
  if (argument === null) throw new Bug(`${call.fn} without an argument`)
  const lane = laneOf(argument)
  switch (call.fn) {
    case 'boolAnd':
    case 'boolOr':
      return new BooleanFold(step, call.fn === 'boolAnd')
    case 'min':
    case 'max':
      return new (appendOnly ? AppendOnlyExtreme : RetractableExtreme)(step, lane, call.fn === 'max')
    case 'sum':
    case 'avg':
      return sumFor(step, argument, lane, result, call.fn === 'avg')
  }
}

function sumFor(step: Step, argument: SqlType, lane: Lane, result: SqlType, average: boolean): Accumulator {
  if (lane === 'f64') return new DoubleSum(step, result, average)
  if (argument.kind === 'numeric' && lane === 'bytes') return new DecimalSum(step, average)
  if (argument.kind === 'numeric') return new IntegerSum(step, argument.scale ?? 0, result, average)
  if (argument.kind === 'smallint' || argument.kind === 'integer' || argument.kind === 'bigint') {
    return new IntegerSum(step, 0, result, average)
  }
  throw new MillraceError('sql/unsupported', `${average ? 'avg' : 'sum'}(${typeName(argument)}) is not supported yet`, {
    hint: 'extract a number from it first, for instance with extract(epoch from …)',
  })
}
