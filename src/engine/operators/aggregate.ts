import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import { Bug } from '../../data/errors.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import type { AggregateCall } from '../../plan/plan.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import type { BucketWriter } from '../../state/bucket-writer.ts'
import { addressLane, payloadColumn, restorePayload } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import type { AccumulatorRows } from '../aggregates/accumulator.ts'
import { Calls } from '../aggregates/calls.ts'
import { PaneGroups, type PaneKeys } from '../aggregates/pane-groups.ts'
import { constantWeights, errorReason, gatherColumn, withoutErrors } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

/** Payload of a group: f64 weight of its rows, u32 "its row was put out", u32 free, then the calls'. */
const groupHeader = 16

/**
 * GROUP BY: γ(ΔA) = −old(g) + new(g) for each group g that ΔA touches.
 *
 * Over overlapping windows a change goes to its pane first, and at the end of the tick the panes' sums go to the windows:
 * one lookup per change, and as many per touched pane as windows overlap.
 *
 * State: one entry per group: its key, an accumulator per call, and the row last put out. Costs O(1) per change for
 * count, sum, avg, bool_and and bool_or, and for min and max of an append-only input; O(log n) for min and max where
 * the input retracts. Emits at the end of the tick, once per touched group, net.
 *
 * Right because every accumulator is a function of the group's multiset of arguments alone (sums are exact), so old
 * and new depend on the input relation before and after the tick and on nothing in between.
 */
