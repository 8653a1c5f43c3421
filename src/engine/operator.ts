import type { Batch } from '../data/batch.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import type { Heap } from '../state/heap.ts'
import type { StatePart } from '../state/state-part.ts'
import type { Meter } from './meter.ts'

/** What the operators of one engine share, and what is the same for all of them within a tick. */
export interface Step {
  readonly memory: LinearMemory
  /** For batches: everything in it is gone after the tick. */
  readonly arena: Arena
  /** For arrangements. */
  readonly heap: Heap
  /** Grows with each tick, from 2; stamps tell an arrangement what this tick has touched. */
  epoch: number
  tick: number
  nowMicros: bigint
  /** Times operators, if anybody asks. */
  readonly meter: Meter | null
  /** What operators that are made now are counted under. */
  slot: number
}

/**
 * One node of the running dataflow. Within a tick it is pushed batches, in any number and on any port, then `endTick`
 * once, after all operators above it have had theirs. What it has put out by the end of its `endTick` is exactly the
 * change of its output relation; before that, nothing is promised about single batches. It reads nothing but its
 * input, its arrangements and the step: no clock, no order between ports.
 */
export interface Operator {
  /** Called before the first batch of a tick, with the step's time set. */
  beginTick?(): void
  push(batch: Batch, port: number): void
  /** An error row of an input: it stands beside the relation and passes every operator unchanged. */
  pushError(code: number, reason: string, weight: number): void
  endTick(): void
  /** All state it has, by names of its own. */
  readonly arrangements?: ReadonlyMap<string, StatePart>
  /** The meter's. */
  readonly slot?: number
}

/** Where an operator's output goes. */
export class Output {
  /** Changes that went out so far. */
  rows = 0
  readonly #meter: Meter | null
  #targets: { readonly operator: Operator; readonly port: number; readonly errors: boolean }[] = []

  constructor(meter: Meter | null = null) {
    this.#meter = meter
  }

  /** @param errors false where error rows reach the target's output on another way already */
  to(operator: Operator, port: number, errors = true): void {
    this.#targets.push({ operator, port, errors })
  }

  /** Between two ticks. */
  leave(operator: Operator): void {
    this.#targets = this.#targets.filter((target) => target.operator !== operator)
  }

  emit(batch: Batch): void {
    if (batch.rows === 0) return
    this.rows += batch.rows
    const meter = this.#meter
    if (meter?.timing) this.#emitTimed(meter, batch)
    else for (const { operator, port } of this.#targets) operator.push(batch, port)
  }

  #emitTimed(meter: Meter, batch: Batch): void {
    for (const { operator, port } of this.#targets) {
      const before = meter.switchTo(operator.slot ?? 0)
      operator.push(batch, port)
      meter.switchTo(before)
    }
  }

  error(code: number, reason: string, weight: number): void {
    if (weight === 0) return
    for (const { operator, errors } of this.#targets) if (errors) operator.pushError(code, reason, weight)
  }
}

/** What most operators have in common: one output, errors handed on, nothing to do at the end, no state. */
export abstract class BaseOperator implements Operator {
  readonly output: Output
  readonly slot: number
  readonly arrangements = new Map<string, StatePart>()
  /** Whether the same comes of it in the end if it begins without its state: older snapshots may lack that. */
  readonly spare: boolean = false
  protected readonly step: Step

  constructor(step: Step) {
    this.step = step
    this.output = new Output(step.meter)
    this.slot = step.slot
  }

  abstract push(batch: Batch, port: number): void

  pushError(code: number, reason: string, weight: number): void {
    this.output.error(code, reason, weight)
  }

  endTick(): void {}
}
