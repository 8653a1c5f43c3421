import { batchRows } from '../data/batch.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { ErrorRow } from '../engine/port.ts'
import { type Disk, IoError } from '../io/io.ts'
import { gatherPage, type Page, refOf } from './page.ts'
import { PageCache } from './page-cache.ts'
import { type OnDamage, PageFile, type PageToWrite, writePages } from './page-file.ts'
import { packPages, type Run, runOf } from './run.ts'
import type { Slices } from './slices.ts'
import { isDamaged, type RunPage, StoredPage } from './stored-page.ts'
import type { View, ViewState } from './view.ts'

/** Where one run of a view lies: pages `from` to before `to` of a file. */
interface StoredRun {
  readonly file: string
  readonly from: number
  readonly to: number
  readonly bytes: number
  readonly inOrder: boolean
  /** Of a run in order: which page of the file holds the last row of each of its own; snapshots of before have none. */
  readonly ends?: number
}

/** A view's state as a snapshot names it: JSON-safe. */
export interface StoredView {
  readonly runs: readonly StoredRun[]
  readonly rows: number
  readonly errors: number
  readonly errorRows: readonly ErrorRow[]
  readonly retracts: boolean
  readonly changedTick: number
}

const nameOf = (number: number): string => `views-${number}.pages`
const namePattern = /^views-(\d+)\.pages$/

/**
 * Views' runs on disk. A run that was written is not written again: a snapshot adds one file with the runs that are
 * new since the last one, and names the older files that still hold others. A file of which little is needed any more
 * is written anew with what is left. Loading a view reads the files' directories; a page is read, and checked, when
 * somebody wants its rows.
 */
