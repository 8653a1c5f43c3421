import { MillraceError } from '../data/errors.ts'
import { align8 } from '../data/memory.ts'
import type { Disk, DiskFile } from '../io/io.ts'
import { ChunkPool } from './chunks.ts'
import type { KeyedAnswer, LogState } from './commit.ts'
import { allocate, closedFlag, type Frame, frameHeaderBytes, readFrameHeader, viewOf } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import type { History } from './history/history.ts'
import { type Moment, nameOfFooter, unfinishedName } from './history/history-format.ts'
import { IdempotencyTable, rememberedMicros } from './idempotency.ts'
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
  readonly identity: string
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
 * Reads a journal from where the history ends. A bad frame is corruption when the next file, or any later frame that can
 * still be read, proves that it was durable: then it is refused. Otherwise it is the torn tail of a commit that
 * nobody was answered for.
 *
 * @returns null when there is neither history nor journal yet
 * @throws MillraceError log/corrupt, log/version
 */
export async function recover(
  disk: Disk,
  folder: string,
  history: History,
  watch?: RecoveryWatch,
): Promise<Recovered | null> {
  const { files, useless } = await readHeaders(disk, folder, history.end, watch !== undefined)
  if (watch === undefined) await takeAway(disk, folder, useless, history)
  if (files.length === 0) return null
  const identity = history.identity ?? files[0].epoch.toString(16)
  const scan = new Scan(history.end, await rememberedBy(history), watch)
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
    return { identity, ...scan.recovered(files, at, tornEnd, size) }
  } finally {
    await file.close()
  }
}

/** The answers of the history that are not forgotten yet. */
async function rememberedBy(history: History): Promise<IdempotencyTable> {
  const remembered = new IdempotencyTable()
  const { commitMicros } = history.end
  for (const { answer, micros } of await history.answersSince(commitMicros - Number(rememberedMicros))) {
    remembered.remember(answer, BigInt(micros))
  }
  remembered.prune(BigInt(commitMicros))
  return remembered
}

/**
 * Removes files that the history has taken over. While the journal still holds all of the last history file, nobody
 * knows whether that one's name is durable: a sync of its folder may have failed, and another one saves nothing. So
 * it is given its name anew before anything goes.
 */
async function takeAway(disk: Disk, folder: string, { files, all }: Useless, history: History): Promise<void> {
  const last = history.files.at(-1)
  if (last !== undefined && all <= last.footer.from.position) {
    const unfinished = `${folder}/${unfinishedName(nameOfFooter(last.footer))}`
    await disk.rename(last.path, unfinished)
    await disk.rename(unfinished, last.path)
    await disk.syncFolder(folder)
  }
  for (const { number } of files) await disk.remove(filePath(folder, number))
}

/** Files that the history has taken over, and the position from which on the journal still holds everything. */
interface Useless {
  readonly files: readonly { readonly number: number }[]
  readonly all: number
}

/**
 * The headers of the files in order, from the one in which the history ends. A last file whose making was cut short
 * is removed.
 */
async function readHeaders(
  disk: Disk,
  folder: string,
  end: Moment,
  readOnly: boolean,
): Promise<{ readonly files: JournalFile[]; readonly useless: Useless }> {
  const numbers = (await disk.list(folder)).map(numberOf).filter((number) => number !== null)
  numbers.sort((a, b) => b - a)
  const files: JournalFile[] = []
  const useless: { number: number }[] = []
  let all = Number.POSITIVE_INFINITY
  let next = numbers[0]
  for (const number of numbers) {
    const path = filePath(folder, number)
    if (files[0] !== undefined && files[0].base <= end.position) {
      useless.push({ number })
      // Some may be gone already, and what lies below a gap is of no use at all.
      if (number === next) all = (await readHeader(disk, path, number, false))?.base ?? all
      if (number === next) next--
      continue
    }
    if (number !== next) throw missingFile(filePath(folder, next))
    next--
    const header = await readHeader(disk, path, number, number === numbers[0])
    if (header !== null) {
      files.unshift(header)
      all = header.base
    } else if (!readOnly) await disk.remove(path)
  }
  if (files.length === 0) {
    if (end.position === 0) return { files, useless: { files: useless, all } }
    throw missingFile(filePath(folder, 1 + (numbers[0] ?? 0)))
  }
  if (files[0].base > end.position) throw missingFile(filePath(folder, next))
  for (const [i, header] of files.entries()) {
    if (!follows(header, files[i - 1], end)) throw damaged(filePath(folder, header.number), 0)
  }
  return { files, useless: { files: useless, all } }
}

