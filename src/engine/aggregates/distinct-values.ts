import type { Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import { payloadColumn, restorePayload, type StateReader, type StateWriter } from '../../state/dump.ts'
import { Table } from '../../state/table.ts'
import { gatherColumn, gatherWords } from '../lanes.ts'
import type { Step } from '../operator.ts'

/** The weights of each group's values, so that DISTINCT hears of a value only when it comes or goes. */
export class DistinctValues {
  readonly #step: Step
  readonly #table: Table
  readonly #keys: readonly number[]
  #idle: number[] = []

  constructor(step: Step, keyLanes: readonly Lane[], keys: readonly number[], lane: Lane) {
    this.#step = step
    this.#keys = keys
    this.#table = new Table(step.heap, [...keyLanes, lane], 8)
  }

  /** @returns the values that came (+1) and went (−1) */
  update(
    columns: readonly Column[],
    groups: number,
    rows: number,
    column: Column,
    weights: number,
  ): { groups: number; rows: number; column: Column; weights: number } {
    const { arena, memory } = this.#step
    const entries = arena.allocate(rows * 4)
    this.#table.locate([...this.#keys.map((key) => columns[key]), column], rows, entries, true)
    const list = arena.allocate(rows * 4)
    const signs = arena.allocate(rows * 4)
    let n = 0
    const { u32, i32, f64 } = memory
    for (let i = 0; i < rows; i++) {
      const entry = u32[(entries >>> 2) + i]
      const at = (entry + this.#table.payload) / 8
      const before = f64[at]
      const after = before + (weights === 0 ? 1 : i32[(weights >>> 2) + i])
      f64[at] = after
      if (after === 0) this.#idle.push(entry)
      if (before > 0 === after > 0) continue
      u32[(list >>> 2) + n] = i
      i32[(signs >>> 2) + n++] = after > 0 ? 1 : -1
    }
    return {
      groups: gatherWords(arena, groups, list, n),
      rows: n,
      column: gatherColumn(arena, column, list, n),
      weights: signs,
    }
  }

  endTick(): void {
    const { memory } = this.#step
    const idle = new Set(this.#idle)
    this.#idle = []
    for (const entry of idle) if (memory.f64[(entry + this.#table.payload) / 8] === 0) this.#table.remove(entry)
  }

  save(out: StateWriter, name: string): void {
    const entries = this.#table.entries()
    out.writeAll(name, entries, (addresses, rows) => [
      ...this.#table.load(this.#step.arena, addresses, rows),
      payloadColumn(this.#step.arena, addresses, rows, this.#table.payload),
    ])
  }

  restore(from: StateReader, name: string): void {
    const lanes = this.#table.layout.fields.map(({ lane }) => lane)
    from.read(name, [...lanes, 'f64'], (batch) => {
      const entries = this.#step.arena.allocate(batch.rows * 4)
      this.#table.locate(batch.columns.slice(0, lanes.length), batch.rows, entries, true)
      restorePayload(this.#step.arena, entries, batch.rows, this.#table.payload, batch.columns[lanes.length])
    })
  }
}
