import { MillraceError } from '../data/errors.ts'
import type { Disk, DiskFile } from '../io/io.ts'
import { ChunkPool } from './chunks.ts'
import type { KeyedAnswer, LogState } from './commit.ts'
import { align8, allocate, closedFlag, type Frame, frameHeaderBytes, readFrameHeader, viewOf } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import { IdempotencyTable } from './idempotency.ts'
import { damaged, decodeFileHeader, fileHeaderBytes, filePath, type JournalFile, numberOf } from './journal-file.ts'
import type { LoggedBlock } from './log.ts'
import { TickIndex } from './tick-index.ts'
import { TopicIndex } from './topic-index.ts'

/** Read in one piece by the scan: few calls, and still in the cache when it is checksummed. */
const scanBytes = 4 << 20
/** Looked through in one piece for frames behind the good ones. */
const chunkBytes = 1 << 20

/** What a journal on disk holds, once every frame was read and checked. */
export interface Recovered {
  readonly files: JournalFile[]
  /** Bytes of the last file that hold good frames. */
  readonly at: number
  /** From here on nothing but the frames themselves says that they are durable. */
  readonly proven: number
  /** Where a torn tail ends, or `at` when there is none. */
  readonly tornEnd: number
  readonly allocated: number
  readonly sequence: number
  readonly previous: number
  /** The journal ends with the mark of a clean close. */
  readonly clean: boolean
  /** As of the last frame, sealed or not. */
  readonly state: LogState
  /** Whether there are commits behind the newest seal, and where each of their topics ends. */
  readonly unsealedCommits: number
  readonly unsealedEnds: ReadonlyMap<number, number>
  readonly sealed: number
  readonly index: TopicIndex
  readonly ticks: TickIndex
  readonly remembered: IdempotencyTable
}

/** Looks on while a journal is read, which then stays as it is: what a start would tidy up is left alone. */
export interface RecoveryWatch {
  /** Called for each frame once it fits those before it. What it throws ends the reading. */
  frame(frame: Frame, blocks: readonly LoggedBlock[], answers: readonly KeyedAnswer[], path: string, at: number): void
}

/**
 * Reads a journal from its first byte. A bad frame is corruption when the next file, or any later frame that can
 * still be read, proves that it was durable: then it is refused. Otherwise it is the torn tail of a commit that
 * nobody was answered for.
 *
 * @returns null when there is no journal yet
 * @throws MillraceError log/corrupt, log/version
 */
export async function recover(disk: Disk, folder: string, watch?: RecoveryWatch): Promise<Recovered | null> {
  const files = await readHeaders(disk, folder, watch !== undefined)
  if (files.length === 0) return null
  const scan = new Scan(watch)
  for (let i = 0; i < files.length - 1; i++) {
    const path = filePath(folder, files[i].number)
    const file = await disk.open(path, { readOnly: true })
    try {
      const end = files[i + 1].base - files[i].base
      const at = await scan.file(file, path, files[i], end)
      if (at !== end || files[i + 1].sequence !== scan.sequence || files[i + 1].previous !== scan.previous) {
        throw damaged(path, at)
      }
    } finally {
      await file.close()
    }
  }
  const last = files[files.length - 1]
  const path = filePath(folder, last.number)
  const file = await disk.open(path, { readOnly: true })
  try {
    const size = await file.size()
    const at = await scan.file(file, path, last, size)
    const tornEnd = await searchTail(file, path, { from: at, size, file: last, sequence: scan.sequence })
    return scan.recovered(files, at, tornEnd, size)
  } finally {
    await file.close()
  }
}

/** The headers of all files in order; a last file whose making was cut short is removed. */
async function readHeaders(disk: Disk, folder: string, readOnly: boolean): Promise<JournalFile[]> {
  const numbers = (await disk.list(folder)).map(numberOf).filter((number) => number !== null)
  numbers.sort((a, b) => a - b)
  const files: JournalFile[] = []
  for (const [i, number] of numbers.entries()) {
    const path = filePath(folder, number)
    if (number !== i + 1) {
      throw new MillraceError('log/corrupt', `the journal's file ${filePath(folder, i + 1)} is missing`, {
        hint: 'restore it from a copy: the files after it continue it',
        place: { file: filePath(folder, i + 1) },
      })
    }
    const file = await disk.open(path, { readOnly: true })
    try {
      const bytes = new Uint8Array(fileHeaderBytes)
      const header = decodeFileHeader(bytes.subarray(0, await file.read(bytes, 0)), path)
      if (header !== null && header.number === number && follows(header, files[i - 1])) files.push(header)
      else if (number < numbers.length || header !== null || (await holdsFrames(file))) throw damaged(path, 0)
      else if (!readOnly) await disk.remove(path)
    } finally {
      await file.close()
    }
  }
  return files
}

function follows(header: JournalFile, before: JournalFile | undefined): boolean {
  if (before === undefined) return header.base === 0 && header.sequence === 1
  return header.base >= before.base + fileHeaderBytes && header.sequence >= before.sequence
}

/** Goes through the frames of one file after the other. */
class Scan {
  sequence = 1
  previous = 0
  readonly #offsets = new Map<number, number>()
  readonly #remembered = new IdempotencyTable()
  readonly #index = new TopicIndex()
  readonly #ticks = new TickIndex()
  readonly #chunks = new ChunkPool()
  #tick = 0
  #timeMicros = 0n
  #commitMicros = 0n
  #unsealedCommits = 0
  #unsealedEnds = new Map<number, number>()
  #sealed = 0
  #durable = 0
  #clean = false
  readonly #watch: RecoveryWatch | undefined