/** @returns null for a last file whose making was cut short @throws MillraceError log/corrupt */
async function readHeader(disk: Disk, path: string, number: number, isLast: boolean): Promise<JournalFile | null> {
  const file = await disk.open(path, { readOnly: true })
  try {
    const bytes = new Uint8Array(fileHeaderBytes)
    const header = decodeFileHeader(bytes.subarray(0, await file.read(bytes, 0)), path)
    if (header?.number === number) return header
    if (!isLast || header !== null || (await holdsFrames(file))) throw damaged(path, 0)
    return null
  } finally {
    await file.close()
  }
}

function missingFile(path: string): MillraceError {
  return new MillraceError('log/corrupt', `the journal's file ${path} is missing`, {
    hint: 'restore it from a copy: the files after it continue it',
    place: { file: path },
  })
}

function follows(header: JournalFile, before: JournalFile | undefined, end: Moment): boolean {
  if (before !== undefined) {
    return header.base >= before.base + fileHeaderBytes && header.sequence >= before.sequence
  }
  if (end.position === 0) return header.base === 0 && header.sequence === 1
  return header.sequence <= end.sequence
}

/** Goes through the frames of one file after the other. */
class Scan {
  sequence: number
  previous: number
  readonly #offsets: Map<number, number>
  readonly #remembered: IdempotencyTable
  readonly #index = new TopicIndex()
  readonly #ticks = new TickIndex()
  readonly #chunks = new ChunkPool()
  #tick: number
  #timeMicros: bigint
  #commitMicros: bigint
  #unsealedCommits = 0
  #unsealedEnds = new Map<number, number>()
  #sealed: number
  #durable = 0
  #clean = false
  readonly #watch: RecoveryWatch | undefined

  constructor(from: Moment, remembered: IdempotencyTable, watch: RecoveryWatch | undefined) {
    this.sequence = from.sequence
    this.previous = from.previous
    this.#offsets = new Map(from.offsets)
    this.#remembered = remembered
    this.#tick = from.tick
    this.#timeMicros = BigInt(from.tickMicros)
    this.#commitMicros = BigInt(from.commitMicros)
    this.#sealed = from.position
    if (from.tick > 0) this.#ticks.cut({ tick: from.tick, timeMicros: from.tickMicros, position: from.position })
    this.#watch = watch
  }

  /** @returns where in the file the good frames end */
  async file(file: DiskFile, path: string, header: JournalFile, end: number): Promise<number> {
    const chain = { sequence: this.sequence, previous: this.previous }
    const from = Math.max(fileHeaderBytes, this.#sealed - header.base)
    const range = { from, to: end, end, chain, chunkBytes: scanBytes, ahead: true }
    const reader = new FrameReader(file, path, header, range, this.#chunks)
    // All before a file is durable when it is made, and all that is in the history.
    this.#durable = header.base + from
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

  recovered(files: JournalFile[], at: number, tornEnd: number, allocated: number): Omit<Recovered, 'identity'> {
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
  const { base, epoch, stale } = tail.file
  let end = tail.from
  await eachWord(file, tail.from, tail.size, (bytes, view, at, position) => {
    // What an earlier file left there is no tail.
    if (position >= stale) end = position + 8
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
