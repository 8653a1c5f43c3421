import type { Disk } from '../../io/io.ts'
import { baseName, baseNames, type Manifest, readSnapshot, reasonOf } from './manifest.ts'

export interface FoundBase {
  readonly base: Manifest | null
  /** Why one that is there can't be used, a line each. */
  readonly damaged: readonly string[]
}

/** The newest base that can be opened; blocks are checked when they are read. */
export async function findBase(disk: Disk, folder: string): Promise<FoundBase> {
  const damaged: string[] = []
  const names = await disk.list(folder)
  const present = new Set(names)
  for (const name of baseNames(names)) {
    try {
      return { base: readSnapshot(disk, folder, name, present), damaged }
    } catch (error) {
      damaged.push(`the base ${folder}/${name} can’t be used: ${reasonOf(error)}`)
    }
  }
  return { base: null, damaged }
}

/** The files that a snapshot or a base needs beside its manifest. */
export function filesOfSnapshot({ files, about }: Manifest): readonly string[] {
  return [...files.map(({ name }) => name), ...about.files]
}

/** The files of a base with what they take. @throws IoError */
export async function settledBase(disk: Disk, folder: string, base: Manifest) {
  const files: { readonly name: string; readonly bytes: number }[] = []
  for (const name of [baseName(base.tick), ...filesOfSnapshot(base)]) {
    const file = await disk.open(`${folder}/${name}`, { readOnly: true })
    try {
      files.push({ name, bytes: await file.size() })
    } finally {
      await file.close()
    }
  }
  return { folder, files }
}
