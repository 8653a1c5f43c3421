import type { Batch, Column } from '../../data/batch.ts'
import type { CompiledMap } from '../../expr/compile.ts'
import { Single } from '../../state/single.ts'
import { intColumn } from '../aggregates/extreme.ts'
import { BaseOperator, type Step } from '../operator.ts'

/** A constant relation: all of it in the first tick, nothing ever after. State: whether that has been. */
export class Values extends BaseOperator {
  readonly #rows: readonly CompiledMap[]
  readonly #state: Single
  #done = false

  /** @param rows one map per row, over a single row without columns */
  constructor(step: Step, rows: readonly CompiledMap[]) {
    super(step)
    this.#rows = rows
    const state = new Single(
      step.arena,
      (out) => out.rows(0, [0], () => [intColumn(step, [this.#done ? 1 : 0], 0, 1)]),
      (_section, { columns }) => {
        this.#done = step.memory.i32[columns[0].data >>> 2] === 1
      },
    )
    this.#state = state
    this.arrangements.set('done', state)
  }

  push(_batch: Batch, _port: number): void {
    throw new TypeError('a constant relation has no input')
  }

  override endTick(): void {
    if (this.#done) return
    this.#state.touch()
    this.#done = true
    const none: readonly Column[] = []
    for (const row of this.#rows) {
      const { batch } = row.run(this.step.arena, { rows: 1, columns: none, weights: 0 }, this.step.nowMicros)
      if (batch !== null) this.output.emit(batch)
    }
  }
}
