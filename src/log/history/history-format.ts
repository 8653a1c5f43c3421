import { crc32 } from '../../data/crc32.ts'
import { MillraceError } from '../../data/errors.ts'
import type { Lane } from '../../data/sql-type.ts'
import { viewOf } from '../frame.ts'

/**
 * A history file holds a stretch of the timeline, from behind one seal to behind a later one, as columns. Little-endian,
 * every part 8-byte aligned:
 *
 *      0  u32 magic · u32 checksum of bytes 8 to 64 · u32 version · u32 checksum algorithm (1: CRC-32) · u64 number ·
 *         u64 0 …
 *     64  sections (column.ts): the blocks' columns, topic by topic as they filled up, then the timeline
 *         the footer: JSON
 *    -32  u64 where the footer starts · u32 its length · u32 its checksum · u32 magic · u32 version ·
 *         u32 checksum of the 24 bytes before · u32 0
 *
 * Files are numbered from 1, each going on where the one before ends. One is written under another name, synced,
 * and only then gets its own: whatever bears such a name is whole.
 *
 * Version 2 is of files that took the place of one or several others: `00000003-00000006.2.history` holds what the
 * files 3 to 6 held, of which some may have been such files themselves. What was trimmed is missing, and where that
 * leaves gaps a block has its rows' offsets. Of files that overlap, the one of the highest generation counts; a
 * generation is greater by one than that of what went in.
 */
export const historyMagic = 0x4c48_524d
export const historyVersion = 1
/** Of files that took the place of others. */
export const rewrittenVersion = 2
export const historyHeaderBytes = 64
export const trailerBytes = 32

/** Where bytes lie in the file, and their checksum. */
export interface Place {
  readonly at: number
  readonly bytes: number
  readonly crc: number
}

export interface ColumnPlace extends Place {
  readonly id: number
  readonly lane: Lane
  /** What its cells take in a block. */
  readonly cellBytes: number
  readonly nulls: number
  readonly min: number | null
  readonly max: number | null
}

/** At most `batchRows` events of one topic, cut between commits. */
export interface BlockPlace {
  readonly firstOffset: number
  readonly rows: number
  /** The ticks and commit times of its first and last event. */
  readonly ticks: readonly [number, number]
  readonly micros: readonly [number, number]
  /** How many commits' parts it is made of, and for each its rows, its tick and its commit time. */
  readonly parts: number
  readonly partRows: Place
  readonly partTicks: Place
  readonly partMicros: Place
  readonly columns: readonly ColumnPlace[]
  /** A single part's bytes as they were, where they are no block that could be taken apart. */
  readonly opaque?: Place
  /** Where events between the first and the last are gone: the last one's offset, and all of them. */
  readonly lastOffset?: number
  readonly offsets?: Place
}

/** The offset behind a block's last event. */
export function endOfPlace({ firstOffset, rows, lastOffset }: BlockPlace): number {
  return lastOffset === undefined ? firstOffset + rows : lastOffset + 1
}

/** What a block takes in its file. */
export function bytesOfPlace({ columns, opaque, offsets, partRows, partTicks, partMicros }: BlockPlace): number {
  let sum = partRows.bytes + partTicks.bytes + partMicros.bytes + (opaque?.bytes ?? 0) + (offsets?.bytes ?? 0)
  for (const { bytes } of columns) sum += bytes
  return sum
}

/** A point of the timeline just behind a seal. */
export interface Moment {
  /** Journal position. */
  readonly position: number
  /** Of the next frame. */
  readonly sequence: number
  /** Checksum of the frame before. */
  readonly previous: number
  readonly tick: number
  readonly tickMicros: number
  readonly commitMicros: number
  /** Each topic's next offset. */
  readonly offsets: readonly (readonly [topic: number, next: number])[]
}

export interface Footer {
  /** The log's identity. */
  readonly log: string
  /** The first of the numbers that it stands for. */
  readonly number: number
  /** The last of them, if it took the place of others; which generation; and up to which ticks topics were trimmed. */
  readonly through?: number
  readonly generation?: number
  readonly trimmed?: readonly (readonly [topic: number, throughTick: number])[]
  readonly from: Moment
  readonly to: Moment
  /** Of each commit: its time, the number of its blocks, whether it seals, and the time of that tick. */
  readonly commits: number
  readonly times: Place
  readonly counts: Place
  readonly seals: Place
  readonly sealTimes: Place
  /** Of each commit's blocks: the topic, as an index into `topics`, and the rows. */
  readonly order: Place
  readonly rows: Place
  /** Answers under idempotency keys, and the time of the last commit that has one. */
  readonly answers: Place | null
  readonly keys: number
  readonly keysMicros: number
  readonly topics: readonly { readonly topic: number; readonly blocks: readonly BlockPlace[] }[]
}

