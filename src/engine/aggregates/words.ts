import type { Column } from '../../data/batch.ts'
import type { Lane } from '../../data/sql-type.ts'
import { payloadColumn, restorePayload } from '../../state/columns.ts'
import type { Step } from '../operator.ts'

/** An accumulator's state where it is nothing but 8-byte words. */
export abstract class Words {
  readonly bytes: number
  readonly saved: readonly Lane[]
  offset = 0
  protected readonly step: Step

  constructor(step: Step, words: number) {
    this.step = step
    this.bytes = 8 * words
    this.saved = new Array<Lane>(words).fill('f64')
  }

  save(entries: number, rows: number): Column[] {
    return this.saved.map((_, k) => payloadColumn(this.step.arena, entries, rows, this.offset + 8 * k))
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    columns.forEach((column, k) => {
      restorePayload(this.step.arena, entries, rows, this.offset + 8 * k, column)
    })
  }
}