  constructor(watch: RecoveryWatch | undefined) {
    this.#watch = watch
  }

  /** @returns where in the file the good frames end */
  async file(file: DiskFile, path: string, header: JournalFile, end: number): Promise<number> {
    const chain = { sequence: this.sequence, previous: this.previous }
    const range = { from: fileHeaderBytes, to: end, end, chain, chunkBytes: scanBytes, ahead: true }
    const reader = new FrameReader(file, path, header, range, this.#chunks)
    // All before a file is durable when it is made.
    this.#durable = header.base + fileHeaderBytes
    try {
      do {
        for (let at = reader.at, frame = reader.take(); frame !== null; at = reader.at, frame = reader.take()) {
          this.#frame(reader, frame, header.base + at, path, at)
        }
      } while (await reader.fill())
    } finally {
      await reader.close()
    }
    this.sequence = reader.chain.sequence!
    this.previous = reader.chain.previous!
    return reader.at
  }

  #frame(reader: FrameReader, frame: Frame, position: number, path: string, at: number): void {
    const broken = (): MillraceError => damaged(path, at)
    const blocks = frame.blocks === 0 ? [] : reader.blocks()
    for (const { topic, firstOffset, rows } of blocks) {
      if (firstOffset !== (this.#offsets.get(topic) ?? 0)) throw broken()
      this.#offsets.set(topic, firstOffset + rows)
      this.#unsealedEnds.set(topic, firstOffset + rows)
    }
    this.#index.addBlocks(blocks, position, this.#tick + 1)
    this.#commitMicros = frame.timeMicros
    const answers = frame.answers === 0 ? [] : reader.answers()
    for (const answer of answers) this.#remembered.remember(answer, frame.timeMicros)
    this.#remembered.prune(frame.timeMicros)
    if (blocks.length > 0 || frame.answers > 0) this.#unsealedCommits++
    this.#durable = frame.durable
    this.#clean = (frame.flags & closedFlag) !== 0
    this.#watch?.frame(frame, blocks, answers, path, at)
    const seal = reader.seal()
    if (seal === null) return
    const agrees = seal.ends.size === this.#unsealedEnds.size && seal.tick === this.#tick + 1
    if (!agrees || seal.timeMicros < this.#timeMicros) throw broken()
    for (const [topic, end] of seal.ends) if (this.#unsealedEnds.get(topic) !== end) throw broken()
    this.#tick = seal.tick
    this.#timeMicros = seal.timeMicros
    this.#sealed = position + frame.length
    this.#ticks.add(seal.tick, seal.timeMicros, this.#sealed)
    this.#unsealedCommits = 0
    this.#unsealedEnds = new Map()
  }

  recovered(files: JournalFile[], at: number, tornEnd: number, allocated: number): Recovered {
    const { base } = files[files.length - 1]
    return {
      files,
      at,
      proven: Math.max(fileHeaderBytes, this.#durable - base),
      tornEnd,
      allocated,
      sequence: this.sequence,
      previous: this.previous,
      clean: this.#clean && tornEnd === at,
      state: {
        tick: this.#tick,
        timeMicros: this.#timeMicros,
        commitMicros: this.#commitMicros,
        offsets: this.#offsets,
      },
      unsealedCommits: this.#unsealedCommits,
      unsealedEnds: this.#unsealedEnds,
      sealed: this.#sealed,
      index: this.#index,
      ticks: this.#ticks,
      remembered: this.#remembered,
    }
  }
}

/**
 * Looks behind the good frames for one that was written when the bad bytes at `from` were already durable.
 * @returns where the last byte that is not zero ends
 * @throws MillraceError log/corrupt
 */
async function searchTail(
  file: DiskFile,
  path: string,
  tail: { readonly from: number; readonly size: number; readonly file: JournalFile; readonly sequence: number },
): Promise<number> {
  const { base, epoch } = tail.file
  let end = tail.from
  await eachWord(file, tail.from, tail.size, (bytes, view, at, position) => {
    end = position + 8
    const frame = position === tail.from ? null : readFrameHeader(bytes, view, at)
    if (frame === null || frame.epoch !== epoch || frame.sequence <= tail.sequence) return
    if (frame.durable > base + tail.from) throw damaged(path, tail.from)
  })
  return Math.min(end, tail.size)
}

async function holdsFrames(file: DiskFile): Promise<boolean> {
  let found = false
  await eachWord(file, fileHeaderBytes, await file.size(), (bytes, view, at) => {
    found ||= readFrameHeader(bytes, view, at) !== null
  })
  return found
}

/** Visits every aligned 8 bytes that are not all zero and, where they begin like a frame, with the header in reach. */
async function eachWord(
  file: DiskFile,
  from: number,
  to: number,
  visit: (bytes: Uint8Array, view: DataView, at: number, position: number) => void,
): Promise<void> {
  const bytes = allocate(Math.min(chunkBytes, align8(Math.max(0, to - from))) + frameHeaderBytes)
  const view = viewOf(bytes)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  for (let start = from; start < to; start += chunkBytes) {
    const read = await file.read(bytes.subarray(0, Math.min(bytes.byteLength, to - start)), start)
    bytes.fill(0, read)
    const end = Math.min(align8(read), chunkBytes)
    for (let at = 0; at < end; at += 8) {
      if ((words[at >>> 2] | words[(at >>> 2) + 1]) !== 0) visit(bytes, view, at, start + at)
    }
  }
}
