import type { MillraceError } from '../../data/errors.ts'
import { filesOfSnapshot } from '../../state/snapshots/base.ts'
import type { Manifest } from '../../state/snapshots/manifest.ts'

/** Files of views that were found damaged at work: a base that names one stays, but nobody looks back at it again. */
export class DamagedFiles {
  readonly #folder: string
  readonly #paths = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  add({ place }: MillraceError): void {
    if (place.file !== undefined) this.#paths.add(place.file)
  }

  isAnyOf(manifest: Manifest): boolean {
    return filesOfSnapshot(manifest).some((name) => this.#paths.has(`${this.#folder}/${name}`))
  }

  /** The others are gone, and other files may have their names in time. */
  keep(named: ReadonlySet<string>): void {
    for (const path of this.#paths) if (!named.has(path.slice(this.#folder.length + 1))) this.#paths.delete(path)
  }
}
