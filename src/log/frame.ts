import { largeColumns } from '../data/block-columns.ts'
import { crc32 } from '../data/crc32.ts'
import type { Commit, KeyedAnswer, Seal } from './commit.ts'
import { type FrameSection, sectionEntryBytes, writeSection } from './frame-sections.ts'
import type { LoggedBlock } from './log.ts'

/**
 * A frame is one commit on disk. Little-endian; every part starts 8-byte aligned, so that blocks are read in place:
 *
 *       0  u32 magic · u32 checksum of bytes 8 to 96 · u32 length in all · u16 version · u16 flags
 *      16  u64 sequence, from 1 · u64 epoch of its file
 *      32  u32 checksum of the frame before (its bytes 4 to 8) · u32 checksum of the bytes behind 96
 *      40  u64 journal position up to which all was durable when this was written · i64 commit time, µs
 *      56  u32 where the directory starts · u32 blocks · u32 answers · u32 ends
 *      72  u64 sealed tick, 0: none · i64 tick time, µs · u32 sections · u32 0
 *      96  blocks, then the directory:
 *          per block: u32 topic · u32 partition · u32 rows · u32 length · u64 first offset · u32 start · u32 0
 *          per end:   u32 topic · u32 partition · u64 the topic's next offset
 *          per answer: u32 length in all · u32 digest length · u32 scope length · u32 key length · u64 tick ·
 *                      u32 offsets · u32 0 · (u32 topic · u32 0 · u64 first · u64 last)… · digest, scope, key
 *          per section: frame-sections.ts
 *
 * A frame without sections is of version 1, one that has some of version 2: of this one, the checksum of the bytes
 * behind 96 leaves out those of the sections. So small commits stay readable for programs that know version 1 alone,
 * and these refuse the others by their version.
 *
 * The header has a checksum of its own, so that a length can be believed before the body is read; the chain through
 * the previous checksum makes a frame left over from an earlier, cut tail recognisable.
 */
export const frameMagic = 0x5246_524d
export const frameVersion = 1
export const sectionedVersion = 2
export const frameHeaderBytes = 96
const blockEntryBytes = 32
const endEntryBytes = 16

/** A clean end: nothing was left to write. */
export const closedFlag = 1
/** Written by recovery, which found no clean end before. */
export const recoveredFlag = 2

/** What a frame needs to know of the journal around it. */
export interface FramePlace {
  readonly sequence: number
  readonly epoch: bigint
  readonly previous: number
  readonly durable: number
}

/** Bytes gathered before they are checksummed in one go, while they are still in the cache. */
const spanBytes = 65536
const text = new TextEncoder()

/** Builds one frame after another in the same memory. Blocks are copied in as they come. */
export class FrameBuilder {
  #buffer: Uint8Array
  #view: DataView
  /** Length so far. */
  #at = frameHeaderBytes
  #summed = frameHeaderBytes
  #sum = 0
  #starts: number[] = []
  #sections: FrameSection[] = []
  #directory = 0
  #ends = 0
  readonly #sectionBytes: number

  /** @param sectionBytes columns of so many bytes have a checksum of their own */
  constructor(sectionBytes: number, bytes = 65536) {
    this.#sectionBytes = sectionBytes
    this.#buffer = allocate(bytes)
    this.#view = viewOf(this.#buffer)
  }

  get capacity(): number {
    return this.#buffer.byteLength
  }

  /** The frame's length, final after `writeDirectory`. */
  get length(): number {
    return this.#at
  }

  reset(): void {
    this.#at = frameHeaderBytes
    this.#summed = frameHeaderBytes
    this.#sum = 0
    this.#starts = []
    this.#sections = []
  }

