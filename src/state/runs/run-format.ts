import { crc32 } from '../../data/crc32.ts'
import { MillraceError } from '../../data/errors.ts'
import type { Lane } from '../../data/sql-type.ts'
import { hashVersion } from '../cold.ts'

/**
 * A run: buckets of arrangements as they were at some ticks, sorted by hash, in a file that is written once.
 * Little-endian, every part 4-byte aligned, blocks 8-byte aligned:
 *
 *     header     u32 magic · u32 version · u32 hashVersion · u32 checksum's algorithm (1: CRC-32) · 3 × u32 0
 *                u32 checksum of the 28 bytes before
 *     blocks     data/block.ts: column 0 the hash, then the section's; at most 16 KiB, unless a row is longer
 *     filters    per arrangement, run-filter.ts, over the hashes of its buckets
 *     directory  u32 arrangements · per arrangement:
 *                  u32 bytes of its name · u32 sections · u64 buckets · u64 filter's position · u32 its words
 *                  u32 its checksum
 *                  the name · per section: u32 columns · u32 blocks · u8 lane per column, and arrays over its blocks:
 *                  u64 position, u32 bytes, u32 checksum, u32 rows, u64 first hash, u64 last hash
 *     tail       u64 directory's position · u32 its bytes · u32 its checksum · u32 version · u32 0
 *                u32 checksum of the 24 bytes before · u32 magic
 *
 * An arrangement's section 0 here holds the hashes of its empty buckets; the sections of a piece follow from 1 on.
 * A bucket is in a run if its hash is in any of them, and then the run has all of it.
 */

/** A file of a snapshot, as its manifest names it. */
export interface RunFile {
  readonly name: string
  readonly bytes: number
  /** Checksum of the directory, which holds those of all blocks. */
  readonly crc: number
  /** Those whose buckets in it still count. What it has of others belongs to state that ended, and is never read. */
  readonly arrangements: readonly string[]
}

/**
 * A run's directory and filters as they lie in its file, in memory that threads share: who wrote the run hands them on,
 * so that who looks into it need not read them again.
 */
export interface RunIndex {
  readonly name: string
  readonly directory: Uint8Array
  /** In the order of the directory's arrangements. */
  readonly filters: readonly Uint32Array[]
}

export interface SectionDirectory {
  readonly lanes: readonly Lane[]
  readonly blocks: number
  readonly positions: Float64Array
  readonly bytes: Uint32Array
  readonly checksums: Uint32Array
  readonly rows: Uint32Array
  /** Pairs of words, low first, as all hashes. */
  readonly first: Uint32Array
  readonly last: Uint32Array
}

export interface ArrangementDirectory {
  readonly name: string
  readonly buckets: number
  readonly filter: { readonly position: number; readonly words: number; readonly checksum: number }
  readonly sections: readonly SectionDirectory[]
}

export const runMagic = 0x4e55524d
export const runVersion = 1
export const runHeaderBytes = 32
export const runTailBytes = 32
const crc32Algorithm = 1
const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']

export function damagedRun(path: string, position: number, what: string): MillraceError {
  return new MillraceError('state/corrupt', `${path} is damaged at byte ${position}: ${what}`, {
    hint: 'delete the snapshots: state is then made from the log again',
    place: { file: path },
  })
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

export function encodeRunHeader(): Uint8Array {
  const words = Uint32Array.of(runMagic, runVersion, hashVersion, crc32Algorithm, 0, 0, 0, 0)
  words[7] = crc32(bytesOf(words.subarray(0, 7)))
  return bytesOf(words)
}

/** @throws MillraceError where it is no header of a run that this program reads */
export function checkRunHeader(path: string, bytes: Uint8Array): void {
  const expected = encodeRunHeader()
  for (let i = 0; i < runHeaderBytes; i++) {
    if (bytes[i] !== expected[i]) throw damagedRun(path, i, 'it does not begin as a run of this version')
  }
}

export interface RunTail {
  readonly position: number
  readonly bytes: number
  readonly checksum: number
}

export function encodeRunTail({ position, bytes, checksum }: RunTail): Uint8Array {
  const words = Uint32Array.of(position, Math.floor(position / 2 ** 32), bytes, checksum, runVersion, 0, 0, runMagic)
  words[6] = crc32(bytesOf(words.subarray(0, 6)))
  return bytesOf(words)
}

/** @param bytes the file's last, 4-byte aligned */
export function decodeRunTail(path: string, fileBytes: number, bytes: Uint8Array): RunTail {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, runTailBytes >>> 2)
  const position = words[0] + words[1] * 2 ** 32
  if (
    words[7] !== runMagic ||
    words[6] !== crc32(bytes.subarray(0, 24)) ||
    words[4] !== runVersion ||
    position + words[2] + runTailBytes !== fileBytes
  ) {
    throw damagedRun(path, fileBytes - runTailBytes, 'it does not end as a run of this version')
  }
  return { position, bytes: words[2], checksum: words[3] }
}

