import { crc32 } from '../../data/crc32.ts'
import { MillraceError } from '../../data/errors.ts'
import type { Disk } from '../../io/io.ts'
import { readWhole } from '../../io/whole-file.ts'
import { viewOf } from '../frame.ts'
import type { TopicStart } from '../log.ts'

/**
 * What was decided to be thrown away, in a small file of its own: `00000003.trims`. Little-endian:
 *
 *      0  u32 magic · u32 version · u32 length of the text · u32 its checksum (CRC-32)
 *     16  JSON
 *
 * Each decision is a new file, written under another name, synced and only then given its own; the one of the
 * highest number counts, and the ones before it go. What it says is true from then on, whether the history's files
 * still hold the events or not.
 */
const magic = 0x5354_524d
const version = 1
const headerBytes = 16

export interface TopicTrim {
  readonly topic: number
  readonly throughTick: number
  /** The topic's next offset at that tick. */
  readonly firstOffset: number
  /** Nothing; or the last event of each key, whose columns have these ids in blocks. */
  readonly keep: 'nothing' | readonly number[]
  /** Of a table: up to this tick all that was replaced is gone from the files. */
  readonly compactedTick: number
}

export interface TrimsFile {
  /** 0: nothing was ever trimmed. */
  readonly number: number
  readonly bytes: number
  readonly topics: ReadonlyMap<number, TopicTrim>
  /** Earlier ones that are still there. */
  readonly stale: readonly number[]
  /** Whether its name is durable: of one that was there already nobody knows. */
  readonly sure: boolean
}

export const noTrims: TrimsFile = { number: 0, bytes: 0, topics: new Map(), stale: [], sure: true }

export function trimsName(number: number): string {
  return `${String(number).padStart(8, '0')}.trims`
}

/** @returns the number in such a file's name, or null for any other name */
export function trimsNumber(name: string): number | null {
  const match = /^(\d{8,})\.trims$/.exec(name)
  return match === null ? null : Number(match[1])
}

/** Whether an event of a topic belongs to what was thrown away as a whole. */
export function isGone({ topics }: TrimsFile, topic: number, tick: number): boolean {
  const trim = topics.get(topic)
  return trim !== undefined && trim.keep === 'nothing' && tick <= trim.throughTick
}

export function startsOf({ topics }: TrimsFile): ReadonlyMap<number, TopicStart> {
  const starts = [...topics.values()].map(({ topic, firstOffset, throughTick, keep }): [number, TopicStart] => [
    topic,
    { firstOffset, throughTick, keeps: keep === 'nothing' ? 'nothing' : 'latest' },
  ])
  return new Map(starts)
}

export function encodeTrims(topics: Iterable<TopicTrim>): Uint8Array {
  const sorted = [...topics].sort((a, b) => a.topic - b.topic)
  const text = new TextEncoder().encode(JSON.stringify({ topics: sorted }))
  const bytes = new Uint8Array(headerBytes + text.byteLength)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint32(4, version, true)
  view.setUint32(8, text.byteLength, true)
  view.setUint32(12, crc32(text), true)
  bytes.set(text, headerBytes)
  return bytes
}

/** @throws MillraceError log/corrupt, log/version */
export function decodeTrims(bytes: Uint8Array, path: string): ReadonlyMap<number, TopicTrim> {
  const view = viewOf(bytes)
  if (bytes.byteLength < headerBytes || view.getUint32(0, true) !== magic) throw damaged(path, 0)
  if (view.getUint32(4, true) !== version) {
    const what = `${path} has format version ${view.getUint32(4, true)}, this program reads ${version}`
    const hint = 'open it with the version of Millrace that wrote it'
    throw new MillraceError('log/version', what, { hint, place: { file: path } })
  }
  const text = bytes.subarray(headerBytes)
  if (text.byteLength !== view.getUint32(8, true) || crc32(text) !== view.getUint32(12, true)) throw damaged(path, 8)
  const { topics } = JSON.parse(new TextDecoder().decode(text)) as { readonly topics: readonly TopicTrim[] }
  return new Map(topics.map((trim) => [trim.topic, trim]))
}

/**
 * Reads what was decided last.
 * @param tidy takes away what a decision that was cut short left behind
 * @throws MillraceError log/corrupt, log/version
 */
export async function openTrims(disk: Disk, folder: string, tidy: boolean): Promise<TrimsFile> {
  const names = await disk.list(folder)
  const numbers = names.map(trimsNumber).filter((number) => number !== null)
  numbers.sort((a, b) => a - b)
  if (tidy) {
    for (const name of names) {
      if (name.endsWith('.new') && trimsNumber(name.slice(0, -4)) !== null) await disk.remove(`${folder}/${name}`)
    }
  }
  const newest = numbers.pop()
  if (newest === undefined) return noTrims
  const path = `${folder}/${trimsName(newest)}`
  const bytes = await readWhole(disk, path)
  const topics = decodeTrims(bytes, path)
  return { number: newest, bytes: bytes.byteLength, topics, stale: numbers, sure: false }
}

/** Makes a decision durable that takes the place of the one before. @throws IoError; after `full` nothing was decided */
export async function writeTrims(
  disk: Disk,
  folder: string,
  { number: before, stale }: TrimsFile,
  topics: Iterable<TopicTrim>,
): Promise<TrimsFile> {
  const number = before + 1
  const bytes = encodeTrims(topics)
  const path = `${folder}/${trimsName(number)}`
  const file = await disk.open(`${path}.new`, { create: true })
  let written = false
  try {
    await file.truncate(0)
    await file.write(bytes, 0)
    await file.sync()
    written = true
  } finally {
    await file.close()
    if (!written) await disk.remove(`${path}.new`).catch(() => {})
  }
  await disk.rename(`${path}.new`, path)
  await disk.syncFolder(folder)
  const all = before === 0 ? stale : [...stale, before]
  return { number, bytes: bytes.byteLength, topics: decodeTrims(bytes, path), stale: all, sure: true }
}

function damaged(path: string, byte: number): MillraceError {
  return new MillraceError('log/corrupt', `what was trimmed of the log can’t be read: ${path}, byte ${byte}`, {
    hint: 'restore the folder from a copy',
    place: { file: path, offset: byte },
  })
}

/** A file lacks events although nobody decided that. */
export function undecided(folder: string, path: string): MillraceError {
  return new MillraceError('log/corrupt', `${path} was trimmed, but ${folder} lacks the file that says so`, {
    hint: 'restore the folder’s newest file that ends with .trims',
    place: { file: path },
  })
}
