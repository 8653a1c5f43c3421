import type { StatePart } from '../state/state-part.ts'
import type { Counted } from './figures.ts'
import type { Meter } from './meter.ts'
import type { Operator } from './operator.ts'
import type { Sink } from './operators/sink.ts'
import { Temporal } from './operators/temporal.ts'
import type { TopicSource } from './source.ts'

/** A program's running operators, in topological order. */
export class Dataflow {
  readonly sources = new Map<number, TopicSource>()
  /** Views that sources stand for, and what they would be if they were computed. */
  readonly given = new Map<number, { readonly appendOnly: boolean; readonly topics: ReadonlySet<number> }>()
  readonly operators: Operator[] = []
  readonly sinks: Sink[] = []
  /** Whether this step takes every watermark as infinite. */
  closing = false

  endTick(meter: Meter | null): void {
    if (meter?.timing) {
      this.#endTimed(meter)
      return
    }
    for (const source of this.sources.values()) source.flush()
    for (const source of this.sources.values()) source.endTick()
    for (const operator of this.operators) operator.endTick()
  }

  #endTimed(meter: Meter): void {
    const timed = (slot: number, work: () => void): void => {
      const before = meter.switchTo(slot)
      work()
      meter.switchTo(before)
    }
    for (const source of this.sources.values()) timed(source.slot, () => source.flush())
    for (const source of this.sources.values()) timed(source.slot, () => source.endTick())
    for (const operator of this.operators) timed(operator.slot ?? 0, () => operator.endTick())
  }

  /** All state, under names that are the same wherever the same is computed. */
  readonly arrangements: StatePart[] = []
  /** Those of them that an engine may begin without. */
  readonly spare = new Set<StatePart>()

  /** What is counted by itself. */
  parts: readonly Counted[] = []

  /** The next time at which a tick is due though nothing arrives, or null. */
  dueMicros(): bigint | null {
    let due: bigint | null = null
    for (const operator of this.operators) {
      const own = operator instanceof Temporal ? operator.dueMicros() : null
      if (own !== null && (due === null || own < due)) due = own
    }
    return due
  }
}
