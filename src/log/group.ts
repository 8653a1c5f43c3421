import type { MillraceError } from '../data/errors.ts'
import type { Gathering } from './commit.ts'
import type { Append, AppendAnswer } from './log.ts'

/** An append on its way. */
export interface Queued {
  readonly append: Append
  readonly group: Group
  answer: AppendAnswer | null
}

/** Appends that become durable together: they wait for one sync and share one promise. */
export class Group {
  readonly queued: Queued[] = []
  readonly durable: Promise<void>
  settle!: () => void
  fail!: (error: MillraceError) => void
  gathering: Gathering | null = null
  /** How many of `queued` are in `gathering`. */
  gathered = 0
  bytes = 0
  rows = 0

  constructor() {
    this.durable = new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
    })
    // A group without appends has nobody who listens.
    this.durable.catch(() => {})
  }
}
