import type { DiskFile } from '../io/io.ts'
import type { Chunk, ChunkPool } from './chunks.ts'
import type { KeyedAnswer, Seal } from './commit.ts'
import {
  type Frame,
  frameHeaderBytes,
  frameVersion,
  lengthAt,
  readAnswers,
  readBlocks,
  readFrameHeader,
  readSeal,
  sectionedVersion,
  viewOf,
} from './frame.ts'
import { checkBody, nothingUnread, type Unread, withoutUnread } from './frame-check.ts'
import { type JournalFile, otherVersion } from './journal-file.ts'
import type { ColumnsRead, LoggedBlock } from './log.ts'

/** The frame that a chain of frames must go on with. Null fields are not known yet: any will do. */
export interface Chain {
  readonly sequence: number | null
  readonly previous: number | null
}

export interface FrameRange {
  /** Where the first frame starts: bytes from the file's start. */
  readonly from: number
  /** Frames that start from here on are left alone; usually `end`. */
  readonly to: number
  /** Where the last frame that may be read ends. */
  readonly end: number
  readonly chain: Chain
  /** Read in one piece, unless a frame is longer. */
  readonly chunkBytes: number
  /** Whether the next piece is read while the one before is worked on. */
  readonly ahead: boolean
  /** What is read of the blocks; all if it is left out. Of the rest, large columns are neither checked nor there. */
  readonly columns?: ColumnsRead | undefined
}

interface Piece {
  readonly from: number
  readonly chunk: Chunk
  /** How many bytes were read. */
  readonly bytes: Promise<number>
}

/**
 * Reads a file's frames in order, in large pieces, checking each one's checksums and its place in the chain.
 * `take` gives frames from memory while it can, `fill` reads on; when `fill` says false, either `end` is reached or
 * what stands at `at` is no good frame. A frame that a piece holds in part is read again with the next one: that
 * costs as much as copying it.
 */
export class FrameReader {
  /** Where the next frame starts, or the bad one stands: bytes from the file's start. */
  at: number
  readonly #file: DiskFile
  readonly #path: string
  readonly #epoch: bigint
  readonly #base: number
  readonly #range: FrameRange
  readonly #pool: ChunkPool
  #sequence: number | null
  #previous: number | null
  #chunk: Chunk | null = null
  #ahead: Piece | null = null
  #bytes: Uint8Array = new Uint8Array(0)
  #view = viewOf(this.#bytes)
  /** Where `#bytes` stands in the file. */
  #start: number
  /** What was missing when `take` last gave up. */
  #wanted = frameHeaderBytes
  #frame: Frame | null = null
  #frameAt = 0
  #unread: Unread = nothingUnread

  constructor(file: DiskFile, path: string, header: JournalFile, range: FrameRange, pool: ChunkPool) {
    this.#pool = pool
    this.#file = file
    this.#path = path
    this.#epoch = header.epoch
    this.#base = header.base
    this.#range = range
    this.at = range.from
    this.#start = range.from
    this.#sequence = range.chain.sequence
    this.#previous = range.chain.previous
  }

  /** All frames that were asked for were taken. */
  get done(): boolean {
    return this.at >= this.#range.to
  }

  /**
   * @returns the next frame, or null when more must be read first, or there is none
   * @throws MillraceError log/version
   */
  take(): Frame | null {
    this.#wanted = 0
    if (this.done) return null
    const at = this.at - this.#start
    const held = this.#bytes.byteLength - at
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
    const unread = checkBody(frame, this.#bytes, this.#view, at, this.#range.columns)
    if (unread === null) return null
    this.#unread = unread
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
    const left = this.#range.end - this.at
    if (missing === 0 || missing > left) return false
    this.#giveUp()
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead !== null) {
      if (await this.#use(ahead, missing)) return true
      this.#giveUp()
    }
    return this.#use(this.#read(this.at, missing), missing)
  }

  /** Ends reading: nothing more can be taken, and the file may be closed. */
  async close(): Promise<void> {
    this.#giveUp()
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead === null) return
    // It was read for nothing: whether that failed is nobody's concern.
    await ahead.bytes.catch(() => 0)
    this.#pool.release(ahead.chunk)
  }

  #read(from: number, missing: number): Piece {
    const { end, chunkBytes } = this.#range
    const wanted = Math.min(end - from, Math.max(missing, chunkBytes))
    const chunk = this.#pool.take(wanted)
    return { from, chunk, bytes: this.#file.read(chunk.bytes.subarray(0, wanted), from) }
  }

  /** @returns whether it begins with the frame that is next, and has what is missing of it */
  async #use({ from, chunk, bytes }: Piece, missing: number): Promise<boolean> {
    this.#chunk = chunk
    const read = await bytes
    if (from !== this.at || read < missing) return false
    this.#bytes = chunk.bytes.subarray(0, read)
    this.#view = viewOf(this.#bytes)
    this.#start = from
    if (this.#range.ahead) this.#readAhead()
    return true
  }

  #giveUp(): void {
    if (this.#chunk !== null) this.#pool.release(this.#chunk)
    this.#chunk = null
    this.#bytes = this.#bytes.subarray(0, 0)
    this.#start = this.at
  }

  /** Guesses by the lengths alone, which are not checked yet, with which frame the next piece will begin. */
  #readAhead(): void {
    const { to, end } = this.#range
    const size = this.#bytes.byteLength
    let at = 0
    let missing = frameHeaderBytes
    while (at + frameHeaderBytes <= size) {
      const length = lengthAt(this.#view, at)
      if (length < frameHeaderBytes) return
      missing = length
      if (at + length > size) break
      at += length
      missing = frameHeaderBytes
    }
    const from = this.#start + at
    if (from >= to || missing > end - from) return
    const piece = this.#read(from, missing)
    // Whoever waits for it is told; until then nobody does.
    piece.bytes.catch(() => {})
    this.#ahead = piece
  }

  /** The journal position behind the frame taken last. */
  get position(): number {
    return this.#base + this.at
  }

  /** What the blocks of the frame taken last lie in. */
  get chunk(): Chunk {
    return this.#chunk!
  }

  /** The blocks of the frame taken last: views over `chunk`, good for as long as that is held. */
  blocks(): LoggedBlock[] {
    const blocks = readBlocks(this.#frame!, this.#bytes, this.#view, this.#frameAt)
    withoutUnread(blocks, this.#unread)
    return blocks
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
    if (frame.version !== (frame.sections === 0 ? frameVersion : sectionedVersion)) {
      throw otherVersion(this.#path, frame.version, sectionedVersion)
    }
    return frame.length >= frameHeaderBytes && frame.length % 8 === 0 && frame.directory <= frame.length
  }
}
