import type { Disk, DiskFile } from '../io/io.ts'
import { createFile, type JournalFile, type JournalSizes, numberOf, reuseFile, spareName } from './journal-file.ts'

/** Files of a journal that are of no use any more, and become its next ones. */
export class SpareFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly #sizes: JournalSizes
  readonly #paths: string[]

  constructor(disk: Disk, folder: string, sizes: JournalSizes, paths: readonly string[]) {
    this.#disk = disk
    this.#folder = folder
    this.#sizes = sizes
    this.#paths = [...paths]
  }

  /** Makes the next file, of a spare one where there is one. @throws IoError; after `full` there is no such file */
  async make(next: Omit<JournalFile, 'stale'>): Promise<{ readonly file: DiskFile; readonly header: JournalFile }> {
    const { stepBytes } = this.#sizes
    for (let spare = this.#paths.pop(); spare !== undefined; spare = this.#paths.pop()) {
      const reused = await reuseFile(this.#disk, this.#folder, spare, next, stepBytes)
      if (reused !== null) return reused
    }
    const header = { ...next, stale: 0 }
    return { file: await createFile(this.#disk, this.#folder, header, stepBytes), header }
  }

  /** Keeps a file of the journal, or removes it where there are enough, and any other file. */
  async putAside(path: string): Promise<void> {
    const number = numberOf(path.slice(this.#folder.length + 1))
    if (number === null || this.#paths.length >= this.#sizes.spareFiles) return this.#disk.remove(path)
    const spare = `${this.#folder}/${spareName(number)}`
    await this.#disk.rename(path, spare)
    this.#paths.push(spare)
  }

  /** Gives the room back: something else has none. */
  async free(): Promise<void> {
    for (const spare of this.#paths.splice(0)) await this.#disk.remove(spare)
  }
}
