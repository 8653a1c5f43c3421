import { crc32 } from '../data/crc32.ts'
import { MillraceError } from '../data/errors.ts'
import type { Disk, DiskFile } from '../io/io.ts'
import { viewOf } from './frame.ts'

/**
 * One of the files that make up the journal: a header, then frames, then zeros that were written ahead. A position
 * in the journal counts through all files: `base` is the position of a file's first byte.
 *
 *      0  u32 magic · u32 checksum of bytes 8 to 512 · u32 version · u32 checksum algorithm (1: CRC-32)
 *     16  u64 number, from 1 · u64 epoch, random · u64 base · u64 sequence of its first frame
 *     48  u32 checksum of the frame before · u32 0 · u64 up to where old bytes may lie behind the frames · zeros up to 512
 *
 * A file is begun only when all frames before it are durable, so `base` also says where those must end.
 *
 * A file that is of no use any more is kept as a spare and becomes a later one: it is as long as it will be, and
 * nothing has to be written ahead. What it held stands there until it is written over; those frames are of another
 * epoch, so nobody takes them for new ones.
 */
export interface JournalFile {
  readonly number: number
  readonly epoch: bigint
  readonly base: number
  readonly sequence: number
  readonly previous: number
  /** Below this byte of the file, what follows the frames may be what an earlier file left there. */
  readonly stale: number
}

const fileMagic = 0x4c4a_524d
const fileVersion = 1
const crc32Algorithm = 1
export const fileHeaderBytes = 512

export interface JournalSizes {
  /** A file that is so large is followed by the next one. */
  readonly fileBytes: number
  /** So far are zeros written ahead of small commits. */
  readonly stepBytes: number
  /** Commits from here on need no zeros ahead. */
  readonly largeBytes: number
  /** Zeroed space that only seals and the closing mark may use. */
  readonly reserveBytes: number
  /** So many files are kept that are of no use any more, to become the next ones. */
  readonly spareFiles: number
  /** Columns of a block from here on have a checksum of their own: less would cost more to look after than to check. */
  readonly sectionBytes: number
}

export const usualSizes: JournalSizes = {
  fileBytes: 64 << 20,
  stepBytes: 1 << 20,
  largeBytes: 64 << 10,
  reserveBytes: 16 << 10,
  spareFiles: 2,
  sectionBytes: 4 << 10,
}

export function fileName(number: number): string {
  return `${String(number).padStart(8, '0')}.journal`
}

export function filePath(folder: string, number: number): string {
  return `${folder}/${fileName(number)}`
}

/** @returns the number in a journal file's name, or null for any other name */
export function numberOf(name: string): number | null {
  const match = /^(\d{8,})\.journal$/.exec(name)
  return match === null ? null : Number(match[1])
}

/** What a file is called that waits to be used again. */
export function spareName(number: number): string {
  return `${String(number).padStart(8, '0')}.spare`
}

export function isSpare(name: string): boolean {
  return /^\d{8,}\.spare$/.test(name)
}

export function encodeFileHeader(file: JournalFile): Uint8Array {
  const bytes = new Uint8Array(fileHeaderBytes)
  const view = viewOf(bytes)
  view.setUint32(0, fileMagic, true)
  view.setUint32(8, fileVersion, true)
  view.setUint32(12, crc32Algorithm, true)
  view.setBigUint64(16, BigInt(file.number), true)
  view.setBigUint64(24, file.epoch, true)
  view.setBigUint64(32, BigInt(file.base), true)
  view.setBigUint64(40, BigInt(file.sequence), true)
  view.setUint32(48, file.previous, true)
  view.setBigUint64(56, BigInt(file.stale), true)
  view.setUint32(4, crc32(bytes.subarray(8)), true)
  return bytes
}

/**
 * @returns null where there is no whole header
 * @throws MillraceError log/version
 */
export function decodeFileHeader(bytes: Uint8Array, path: string): JournalFile | null {
  const view = viewOf(bytes)
  if (bytes.byteLength < fileHeaderBytes || view.getUint32(0, true) !== fileMagic) return null
  if (crc32(bytes.subarray(8, fileHeaderBytes)) !== view.getUint32(4, true)) return null
  const version = view.getUint32(8, true)
  if (version !== fileVersion || view.getUint32(12, true) !== crc32Algorithm) throw otherVersion(path, version)
  return {
    number: Number(view.getBigUint64(16, true)),
    epoch: view.getBigUint64(24, true),
    base: Number(view.getBigUint64(32, true)),
    sequence: Number(view.getBigUint64(40, true)),
    previous: view.getUint32(48, true),
    stale: Number(view.getBigUint64(56, true)),
  }
}

export function otherVersion(path: string, version: number, newest = fileVersion): MillraceError {
  return new MillraceError('log/version', `${path} has format version ${version}, this program reads ${newest}`, {
    hint: 'open it with the version of Millrace that wrote it',
    place: { file: path },
  })
}

export function damaged(path: string, byte: number): MillraceError {
  return new MillraceError('log/corrupt', `the journal is damaged: ${path}, byte ${byte}`, {
    hint: 'restore the folder from a copy: what stood there was acknowledged and can no longer be read',
    place: { file: path, offset: byte },
  })
}

/**
 * Makes a journal file that is durable with its name, with zeros up to `bytes`.
 * @throws IoError; after `full` there is no such file
 */
export async function createFile(disk: Disk, folder: string, header: JournalFile, bytes: number): Promise<DiskFile> {
  const path = filePath(folder, header.number)
  const file = await disk.open(path, { create: true })
  try {
    await writeZeros(file, fileHeaderBytes, bytes)
    await file.write(encodeFileHeader(header), 0)
    await file.sync()
    await disk.syncFolder(folder)
  } catch (error) {
    await file.close()
    await disk.remove(path)
    throw error
  }
  return file
}

/**
 * Makes a journal file of one that is of no use any more.
 * @returns null where it is shorter than a new one would be
 * @throws IoError
 */
export async function reuseFile(
  disk: Disk,
  folder: string,
  spare: string,
  header: Omit<JournalFile, 'stale'>,
  leastBytes: number,
): Promise<{ readonly file: DiskFile; readonly header: JournalFile } | null> {
  // Under its old name it must not be found again, with a header that is another file's.
  await disk.syncFolder(folder)
  let path = spare
  const file = await disk.open(path)
  try {
    const stale = await file.size()
    if (stale >= leastBytes) {
      const whole = { ...header, stale }
      await file.write(encodeFileHeader(whole), 0)
      await file.sync()
      await disk.rename(path, filePath(folder, header.number))
      path = filePath(folder, header.number)
      await disk.syncFolder(folder)
      return { file, header: whole }
    }
  } catch (error) {
    await file.close()
    await disk.remove(path)
    throw error
  }
  await file.close()
  await disk.remove(path)
  return null
}

const zeros = new Uint8Array(1 << 20)

/** Writes zeros from one position to another: Node can't reserve space in any other way. */
export async function writeZeros(file: DiskFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += zeros.byteLength) {
    await file.write(to - at < zeros.byteLength ? zeros.subarray(0, to - at) : zeros, at)
  }
}
