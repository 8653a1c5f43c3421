import { batchRows } from '../data/batch.ts'
import { invariant, MillraceError } from '../data/errors.ts'
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

  get appends(): readonly Append[] {
    return this.queued.map(({ append }) => append)
  }

  constructor() {
    this.durable = new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
    })
    // A group without appends has nobody who listens.
    this.durable.catch(() => {})
  }
}

const appendBytesMax = 32 << 20
/** What a block costs in a frame besides its bytes. */
const blockOverheadBytes = 40

/** The bytes that an append takes in a frame. @throws MillraceError event/too-large */
export function sizeOf({ blocks }: Append): number {
  let size = 0
  for (const { rows, bytes } of blocks) {
    invariant(rows > 0 && rows <= batchRows, 'a block has between one row and a batch of rows')
    size += bytes.byteLength + blockOverheadBytes
  }
  if (size <= appendBytesMax) return size
  throw new MillraceError(
    'event/too-large',
    `an append of ${size} bytes; at most ${appendBytesMax} are taken at once`,
    {
      hint: 'split it into several appends',
    },
  )
}
