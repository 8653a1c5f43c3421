import type { Batch, Column } from '../../data/batch.ts'
import type { CompiledMap } from '../../expr/compile.ts'
import type { StateReader, StateWriter } from '../../state/dump.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { BaseOperator, type Step } from '../operator.ts'

/** A constant relation: all of it in the first tick, nothing ever after. State: whether that has been. */
export class Values extends BaseOperator {
  readonly #rows: readonly CompiledMap[]
  #done = false

  /** @param rows one map per row, over a single row without columns */
  constructor(step: Step, rows: readonly CompiledMap[]) {
    super(step)
    this.#rows = rows
  }

  push(_batch: Batch, _port: number): void {
    throw new TypeError('a constant relation has no input')
  }

  override endTick(): void {
    if (this.#done) return
    this.#done = true
    const none: readonly Column[] = []
    for (const row of this.#rows) {
      const { batch } = row.run(this.step.arena, { rows: 1, columns: none, weights: 0 }, this.step.nowMicros)
      if (batch !== null) this.output.emit(batch)
    }
  }

  override save(out: StateWriter): void {
    out.write('done', { rows: 1, columns: [intColumn(this.step, [this.#done ? 1 : 0], 0, 1)], weights: 0 })
  }

  override restore(from: StateReader): void {
    from.read('done', ['i32'], (batch) => {
      this.#done = this.step.memory.i32[batch.columns[0].data >>> 2] === 1
    })
  }
}
