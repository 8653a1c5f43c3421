import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Page } from './page.ts'
import type { PageCache } from './page-cache.ts'

/** Where a page is read from. */
export interface PagePlace {
  readonly file: {
    /** @throws MillraceError state/corrupt naming the file and byte */
    read(page: number, schema: readonly ColumnSchema[]): Promise<Page>
    /** Where pages stay that were read. */
    readonly cache: PageCache
  }
  readonly page: number
}

/** A page that lies on disk: it is read when somebody wants its rows, and again when it was forgotten meanwhile. */
export class StoredPage {
  readonly rows: number
  readonly bytes: number
  readonly #schema: readonly ColumnSchema[]
  /** May become another one with the same rows. */
  place: PagePlace
  #opening: Promise<Page> | null = null

  constructor(rows: number, bytes: number, schema: readonly ColumnSchema[], place: PagePlace) {
    this.rows = rows
    this.bytes = bytes
    this.#schema = schema
    this.place = place
  }

  /** Null: it has to be read. */
  get opened(): Page | null {
    return this.place.file.cache.find(this)
  }

  /** @throws MillraceError state/corrupt naming the file and byte */
  async open(): Promise<Page> {
    const { opened } = this
    if (opened !== null) return opened
    const opening = this.#opening ?? this.#read()
    this.#opening = opening
    try {
      return await opening
    } finally {
      // Whoever asks again finds it in the cache, or has it read again.
      this.#opening = null
    }
  }

  async #read(): Promise<Page> {
    const page = await this.#fromDisk()
    this.place.file.cache.keep(this, page)
    return page
  }

  /** The page for once: it is not kept. @throws as `open` */
  async copy(): Promise<Page> {
    return this.opened ?? (await this.#fromDisk())
  }

  #fromDisk(): Promise<Page> {
    const { file, page } = this.place
    return file.read(page, this.#schema)
  }
}

/** A page of a run, wherever it is. */
export type RunPage = Page | StoredPage

/** The page, if it is in memory. */
export function inMemory(page: RunPage): Page | null {
  return page instanceof StoredPage ? page.opened : page
}

/** Pages that are read while somebody waits for the one before them. */
const ahead = 3

/**
 * Opens a page that is not in memory, and begins to read those behind it, which will be asked for next.
 * @throws MillraceError state/corrupt
 */
export async function openPages(pages: readonly RunPage[], at: number): Promise<Page> {
  const page = pages[at]
  if (!(page instanceof StoredPage)) return page
  for (let i = at + 1; i <= at + ahead && i < pages.length; i++) readAhead(pages[i])
  return page.open()
}

/** Begins to read a page that will be wanted. What goes wrong is told to whoever wants it then. */
export function readAhead(page: RunPage | undefined): void {
  if (page instanceof StoredPage && page.opened === null) page.open().catch(() => {})
}

/** State on disk can't be read; the log can make it again. */
export function isDamaged(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === 'state/corrupt'
}