/** Words under construction. */
export class WordWriter {
  words = new Uint32Array(256)
  length = 0

  push(...values: number[]): void {
    this.append(Uint32Array.from(values))
  }

  append(values: Uint32Array): void {
    this.#reserve(values.length)
    this.words.set(values, this.length)
    this.length += values.length
  }

  /** The bytes, filled up with zeros to a whole word. */
  bytes(values: Uint8Array): void {
    const words = new Uint32Array((values.length + 3) >>> 2)
    bytesOf(words).set(values)
    this.append(words)
  }

  taken(): Uint32Array {
    return this.words.subarray(0, this.length)
  }

  #reserve(extra: number): void {
    if (this.length + extra <= this.words.length) return
    const grown = new Uint32Array(Math.max(this.length + extra, this.words.length * 2))
    grown.set(this.taken())
    this.words = grown
  }
}

function positionWords(positions: Float64Array): Uint32Array {
  const words = new Uint32Array(positions.length * 2)
  for (let i = 0; i < positions.length; i++) {
    words[2 * i] = positions[i]
    words[2 * i + 1] = Math.floor(positions[i] / 2 ** 32)
  }
  return words
}

function wholePositions(words: Uint32Array): Float64Array {
  const positions = new Float64Array(words.length / 2)
  for (let i = 0; i < positions.length; i++) positions[i] = words[2 * i] + words[2 * i + 1] * 2 ** 32
  return positions
}

export function encodeDirectory(arrangements: readonly ArrangementDirectory[]): Uint8Array {
  const out = new WordWriter()
  out.push(arrangements.length)
  for (const { name, buckets, filter, sections } of arrangements) {
    const text = new TextEncoder().encode(name)
    out.push(text.length, sections.length, buckets, Math.floor(buckets / 2 ** 32))
    out.push(filter.position, Math.floor(filter.position / 2 ** 32), filter.words, filter.checksum)
    out.bytes(text)
    for (const section of sections) {
      out.push(section.lanes.length, section.blocks)
      out.bytes(Uint8Array.from(section.lanes, (lane) => lanes.indexOf(lane)))
      out.append(positionWords(section.positions))
      for (const array of [section.bytes, section.checksums, section.rows, section.first, section.last])
        out.append(array)
    }
  }
  return bytesOf(out.taken())
}

/** @param bytes a directory whose checksum was right */
export function decodeDirectory(bytes: Uint8Array): ArrangementDirectory[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
  let at = 0
  const take = (count: number): Uint32Array => words.subarray(at, (at += count))
  const takeBytes = (count: number): Uint8Array => bytesOf(take((count + 3) >>> 2)).subarray(0, count)
  const arrangements: ArrangementDirectory[] = []
  for (let left = take(1)[0]; left > 0; left--) {
    const [nameBytes, sectionCount, fewBuckets, moreBuckets, low, high, filterSize, checksum] = take(8)
    const name = new TextDecoder().decode(takeBytes(nameBytes).slice())
    const sections: SectionDirectory[] = []
    while (sections.length < sectionCount) {
      const [columns, blocks] = take(2)
      const laneNumbers = takeBytes(columns)
      const positions = take(2 * blocks)
      sections.push({
        lanes: Array.from(laneNumbers, (number) => lanes[number]),
        blocks,
        positions: wholePositions(positions),
        bytes: take(blocks),
        checksums: take(blocks),
        rows: take(blocks),
        first: take(2 * blocks),
        last: take(2 * blocks),
      })
    }
    const filter = { position: low + high * 2 ** 32, words: filterSize, checksum }
    arrangements.push({ name, buckets: fewBuckets + moreBuckets * 2 ** 32, filter, sections })
  }
  return arrangements
}
