import type { Column } from '../../data/batch.ts'
import { blobColumn } from '../../state/columns.ts'
import type { Step } from '../operator.ts'
import { restoreBlobs } from './double-sum.ts'

/** Codes are bytes, in use are less than this. */
const codes = 32

/**
 * How many of a feed's arguments in a group are error cells, by code: while there is one, the results of its calls
 * are that error (the least code if there are several), and they heal when the event is retracted. Payload: u32
 * address and u32 length of the counts, feed by feed; 0 while there never was an error.
 */
export class ErrorCounts {
  readonly bytes = 8
  readonly saved = ['bytes'] as const
  offset = 0
  readonly #step: Step
  readonly #blobBytes: number
  /** Whether any group ever had one. */
  #any = false

  constructor(step: Step, feeds: number) {
    this.#step = step
    this.#blobBytes = feeds * codes * 4
  }

  add(feed: number, entry: number, code: number, weight: number): void {
    const { memory, heap } = this.#step
    const slot = (entry + this.offset) >>> 2
    let blob = memory.u32[slot]
    if (blob === 0) {
      blob = heap.allocate(this.#blobBytes)
      memory.u8.fill(0, blob, blob + this.#blobBytes)
      memory.u32[slot] = blob
      memory.u32[slot + 1] = this.#blobBytes
      this.#any = true
    }
    memory.i32[(blob >>> 2) + feed * codes + (code % codes)] += weight
  }

  /** Adds what the groups `from` counted to the groups `into`. */
  merge(from: number, into: number, rows: number): void {
    if (!this.#any) return
    const { memory } = this.#step
    for (let i = 0; i < rows; i++) {
      const blob = memory.u32[(memory.u32[(from >>> 2) + i] + this.offset) >>> 2]
      const entry = memory.u32[(into >>> 2) + i]
      for (let k = 0; blob !== 0 && k < this.#blobBytes / 4; k++) {
        const weight = memory.i32[(blob >>> 2) + k]
        if (weight !== 0) this.add(Math.floor(k / codes), entry, k % codes, weight)
      }
    }
  }

  /** Replaces results of a feed's call by errors where a group has some. */
  apply(feed: number, entries: number, rows: number, column: Column): Column {
    if (!this.#any) return column
    const { arena, memory } = this.#step
    let { state } = column
    for (let i = 0; i < rows; i++) {
      const code = this.#least(feed, memory.u32[(entries >>> 2) + i])
      if (code === 0) continue
      if (state === 0) state = arena.allocateZeroed(rows)
      memory.u8[state + i] = code
      const width = column.lane === 'i32' ? 4 : 8
      memory.u8.fill(0, column.data + i * width, column.data + (i + 1) * width)
    }
    return { ...column, state }
  }

  #least(feed: number, entry: number): number {
    const { u32, i32 } = this.#step.memory
    const blob = u32[(entry + this.offset) >>> 2]
    if (blob === 0) return 0
    const counts = (blob >>> 2) + feed * codes
    for (let code = 2; code < codes; code++) if (i32[counts + code] > 0) return code
    return 0
  }

  release(entry: number): void {
    // Without one, there may be no room for them in the payload either.
    if (!this.#any) return
    const { u32 } = this.#step.memory
    const slot = (entry + this.offset) >>> 2
    if (u32[slot] !== 0) this.#step.heap.freeLater(u32[slot], u32[slot + 1])
  }

  save(entries: number, rows: number): Column[] {
    return [blobColumn(this.#step.arena, entries, rows, this.offset)]
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    restoreBlobs(this.#step, entries, rows, this.offset, columns[0])
    const { u32 } = this.#step.memory
    for (let i = 0; i < rows; i++) if (u32[(columns[0].data >>> 2) + 2 * i + 1] !== 0) this.#any = true
  }
}
