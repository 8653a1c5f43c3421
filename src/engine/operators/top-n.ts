import { type Batch, batchRows, type Column } from '../../data/batch.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import type { Order } from '../../plan/plan.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import type { BucketWriter } from '../../state/bucket-writer.ts'
import { addressLane } from '../../state/columns.ts'
import type { Table } from '../../state/table.ts'
import { Tree } from '../../state/tree.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { Partitions } from './partitions.ts'

/** A partition's payload: u32 root, u32 address and u32 length in bytes of the window put out, u32 0. */
const window = 4

/** Rows on their way out, as parallel lists. */
class Emissions {
  readonly entries: number[] = []
  readonly rows: number[] = []
  readonly weights: number[] = []
  readonly ranks: number[] = []

  add(entry: number, row: number, weight: number, rank: number): void {
    this.entries.push(entry)
    this.rows.push(row)
    this.weights.push(weight)
    this.ranks.push(rank)
  }
}

/**
 * ORDER BY … LIMIT, and row_number() ≤ n per partition: Δout = new window − old window of each partition touched.
 *
 * State: each partition's rows in order (a treap with weights), and the window last put out. Costs O(log n) per
 * change and O(limit) per touched partition and tick. An append-only input with a limit keeps only the window, since
 * nothing outside it can ever come back. Right because the order is total (completed by all columns), so the window
 * is a function of the partition's multiset.
 */
