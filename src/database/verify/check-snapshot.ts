import type { Disk } from '../../io/io.ts'
import { checkRun } from '../../state/runs/run-check.ts'
import type { Manifest } from '../../state/snapshots/manifest.ts'
import { PageFile } from '../../views/page-file.ts'
import type { Slices } from '../../views/slices.ts'
import { isDamage } from '../../views/view-files.ts'
import type { About } from '../snapshots/snapshot-notes.ts'

/**
 * Reads every byte of a snapshot or a base that stands under a checksum.
 * @returns how many files and bytes that were
 * @throws MillraceError state/corrupt naming the file and byte, IoError
 */
export async function checkSnapshot(
  disk: Disk,
  folder: string,
  { files, about }: Manifest,
  slices: Pauses,
): Promise<{ readonly files: number; readonly bytes: number }> {
  let bytes = 0
  for (const file of files) {
    for (const size of checkRun(disk, folder, file)) {
      bytes += size
      if (slices.due) await slices.pause()
    }
  }
  for (const name of about.files) bytes += await checkPages(disk, `${folder}/${name}`, slices)
  return { files: files.length + about.files.length, bytes }
}

/** Files that were read from end to end behind their writing. */
export class SoundFiles {
  #names: ReadonlySet<string> = new Set()

  /**
   * Reads every byte of a snapshot, but for files that were read like that before. Files never change, so that this
   * costs what was written since the last time.
   * @throws MillraceError state/corrupt naming the file and byte, IoError
   */
  async check(disk: Disk, folder: string, manifest: Manifest, slices: Pauses): Promise<void> {
    const { files, about } = manifest
    const isNew = (name: string): boolean => !this.#names.has(name)
    const unread = {
      ...manifest,
      files: files.filter(({ name }) => isNew(name)),
      about: { ...about, files: about.files.filter(isNew) },
    }
    await checkSnapshot(disk, folder, unread, slices)
    this.#names = new Set([...files.map(({ name }) => name), ...about.files])
  }
}

/** What is wrong with the files that hold what a snapshot's views retain; null: nothing. */
export async function damagedPast(disk: Disk, folder: string, { about }: Manifest): Promise<string | null> {
  try {
    for (const name of (about as About).pasts?.files ?? []) await checkPages(disk, `${folder}/${name}`, withoutPause)
    return null
  } catch (error) {
    if (!isDamage(error)) throw error
    return (error as Error).message
  }
}

type Pauses = Pick<Slices, 'due' | 'pause'>

/** For who holds up nobody. */
export const withoutPause: Pauses = { due: false, pause: async () => {} }

async function checkPages(disk: Disk, path: string, slices: Pauses): Promise<number> {
  let bytes = 0
  const file = await PageFile.open(disk, path)
  try {
    for (let page = 0; page < file.count; page++) {
      bytes += (await file.checked(page)).byteLength
      if (slices.due) await slices.pause()
    }
  } finally {
    await file.close()
  }
  return bytes
}