/** Which files of the history a file stands for: itself, or those that it took the place of. */
export interface HistoryName {
  readonly number: number
  readonly through: number
  /** 0: written from the journal. */
  readonly generation: number
}

const digits = (number: number): string => String(number).padStart(8, '0')

export function historyName({ number, through, generation }: HistoryName): string {
  return generation === 0 ? `${digits(number)}.history` : `${digits(number)}-${digits(through)}.${generation}.history`
}

/** @returns what a history file's name says, or null for any other name */
export function parseHistoryName(name: string): HistoryName | null {
  const match = /^(\d{8,})(?:-(\d{8,})\.([1-9]\d*))?\.history$/.exec(name)
  if (match === null) return null
  const number = Number(match[1])
  return { number, through: Number(match[2] ?? number), generation: Number(match[3] ?? 0) }
}

export function nameOfFooter({ number, through, generation }: Footer): HistoryName {
  return { number, through: through ?? number, generation: generation ?? 0 }
}

/** What a history file is called until it is whole. */
export function unfinishedName(name: HistoryName): string {
  return `${historyName(name)}.new`
}

export function isUnfinished(name: string): boolean {
  return name.endsWith('.new') && parseHistoryName(name.slice(0, -'.new'.length)) !== null
}

export function encodeHeader(number: number, version: number): Uint8Array {
  const bytes = new Uint8Array(historyHeaderBytes)
  const view = viewOf(bytes)
  view.setUint32(0, historyMagic, true)
  view.setUint32(8, version, true)
  view.setUint32(12, 1, true)
  view.setBigUint64(16, BigInt(number), true)
  view.setUint32(4, crc32(bytes.subarray(8)), true)
  return bytes
}

/** @throws MillraceError log/corrupt, log/version */
export function checkHeader(bytes: Uint8Array, number: number, path: string): void {
  const view = viewOf(bytes)
  const whole = bytes.byteLength === historyHeaderBytes && view.getUint32(0, true) === historyMagic
  if (!whole || crc32(bytes.subarray(8)) !== view.getUint32(4, true)) throw damagedHistory(path, 0)
  if (!isKnown(view.getUint32(8, true)) || view.getUint32(12, true) !== 1) {
    throw otherHistory(path, view.getUint32(8, true))
  }
  if (view.getBigUint64(16, true) !== BigInt(number)) throw damagedHistory(path, 16)
}

export function encodeFooter(footer: Footer, at: number, version: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(footer))
  const bytes = new Uint8Array(((json.byteLength + 7) & ~7) + trailerBytes)
  bytes.set(json)
  const trailer = bytes.byteLength - trailerBytes
  const view = viewOf(bytes)
  view.setBigUint64(trailer, BigInt(at), true)
  view.setUint32(trailer + 8, json.byteLength, true)
  view.setUint32(trailer + 12, crc32(json), true)
  view.setUint32(trailer + 16, historyMagic, true)
  view.setUint32(trailer + 20, version, true)
  view.setUint32(trailer + 24, crc32(bytes.subarray(trailer, trailer + 24)), true)
  return bytes
}

/** @returns where the footer lies, from the file's last bytes @throws MillraceError log/corrupt, log/version */
export function decodeTrailer(bytes: Uint8Array, fileBytes: number, path: string): Place {
  const broken = (): MillraceError => damagedHistory(path, Math.max(0, fileBytes - trailerBytes))
  if (bytes.byteLength < trailerBytes) throw broken()
  const view = viewOf(bytes)
  if (view.getUint32(16, true) !== historyMagic) throw broken()
  if (crc32(bytes.subarray(0, 24)) !== view.getUint32(24, true)) throw broken()
  if (!isKnown(view.getUint32(20, true))) throw otherHistory(path, view.getUint32(20, true))
  const place = {
    at: Number(view.getBigUint64(0, true)),
    bytes: view.getUint32(8, true),
    crc: view.getUint32(12, true),
  }
  if (place.at < historyHeaderBytes || place.at + place.bytes > fileBytes - trailerBytes) throw broken()
  return place
}

export function damagedHistory(path: string, byte: number): MillraceError {
  return new MillraceError('log/corrupt', `the history is damaged: ${path}, byte ${byte}`, {
    hint: 'restore the folder from a copy: what stood there was acknowledged and can no longer be read',
    place: { file: path, offset: byte },
  })
}

function isKnown(version: number): boolean {
  return version === historyVersion || version === rewrittenVersion
}

function otherHistory(path: string, version: number): MillraceError {
  return new MillraceError(
    'log/version',
    `${path} has format version ${version}, this program reads up to ${rewrittenVersion}`,
    { hint: 'open it with the version of Millrace that wrote it', place: { file: path } },
  )
}
