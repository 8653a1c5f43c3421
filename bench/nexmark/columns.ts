import type { Batch, Column } from '../../src/data/batch.ts'
import type { MemoryViews } from '../../src/data/memory.ts'
import type { Topic } from './topics.ts'

/**
 * Rows of one topic, column by column, in the shape of Millrace's batches. All columns of a generator share one
 * buffer with its pools of letters, so that filling a string is a copy inside that buffer.
 */
export class TopicColumns {
  readonly topic: Topic
  readonly memory: MemoryViews
  readonly columns: readonly Column[]
  /** Per bytes column, the next free byte of its heap, counted from the heap's start. */
  readonly #heapTop: Int32Array
  rows = 0

  constructor(topic: Topic, memory: MemoryViews, columns: readonly Column[]) {
    this.topic = topic
    this.memory = memory
    this.columns = columns
    this.#heapTop = new Int32Array(columns.length)
  }

  clear(): void {
    this.rows = 0
    this.#heapTop.fill(0)
  }

  get batch(): Batch {
    return { rows: this.rows, columns: this.columns, weights: 0 }
  }

  /** Writes an integer from 0 to 2^53 into the current row. */
  integer(column: number, value: number): void {
    const { u32 } = this.memory
    const at = (this.columns[column].data >>> 2) + this.rows * 2
    u32[at] = value
    u32[at + 1] = value / 4294967296
  }

  /** Opens the current row's cell in a bytes column. @returns the address to write its text to */
  open(column: number): number {
    return this.columns[column].heap + this.#heapTop[column]
  }

  /** Closes the cell that `open` opened. @param end the address behind its last byte */
  close(column: number, end: number): void {
    const { data, heap } = this.columns[column]
    const { u32 } = this.memory
    const at = (data >>> 2) + this.rows * 2
    const start = this.#heapTop[column]
    const top = end - heap
    u32[at] = start
    u32[at + 1] = top - start
    this.#heapTop[column] = top
  }
}

/** Bytes that `rows` rows need at most, by the longest text of each column. */
export function bytesFor(topic: Topic, longest: Readonly<Record<string, number>>, rows: number): number {
  let bytes = 0
  for (const { name, kind } of topic.columns) bytes += rows * 8 + (kind === 'text' ? align8(rows * longest[name]) : 0)
  return bytes
}

export function layOut(
  topic: Topic,
  longest: Readonly<Record<string, number>>,
  rows: number,
  memory: MemoryViews,
  start: number,
): TopicColumns {
  let at = start
  const columns = topic.columns.map(({ name, kind }): Column => {
    const data = at
    at += rows * 8
    if (kind !== 'text') return { lane: 'i64', data, state: 0, heap: 0 }
    const heap = at
    at += align8(rows * longest[name])
    return { lane: 'bytes', data, state: 0, heap }
  })
  return new TopicColumns(topic, memory, columns)
}

function align8(bytes: number): number {
  return (bytes + 7) & ~7
}