export class TopN extends BaseOperator {
  readonly #parts: Partitions
  readonly #limit: number
  readonly #offset: number
  readonly #rank: boolean
  readonly #prune: boolean
  readonly #table: Table
  readonly #tree: Tree
  #touched: number[] = []
  #emptied: { readonly entry: number; readonly row: number }[] = []

  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    options: {
      readonly partition: readonly number[]
      readonly order: readonly Order[]
      readonly limit: number | null
      readonly offset: number
      readonly rank: boolean
      readonly appendOnly: boolean
    },
  ) {
    super(step)
    this.#parts = new Partitions(step, input, options, 16)
    this.#limit = options.limit ?? Number.POSITIVE_INFINITY
    this.#offset = options.offset
    this.#rank = options.rank
    this.#prune = options.appendOnly && options.limit !== null
    this.#table = this.#parts.table
    this.#tree = new Tree(step.heap, this.#parts.restLanes, this.#parts.order)
    this.arrangements.set('partitions', new Arrangement(step.arena, this.#table, this.#contents()))
  }

  push(batch: Batch, _port: number): void {
    const { arena, memory } = this.step
    const clean = this.#parts.placed(batch, this.output)
    if (clean.rows === 0) return
    const entries = arena.allocate(clean.rows * 4)
    this.#table.make(this.#parts.keysOf(clean.columns), clean.rows, entries)
    const columns = this.#parts.restOf(clean.columns)
    for (let i = 0; i < clean.rows; i++) {
      const entry = memory.u32[(entries >>> 2) + i]
      const weight = clean.weights === 0 ? 1 : memory.i32[(clean.weights >>> 2) + i]
      this.#add(entry, columns, i, weight)
    }
  }

  #add(entry: number, columns: readonly Column[], row: number, weight: number): void {
    const { memory, epoch } = this.step
    const at = (entry + this.#table.payload) >>> 2
    const before = memory.u32[at]
    // What cannot enter a full window of an append-only input never will.
    if (this.#prune && before !== 0 && this.#tree.total(before) >= this.#offset + this.#limit) {
      if (this.#tree.isBehind(columns, row, this.#tree.greatest(before))) return
    }
    this.#table.touch(entry)
    const root = this.#tree.add(before, columns, row, weight)
    memory.u32[at] = root
    const { touched } = this.#tree
    if (this.#tree.weightOf(touched) === 0) this.#emptied.push({ entry, row: touched })
    const stamp = (entry >>> 2) + 1
    if (memory.u32[stamp] === epoch) return
    memory.u32[stamp] = epoch
    this.#touched.push(entry)
  }

  override endTick(): void {
    const touched = this.#touched
    this.#touched = []
    const out = new Emissions()
    const single = this.#limit === 1 && this.#offset === 0
    for (const entry of touched) {
      if (single) this.#settleFirst(entry, out)
      else this.#settle(entry, out)
    }
    this.#emit(out)
    this.#sweep()
    const { u32 } = this.step.memory
    for (const entry of touched) {
      if (this.#prune) this.#cut(entry)
      if (u32[(entry + this.#table.payload) >>> 2] === 0) this.#table.remove(entry)
    }
  }

  /** A window of one row: its address alone is kept, with length 0. */
  #settleFirst(entry: number, out: Emissions): void {
    const { u32 } = this.step.memory
    const at = (entry + this.#table.payload) >>> 2
    const now = this.#tree.first(u32[at])
    const was = u32[at + window / 4]
    if (now === was) return
    if (was !== 0) out.add(entry, was, -1, 1)
    if (now !== 0) out.add(entry, now, 1, 1)
    u32[at + window / 4] = now
  }

  /** Compares the partition's window with what was put out, and remembers the new one. */
  #settle(entry: number, out: Emissions): void {
    const { memory, heap } = this.step
    const at = (entry + this.#table.payload) >>> 2
    const rows: number[] = []
    const weights: number[] = []
    let left = this.#limit
    if (left > 0) {
      this.#tree.visit(memory.u32[at], this.#offset, (row, weight) => {
        rows.push(row)
        weights.push(Math.min(weight, left))
        left -= weight
        return left > 0
      })
    }
    const old = memory.u32[at + window / 4]
    const oldBytes = memory.u32[at + window / 4 + 1]
    const oldRows: number[] = []
    const oldWeights: number[] = []
    for (let k = 0; k < oldBytes / 8; k++) {
      oldRows.push(memory.u32[(old >>> 2) + 2 * k])
      oldWeights.push(memory.u32[(old >>> 2) + 2 * k + 1])
    }
    if (this.#rank) diffRanked(entry, oldRows, oldWeights, rows, weights, this.#offset, out)
    else diffPlain(entry, oldRows, oldWeights, rows, weights, out)
    if (oldBytes > 0) heap.free(old, oldBytes)
    const bytes = rows.length * 8
    const kept = bytes === 0 ? 0 : heap.allocate(bytes)
    for (let k = 0; k < rows.length; k++) {
      memory.u32[(kept >>> 2) + 2 * k] = rows[k]
      memory.u32[(kept >>> 2) + 2 * k + 1] = weights[k]
    }
    memory.u32[at + window / 4] = kept
    memory.u32[at + window / 4 + 1] = bytes
  }

  #emit(out: Emissions): void {
    const { arena } = this.step
    for (let from = 0; from < out.rows.length; from += batchRows) {
      const rows = Math.min(batchRows, out.rows.length - from)
      const mark = arena.mark()
      const rest = this.#tree.load(arena, addressLane(arena, out.rows, from, rows), rows)
      const keys = this.#table.load(arena, addressLane(arena, out.entries, from, rows), rows)
      const columns = this.#parts.whole(keys, rest)
      const weights = intColumn(this.step, out.weights, from, rows).data
      if (this.#rank) columns.push(rankColumn(this.step, out.ranks, from, rows))
      this.output.emit({ rows, columns, weights })
      arena.release(mark)
    }
  }

  /** Takes out rows that ended the tick without weight. */
  #sweep(): void {
    const { u32 } = this.step.memory
    const done = new Set<number>()
    for (const { entry, row } of this.#emptied) {
      if (done.has(row) || this.#tree.weightOf(row) !== 0) continue
      done.add(row)
      const at = (entry + this.#table.payload) >>> 2
      u32[at] = this.#tree.remove(u32[at], row)
    }
    this.#emptied = []
  }

  /** Takes out what lies beyond the window; a row that the edge cuts in two stays whole. */
  #cut(entry: number): void {
    const { u32 } = this.step.memory
    const at = (entry + this.#table.payload) >>> 2
    const keep = this.#offset + this.#limit
    for (let excess = this.#tree.total(u32[at]) - keep; excess > 0; excess = this.#tree.total(u32[at]) - keep) {
      const last = this.#tree.greatest(u32[at])
      if (this.#tree.weightOf(last) > excess) return
      u32[at] = this.#tree.remove(u32[at], last)
    }
  }

  #contents(): Contents {
    const lanes = [...this.#table.keys, ...this.#parts.restLanes]
    return {
      sections: [[...lanes, 'i32', 'i32']],
      bytesOf: (entry) => {
        const root = this.step.memory.u32[(entry + this.#table.payload) >>> 2]
        return this.#tree.total(root) * this.#tree.layout.bytes
      },
      save: (out) => this.#save(out),
      restore: (_section, batch) => this.#restore(batch),
      release: (entry) => {
        const { u32 } = this.step.memory
        const at = (entry + this.#table.payload) >>> 2
        this.#tree.clear(u32[at])
        if (u32[at + window / 4 + 1] > 0) this.step.heap.freeLater(u32[at + window / 4], u32[at + window / 4 + 1])
      },
    }
  }

  #save(out: BucketWriter): void {
    const { arena, memory } = this.step
    const things: number[] = []
    const owners: number[] = []
    const weights: number[] = []
    const shown: number[] = []
    out.entries.forEach((entry, ordinal) => {
      const at = (entry + this.#table.payload) >>> 2
      const put = new Map<number, number>()
      const address = memory.u32[at + window / 4] >>> 2
      if (memory.u32[at + window / 4 + 1] === 0 && address !== 0) put.set(address * 4, 1)
      for (let k = 0; k < memory.u32[at + window / 4 + 1] / 8; k++) {
        put.set(memory.u32[address + 2 * k], memory.u32[address + 2 * k + 1])
      }
      this.#tree.forEach(memory.u32[at], (row) => {
        things.push(row)
        owners.push(ordinal)
        weights.push(this.#tree.weightOf(row))
        shown.push(put.get(row) ?? 0)
      })
    })
    out.rows(0, owners, things, (found, entries, rows, from) => [
      ...this.#table.load(arena, entries, rows),
      ...this.#tree.load(arena, found, rows),
      intColumn(this.step, weights, from, rows),
      intColumn(this.step, shown, from, rows),
    ])
  }

  #restore(batch: Batch): void {
    const { arena, memory, heap } = this.step
    const width = this.#table.keys.length
    const entries = arena.allocate(batch.rows * 4)
    this.#table.restore(batch.columns.slice(0, width), batch.rows, entries)
    const columns = batch.columns.slice(width, width + this.#parts.restLanes.length)
    const weights = batch.columns[batch.columns.length - 2].data >>> 2
    const shown = batch.columns[batch.columns.length - 1].data >>> 2
    for (let i = 0; i < batch.rows; i++) {
      const at = (memory.u32[(entries >>> 2) + i] + this.#table.payload) >>> 2
      const root = this.#tree.add(memory.u32[at], columns, i, memory.i32[weights + i])
      memory.u32[at] = root
      if (memory.i32[shown + i] === 0) continue
      if (this.#limit === 1 && this.#offset === 0) {
        memory.u32[at + window / 4] = this.#tree.touched
        continue
      }
      // Rows come in order, so appending keeps the window in order.
      const old = memory.u32[at + window / 4]
      const bytes = memory.u32[at + window / 4 + 1]
      const grown = heap.allocate(bytes + 8)
      memory.u8.copyWithin(grown, old, old + bytes)
      if (bytes > 0) heap.free(old, bytes)
      memory.u32[(grown + bytes) >>> 2] = this.#tree.touched
      memory.u32[((grown + bytes) >>> 2) + 1] = memory.i32[shown + i]
      memory.u32[at + window / 4] = grown
      memory.u32[at + window / 4 + 1] = bytes + 8
    }
  }
}

function diffPlain(
  entry: number,
  oldRows: number[],
  oldWeights: number[],
  rows: number[],
  weights: number[],
  out: Emissions,
): void {
  const change = new Map<number, number>()
  oldRows.forEach((row, k) => {
    change.set(row, (change.get(row) ?? 0) - oldWeights[k])
  })
  rows.forEach((row, k) => {
    change.set(row, (change.get(row) ?? 0) + weights[k])
  })
  for (const [row, weight] of change) if (weight !== 0) out.add(entry, row, weight, 0)
}

/** With row numbers, a row that moves is another row. */
function diffRanked(
  entry: number,
  oldRows: number[],
  oldWeights: number[],
  rows: number[],
  weights: number[],
  offset: number,
  out: Emissions,
): void {
  const before = oldRows.flatMap((row, k) => new Array<number>(oldWeights[k]).fill(row))
  const after = rows.flatMap((row, k) => new Array<number>(weights[k]).fill(row))
  const length = Math.max(before.length, after.length)
  for (let k = 0; k < length; k++) {
    if (before[k] === after[k]) continue
    if (k < before.length) out.add(entry, before[k], -1, offset + k + 1)
    if (k < after.length) out.add(entry, after[k], 1, offset + k + 1)
  }
}

function rankColumn(step: Step, ranks: readonly number[], from: number, rows: number): Column {
  const data = step.arena.allocate(rows * 8)
  const { i32 } = step.memory
  for (let i = 0; i < rows; i++) {
    i32[(data >>> 2) + 2 * i] = ranks[from + i] | 0
    i32[(data >>> 2) + 2 * i + 1] = Math.floor(ranks[from + i] / 2 ** 32)
  }
  return { lane: 'i64', data, state: 0, heap: 0 }
}
