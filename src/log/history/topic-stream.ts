import { type Block, blockColumn, openBlock, writeBlock } from '../../data/block.ts'
import { invariant } from '../../data/errors.ts'
import { laneWidth } from '../../data/sql-type.ts'
import type { DiskFile } from '../../io/io.ts'
import type { Chunk, ChunkPool, HeldChunks } from '../chunks.ts'
import type { BlockMemory, HistoryFile } from './history-file.ts'
import type { BlockPlace } from './history-format.ts'

/** A stretch of a topic's events: all of a block, or some of its rows. */
export interface Stretch {
  readonly firstOffset: number
  readonly rows: number
  readonly bytes: Uint8Array
  /** Where they aren't one behind the other. */
  readonly offsets?: Float64Array
}

/** One topic's events in a history file, from the first to the last. */
export class TopicStream {
  readonly #file: HistoryFile
  readonly #reader: DiskFile
  readonly #blocks: readonly BlockPlace[]
  readonly #pool: ChunkPool
  readonly #columns: ReadonlySet<number> | undefined
  /** The block at work, and how many of its rows were taken. */
  #block = -1
  #row = 0
  #chunk: Chunk | null = null
  #bytes: Uint8Array = new Uint8Array(0)
  #opened: Block | null = null
  #offsets: Float64Array | undefined

  /** @param columns those that are read; all if it is left out */
  constructor(
    file: HistoryFile,
    reader: DiskFile,
    blocks: readonly BlockPlace[],
    pool: ChunkPool,
    columns?: ReadonlySet<number>,
  ) {
    this.#file = file
    this.#reader = reader
    this.#blocks = blocks
    this.#pool = pool
    this.#columns = columns
  }

  /** How many rows are left in the block at work, or are in the next one. */
  get left(): number {
    const rows = this.#blocks[this.#block]?.rows ?? 0
    return this.#row < rows ? rows - this.#row : (this.#blocks[this.#block + 1]?.rows ?? 0)
  }

  /** Passes rows over without reading them, where they make up whole blocks. */
  skip(rows: number): void {
    for (let left = rows; left > 0; ) {
      if (this.#row === (this.#blocks[this.#block]?.rows ?? 0)) this.#next()
      const step = Math.min(left, this.#blocks[this.#block].rows - this.#row)
      this.#row += step
      left -= step
    }
  }

  /** @param held keeps the memory that the stretch lies in */
  async take(rows: number, held: HeldChunks): Promise<Stretch> {
    if (this.#row === (this.#blocks[this.#block]?.rows ?? 0)) this.#next()
    const place = this.#blocks[this.#block]
    invariant(this.#row + rows <= place.rows, 'a stretch lies in one block')
    if (this.#chunk === null) await this.#decode(place)
    const offsets = this.#offsets?.slice(this.#row, this.#row + rows)
    const firstOffset = offsets === undefined ? place.firstOffset + this.#row : offsets[0]
    const whole = rows === place.rows
    const bytes = whole ? this.#bytes : sliceBlock((this.#opened ??= openBlock(this.#bytes)), this.#row, rows)
    if (whole) held.add(this.#chunk!)
    this.#row += rows
    if (this.#row === place.rows) this.close()
    return { firstOffset, rows, bytes, ...(offsets === undefined ? {} : { offsets }) }
  }

  #next(): void {
    this.close()
    this.#block++
    this.#row = 0
    invariant(this.#block < this.#blocks.length, 'the timeline names no more events than there are')
  }

  async #decode(place: BlockPlace): Promise<void> {
    let source: Chunk | null = null
    const memory: BlockMemory = {
      file: (bytes) => {
        source = this.#pool.take(bytes)
        return source.bytes.subarray(0, bytes)
      },
      block: (bytes) => {
        this.#chunk = this.#pool.take(bytes)
        return this.#chunk.bytes.subarray(0, bytes)
      },
    }
    try {
      this.#offsets = await this.#file.offsets(this.#reader, place)
      this.#bytes = await this.#file.block(this.#reader, place, memory, this.#columns)
    } finally {
      if (source !== null) this.#pool.release(source)
    }
  }

  /** Gives up the memory at work; what was taken is held by others. */
  close(): void {
    if (this.#chunk !== null) this.#pool.release(this.#chunk)
    this.#chunk = null
    this.#opened = null
  }
}

/** Some rows of a block as a block of their own. */
export function sliceBlock(block: Block, from: number, rows: number): Uint8Array {
  const ids: number[] = []
  const columns = [...block.columns].map(([id, column]) => {
    ids.push(id)
    const data = column.data + from * laneWidth(column.lane)
    const state = column.state === 0 || allValues(block.memory.u8, column.state + from, rows) ? 0 : column.state + from
    return { ...column, data, state }
  })
  invariant(!block.columns.has(blockColumn.weight), 'events have no weight')
  return writeBlock(block.memory, { rows, columns, weights: 0 }, ids)
}

function allValues(u8: Uint8Array, at: number, rows: number): boolean {
  for (let i = at; i < at + rows; i++) if (u8[i] !== 0) return false
  return true
}
