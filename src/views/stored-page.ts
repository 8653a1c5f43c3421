import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Page } from './page.ts'

/** Where a page is read from. */
export interface PagePlace {
  readonly file: {
    /** @throws MillraceError state/corrupt naming the file and byte */
    read(page: number, schema: readonly ColumnSchema[]): Promise<Page>
  }
  readonly page: number
}

/** A page that lies on disk until somebody wants its rows. */
export class StoredPage {
  readonly rows: number
  readonly bytes: number
  readonly #schema: readonly ColumnSchema[]
  /** May become another one with the same rows. Null once it was opened: a file is not held any longer than that. */
  place: PagePlace | null
  #opening: Promise<Page> | null = null
  #opened: Page | null = null

  constructor(rows: number, bytes: number, schema: readonly ColumnSchema[], place: PagePlace) {
    this.rows = rows
    this.bytes = bytes
    this.#schema = schema
    this.place = place
  }

  /** Null until it was opened. */
  get opened(): Page | null {
    return this.#opened
  }

  /** @throws MillraceError state/corrupt naming the file and byte */
  open(): Promise<Page> {
    this.#opening ??= this.copy().then(
      (page) => {
        this.#opened = page
        this.place = null
        return page
      },
      (error: unknown) => {
        // Whoever asks again has it tried again.
        this.#opening = null
        throw error
      },
    )
    return this.#opening
  }

  /** The page for once: it stays on disk. @throws as `open` */
  copy(): Promise<Page> {
    const { place } = this
    return place === null ? this.open() : place.file.read(place.page, this.#schema)
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