  add(bytes: Uint8Array): void {
    const block = this.#starts.push(this.#at) - 1
    this.#reserve(bytes.byteLength + 8)
    let from = 0
    for (const { id, start, end } of largeColumns(bytes, this.#sectionBytes)) {
      this.#put(bytes.subarray(from, start))
      this.#checksum()
      this.#addSection(block, id, bytes.subarray(start, end))
      from = end
    }
    this.#put(from === 0 ? bytes : bytes.subarray(from))
    this.#pad()
    if (this.#at - this.#summed >= spanBytes) this.#checksum()
  }

  #addSection(block: number, column: number, bytes: Uint8Array): void {
    const start = this.#at
    this.#put(bytes)
    this.#summed = this.#at
    const length = bytes.byteLength
    const checksum = crc32(this.#buffer.subarray(start, this.#at))
    this.#sections.push({ block, column, start, length, checksum })
  }

  /** Closes the frame's body; `commit.blocks` are those added, in that order. */
  writeDirectory(commit: Commit): void {
    const { blocks, seal, answers } = commit
    this.#directory = this.#at
    this.#ends = seal?.ends.size ?? 0
    this.#reserve(blocks.length * blockEntryBytes + this.#ends * endEntryBytes)
    for (let i = 0; i < blocks.length; i++) this.#writeBlockEntry(blocks[i], this.#starts[i])
    if (seal !== null) for (const [topic, end] of seal.ends) this.#writeEnd(topic, end)
    for (const answer of answers) this.#writeAnswer(answer)
    this.#reserve(this.#sections.length * sectionEntryBytes)
    for (const section of this.#sections) {
      writeSection(this.#view, this.#at, section)
      this.#at += sectionEntryBytes
    }
    this.#checksum()
  }

  /** @returns the finished frame with so many zeros behind it, valid until `reset` */
  writeHeader(place: FramePlace, commit: Commit, zeros = 0): { readonly bytes: Uint8Array; readonly checksum: number } {
    const { blocks, answers, seal, purpose } = commit
    this.#reserve(zeros)
    this.#buffer.fill(0, this.#at, this.#at + zeros)
    const view = this.#view
    view.setUint32(0, frameMagic, true)
    view.setUint32(8, this.#at, true)
    view.setUint16(12, this.#sections.length === 0 ? frameVersion : sectionedVersion, true)
    view.setUint16(14, purpose === 'close' ? closedFlag : purpose === 'recovery' ? recoveredFlag : 0, true)
    setWhole(view, 16, place.sequence)
    view.setBigUint64(24, place.epoch, true)
    view.setUint32(32, place.previous, true)
    view.setUint32(36, this.#sum, true)
    setWhole(view, 40, place.durable)
    view.setBigInt64(48, commit.timeMicros, true)
    view.setUint32(56, this.#directory, true)
    view.setUint32(60, blocks.length, true)
    view.setUint32(64, answers.length, true)
    view.setUint32(68, this.#ends, true)
    setWhole(view, 72, seal?.tick ?? 0)
    view.setBigInt64(80, seal?.timeMicros ?? 0n, true)
    view.setUint32(88, this.#sections.length, true)
    view.setUint32(92, 0, true)
    const checksum = crc32(this.#buffer.subarray(8, frameHeaderBytes))
    view.setUint32(4, checksum, true)
    return { bytes: this.#buffer.subarray(0, this.#at + zeros), checksum }
  }

  #writeBlockEntry(block: LoggedBlock, start: number): void {
    const view = this.#view
    const at = this.#at
    view.setUint32(at, block.topic, true)
    view.setUint32(at + 4, block.partition, true)
    view.setUint32(at + 8, block.rows, true)
    view.setUint32(at + 12, block.bytes.byteLength, true)
    setWhole(view, at + 16, block.firstOffset)
    view.setUint32(at + 24, start, true)
    view.setUint32(at + 28, 0, true)
    this.#at += blockEntryBytes
  }

  #writeEnd(topic: number, end: number): void {
    this.#view.setUint32(this.#at, topic, true)
    this.#view.setUint32(this.#at + 4, 0, true)
    setWhole(this.#view, this.#at + 8, end)
    this.#at += endEntryBytes
  }

  #writeAnswer({ scope, key, digest, tick, offsets }: KeyedAnswer): void {
    const scopeBytes = text.encode(scope)
    const keyBytes = text.encode(key)
    const start = this.#at
    this.#reserve(32 + offsets.length * 24)
    const view = this.#view
    view.setUint32(start + 4, digest.byteLength, true)
    view.setUint32(start + 8, scopeBytes.byteLength, true)
    view.setUint32(start + 12, keyBytes.byteLength, true)
    setWhole(view, start + 16, tick)
    view.setUint32(start + 24, offsets.length, true)
    view.setUint32(start + 28, 0, true)
    this.#at += 32
    for (const { topic, firstOffset, lastOffset } of offsets) {
      view.setUint32(this.#at, topic, true)
      view.setUint32(this.#at + 4, 0, true)
      setWhole(view, this.#at + 8, firstOffset)
      setWhole(view, this.#at + 16, lastOffset)
      this.#at += 24
    }
    for (const part of [digest, scopeBytes, keyBytes]) this.#put(part)
    this.#pad()
    this.#view.setUint32(start, this.#at - start, true)
  }

  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength + 8)
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }

  #pad(): void {
    while ((this.#at & 7) !== 0) this.#buffer[this.#at++] = 0
  }

  #checksum(): void {
    if (this.#summed === this.#at) return
    this.#sum = crc32(this.#buffer.subarray(this.#summed, this.#at), this.#sum)
    this.#summed = this.#at
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#buffer.byteLength) return
    const larger = allocate(Math.max(needed, this.#buffer.byteLength * 2))
    larger.set(this.#buffer.subarray(0, this.#at))
    this.#buffer = larger
    this.#view = viewOf(larger)
  }
}

/** A frame that was read back: its header, and the body if its checksum was right. */
export interface Frame {
  readonly length: number
  readonly version: number
  readonly flags: number
  readonly sequence: number
  readonly epoch: bigint
  readonly previous: number
  readonly checksum: number
  readonly bodyChecksum: number
  readonly durable: number
  readonly timeMicros: bigint
  readonly directory: number
  readonly blocks: number
  readonly answers: number
  readonly ends: number
  readonly sealTick: number
  readonly sealTimeMicros: bigint
  /** Columns that have a checksum of their own. */
  readonly sections: number
}

/** @returns the header that starts at `at`, or null where there is none or it is damaged */
export function readFrameHeader(bytes: Uint8Array, view: DataView, at: number): Frame | null {
  if (at + frameHeaderBytes > bytes.byteLength || view.getUint32(at, true) !== frameMagic) return null
  const checksum = view.getUint32(at + 4, true)
  if (crc32(bytes.subarray(at + 8, at + frameHeaderBytes)) !== checksum) return null
  return {
    checksum,
    length: view.getUint32(at + 8, true),
    version: view.getUint16(at + 12, true),
    flags: view.getUint16(at + 14, true),
    sequence: getWhole(view, at + 16),
    epoch: view.getBigUint64(at + 24, true),
    previous: view.getUint32(at + 32, true),
    bodyChecksum: view.getUint32(at + 36, true),
    durable: getWhole(view, at + 40),
    timeMicros: view.getBigInt64(at + 48, true),
    directory: view.getUint32(at + 56, true),
    blocks: view.getUint32(at + 60, true),
    answers: view.getUint32(at + 64, true),
    ends: view.getUint32(at + 68, true),
    sealTick: getWhole(view, at + 72),
    sealTimeMicros: view.getBigInt64(at + 80, true),
    sections: view.getUint32(at + 88, true),
  }
}

/** The length of the frame that may start at `at`, unchecked; 0 where none starts. */
export function lengthAt(view: DataView, at: number): number {
  return view.getUint32(at, true) === frameMagic ? view.getUint32(at + 8, true) : 0
}

/** The topic of one of a frame's blocks. */
export function topicOfBlock(frame: Frame, view: DataView, at: number, block: number): number {
  return view.getUint32(at + frame.directory + block * blockEntryBytes, true)
}

/** The blocks of a frame that starts at `at`: their bytes are views over `bytes`. */
export function readBlocks(frame: Frame, bytes: Uint8Array, view: DataView, at: number): LoggedBlock[] {
  const blocks = new Array<LoggedBlock>(frame.blocks)
  for (let i = 0, entry = at + frame.directory; i < frame.blocks; i++, entry += blockEntryBytes) {
    const start = at + view.getUint32(entry + 24, true)
    blocks[i] = {
      topic: view.getUint32(entry, true),
      partition: view.getUint32(entry + 4, true),
      firstOffset: getWhole(view, entry + 16),
      appendedAtMicros: frame.timeMicros,
      rows: view.getUint32(entry + 8, true),
      bytes: bytes.subarray(start, start + view.getUint32(entry + 12, true)),
    }
  }
  return blocks
}

export function readSeal(frame: Frame, view: DataView, at: number): Seal | null {
  if (frame.sealTick === 0) return null
  const ends = new Map<number, number>()
  let entry = at + frame.directory + frame.blocks * blockEntryBytes
  for (let i = 0; i < frame.ends; i++, entry += endEntryBytes) {
    ends.set(view.getUint32(entry, true), getWhole(view, entry + 8))
  }
  return { tick: frame.sealTick, timeMicros: frame.sealTimeMicros, ends }
}

export function readAnswers(frame: Frame, bytes: Uint8Array, view: DataView, at: number): KeyedAnswer[] {
  const answers: KeyedAnswer[] = []
  const decoder = new TextDecoder()
  let entry = at + frame.directory + frame.blocks * blockEntryBytes + frame.ends * endEntryBytes
  for (let i = 0; i < frame.answers; i++) {
    const count = view.getUint32(entry + 24, true)
    const offsets: { topic: number; firstOffset: number; lastOffset: number }[] = []
    let next = entry + 32
    for (let k = 0; k < count; k++, next += 24) {
      offsets.push({
        topic: view.getUint32(next, true),
        firstOffset: getWhole(view, next + 8),
        lastOffset: getWhole(view, next + 16),
      })
    }
    const part = (length: number): Uint8Array => bytes.subarray(next, (next += length))
    const digest = part(view.getUint32(entry + 4, true)).slice()
    const scope = decoder.decode(part(view.getUint32(entry + 8, true)))
    const key = decoder.decode(part(view.getUint32(entry + 12, true)))
    answers.push({ scope, key, digest, tick: getWhole(view, entry + 16), offsets })
    entry += view.getUint32(entry, true)
  }
  return answers
}

function setWhole(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

function getWhole(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Memory that is not cleared first, 8-byte aligned. */
export function allocate(bytes: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  return new Uint8Array(buffer.buffer, buffer.byteOffset, bytes)
}
