import { invariant } from '../data/errors.ts'
import type { DiskFile, DiskLock, Io } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import type { SettledFile } from './backup.ts'
import { type Commit, NoRoom } from './commit.ts'
import { FrameBuilder } from './frame.ts'
import type { Moment } from './history/history-format.ts'
import { fileHeaderBytes, fileName, filePath, type JournalFile, type JournalSizes, writeZeros } from './journal-file.ts'
import { JournalReader } from './journal-reader.ts'
import { SpareFiles } from './spare-files.ts'
import type { TickIndex } from './tick-index.ts'
import type { TopicIndex } from './topic-index.ts'

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
    return this.#builders.pop() ?? new FrameBuilder(this.#sizes.sectionBytes)
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

  /** All that is sealed, as it is now: forgetting files doesn't change what it reads, taking them away does. */
  reader(): JournalReader {
    return new JournalReader(this.#io.disk, this.#folder, {
      files: [...this.#files],
      index: this.#index.kept(),
      ticks: this.#ticks.kept(),
      sealed: this.#sealed,
    })
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
}

export function randomEpoch(io: Io): bigint {
  const bytes = io.random.bytes(8)
  invariant(bytes.byteLength === 8, 'eight random bytes')
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
}
