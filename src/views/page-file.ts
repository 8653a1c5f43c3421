import { crc32 } from '../data/crc32.ts'
import { MillraceError } from '../data/errors.ts'
import { align8 } from '../data/memory.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Disk, DiskFile } from '../io/io.ts'
import { openPage, type Page } from './page.ts'
import type { Slices } from './slices.ts'

/**
 * Pages of views on disk, written once: a header, a directory entry per page, then the pages' bytes as they are in
 * memory, each from a multiple of 8 on.
 *
 * Header: u32 magic, u32 version, u32 pages, u32 0, u32 checksum of the directory, u32 checksum of the five before it.
 * Entry: u32 bytes, u32 checksum.
 */
const magic = 0x3150_5256
const version = 1
const headerBytes = 24
const entryBytes = 8
/** Written or read in one call. */
const pieceBytes = 4 << 20
/** More pages than an engine's memory could ever have made. */
const pagesMax = 1 << 22

/**
 * Writes pages into a new file and syncs it; its name is durable only after its folder is synced.
 * @returns the file's size in bytes
 */
export async function writePages(disk: Disk, path: string, pages: readonly Page[], slices: Slices): Promise<number> {
  const file = await disk.open(path, { create: true })
  try {
    const directory = new Uint32Array(pages.length * 2)
    let at = bodyStart(pages.length)
    let gathered: Uint8Array[] = []
    let size = 0
    const flush = async (): Promise<void> => {
      if (size === 0) return
      await file.write(joined(gathered, size), at)
      at += size
      gathered = []
      size = 0
    }
    for (const [i, page] of pages.entries()) {
      const bytes = page.memory.u8
      directory[2 * i] = bytes.byteLength
      directory[2 * i + 1] = crc32(bytes)
      gathered.push(bytes)
      size += align8(bytes.byteLength)
      if (size >= pieceBytes) await flush()
      if (slices.due) await slices.pause()
    }
    await flush()
    const entries = new Uint8Array(directory.buffer)
    const header = new Uint32Array([magic, version, pages.length, 0, crc32(entries), 0])
    const head = new Uint8Array(header.buffer)
    header[5] = crc32(head.subarray(0, 20))
    await file.write(joined([head, entries], bodyStart(pages.length)), 0)
    await file.sync()
    return at
  } finally {
    await file.close()
  }
}

/** A file of pages, open for reading. */
export class PageFile {
  readonly #file: DiskFile
  readonly #path: string
  /** Bytes and checksum per page. */
  readonly #directory: Uint32Array

  private constructor(file: DiskFile, path: string, directory: Uint32Array) {
    this.#file = file
    this.#path = path
    this.#directory = directory
  }

  /** @throws MillraceError state/corrupt naming the file and byte, IoError */
  static async open(disk: Disk, path: string): Promise<PageFile> {
    const file = await disk.open(path, { readOnly: true })
    try {
      return new PageFile(file, path, await readDirectory(file, path))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * Reads pages `from` to before `to`, every byte checked.
   * @throws MillraceError state/corrupt naming the file and byte, IoError
   */
  async read(from: number, to: number, schema: readonly ColumnSchema[], slices: Slices): Promise<Page[]> {
    const directory = this.#directory
    if (to * 2 > directory.length) throw damaged(this.#path, headerBytes, `it has no page ${to - 1}`)
    const pages: Page[] = []
    let at = bodyStart(directory.length / 2)
    for (let i = 0; i < from; i++) at += align8(directory[2 * i])
    for (let first = from; first < to; ) {
      let last = first
      let size = 0
      do size += align8(directory[2 * last++])
      while (last < to && size + directory[2 * last] <= pieceBytes)
      const piece = new Uint8Array(size)
      if ((await this.#file.read(piece, at)) < size) throw damaged(this.#path, at, 'it ends too early')
      for (let within = 0; first < last; first++) {
        const bytes = piece.subarray(within, within + directory[2 * first])
        if (crc32(bytes) !== directory[2 * first + 1])
          throw damaged(this.#path, at + within, 'a page fails its checksum')
        pages.push(openPage(bytes, schema))
        within += align8(bytes.byteLength)
        if (slices.due) await slices.pause()
      }
      at += size
    }
    return pages
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

async function readDirectory(file: DiskFile, path: string): Promise<Uint32Array> {
  const head = new Uint8Array(headerBytes)
  if ((await file.read(head, 0)) < headerBytes) throw damaged(path, 0, 'it ends inside its header')
  const header = new Uint32Array(head.buffer)
  if (header[0] !== magic || header[5] !== crc32(head.subarray(0, 20)))
    throw damaged(path, 0, 'its header is not whole')
  if (header[1] !== version || header[2] > pagesMax) throw damaged(path, 0, `its version is ${header[1]}`)
  const entries = new Uint8Array(header[2] * entryBytes)
  if ((await file.read(entries, headerBytes)) < entries.byteLength || crc32(entries) !== header[4])
    throw damaged(path, headerBytes, 'its directory is not whole')
  return new Uint32Array(entries.buffer)
}

function bodyStart(pages: number): number {
  return align8(headerBytes + pages * entryBytes)
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += align8(part.byteLength)
  }
  return bytes
}

function damaged(path: string, at: number, what: string): MillraceError {
  return new MillraceError('state/corrupt', `${path}, byte ${at}: ${what}`, {
    hint: 'snapshots can be deleted: state is made from the log again',
    place: { file: path, offset: at },
  })
}
