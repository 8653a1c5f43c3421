import { invariant } from '../data/errors.ts'
import type { DiskFile, DiskLock, Io } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import { type Commit, type CommitStore, NoRoom } from './commit.ts'
import { FrameBuilder } from './frame.ts'
import { type Chain, FrameReader } from './frame-reader.ts'
import {
  createFile,
  damaged,
  fileHeaderBytes,
  filePath,
  type JournalFile,
  type JournalSizes,
  writeZeros,
} from './journal-file.ts'
import type { LoggedBlock, ReadBlock, SealedTick } from './log.ts'
import { strideBytes, type TopicIndex } from './topic-index.ts'

/** Where a journal goes on: what recovery found or a new journal starts with. */
export interface JournalEnd {
  readonly files: JournalFile[]
  /** The last file, open for writing. */
  readonly file: DiskFile
  /** Where the next frame goes in it, and up to where it is written or zeroed. */
  readonly at: number
  readonly allocated: number
  readonly sequence: number
  readonly previous: number
  readonly index: TopicIndex
  /** The number of the next tick. */
  readonly nextTick: number
  /** Journal position behind the newest seal. */
  readonly sealed: number
}

/** Builders that grew larger than this are not kept for the next commit. */
const keptBytes = 16 << 20
/** Read in one piece by replay. */
const replayBytes = 1 << 20

/** The journal on disk: commits as frames in numbered files, all topics in one order. */
export class Journal implements CommitStore<FrameBuilder> {
  readonly #io: Io
  readonly #folder: string
  readonly #sizes: JournalSizes
  readonly #lock: DiskLock
  readonly #files: JournalFile[]
  readonly #index: TopicIndex
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
    this.#files = end.files
    this.#file = end.file
    this.#at = end.at
    this.#allocated = end.allocated
    this.#sequence = end.sequence
    this.#previous = end.previous
    this.#index = end.index
    this.#nextTick = end.nextTick
    this.#sealed = end.sealed
  }

  gather(): FrameBuilder {
    return this.#builders.pop() ?? new FrameBuilder()
  }

  async commit(builder: FrameBuilder, commit: Commit, meanwhile: () => void): Promise<void> {
    builder.writeDirectory(commit)
    if (!this.#fits(builder.length, commit)) await this.#makeRoom(builder.length, commit)
    const last = this.#files[this.#files.length - 1]
    const position = last.base + this.#at
    const place = { sequence: this.#sequence, epoch: last.epoch, previous: this.#previous, durable: position }
    const { bytes, checksum } = builder.writeHeader(place, commit)
    await this.#file.write(bytes, this.#at)
    const synced = this.#file.sync()
    meanwhile()
    await synced
    this.#at += bytes.byteLength
    this.#sequence++
    this.#previous = checksum
    this.#index.addBlocks(commit.blocks, position, this.#nextTick)
    if (commit.seal !== null) {
      this.#nextTick = commit.seal.tick + 1
      this.#sealed = position + bytes.byteLength
    }
    if (builder.capacity <= keptBytes && this.#builders.length < 2) {
      builder.reset()
      this.#builders.push(builder)
    }
  }

  async replay(each: (tick: SealedTick) => Promise<void> | void, mergeRows: number): Promise<void> {
    let blocks: LoggedBlock[] = []
    let rows = 0
    let held: SealedTick | null = null
    let heldRows = 0
    for await (const reader of this.#read(0, this.#sealed, replayBytes)) {
      for (const block of reader.blocks()) {
        blocks.push(block)
        rows += block.rows
      }
      const seal = reader.seal()
      if (seal === null) continue
      if (held !== null && heldRows + rows > mergeRows) {
        await each(held)
        held = null
        heldRows = 0
      }
      const merged: readonly LoggedBlock[] = held === null ? blocks : held.blocks.concat(blocks)
      held = { tick: seal.tick, timeMicros: seal.timeMicros, blocks: merged }
      heldRows += rows
      blocks = []
      rows = 0
    }
    if (held !== null) await each(held)
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    const found: ReadBlock[] = []
    let rows = 0
    for (const stretch of this.#index.stretches(topic, fromOffset)) {
      let { tick } = stretch
      for await (const reader of this.#read(stretch.from, Math.min(stretch.to, this.#sealed), strideBytes)) {
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
    return found
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

  async #makeRoom(length: number, { purpose }: Commit): Promise<void> {
    try {
      if (this.#at > fileHeaderBytes && this.#at + length > this.#sizes.fileBytes) await this.#nextFile()
      const needed = this.#at + length + (purpose === 'append' ? this.#sizes.reserveBytes : 0)
      if (needed <= this.#allocated) return
      const target = Math.ceil(needed / this.#sizes.stepBytes) * this.#sizes.stepBytes
      await writeZeros(this.#file, this.#allocated, target)
      this.#allocated = target
    } catch (error) {
      // Only zeros were written, so nothing of the commit is there.
      if (error instanceof IoError && error.failure === 'full') throw new NoRoom(error.message, { cause: error })
      throw error
    }
  }

  async #nextFile(): Promise<void> {
    const last = this.#files[this.#files.length - 1]
    const next: JournalFile = {
      number: last.number + 1,
      epoch: randomEpoch(this.#io),
      base: last.base + this.#at,
      sequence: this.#sequence,
      previous: this.#previous,
    }
    const file = await createFile(this.#io.disk, this.#folder, next, this.#sizes.stepBytes)
    const before = this.#file
    this.#file = file
    this.#files.push(next)
    this.#at = fileHeaderBytes
    this.#allocated = Math.max(fileHeaderBytes, this.#sizes.stepBytes)
    await before.close()
  }

  /** The frames that start between two journal positions; the first must be a frame's start. */
  async *#read(from: number, to: number, chunkBytes: number): AsyncGenerator<FrameReader> {
    const { disk } = this.#io
    let chain: Chain = { sequence: null, previous: null }
    // A copy: files may be added meanwhile, always beyond `to`.
    const files = [...this.#files]
    for (let i = 0; i < files.length; i++) {
      const header = files[i]
      const end = files[i + 1]?.base ?? Number.POSITIVE_INFINITY
      if (end <= from || header.base + fileHeaderBytes >= to) continue
      const path = filePath(this.#folder, header.number)
      const file = await disk.open(path, { readOnly: true })
      try {
        const range = {
          from: Math.max(from - header.base, fileHeaderBytes),
          end: Math.min(end, this.#sealed) - header.base,
          chain,
          chunkBytes,
        }
        const reader = new FrameReader(file, path, header, range)
        while (header.base + reader.at < Math.min(to, end)) {
          if (reader.take() !== null) yield reader
          else if (!(await reader.fill())) throw damaged(path, reader.at)
        }
        chain = reader.chain
      } finally {
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
