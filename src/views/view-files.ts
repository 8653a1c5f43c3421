import { MillraceError } from '../data/errors.ts'
import type { ErrorRow } from '../engine/port.ts'
import { type Disk, IoError } from '../io/io.ts'
import { PageFile, writePages } from './page-file.ts'
import { type Run, runOf } from './run.ts'
import type { Slices } from './slices.ts'
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
 * is written anew with what is left.
 */
export class ViewFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly #stored = new WeakMap<Run, StoredRun>()
  /** Bytes of each file. */
  readonly #sizes = new Map<string, number>()
  #next: number

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
   * Reads a view's state back, every byte checked.
   * @throws MillraceError state/corrupt, IoError
   */
  async load(view: View, stored: StoredView, slices: Slices): Promise<ViewState> {
    const runs: Run[] = []
    for (const part of stored.runs) {
      const path = `${this.#folder}/${part.file}`
      const file = await PageFile.open(this.#disk, path)
      try {
        const run = runOf(await file.read(part.from, part.to, view.definition.columns, slices), part.inOrder)
        this.#stored.set(run, part)
        this.#sizes.set(part.file, await file.size())
        runs.push(run)
      } finally {
        await file.close()
      }
    }
    const { rows, errors, errorRows, retracts, changedTick } = stored
    return { version: { runs, rows, errors }, errors: errorRows, retracts, changedTick }
  }

  /** Removes the files that nobody names any more. What can't be removed stays until the next time. */
  async removeOthers(named: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#disk.list(this.#folder)) {
      if (!namePattern.test(name) || named.has(name)) continue
      this.#sizes.delete(name)
      try {
        await this.#disk.remove(`${this.#folder}/${name}`)
      } catch (error) {
        if (!(error instanceof IoError)) throw error
      }
    }
  }
}

/** The files that stored views are in. */
export function filesOf(views: readonly StoredView[]): readonly string[] {
  return [...new Set(views.flatMap(({ runs }) => runs.map(({ file }) => file)))]
}

/** Whether an error means that a snapshot is of no use, rather than that the program is wrong. */
export function isDamage(error: unknown): boolean {
  return error instanceof IoError || (error instanceof MillraceError && error.code === 'state/corrupt')
}
