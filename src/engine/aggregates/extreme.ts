import type { Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import { blobColumn, type Hanging, payloadColumn, restorePayload } from '../../state/columns.ts'
import { Tree } from '../../state/tree.ts'
import type { Step } from '../operator.ts'
import type { Accumulator, AccumulatorRows } from './accumulator.ts'
import { restoreBlobs } from './double-sum.ts'

/**
 * min and max of doubles and bytes that only ever come: the best value so far. Payload: f64 1 where there is one,
 * 8 bytes of value. Integers have a narrower form (integer-extreme.ts).
 */
export class AppendOnlyExtreme implements Accumulator {
  readonly bytes = 16
  readonly saved: readonly Lane[]
  offset = 0
  readonly #step: Step
  readonly #lane: 'f64' | 'bytes'
  readonly #sign: 1 | -1

  constructor(step: Step, lane: 'f64' | 'bytes', max: boolean) {
    this.#step = step
    this.#lane = lane
    this.#sign = max ? 1 : -1
    this.saved = ['f64', lane]
  }

  update(groups: number, rows: number, column: Column, _weights: number): void {
    if (this.#lane === 'f64') this.#updateF64(groups, rows, column.data)
    else this.#updateBytes(groups, rows, column)
  }

  #updateF64(groups: number, rows: number, data: number): void {
    const { u32, f64 } = this.#step.memory
    const sign = this.#sign
    for (let i = 0, g = groups >>> 2; i < rows; i++) {
      const entry = (u32[g + i] + this.offset) / 8
      const v = f64[data / 8 + i]
      const best = f64[entry + 1]
      if (f64[entry] === 0 || compareDoubles(v, best) * sign > 0) {
        f64[entry + 1] = v
        f64[entry] = 1
      }
    }
  }

  #updateBytes(groups: number, rows: number, column: Column): void {
    const { memory, heap } = this.#step
    const { kernels } = memory
    for (let i = 0; i < rows; i++) {
      const { u32, f64 } = memory
      const entry = u32[(groups >>> 2) + i] + this.offset
      const at = (entry + 8) >>> 2
      const from = column.heap + u32[(column.data >>> 2) + 2 * i]
      const length = u32[(column.data >>> 2) + 2 * i + 1]
      const first = f64[entry / 8] === 0
      if (!first && kernels.compareBytes(from, length, u32[at], u32[at + 1]) * this.#sign <= 0) continue
      if (u32[at + 1] !== 0) heap.freeLater(u32[at], u32[at + 1])
      const to = length === 0 ? 0 : heap.allocate(length)
      kernels.copyBytes(from, to, length)
      memory.u32[at] = to
      memory.u32[at + 1] = length
      if (first) memory.f64[entry / 8] = 1
    }
  }

  finish(entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const data = arena.allocate(rows * 8)
    const state = arena.allocate(rows)
    const { u8, u32, i32, f64 } = memory
    let any = 0
    for (let i = 0; i < rows; i++) {
      const entry = u32[(entries >>> 2) + i] + this.offset
      const at = (entry + 8) >>> 2
      const d = (data >>> 2) + 2 * i
      const none = f64[entry / 8] === 0 ? 1 : 0
      i32[d] = none === 1 ? 0 : i32[at]
      i32[d + 1] = none === 1 ? 0 : i32[at + 1]
      u8[state + i] = none
      any |= none
    }
    return { lane: this.#lane, data, state: any === 0 ? 0 : state, heap: 0 }
  }

  release(entry: number): void {
    if (this.#lane !== 'bytes') return
    const { u32 } = this.#step.memory
    const at = (entry + this.offset + 8) >>> 2
    if (u32[at + 1] !== 0) this.#step.heap.freeLater(u32[at], u32[at + 1])
  }

  save(entries: number, rows: number): Column[] {
    const { arena } = this.#step
    const value = this.#lane === 'bytes' ? blobColumn : payloadColumn
    return [payloadColumn(arena, entries, rows, this.offset), value(arena, entries, rows, this.offset + 8)]
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    const { arena } = this.#step
    restorePayload(arena, entries, rows, this.offset, columns[0])
    if (this.#lane === 'bytes') restoreBlobs(this.#step, entries, rows, this.offset + 8, columns[1])
    else restorePayload(arena, entries, rows, this.offset + 8, columns[1])
  }
}

/** min and max of what also retracts: all values in order. Payload: u32 root, u32 0. */
export class RetractableExtreme implements Accumulator {
  readonly bytes = 8
  readonly saved = [] as const
  offset = 0
  readonly #step: Step
  readonly #max: boolean
  readonly #tree: Tree
  readonly rows: AccumulatorRows

  constructor(step: Step, lane: Lane, max: boolean) {
    this.#step = step
    this.#max = max
    this.#tree = new Tree(step.heap, [lane], [])
    this.rows = {
      lanes: [lane, 'i32'],
      bytesOf: (group) => this.#tree.total(this.#rootOf(group)) * this.#tree.layout.bytes,
      list: (groups) => this.#list(groups),
      load: (things, rows) => this.#load(things, rows),
      restore: (groups, rows, columns) => this.update(groups, rows, columns[0], columns[1].data),
    }
  }

  #rootOf(group: number): number {
    return this.#step.memory.u32[(group + this.offset) >>> 2]
  }

  #list(groups: Uint32Array): Hanging {
    const owners: number[] = []
    const things: number[] = []
    groups.forEach((group, ordinal) => {
      this.#tree.forEach(this.#rootOf(group), (row) => {
        owners.push(ordinal)
        things.push(row)
      })
    })
    return { owners, things }
  }

  #load(things: number, rows: number): Column[] {
    const { arena, memory } = this.#step
    const weights = Array.from({ length: rows }, (_, i) => this.#tree.weightOf(memory.u32[(things >>> 2) + i]))
    return [...this.#tree.load(arena, things, rows), intColumn(this.#step, weights, 0, rows)]
  }

  update(groups: number, rows: number, column: Column, weights: number): void {
    const { memory } = this.#step
    const columns = [column.state === 0 ? column : { ...column, state: 0 }]
    for (let i = 0; i < rows; i++) {
      const at = (memory.u32[(groups >>> 2) + i] + this.offset) >>> 2
      const weight = weights === 0 ? 1 : memory.i32[(weights >>> 2) + i]
      let root = this.#tree.add(memory.u32[at], columns, i, weight)
      const row = this.#tree.touched
      if (this.#tree.weightOf(row) === 0) root = this.#tree.remove(root, row)
      memory.u32[at] = root
    }
  }

  finish(entries: number, rows: number): Column {
    const { arena, memory } = this.#step
    const best = arena.allocate(rows * 4)
    for (let i = 0; i < rows; i++) {
      const root = memory.u32[(memory.u32[(entries >>> 2) + i] + this.offset) >>> 2]
      memory.u32[(best >>> 2) + i] = this.#max ? this.#tree.last(root) : this.#tree.first(root)
    }
    return this.#tree.load(arena, best, rows)[0]
  }

  release(entry: number): void {
    this.#tree.clear(this.#step.memory.u32[(entry + this.offset) >>> 2])
  }

  save(): Column[] {
    return []
  }

  restore(): void {}
}

/** NaN is greater than everything and equal to itself. */
function compareDoubles(a: number, b: number): number {
  if (a === b) return 0
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1
  return Number.isNaN(b) || a < b ? -1 : 1
}

/** Numbers as an i32 column. */
export function intColumn(step: Step, values: readonly number[], from: number, rows: number): Column {
  const data = step.arena.allocate(rows * 4)
  const { i32 } = step.memory
  for (let i = 0; i < rows; i++) i32[(data >>> 2) + i] = values[from + i]
  return { lane: 'i32', data, state: 0, heap: 0 }
}
