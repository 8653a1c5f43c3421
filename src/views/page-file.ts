import { crc32 } from '../data/crc32.ts'
import { MillraceError } from '../data/errors.ts'
import { align8 } from '../data/memory.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { type Disk, type DiskFile, IoError } from '../io/io.ts'
import { openPage, type Page } from './page.ts'
import { PageCache } from './page-cache.ts'
import type { Slices } from './slices.ts'

/**
 * Pages of views on disk, written once: a header, a directory entry per page, then the pages' bytes as they are in
 * memory, each from a multiple of 8 on.
 *
 * Header: u32 magic, u32 version, u32 pages, u32 0, u32 checksum of the directory, u32 checksum of the five before it.
 * Entry: u32 bytes, u32 checksum, u32 rows, u32 0; in version 1 the first two alone.
 */
const magic = 0x3150_5256
const newest = 2
const headerBytes = 24
/** By version. */
const entryBytes = [0, 8, 16]
/** Written in one call. */
const pieceBytes = 4 << 20
/** More pages than an engine's memory could ever have made. */
const pagesMax = 1 << 22

/** A page of rows, or bytes of another kind. */
interface Written {
  readonly memory: { readonly u8: Uint8Array }
  readonly rows: number
}

/** A page, or what gives it when it is its turn. */
export type PageToWrite = Written | (() => Written | Promise<Written>)

/**
 * Writes pages into a new file and syncs it; its name is durable only after its folder is synced.
 * @returns the file's size in bytes
 */
export async function writePages(
  disk: Disk,
  path: string,
  pages: readonly PageToWrite[],
  slices: Slices,
): Promise<number> {
  const file = await disk.open(path, { create: true })
  try {
    const directory = new Uint32Array(pages.length * 4)
    let at = bodyStart(newest, pages.length)
    let gathered: Uint8Array[] = []
    let size = 0
    let syncing: Promise<void> = Promise.resolve()
    const flush = async (): Promise<void> => {
      if (size === 0) return
      const whole = size >= pieceBytes
      await file.write(joined(gathered, size), at)
      at += size
      gathered = []
      size = 0
      if (!whole) return
      // The disk works while the next piece is put together, and the last sync has little left to do.
      await syncing
      syncing = file.sync()
      syncing.catch(() => {})
    }
    for (const [i, page] of pages.entries()) {
      const { memory, rows } = typeof page === 'function' ? await page() : page
      const bytes = memory.u8
      directory.set([bytes.byteLength, crc32(bytes), rows], 4 * i)
      gathered.push(bytes)
      size += align8(bytes.byteLength)
      if (size >= pieceBytes) await flush()
      if (slices.due) await slices.pause()
    }
    await flush()
    const entries = new Uint8Array(directory.buffer)
    const header = new Uint32Array([magic, newest, pages.length, 0, crc32(entries), 0])
    const head = new Uint8Array(header.buffer)
    header[5] = crc32(head.subarray(0, 20))
    await file.write(joined([head, entries], bodyStart(newest, pages.length)), 0)
    await syncing
    await file.sync()
    return at
  } finally {
    await file.close()
  }
}

/** Told what is wrong with a file. */
export type OnDamage = (error: MillraceError) => void

export interface PageFileOptions {
  /** Where pages stay that were read (default: one of its own). */
  readonly cache?: PageCache
  /** Told of a page that turns out to be damaged, whoever reads it. */
  readonly onDamage?: OnDamage
}

/**
 * A file of pages, open for reading: its directory was checked, and its length, its pages are when they are read. Its
 * name may be removed meanwhile; what it takes is given back once nobody holds it any more.
 */
export class PageFile {
  readonly size: number
  readonly cache: PageCache
  readonly #file: DiskFile
  readonly #path: string
  readonly #directory: Directory
  /** Where each page begins. */
  readonly #positions: Float64Array
  readonly #onDamage: OnDamage

  private constructor(
    file: DiskFile,
    path: string,
    size: number,
    directory: Directory,
    { cache, onDamage }: PageFileOptions,
  ) {
    this.#file = file
    this.cache = cache ?? new PageCache()
    this.#onDamage = onDamage ?? (() => {})
    this.#path = path
    this.size = size
    this.#directory = directory
    const { pages, bytes } = directory
    this.#positions = new Float64Array(pages)
    let at = bodyStart(directory.version, pages)
    for (let i = 0; i < pages; i++) {
      this.#positions[i] = at
      at += align8(bytes(i))
    }
    if (at > size) throw damaged(path, size, 'it ends too early')
  }