export class Aggregate extends BaseOperator {
  readonly #keys: readonly number[]
  readonly #calls: Calls
  readonly #table: Table
  readonly #groups: Arrangement
  /** Set where the input names panes, of which windows are put together. */
  readonly #panes: PaneGroups | null
  #touched: number[] = []
  /** Set where groups may be forgotten: the key that closes them, and up to when all are closed. */
  #eviction: { readonly field: number; readonly watermark: () => bigint | null } | null = null
  /** No group closes before this. */
  #nextClose: bigint | null = null

  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    keys: readonly number[],
    calls: readonly AggregateCall[],
    outputs: readonly ColumnSchema[],
    appendOnly: boolean,
    panes: PaneKeys | null = null,
  ) {
    super(step)
    this.#keys = keys
    const keyLanes = keys.map((key) => laneOf(input[key].type))
    const resultLanes = outputs.slice(keys.length).map(({ type }) => laneOf(type))
    const results = outputs.slice(keys.length).map(({ type }) => type)
    const all = { offset: Number.NaN }
    this.#calls = new Calls(step, input, calls, results, appendOnly, all)
    const payload = groupHeader + this.#calls.bytes
    this.#table = new Table(step.heap, keyLanes, payload, false, resultLanes)
    this.#panes = panes === null ? null : new PaneGroups(step, keyLanes, payload, panes, this.#calls)
    all.offset = this.#table.payload
    this.#calls.place(this.#table.payload + groupHeader)
    this.#groups = new Arrangement(step.arena, this.#table, this.#contents())
    this.arrangements.set('groups', this.#groups)
    this.#calls.arrangements.forEach((values, k) => {
      this.arrangements.set(`distinct${k}`, values)
    })
    if (keys.length === 0) this.#makeOnlyGroup()
  }

  /** Without keys there is one group from the start, also over no rows. */
  #makeOnlyGroup(): void {
    this.#groups.resident = true
    const out = this.step.arena.allocate(8)
    this.#table.locate([], 1, out, true)
    const { u32 } = this.step.memory
    const entry = u32[out >>> 2]
    u32[(entry >>> 2) + 1] = this.step.epoch
    this.#touched.push(entry)
  }

  /**
   * Lets groups go, without a change, once their key's time is at or before the watermark.
   * @param key which of the keys it is: a timestamp
   */
  evict(key: number, watermark: () => bigint | null): void {
    // Whichever group the watermark passes must be here.
    for (const state of [this.#groups, ...this.#calls.arrangements]) state.resident = true
    this.#eviction = { field: this.#table.layout.fields[key].offset, watermark }
  }

  push(batch: Batch, _port: number): void {
    const panes = this.#panes
    const clean = withoutErrors(this.step.arena, batch, this.#keys, (code, weight, row) => {
      const windows = panes === null ? 1 : panes.windowsOf(this.#keyColumns(batch), row)
      this.#report(code, weight * windows)
    })
    if (clean.rows === 0) return
    const groups = this.step.arena.allocate(clean.rows * 4)
    const { table } = panes ?? { table: this.#table }
    table.locate(this.#keyColumns(clean), clean.rows, groups, true)
    this.#calls.update(clean, groups, panes === null ? this.#touched : panes.touched)
  }

  #keyColumns(batch: Batch): Column[] {
    return this.#keys.map((key) => batch.columns[key])
  }

  readonly #report = (code: number, weight: number): void => {
    this.output.error(code, errorReason(code, 'GROUP BY'), weight)
  }

  /** Adds a part of a group to each of the windows that it lies in. */
  readonly #merge = (keys: readonly Column[], rows: number, parts: number): void => {
    const groups = this.step.arena.allocate(rows * 4)
    this.#table.locate(keys, rows, groups, true)
    this.#calls.merge(parts, groups, rows, this.#touched)
  }

  override endTick(): void {
    this.#panes?.empty(this.#merge, this.#report)
    const touched = this.#touched
    this.#touched = []
    for (let from = 0; from < touched.length; from += batchRows) {
      const rows = Math.min(batchRows, touched.length - from)
      const mark = this.step.arena.mark()
      this.#settle(addressLane(this.step.arena, touched, from, rows), rows)
      this.step.arena.release(mark)
    }
    this.#calls.endTick()
    if (this.#eviction !== null) this.#sweep(this.#eviction.field, this.#eviction.watermark(), touched)
  }

  /** Costs a look at every group, and at every value of DISTINCT, when a window closes, nothing before. */
  #sweep(field: number, watermark: bigint | null, touched: readonly number[]): void {
    const { i64 } = this.step.memory
    const closeOf = (entry: number): bigint => i64[(entry + field) / 8]
    for (const entry of touched) {
      if (this.#nextClose !== null && closeOf(entry) < this.#nextClose) this.#nextClose = closeOf(entry)
    }
    if (watermark === null || (this.#nextClose !== null && this.#nextClose > watermark)) return
    let next: bigint | null = null
    const closed: number[] = []
    for (const entry of this.#table.entries()) {
      const close = closeOf(entry)
      if (close <= watermark) closed.push(entry)
      else if (next === null || close < next) next = close
    }
    this.#calls.forgetValues(closed)
    for (const entry of closed) {
      this.#table.touch(entry)
      this.#forget(entry)
    }
    this.#nextClose = next
  }

  /** Puts out the change of up to a batch of groups. */
  #settle(entries: number, rows: number): void {
    const { arena, memory } = this.step
    const table = this.#table
    const results = this.#calls.finish(entries, rows)
    const gone = arena.allocate(rows * 4)
    const come = arena.allocate(rows * 4)
    const comeRows = arena.allocate(rows * 4)
    const equal = arena.allocate(rows)
    table.equalValues(results, rows, entries, equal)
    let minus = 0
    let plus = 0
    const { u8, u32, f64 } = memory
    const only = this.#keys.length === 0
    for (let i = 0; i < rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      const payload = entry + table.payload
      const weight = f64[payload / 8]
      if (weight < 0) throw new Bug('a group has more rows retracted than inserted')
      const was = u32[(payload + 8) >>> 2] !== 0
      const is = only || weight > 0
      if (was && is && u8[equal + i] === 1) continue
      if (was) u32[(gone >>> 2) + minus++] = entry
      if (is) {
        u32[(come >>> 2) + plus] = entry
        u32[(comeRows >>> 2) + plus++] = i
      }
    }
    if (minus > 0)
      this.output.emit({
        rows: minus,
        columns: table.load(arena, gone, minus),
        weights: constantWeights(arena, minus, -1),
      })
    if (plus > 0) this.#putOut(come, plus, plus === rows ? results : this.#listed(results, comeRows, plus))
    for (let i = 0; i < rows; i++) {
      const entry = memory.u32[(entries >>> 2) + i]
      if (!only && memory.f64[(entry + table.payload) / 8] === 0) this.#forget(entry)
    }
  }

  #listed(columns: readonly Column[], list: number, rows: number): Column[] {
    return columns.map((column) => gatherColumn(this.step.arena, column, list, rows))
  }

  #putOut(entries: number, rows: number, values: readonly Column[]): void {
    const { arena, memory } = this.step
    const keyFields = this.#keys.map((_, k) => k)
    const keys = this.#table.load(arena, entries, rows, keyFields)
    this.output.emit({ rows, columns: [...keys, ...values], weights: 0 })
    this.#table.storeValues(values, 0, rows, entries)
    const { u32 } = memory
    for (let i = 0; i < rows; i++) u32[(u32[(entries >>> 2) + i] + this.#table.payload + 8) >>> 2] = 1
  }

  #forget(entry: number): void {
    this.#calls.release(entry)
    this.#table.remove(entry)
  }

  #contents(): Contents {
    const table = this.#table
    const lanes = table.layout.fields.map(({ lane }) => lane)
    const kept = this.#calls.rows
    return {
      sections: [
        [...lanes, 'f64', 'f64', ...this.#calls.saved],
        ...kept.map((rows): Lane[] => [...table.keys, ...rows.lanes]),
      ],
      bytesOf: (entry) => kept.reduce((sum, rows) => sum + rows.bytesOf(entry), table.layout.bytes),
      save: (out) => this.#save(out),
      restore: (section, batch) => {
        if (section === 0) this.#restoreGroups(batch)
        else this.#restoreRows(kept[section - 1], batch)
      },
      release: (entry) => this.#calls.release(entry),
    }
  }

  #save(out: BucketWriter): void {
    const { arena } = this.step
    const table = this.#table
    const keyFields = this.#keys.map((_, k) => k)
    out.each(0, (groups, rows) => [
      ...table.load(arena, groups, rows),
      payloadColumn(arena, groups, rows, table.payload),
      payloadColumn(arena, groups, rows, table.payload + 8),
      ...this.#calls.save(groups, rows),
    ])
    this.#calls.rows.forEach((kept, k) => {
      const { owners, things } = kept.list(out.entries)
      out.rows(k + 1, owners, things, (found, groups, rows) => [
        ...table.load(arena, groups, rows, keyFields),
        ...kept.load(found, rows),
      ])
    })
  }

  #restoreGroups({ columns, rows }: Batch): void {
    const { arena } = this.step
    const table = this.#table
    const width = table.layout.fields.length
    const groups = arena.allocate(rows * 4)
    table.restore(columns.slice(0, this.#keys.length), rows, groups)
    restorePayload(arena, groups, rows, table.payload, columns[width])
    restorePayload(arena, groups, rows, table.payload + 8, columns[width + 1])
    table.storeValues(columns.slice(this.#keys.length, width), 0, rows, groups)
    this.#calls.restore(groups, rows, columns.slice(width + 2))
  }

  #restoreRows(kept: AccumulatorRows, { columns, rows }: Batch): void {
    const groups = this.step.arena.allocate(rows * 4)
    this.#table.restore(columns.slice(0, this.#keys.length), rows, groups)
    kept.restore(groups, rows, columns.slice(this.#keys.length))
  }
}
