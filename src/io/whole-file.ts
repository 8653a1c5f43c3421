import type { Disk } from './io.ts'

/** All bytes of a file that is read at once. @throws IoError */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, { readOnly: true })
  try {
    const bytes = new Uint8Array(await file.size())
    return bytes.subarray(0, await file.read(bytes, 0))
  } finally {
    await file.close()
  }
}

/** A whole file as UTF-8. @throws IoError */
export async function readWholeText(disk: Disk, path: string): Promise<string> {
  return new TextDecoder().decode(await readWhole(disk, path))
}
