import { LRUCache } from 'lru-cache'
import type { Page } from './page.ts'
import type { StoredPage } from './stored-page.ts'

/** Unless told otherwise, so many bytes of pages that were read stay in memory. */
const bytesDefault = 512 << 20

/**
 * Pages that were read from disk, up to a number of bytes: those that nobody has asked for the longest go first. Who
 * is at work with a page holds it, whether it is here or not.
 */
export class PageCache {
  readonly #pages: LRUCache<StoredPage, Page>

  constructor(bytes: number = bytesDefault) {
    this.#pages = new LRUCache({ maxSize: Math.max(1, bytes), sizeCalculation: (page) => Math.max(1, page.bytes) })
  }

  /** Of all pages in it. */
  get bytes(): number {
    return this.#pages.calculatedSize
  }

  /** Null: it is on disk only. */
  find(stored: StoredPage): Page | null {
    return this.#pages.get(stored) ?? null
  }

  keep(stored: StoredPage, page: Page): void {
    this.#pages.set(stored, page)
  }
}