export class ViewFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly #stored = new WeakMap<Run, StoredRun>()
  /** Bytes of each file. */
  readonly #sizes = new Map<string, number>()
  /** Files that pages are read from. */
  readonly #open = new Map<string, PageFile>()
  /** Written since `named`: a snapshot that was given up may have lost their names, and they are written anew. */
  readonly #unnamed = new Set<string>()
  #next: number
  readonly #cache: PageCache
  /** Told of a page that turns out to be damaged, whoever reads it. */
  onDamage: OnDamage = () => {}

  private constructor(disk: Disk, folder: string, next: number, cache: PageCache) {
    this.#disk = disk
    this.#folder = folder
    this.#next = next
    this.#cache = cache
  }

  /** @param cache where pages stay that were read */
  static async open(disk: Disk, folder: string, cache = new PageCache()): Promise<ViewFiles> {
    const numbers = (await disk.list(folder)).map((name) => Number(namePattern.exec(name)?.[1] ?? 0))
    return new ViewFiles(disk, folder, Math.max(0, ...numbers) + 1, cache)
  }

  /**
   * Writes what is not on disk yet, in slices.
   * @returns in the order of `states`; durable, names included
   * @throws IoError
   */
  async save(states: readonly ViewState[], slices: Slices): Promise<readonly StoredView[]> {
    const worn = this.#wornFiles(states)
    const fresh: ToWrite[] = []
    for (const { version, columns } of states) {
      for (const run of version.runs) {
        const stored = this.#stored.get(run)
        if (stored === undefined || worn.has(stored.file) || this.#unnamed.has(stored.file))
          fresh.push({ run, columns })
      }
    }
    if (fresh.length > 0) await this.#write(fresh, slices)
    return states.map(({ version, errors, retracts, changedTick }) => ({
      runs: version.runs.map((run) => this.#stored.get(run)!),
      rows: version.rows,
      errors: version.errors,
      errorRows: errors,
      retracts,
      changedTick,
    }))
  }

  /** A durable snapshot names what was saved. */
  named(): void {
    this.#unnamed.clear()
  }

  async #write(runs: readonly ToWrite[], slices: Slices): Promise<void> {
    const file = nameOf(this.#next++)
    const pages = runs.flatMap(({ run }) => run.pages)
    const ends = new Map(runs.filter(({ run }) => hasEnds(run)).map(({ run, columns }) => [run, new PageEnds(columns)]))
    const written: PageToWrite[] = runs.flatMap(({ run }) => run.pages.map((page) => contentOf(page, ends.get(run))))
    const all = [...written, ...[...ends.values()].map((each) => () => each.page())]
    const size = await writePages(this.#disk, `${this.#folder}/${file}`, all, slices)
    await this.#disk.syncFolder(this.#folder)
    this.#sizes.set(file, size)
    this.#unnamed.add(file)
    if (pages.some((page) => page instanceof StoredPage)) {
      // They are read from there from now on, so that the file they were in can go.
      const place = await this.#fileOf(file)
      for (const [i, page] of pages.entries()) if (page instanceof StoredPage) page.place = { file: place, page: i }
    }
    let from = 0
    const withEnds = [...ends.keys()]
    for (const { run } of runs) {
      const to = from + run.pages.length
      const at = withEnds.indexOf(run)
      const stored = { file, from, to, bytes: run.bytes, inOrder: run.inOrder }
      this.#stored.set(run, at < 0 ? stored : { ...stored, ends: pages.length + at })
      if (run.ends instanceof StoredPage) run.ends.place = { file: await this.#fileOf(file), page: pages.length + at }
      from = to
    }
  }

  /** Files of which the views need less than half. */
  #wornFiles(states: readonly ViewState[]): ReadonlySet<string> {
    const live = new Map<string, number>()
    for (const { version } of states) {
      for (const run of version.runs) {
        const stored = this.#stored.get(run)
        if (stored !== undefined) live.set(stored.file, (live.get(stored.file) ?? 0) + stored.bytes)
      }
    }
    return new Set([...live].filter(([file, bytes]) => bytes * 2 < (this.#sizes.get(file) ?? 0)).map(([file]) => file))
  }

  /**
   * A view's state, as far as files' directories and lengths tell: its pages are read when somebody wants their rows.
   * @throws MillraceError state/corrupt, IoError
   */
  async load(view: View, stored: StoredView): Promise<ViewState> {
    const { columns } = view.definition
    const runs: Run[] = []
    for (const part of stored.runs) {
      const file = await this.#fileOf(part.file)
      const pages: RunPage[] = []
      for (let page = part.from; page < part.to; page++) {
        pages.push(storedPage(file, page, columns) ?? (await file.read(page, columns)))
      }
      const ends = part.ends === undefined ? null : storedPage(file, part.ends, columns)
      const run = runOf(pages, part.inOrder, ends)
      this.#stored.set(run, part)
      runs.push(run)
    }
    const { rows, errors, errorRows, retracts, changedTick } = stored
    return { version: { runs, rows, errors }, columns, errors: errorRows, retracts, changedTick }
  }

  async #fileOf(name: string): Promise<PageFile> {
    const known = this.#open.get(name)
    if (known !== undefined) return known
    const onDamage: OnDamage = (error) => this.onDamage(error)
    const file = await PageFile.open(this.#disk, `${this.#folder}/${name}`, { cache: this.#cache, onDamage })
    this.#open.set(name, file)
    this.#sizes.set(name, file.size)
    return file
  }

  /** Removes the files that nobody names any more. What can't be removed stays until the next time. */
  async removeOthers(named: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#disk.list(this.#folder)) {
      if (!namePattern.test(name) || named.has(name)) continue
      this.#sizes.delete(name)
      // Whoever still reads in it holds it.
      this.#open.delete(name)
      try {
        await this.#disk.remove(`${this.#folder}/${name}`)
      } catch (error) {
        if (!(error instanceof IoError)) throw error
      }
    }
  }

  /** No page can be read any more. */
  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.close()
  }
}

/** A run with the columns of its view. */
interface ToWrite {
  readonly run: Run
  readonly columns: readonly ColumnSchema[]
}

/** Null where files of that version don't tell how many rows there are. */
function storedPage(file: PageFile, page: number, columns: readonly ColumnSchema[]): StoredPage | null {
  const rows = file.rowsOf(page)
  return rows === null ? null : new StoredPage(rows, file.bytesOf(page), columns, { file, page })
}

/** Whether it is worth while to know where the pages of a run end, and one page can tell it. */
function hasEnds({ inOrder, pages }: Run): boolean {
  return inOrder && pages.length > 1 && pages.length <= batchRows
}

function contentOf(page: RunPage, ends: PageEnds | undefined): PageToWrite {
  return async () => {
    const content = page instanceof StoredPage ? await page.copy() : page
    ends?.add(content)
    return content
  }
}

/** The last row of each page of a run. */
class PageEnds {
  readonly #columns: readonly ColumnSchema[]
  readonly #rows: Page[] = []

  constructor(columns: readonly ColumnSchema[]) {
    this.#columns = columns
  }

  add(page: Page): void {
    // A copy, so that the page itself is not held.
    this.#rows.push(gatherPage([page], Uint32Array.of(refOf(0, page.rows - 1)), null, this.#columns))
  }

  page(): Page {
    return packPages(this.#rows, this.#rows.length, this.#columns)
  }
}

/** The files that stored views are in. */
export function filesOf(views: readonly StoredView[]): readonly string[] {
  return [...new Set(views.flatMap(({ runs }) => runs.map(({ file }) => file)))]
}

/** Whether an error means that a snapshot is of no use, rather than that the program is wrong. */
export function isDamage(error: unknown): boolean {
  return error instanceof IoError || isDamaged(error)
}
