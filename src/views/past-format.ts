import { MillraceError } from '../data/errors.ts'
import type { Pack } from './pack.ts'

/**
 * What views retain of their past, on disk: packs and lists of packs in files of pages (page-file.ts). A pack is a page
 * of f64 words (the ticks, and where their rows begin) and its pages of rows behind that; a list is a page of f64 words
 * of its own. All are whole numbers below 2^53.
 *
 * Pack: changes, 1 where several share one page of rows (else 0); per change tick, micros, rows, errors, first row.
 * List: per pack file, first page, pages of rows, last tick, its micros, rows, errors, bytes in memory, bytes on disk.
 */
export const pastVersion = 1

const packWords = 2
const changeWords = 5
const listWords = 9

/** Where a pack lies, and what must be known of it without reading it. */
export interface PackPlace {
  /** Names `changes-<file>.pages`. */
  file: number
  /** The page of its ticks; those of its rows are behind it. */
  page: number
  readonly pages: number
  readonly lastTick: number
  readonly lastMicros: bigint
  readonly rows: number
  readonly errors: number
  /** What it takes in memory, and on disk. */
  readonly bytes: number
  readonly size: number
}

/** Packs of a view that lie on disk: with them all changes after a tick are known. */
export interface Listed {
  readonly expiredTick: number
  readonly places: readonly PackPlace[]
}

export function encodePack({ changes, starts }: Pack): Uint8Array {
  const words = new Float64Array(packWords + changes.length * changeWords)
  words.set([changes.length, starts === null ? 0 : 1])
  changes.forEach(({ tick, timeMicros, rows, errors }, i) => {
    words.set([tick, Number(timeMicros), rows, errors, starts?.[i] ?? 0], packWords + i * changeWords)
  })
  return new Uint8Array(words.buffer)
}

/** @throws MillraceError state/corrupt */
export function decodePack(bytes: Uint8Array, path: string): Pick<Pack, 'changes' | 'starts'> {
  const words = wordsOf(bytes, path)
  const [count, shared] = words
  if (words.length !== packWords + count * changeWords) throw damagedPast(path, 'a pack is of another length')
  const changes = Array.from({ length: count }, (_, i) => {
    const [tick, micros, rows, errors] = words.subarray(packWords + i * changeWords)
    return { tick, timeMicros: BigInt(micros), rows, errors }
  })
  const starts = Uint32Array.from({ length: count }, (_, i) => words[packWords + i * changeWords + 4])
  return { changes, starts: shared === 1 ? starts : null }
}

export function encodeList(places: readonly PackPlace[]): Uint8Array {
  const words = new Float64Array(places.length * listWords)
  places.forEach(({ file, page, pages, lastTick, lastMicros, rows, errors, bytes, size }, i) => {
    words.set([file, page, pages, lastTick, Number(lastMicros), rows, errors, bytes, size], i * listWords)
  })
  return new Uint8Array(words.buffer)
}

/** @throws MillraceError state/corrupt */
export function decodeList(bytes: Uint8Array, path: string): PackPlace[] {
  const words = wordsOf(bytes, path)
  if (words.length % listWords !== 0) throw damagedPast(path, 'a list of packs is of another length')
  return Array.from({ length: words.length / listWords }, (_, i) => {
    const [file, page, pages, lastTick, micros, rows, errors, inMemory, size] = words.subarray(i * listWords)
    return { file, page, pages, lastTick, lastMicros: BigInt(micros), rows, errors, bytes: inMemory, size }
  })
}

function wordsOf(bytes: Uint8Array, path: string): Float64Array {
  if (bytes.byteLength % 8 !== 0) throw damagedPast(path, 'a page is of another length')
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
}

function damagedPast(path: string, what: string): MillraceError {
  return new MillraceError('state/corrupt', `${path}: ${what}`, { place: { file: path } })
}
