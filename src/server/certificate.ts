import { MillraceError } from '../data/errors.ts'
import { type Clock, type Disk, IoError } from '../io/io.ts'
import { watchFolder } from '../io/watch.ts'
import { readWholeText } from '../io/whole-file.ts'

export interface TlsOptions {
  /** PEM files. */
  readonly certFile: string
  readonly keyFile: string
}

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Renewals write several files: what follows within this time belongs together. */
const settleMs = 500

/** @throws MillraceError usage */
export async function readCertificate(disk: Disk, { certFile, keyFile }: TlsOptions): Promise<Certificate> {
  const cert = await readText(disk, certFile)
  const key = await readText(disk, keyFile)
  return { cert, key }
}

/** Tells of a renewed certificate; one that can't be read is passed over, and the one before stays. @returns ends it */
export function watchCertificate(
  disk: Disk,
  clock: Clock,
  options: TlsOptions,
  renewed: (certificate: Certificate) => void,
): () => void {
  let cancel = (): void => {}
  const read = (): void => {
    readCertificate(disk, options).then(renewed, () => {})
  }
  const changed = (): void => {
    cancel()
    cancel = clock.after(settleMs, read)
  }
  const folders = new Set([options.certFile, options.keyFile].map(folderOf))
  const ends = [...folders].map((folder) => watchFolder(folder, changed))
  return () => {
    cancel()
    for (const end of ends) end()
  }
}

function folderOf(file: string): string {
  const at = file.lastIndexOf('/')
  return at < 0 ? '.' : file.slice(0, at) || '/'
}

async function readText(disk: Disk, path: string): Promise<string> {
  try {
    return await readWholeText(disk, path)
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    throw new MillraceError('usage', `cannot read ${path}: ${error.failure}`, { place: { file: path }, cause: error })
  }
}
