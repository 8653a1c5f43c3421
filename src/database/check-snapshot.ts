import type { Disk } from '../io/io.ts'
import { checkRun } from '../state/runs/run-check.ts'
import type { Manifest } from '../state/snapshots/manifest.ts'
import { PageFile } from '../views/page-file.ts'
import type { Slices } from '../views/slices.ts'

/**
 * Reads every byte of a snapshot or a base that stands under a checksum.
 * @returns how many files and bytes that were
 * @throws MillraceError state/corrupt naming the file and byte, IoError
 */
export async function checkSnapshot(
  disk: Disk,
  folder: string,
  { files, about }: Manifest,
  slices: Pick<Slices, 'due' | 'pause'>,
): Promise<{ readonly files: number; readonly bytes: number }> {
  let bytes = 0
  for (const file of files) {
    for (const size of checkRun(disk, folder, file)) {
      bytes += size
      if (slices.due) await slices.pause()
    }
  }
  for (const name of about.files) {
    const file = await PageFile.open(disk, `${folder}/${name}`)
    try {
      for (let page = 0; page < file.count; page++) {
        bytes += (await file.checked(page)).byteLength
        if (slices.due) await slices.pause()
      }
    } finally {
      await file.close()
    }
  }
  return { files: files.length + about.files.length, bytes }
}
