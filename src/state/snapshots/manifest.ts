import { crc32 } from '../../data/crc32.ts'
import { MillraceError } from '../../data/errors.ts'
import { type Disk, IoError } from '../../io/io.ts'
import { hashVersion } from '../cold.ts'
import { damagedRun, type RunFile } from '../runs/run-format.ts'
import { RunReader } from '../runs/run-reader.ts'

/** What else belongs to a snapshot, given by whoever takes it and given back as it was. */
export interface SnapshotNotes {
  /** Names of other files in the folder that the snapshot needs. */
  readonly files: readonly string[]
  readonly [note: string]: unknown
}

/** A snapshot: all state at the end of a tick is in these files. */
export interface Manifest {
  readonly version: number
  readonly hashVersion: number
  readonly tick: number
  readonly about: SnapshotNotes
  /** The newest first. */
  readonly files: readonly RunFile[]
}

export const manifestVersion = 1
const ending = '.json'

/**
 * A base is a snapshot that stands for events which were thrown away: part of the log from then on. Its manifest lies
 * beside those of snapshots under a name of its own.
 */
export function baseName(tick: number): string {
  return `base-${String(tick).padStart(15, '0')}${ending}`
}

/** Names of bases, the newest first. There are several only while a new one takes another's place. */
export function baseNames(names: readonly string[]): string[] {
  return names
    .filter((name) => /^base-\d{15}\.json$/.test(name))
    .sort()
    .reverse()
}

export function manifestName(tick: number): string {
  return `snapshot-${String(tick).padStart(15, '0')}${ending}`
}

/** Names of manifests, the newest first. */
export function manifestNames(names: readonly string[]): string[] {
  return names
    .filter((name) => /^snapshot-\d{15}\.json$/.test(name))
    .sort()
    .reverse()
}

/** Names of snapshots and bases, the newest first; of one tick the snapshot, which may have been merged since. */
export function stateNames(names: readonly string[]): string[] {
  const tickOf = (name: string): string => name.slice(name.indexOf('-') + 1)
  const all = [...manifestNames(names), ...baseNames(names)]
  return all.sort((a, b) => (tickOf(a) === tickOf(b) ? (a < b ? 1 : -1) : tickOf(a) < tickOf(b) ? 1 : -1))
}

const opening = /^\{"checksum":"([0-9a-f]{8})","snapshot":/
const openingLength = '{"checksum":"00000000","snapshot":'.length

/** A manifest as it lies on disk: JSON that says its own checksum. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { version, tick, about, files } = manifest
  const body = new TextEncoder().encode(
    JSON.stringify({ version, hashVersion: manifest.hashVersion, tick, about, files }),
  )
  const checksum = crc32(body).toString(16).padStart(8, '0')
  return Buffer.concat([Buffer.from(`{"checksum":"${checksum}","snapshot":`), body, Buffer.from('}\n')])
}

/** @throws MillraceError state/corrupt */
export function readManifest(disk: Disk, folder: string, name: string): Manifest {
  const path = `${folder}/${name}`
  const reader = disk.openReader(path)
  try {
    const bytes = Buffer.alloc(reader.size)
    const length = reader.read(bytes, 0)
    const checksum = opening.exec(bytes.toString('latin1', 0, openingLength))?.[1]
    const body = bytes.subarray(openingLength, length - 2)
    if (
      checksum === undefined ||
      bytes.toString('latin1', length - 2) !== '}\n' ||
      crc32(body) !== Number.parseInt(checksum, 16)
    ) {
      throw damagedRun(path, 0, 'its checksum is wrong')
    }
    return JSON.parse(body.toString()) as Manifest
  } finally {
    reader.close()
  }
}

/**
 * Reads a snapshot's manifest and looks whether all it names is there and can be opened; blocks are checked when
 * they are read.
 * @throws MillraceError state/corrupt, IoError
 */
export function readSnapshot(disk: Disk, folder: string, name: string, present: ReadonlySet<string>): Manifest {
  const manifest = readManifest(disk, folder, name)
  const path = `${folder}/${name}`
  if (manifest.version !== manifestVersion || manifest.hashVersion !== hashVersion) {
    throw new MillraceError('state/corrupt', `${path} is of another version of the format`, { place: { file: path } })
  }
  for (const file of manifest.about.files) if (!present.has(file)) throw new IoError('missing', `${folder}/${file}`)
  for (const file of manifest.files) RunReader.open(disk, folder, file).close()
  return manifest
}

export interface FoundSnapshots {
  /** The newest that can be used. */
  readonly newest: Manifest | null
  /** Why newer ones can't: one line each. */
  readonly passedOver: readonly string[]
}

/**
 * Finds the snapshot to start from. One that is damaged, or that the caller doesn't accept, is passed over for an
 * older one: a snapshot is a short cut, never the truth, so nothing here stops a start.
 * @param refuse why a snapshot can't be used, or null if it can
 */
export async function openSnapshots(
  { disk }: { readonly disk: Disk },
  folder: string,
  refuse: (manifest: Manifest) => string | null = () => null,
): Promise<FoundSnapshots> {
  const passedOver: string[] = []
  try {
    const names = await disk.list(folder)
    const present = new Set(names)
    for (const name of stateNames(names)) {
      const what = name.startsWith('base-') ? 'base' : 'snapshot'
      try {
        const manifest = readSnapshot(disk, folder, name, present)
        const reason = refuse(manifest)
        if (reason === null) return { newest: manifest, passedOver }
        passedOver.push(`the ${what} ${name} is passed over: ${reason}`)
      } catch (error) {
        passedOver.push(`the ${what} ${name} is passed over: ${reasonOf(error)}`)
      }
    }
  } catch (error) {
    passedOver.push(`the snapshots are passed over: ${reasonOf(error)}`)
  }
  return { newest: null, passedOver }
}

/** Whatever is wrong with a snapshot's files, it is passed over; a broken invariant isn't hidden by that. */
export function reasonOf(error: unknown): string {
  if (error instanceof MillraceError || error instanceof IoError) return error.message
  throw error
}
