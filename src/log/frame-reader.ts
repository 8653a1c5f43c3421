import { crc32 } from '../data/crc32.ts'
import type { DiskFile } from '../io/io.ts'
import type { KeyedAnswer, Seal } from './commit.ts'
import {
  allocate,
  type Frame,
  frameHeaderBytes,
  frameVersion,
  readAnswers,
  readBlocks,
  readFrameHeader,
  readSeal,
  viewOf,
} from './frame.ts'
import { type JournalFile, otherVersion } from './journal-file.ts'
import type { LoggedBlock } from './log.ts'

/** The frame that a chain of frames must go on with. Null fields are not known yet: any will do. */
export interface Chain {
  readonly sequence: number | null
  readonly previous: number | null
}

/** Where a reader's memory comes from, and who is told when no further frame will be read from a piece of it. */
export interface ChunkPool {
  /** @returns at least so many bytes */
  take(bytes: number): Uint8Array
  finished(chunk: Uint8Array): void
}

const fresh: ChunkPool = { take: allocate, finished: () => {} }

/**
 * Reads a file's frames in order, in large pieces, checking each one's checksums and its place in the chain.
 * `take` gives frames from memory while it can, `fill` reads on; when `fill` says false, either `end` is reached or
 * what stands at `at` is no good frame.
 */
export class FrameReader {
  /** Where the next frame starts, or the bad one stands: bytes from the file's start. */
  at: number
  readonly #file: DiskFile
  readonly #path: string
  readonly #epoch: bigint
  readonly #end: number
  readonly #chunkBytes: number
  readonly #pool: ChunkPool
  #sequence: number | null
  #previous: number | null
  #bytes: Uint8Array = new Uint8Array(0)
  #chunk = this.#bytes
  #view = viewOf(this.#bytes)
  /** Where `#bytes` stands in the file. */
  #start: number
  /** What was missing when `take` last gave up. */
  #wanted = 0
  #frame: Frame | null = null
  #frameAt = 0

  constructor(
    file: DiskFile,
    path: string,
    header: JournalFile,
    range: { readonly from: number; readonly end: number; readonly chain: Chain; readonly chunkBytes: number },
    pool: ChunkPool = fresh,
  ) {
    this.#pool = pool
    this.#file = file
    this.#path = path
    this.#epoch = header.epoch
    this.at = range.from
    this.#start = range.from
    this.#end = range.end
    this.#sequence = range.chain.sequence
    this.#previous = range.chain.previous
    this.#chunkBytes = range.chunkBytes
  }

  /**
   * @returns the next frame, or null when more must be read first, or there is none
   * @throws MillraceError log/version
   */
  take(): Frame | null {
    const at = this.at - this.#start
    const held = this.#bytes.byteLength - at
    this.#wanted = 0
    if (held < frameHeaderBytes) {
      this.#wanted = frameHeaderBytes
      return null
    }
    const frame = readFrameHeader(this.#bytes, this.#view, at)
    if (frame === null || !this.#follows(frame)) return null
    if (held < frame.length) {
      this.#wanted = frame.length
      return null
    }
    const body = this.#bytes.subarray(at + frameHeaderBytes, at + frame.length)
    if (crc32(body) !== frame.bodyChecksum) return null
    this.#sequence = frame.sequence + 1
    this.#previous = frame.checksum
    this.#frame = frame
    this.#frameAt = at
    this.at += frame.length
    return frame
  }

  /** @returns false when nothing more can be taken */
  async fill(): Promise<boolean> {
    const missing = this.#wanted
    const left = this.#end - this.at
    if (missing === 0 || missing > left) return false
    const carried = this.#bytes.subarray(this.at - this.#start)
    const wanted = Math.min(left, Math.max(missing, this.#chunkBytes))
    const bytes = this.#pool.take(wanted)
    bytes.set(carried)
    const read = await this.#file.read(bytes.subarray(carried.byteLength, wanted), this.at + carried.byteLength)
    this.#pool.finished(this.#chunk)
    this.#chunk = bytes
    this.#bytes = bytes.subarray(0, carried.byteLength + read)
    this.#view = viewOf(this.#bytes)
    this.#start = this.at
    return this.#bytes.byteLength >= missing
  }

  /** The blocks of the frame taken last: views over memory that nobody else writes to. */
  blocks(): LoggedBlock[] {
    return readBlocks(this.#frame!, this.#bytes, this.#view, this.#frameAt)
  }

  seal(): Seal | null {
    return readSeal(this.#frame!, this.#view, this.#frameAt)
  }

  answers(): KeyedAnswer[] {
    return readAnswers(this.#frame!, this.#bytes, this.#view, this.#frameAt)
  }

  /** The chain as it goes on behind the last frame taken. */
  get chain(): Chain {
    return { sequence: this.#sequence, previous: this.#previous }
  }

  #follows(frame: Frame): boolean {
    if (frame.epoch !== this.#epoch) return false
    if (this.#sequence !== null && frame.sequence !== this.#sequence) return false
    if (this.#previous !== null && frame.previous !== this.#previous) return false
    if (frame.version !== frameVersion) throw otherVersion(this.#path, frame.version)
    return frame.length >= frameHeaderBytes && frame.length % 8 === 0 && frame.directory <= frame.length
  }
}
