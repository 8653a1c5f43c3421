import type { Disk } from '../io/io.ts'
import { ChunkPool, HeldChunks } from './chunks.ts'
import type { Seal } from './commit.ts'
import { type Chain, FrameReader } from './frame-reader.ts'
import { damaged, fileHeaderBytes, filePath, type JournalFile } from './journal-file.ts'
import {
  type ColumnsRead,
  isBeyond,
  type LoggedBlock,
  type ReadBlock,
  type SealedTick,
  type TickMark,
  type TickWanted,
} from './log.ts'
import type { TickIndex } from './tick-index.ts'
import { strideBytes, type TopicIndex } from './topic-index.ts'

/** A journal at one moment. */
export interface JournalMoment {
  readonly files: readonly JournalFile[]
  readonly index: TopicIndex
  readonly ticks: TickIndex
  /** Journal position behind the newest seal. */
  readonly sealed: number
}

/** Read in one piece by replay. */
const replayBytes = 4 << 20

/** Reads what a journal had sealed at one moment. */
export class JournalReader {
  readonly #disk: Disk
  readonly #folder: string
  readonly #files: readonly JournalFile[]
  readonly #index: TopicIndex
  readonly #ticks: TickIndex
  readonly #sealed: number

  constructor(disk: Disk, folder: string, { files, index, ticks, sealed }: JournalMoment) {
    this.#disk = disk
    this.#folder = folder
    this.#files = files
    this.#index = index
    this.#ticks = ticks
    this.#sealed = sealed
  }

  async replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows: number,
    afterTick: number,
    throughTick: number,
    columns?: ColumnsRead,
  ): Promise<void> {
    // The tick being read, and those read whole that are handed over with it.
    let blocks: LoggedBlock[] = []
    let rows = 0
    let merged: LoggedBlock[] = []
    let mergedRows = 0
    let last: Seal | null = null
    const pool = new ChunkPool(true)
    const held = new HeldChunks(pool)
    let mergedHeld = new HeldChunks(pool)
    const handOver = async (): Promise<void> => {
      const handed = mergedHeld
      const blocks = merged
      mergedHeld = new HeldChunks(pool)
      merged = []
      mergedRows = 0
      if (last === null) return
      await each({ tick: last.tick, timeMicros: last.timeMicros, blocks, release: () => handed.release() })
    }
    const { position } = this.#ticks.upTo(afterTick)
    for await (const reader of this.#read(position, this.#sealed, replayBytes, pool, columns)) {
      for (let frame = reader.take(); frame !== null; frame = reader.take()) {
        if (frame.blocks > 0) held.add(reader.chunk)
        for (const block of reader.blocks()) {
          blocks.push(block)
          rows += block.rows
        }
        const seal = reader.seal()
        if (seal === null) continue
        if (seal.tick > throughTick) return await handOver()
        if (seal.tick > afterTick) {
          if (mergeRows === 0 || mergedRows + rows > mergeRows) await handOver()
          if (merged.length === 0) merged = blocks
          else for (const block of blocks) merged.push(block)
          mergedHeld.addAll(held)
          mergedRows += rows
          last = seal
        } else held.release()
        blocks = []
        rows = 0
        if (seal.tick === throughTick) return await handOver()
      }
    }
    await handOver()
  }

  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    const known = 'tick' in wanted ? this.#ticks.upTo(wanted.tick) : this.#ticks.upToTime(Number(wanted.timeMicros))
    let found = known.tick === 0 ? null : { tick: known.tick, timeMicros: BigInt(known.timeMicros) }
    for await (const reader of this.#read(known.position, this.#sealed, strideBytes, new ChunkPool())) {
      while (reader.take() !== null) {
        if ('tick' in wanted && found?.tick === wanted.tick) return found
        const seal = reader.seal()
        if (seal === null) continue
        if (isBeyond(seal, wanted)) return found
        found = { tick: seal.tick, timeMicros: seal.timeMicros }
      }
    }
    return found
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    // A commit's time is not after that of the tick that seals it.
    const { position } = this.#ticks.upToTime(Number(timeMicros) - 1)
    for await (const reader of this.#read(position, this.#sealed, strideBytes, new ChunkPool())) {
      for (let frame = reader.take(); frame !== null; frame = reader.take()) {
        if (frame.timeMicros < timeMicros) continue
        const found = reader.blocks().find((block) => block.topic === topic)
        if (found !== undefined) return found.firstOffset
      }
    }
    return null
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    const found: ReadBlock[] = []
    let rows = 0
    const pool = new ChunkPool()
    for (const stretch of this.#index.stretches(topic, fromOffset)) {
      if (stretch.from >= this.#sealed) break
      let { tick } = stretch
      for await (const reader of this.#read(stretch.from, Math.min(stretch.to, this.#sealed), strideBytes, pool)) {
        while (reader.take() !== null) {
          for (const block of reader.blocks()) {
            const end = block.firstOffset + block.rows
            if (block.topic !== topic || end <= fromOffset || rows >= limitRows) continue
            found.push({ ...block, bytes: block.bytes.slice(), tick })
            rows += end - Math.max(fromOffset, block.firstOffset)
          }
          if (rows >= limitRows) return found
          tick = (reader.seal()?.tick ?? tick - 1) + 1
        }
      }
    }
    return found
  }

  /** The frames from a position on that is a frame's start, up to another; see `#read`. */
  read(from: number, to: number, pool: ChunkPool): AsyncGenerator<FrameReader> {
    return this.#read(from, Math.min(to, this.#sealed), replayBytes, pool)
  }

  /**
   * The frames that start between two journal positions; the first must be a frame's start. Whoever is handed the
   * reader takes frames until there is none, then asks for the next piece.
   */
  async *#read(
    from: number,
    to: number,
    chunkBytes: number,
    pool: ChunkPool,
    columns?: ColumnsRead,
  ): AsyncGenerator<FrameReader> {
    let chain: Chain = { sequence: null, previous: null }
    const files = this.#files
    for (let i = 0; i < files.length; i++) {
      const header = files[i]
      const next = files[i + 1]?.base ?? Number.POSITIVE_INFINITY
      if (next <= from || header.base + fileHeaderBytes >= to) continue
      const path = filePath(this.#folder, header.number)
      const file = await this.#disk.open(path, { readOnly: true })
      const range = {
        from: Math.max(from - header.base, fileHeaderBytes),
        to: Math.min(to, next) - header.base,
        end: Math.min(next, this.#sealed) - header.base,
        chain,
        chunkBytes,
        ahead: chunkBytes === replayBytes,
        columns,
      }
      const reader = new FrameReader(file, path, header, range, pool)
      try {
        while (!reader.done) {
          if (!(await reader.fill())) throw damaged(path, reader.at)
          yield reader
        }
        chain = reader.chain
      } finally {
        await reader.close()
        await file.close()
      }
    }
  }
}