  /**
   * @throws MillraceError state/corrupt naming the file and byte, IoError
   */
  static async open(disk: Disk, path: string, options: PageFileOptions = {}): Promise<PageFile> {
    const file = await disk.open(path, { readOnly: true })
    try {
      return new PageFile(file, path, await file.size(), await readDirectory(file, path), options)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** How many there are. */
  get count(): number {
    return this.#directory.pages
  }

  /** Bytes of a page. */
  bytesOf(page: number): number {
    return this.#directory.bytes(page)
  }

  /** Rows of a page; null where files of that version don't tell. */
  rowsOf(page: number): number | null {
    return this.#directory.rows(page)
  }

  /**
   * Reads a page, every byte checked. A read that the disk refuses is tried once more; then the page counts as damaged.
   * @throws MillraceError state/corrupt naming the file and byte
   */
  async read(page: number, schema: readonly ColumnSchema[]): Promise<Page> {
    try {
      return await this.#read(page, schema)
    } catch (error) {
      if (error instanceof MillraceError) this.#onDamage(error)
      throw error
    }
  }

  async #read(page: number, schema: readonly ColumnSchema[]): Promise<Page> {
    const opened = openPage(await this.checked(page), schema, true)
    if ((this.rowsOf(page) ?? opened.rows) !== opened.rows) {
      throw damaged(this.#path, this.#positions[page], 'a page has other rows')
    }
    return opened
  }

  /** A page's bytes, every one checked. @throws MillraceError state/corrupt naming the file and byte */
  async checked(page: number): Promise<Uint8Array> {
    const { bytes, checksum } = this.#directory
    const at = this.#positions[page]
    const found = new Uint8Array(bytes(page))
    if ((await this.#fill(found, at)) < found.byteLength) throw damaged(this.#path, at, 'it ends too early')
    if (crc32(found) !== checksum(page)) throw damaged(this.#path, at, 'a page fails its checksum')
    return found
  }

  async #fill(into: Uint8Array, at: number): Promise<number> {
    try {
      return await this.#file.read(into, at).catch(() => this.#file.read(into, at))
    } catch (error) {
      if (!(error instanceof IoError)) throw error
      throw damaged(this.#path, at, `it can't be read: ${error.message}`, error)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** What a file says of its pages. */
interface Directory {
  readonly version: number
  readonly pages: number
  bytes(page: number): number
  checksum(page: number): number
  /** Null where files of that version don't tell. */
  rows(page: number): number | null
}

async function readDirectory(file: DiskFile, path: string): Promise<Directory> {
  const head = new Uint8Array(headerBytes)
  if ((await file.read(head, 0)) < headerBytes) throw damaged(path, 0, 'it ends inside its header')
  const [found, version, pages, , checksum, own] = new Uint32Array(head.buffer)
  if (found !== magic || own !== crc32(head.subarray(0, 20))) throw damaged(path, 0, 'its header is not whole')
  if (version < 1 || version > newest || pages > pagesMax) throw damaged(path, 0, `its version is ${version}`)
  const entries = new Uint8Array(pages * entryBytes[version])
  if ((await file.read(entries, headerBytes)) < entries.byteLength || crc32(entries) !== checksum)
    throw damaged(path, headerBytes, 'its directory is not whole')
  const words = new Uint32Array(entries.buffer)
  const step = entryBytes[version] >>> 2
  return {
    version,
    pages,
    bytes: (page) => words[page * step],
    checksum: (page) => words[page * step + 1],
    rows: (page) => (version === 1 ? null : words[page * step + 2]),
  }
}

function bodyStart(version: number, pages: number): number {
  return align8(headerBytes + pages * entryBytes[version])
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1 && parts[0].byteLength === size) return parts[0]
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += align8(part.byteLength)
  }
  return bytes
}

function damaged(path: string, at: number, what: string, cause?: unknown): MillraceError {
  return new MillraceError('state/corrupt', `${path}, byte ${at}: ${what}`, {
    hint: 'snapshots can be deleted: state is made from the log again',
    place: { file: path, offset: at },
    cause,
  })
}
