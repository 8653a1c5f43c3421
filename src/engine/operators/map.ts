import type { Batch } from '../../data/batch.ts'
import type { CompiledMap } from '../../expr/compile.ts'
import { errorReason } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'

/**
 * WHERE and SELECT: Δout = π(σ(ΔA)), by one compiled kernel.
 *
 * No state, linear: a retraction takes the same way as the insertion it takes back. A row whose predicate is an
 * error becomes an error row; an error in an output stays a cell until something reads it.
 */
export class MapRows extends BaseOperator {
  readonly #map: CompiledMap

  constructor(step: Step, map: CompiledMap) {
    super(step)
    this.#map = map
  }

  push(batch: Batch, _port: number): void {
    const { batch: out, errors } = this.#map.run(this.step.arena, batch, this.step.nowMicros)
    for (const { row, code } of errors) {
      const weight = batch.weights === 0 ? 1 : this.step.memory.i32[(batch.weights >>> 2) + row]
      this.output.error(code, errorReason(code, 'WHERE'), weight)
    }
    if (out !== null) this.output.emit(out)
  }
}

/** UNION ALL: Δout = ΔA + ΔB. No state. */
export class Union extends BaseOperator {
  push(batch: Batch, _port: number): void {
    this.output.emit(batch)
  }
}

/** Some columns of a batch, in another order. No state, nothing copied. */
export class Pick extends BaseOperator {
  readonly #columns: readonly number[]

  constructor(step: Step, columns: readonly number[]) {
    super(step)
    this.#columns = columns
  }

  push(batch: Batch, _port: number): void {
    this.output.emit({ ...batch, columns: this.#columns.map((i) => batch.columns[i]) })
  }
}
