import { invariant } from '../data/errors.ts'
import type { DiskFile, DiskLock, Io } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import type { SettledFile } from './backup.ts'
import { ChunkPool, HeldChunks } from './chunks.ts'
import { type Commit, NoRoom, type Seal } from './commit.ts'
import { FrameBuilder } from './frame.ts'
import { type Chain, FrameReader } from './frame-reader.ts'
import type { Moment } from './history/history-format.ts'
import {
  damaged,
  fileHeaderBytes,
  fileName,
  filePath,
  type JournalFile,
  type JournalSizes,
  writeZeros,
} from './journal-file.ts'
import { isBeyond, type LoggedBlock, type ReadBlock, type SealedTick, type TickMark, type TickWanted } from './log.ts'
import { SpareFiles } from './spare-files.ts'
import type { TickIndex } from './tick-index.ts'
import { strideBytes, type TopicIndex } from './topic-index.ts'

/** Where a journal goes on: what recovery found or a new journal starts with. */
export interface JournalEnd {
  readonly identity: string
  readonly files: JournalFile[]
  /** The last file, open for writing. */
  readonly file: DiskFile
  /** Where the next frame goes in it, and up to where it is written or zeroed. */
  readonly at: number
  readonly allocated: number
  readonly sequence: number
  readonly previous: number
  readonly index: TopicIndex
  readonly ticks: TickIndex
  /** The number of the next tick. */
  readonly nextTick: number
  /** Journal position behind the newest seal. */
  readonly sealed: number
  /** Paths of files that may be used again. */
  readonly spares: readonly string[]
}

/** Builders that grew larger than this are not kept for the next commit. */
const keptBytes = 16 << 20
/** Read in one piece by replay. */
const replayBytes = 4 << 20

/** The journal on disk: commits as frames in numbered files, all topics in one order. */
export class Journal {
  readonly identity: string
  readonly spares: SpareFiles
  readonly #io: Io
  readonly #folder: string
  readonly #sizes: JournalSizes
  readonly #lock: DiskLock
  readonly #files: JournalFile[]
  readonly #index: TopicIndex
  readonly #ticks: TickIndex
  readonly #builders: FrameBuilder[] = []
  #file: DiskFile
  #at: number
  #allocated: number
  #sequence: number
  #previous: number
  #nextTick: number
  #sealed: number

  constructor(io: Io, folder: string, sizes: JournalSizes, lock: DiskLock, end: JournalEnd) {
    this.#io = io
    this.#folder = folder
    this.#sizes = sizes
    this.#lock = lock
    this.identity = end.identity
    this.#files = end.files
    this.#file = end.file
    this.#at = end.at
    this.#allocated = end.allocated
    this.#sequence = end.sequence
    this.#previous = end.previous
    this.#index = end.index
    this.#ticks = end.ticks
    this.#nextTick = end.nextTick
    this.#sealed = end.sealed
    this.spares = new SpareFiles(io.disk, folder, sizes, end.spares)
  }

  gather(): FrameBuilder {
    return this.#builders.pop() ?? new FrameBuilder()
  }

