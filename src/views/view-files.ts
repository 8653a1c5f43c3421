import type { ErrorRow } from '../engine/port.ts'
import { type Disk, IoError } from '../io/io.ts'
import { type OnDamage, PageFile, writePages } from './page-file.ts'
import { type Run, runOf } from './run.ts'
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
  #next: number
  /** Told of a page that turns out to be damaged, whoever reads it. */
  onDamage: OnDamage = () => {}

  private constructor(disk: Disk, folder: string, next: number) {
    this.#disk = disk
    this.#folder = folder
    this.#next = next
  }

  static async open(disk: Disk, folder: string): Promise<ViewFiles> {
    const numbers = (await disk.list(folder)).map((name) => Number(namePattern.exec(name)?.[1] ?? 0))
    return new ViewFiles(disk, folder, Math.max(0, ...numbers) + 1)
  }

  /**
   * Writes what is not on disk yet, in slices.
   * @returns in the order of `states`; durable, names included
   * @throws IoError
   */
  async save(states: readonly ViewState[], slices: Slices): Promise<readonly StoredView[]> {
    const worn = this.#wornFiles(states)
    const fresh: Run[] = []
    for (const { version } of states) {
      for (const run of version.runs) {
        const stored = this.#stored.get(run)
        if (stored === undefined || worn.has(stored.file)) fresh.push(run)
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

  async #write(runs: readonly Run[], slices: Slices): Promise<void> {
    const file = nameOf(this.#next++)
    const pages = runs.flatMap((run) => run.pages)
    const size = await writePages(this.#disk, `${this.#folder}/${file}`, pages, slices)
    await this.#disk.syncFolder(this.#folder)
    this.#sizes.set(file, size)
    if (pages.some((page) => page instanceof StoredPage)) {
      // Those that were never opened are read from there now, so that the file they were in can go.
      const written = await this.#fileOf(file)
      for (const [i, page] of pages.entries()) {
        if (page instanceof StoredPage && page.place !== null) page.place = { file: written, page: i }
      }
    }
    let from = 0
    for (const run of runs) {
      const to = from + run.pages.length
      this.#stored.set(run, { file, from, to, bytes: run.bytes, inOrder: run.inOrder })
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
        const rows = file.rowsOf(page)
        const place = { file, page }
        pages.push(
          rows === null ? await file.read(page, columns) : new StoredPage(rows, file.bytesOf(page), columns, place),
        )
      }
      const run = runOf(pages, part.inOrder)
      this.#stored.set(run, part)
      runs.push(run)
    }
    const { rows, errors, errorRows, retracts, changedTick } = stored
    return { version: { runs, rows, errors }, errors: errorRows, retracts, changedTick }
  }

  async #fileOf(name: string): Promise<PageFile> {
    const known = this.#open.get(name)
    if (known !== undefined) return known
    const file = await PageFile.open(this.#disk, `${this.#folder}/${name}`, (error) => this.onDamage(error))
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

/** The files that stored views are in. */
export function filesOf(views: readonly StoredView[]): readonly string[] {
  return [...new Set(views.flatMap(({ runs }) => runs.map(({ file }) => file)))]
}

/** Whether an error means that a snapshot is of no use, rather than that the program is wrong. */
export function isDamage(error: unknown): boolean {
  return error instanceof IoError || isDamaged(error)
}