  async commit(builder: FrameBuilder, commit: Commit, meanwhile: () => void): Promise<void> {
    builder.writeDirectory(commit)
    const { length } = builder
    const zeros = this.#fits(length, commit) ? 0 : await this.#makeRoom(length, commit)
    const last = this.#files[this.#files.length - 1]
    const position = last.base + this.#at
    const place = { sequence: this.#sequence, epoch: last.epoch, previous: this.#previous, durable: position }
    const { bytes, checksum } = builder.writeHeader(place, commit, zeros)
    await this.#write(bytes)
    const synced = this.#file.sync()
    meanwhile()
    await synced
    this.#at += length
    this.#sequence++
    this.#previous = checksum
    this.#index.addBlocks(commit.blocks, position, this.#nextTick)
    if (commit.seal !== null) {
      this.#nextTick = commit.seal.tick + 1
      this.#sealed = position + length
      this.#ticks.add(commit.seal.tick, commit.seal.timeMicros, this.#sealed)
    }
    if (builder.capacity <= keptBytes && this.#builders.length < 2) {
      builder.reset()
      this.#builders.push(builder)
    }
  }

  async replay(
    each: (tick: SealedTick) => Promise<void> | void,
    mergeRows: number,
    afterTick: number,
    throughTick: number,
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
    for await (const reader of this.#read(position, this.#sealed, replayBytes, pool)) {
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

  /** The files up to the newest seal: below it nothing changes any more, whatever is appended. */
  settled(): { readonly tick: number; readonly files: readonly SettledFile[] } {
    const sealed = this.#sealed
    const files = this.#files.flatMap(({ number, base }, i) => {
      const bytes = Math.min(this.#files[i + 1]?.base ?? sealed, sealed) - base
      return bytes < 0 ? [] : [{ name: fileName(number), bytes: Math.max(bytes, fileHeaderBytes) }]
    })
    return { tick: this.#nextTick - 1, files }
  }

  /** How long a file becomes, about. */
  get fileBytes(): number {
    return this.#sizes.fileBytes
  }

  /** The journal position behind which the last but so many files end; null while there are no more. */
  closedEnd(keep: number): number | null {
    return this.#files[this.#files.length - 1 - keep]?.base ?? null
  }

  /** Frames that are sealed, from a position on that is a frame's start; see `#read`. */
  read(from: number, to: number, pool: ChunkPool): AsyncGenerator<FrameReader> {
    return this.#read(from, Math.min(to, this.#sealed), replayBytes, pool)
  }

  /**
   * Forgets what lies below a seal: nobody asks for it here any more.
   * @returns the paths of the files that are of no use now
   */
  forget({ position, tick, tickMicros, offsets }: Moment): readonly string[] {
    this.#index.cut(position, tick + 1, new Map(offsets))
    this.#ticks.cut({ tick, timeMicros: tickMicros, position })
    let count = 0
    while (count < this.#files.length - 1 && this.#files[count + 1].base <= position) count++
    return this.#files.splice(0, count).map(({ number }) => filePath(this.#folder, number))
  }

  async close(): Promise<void> {
    await this.#file.close()
    await this.#lock.release()
  }

  /** Appends leave the reserve alone, so that what they wrote can still be sealed when the disk is full. */
  #fits(length: number, { purpose }: Commit): boolean {
    if (purpose !== 'append') return this.#at + length <= this.#allocated
    const needed = this.#at + length + this.#sizes.reserveBytes
    return needed <= this.#allocated && (this.#at + length <= this.#sizes.fileBytes || this.#at === fileHeaderBytes)
  }

  /**
   * Small commits get zeros written ahead of them: a sync that needn't record a longer file is a third faster. Large
   * ones would pay for writing everything twice, so they bring only the zeros of the reserve along.
   *
   * @returns how many zeros to write behind the frame
   */
  async #makeRoom(length: number, { purpose }: Commit): Promise<number> {
    const { fileBytes, stepBytes, largeBytes, reserveBytes } = this.#sizes
    try {
      if (this.#at > fileHeaderBytes && this.#at + length > fileBytes) await this.#nextFile()
      const reserve = purpose === 'append' ? reserveBytes : 0
      const needed = this.#at + length + reserve
      if (needed <= this.#allocated) return 0
      if (length >= largeBytes) return reserve
      const target = Math.ceil(needed / stepBytes) * stepBytes
      await writeZeros(this.#file, this.#allocated, target)
      this.#allocated = target
      return 0
    } catch (error) {
      // Only zeros were written, so nothing of the commit is there.
      if (error instanceof IoError && error.failure === 'full') throw new NoRoom(error.message, { cause: error })
      throw error
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const end = this.#at + bytes.byteLength
    try {
      await this.#file.write(bytes, this.#at)
      this.#allocated = Math.max(this.#allocated, end)
    } catch (error) {
      // Where the file did not have to grow, a disk that says it is full can't be reasoned about.
      if (!(error instanceof IoError) || error.failure !== 'full' || end <= this.#allocated) throw error
      // The frame's end is missing, and without it no frame is valid; cutting makes sure that it stays missing.
      await this.#file.truncate(this.#allocated)
      throw new NoRoom(error.message, { cause: error })
    }
  }

  async #nextFile(): Promise<void> {
    const last = this.#files[this.#files.length - 1]
    const next = {
      number: last.number + 1,
      epoch: randomEpoch(this.#io),
      base: last.base + this.#at,
      sequence: this.#sequence,
      previous: this.#previous,
    }
    const { file, header } = await this.spares.make(next)
    const before = this.#file
    this.#file = file
    this.#files.push(header)
    this.#at = fileHeaderBytes
    this.#allocated = Math.max(fileHeaderBytes, this.#sizes.stepBytes, header.stale)
    await before.close()
  }

  /**
   * The frames that start between two journal positions; the first must be a frame's start. Whoever is handed the
   * reader takes frames until there is none, then asks for the next piece.
   */
  async *#read(from: number, to: number, chunkBytes: number, pool: ChunkPool): AsyncGenerator<FrameReader> {
    const { disk } = this.#io
    let chain: Chain = { sequence: null, previous: null }
    // A copy: files may be added meanwhile, always beyond `to`.
    const files = [...this.#files]
    for (let i = 0; i < files.length; i++) {
      const header = files[i]
      const next = files[i + 1]?.base ?? Number.POSITIVE_INFINITY
      if (next <= from || header.base + fileHeaderBytes >= to) continue
      const path = filePath(this.#folder, header.number)
      const file = await disk.open(path, { readOnly: true })
      const range = {
        from: Math.max(from - header.base, fileHeaderBytes),
        to: Math.min(to, next) - header.base,
        end: Math.min(next, this.#sealed) - header.base,
        chain,
        chunkBytes,
        ahead: chunkBytes === replayBytes,
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

export function randomEpoch(io: Io): bigint {
  const bytes = io.random.bytes(8)
  invariant(bytes.byteLength === 8, 'eight random bytes')
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
}
