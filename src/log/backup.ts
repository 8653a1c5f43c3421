import { crc32 } from '../data/crc32.ts'
import { MillraceError } from '../data/errors.ts'
import type { Disk, DiskFile } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import { readWholeText } from '../io/whole-file.ts'
import { allocate } from './frame.ts'

/** A file of a log whose first bytes never change again. */
export interface SettledFile {
  readonly name: string
  readonly bytes: number
}

/** What a log holds up to a tick. */
export interface SettledLog {
  readonly identity: string
  readonly tick: number
  readonly timeMicros: bigint
  readonly files: readonly SettledFile[]
}

export interface BackupAnswer {
  /** The backup equals the log up to and with this tick. */
  readonly tick: number
  readonly timeMicros: bigint
  readonly files: number
  readonly bytes: number
}

export interface BackupOptions {
  /** Told as the copy goes on. */
  readonly tell?: (copiedBytes: number, bytes: number) => void
  /** A file that may stand in the folder although that has to be empty. */
  readonly beside?: string
  /** What stands for events that the log has not any more. */
  readonly base?: SettledBase | null
}

/** Files of a folder that a log which was trimmed is nothing without; they are copied to `state/` beside it. */
export interface SettledBase {
  readonly folder: string
  readonly files: readonly SettledFile[]
}

/** What a backup says about itself, in `backup.json`: written last, so that a copy that broke off has none. */
export interface BackupManifest {
  readonly format: 'millrace-backup'
  /** 2 where there is a base, which older programs would leave out. */
  readonly version: 1 | 2
  /** The identity of the log it was taken of. */
  readonly log: string
  readonly tick: number
  /** Microseconds since 1970, as text. */
  readonly timeMicros: string
  readonly files: readonly CopiedFile[]
  /** What stands for events that the log has not any more, in `state/`. */
  readonly base?: readonly CopiedFile[]
}

export interface CopiedFile extends SettledFile {
  readonly crc32: number
}

export const manifestName = 'backup.json'
const pieceBytes = 1 << 20

/**
 * Copies a log into an empty folder, as `log/…` beside `backup.json`. Nothing that is there is ever overwritten.
 * @throws MillraceError backup/refused, log/full
 */
export async function writeBackup(
  disk: Disk,
  log: string,
  settled: SettledLog,
  folder: string,
  { tell = () => {}, beside, base = null }: BackupOptions,
): Promise<BackupAnswer> {
  const bytes = bytesOf(settled.files) + bytesOf(base?.files ?? [])
  try {
    await disk.makeFolder(folder)
    const there = (await disk.list(folder)).filter((name) => name !== beside)
    if (there.length > 0) throw notEmpty(folder)
    let before = 0
    const copied = async (from: string, to: string, all: readonly SettledFile[]): Promise<CopiedFile[]> => {
      const files: CopiedFile[] = []
      await disk.makeFolder(to)
      for (const file of all) {
        const told = (done: number): void => tell(before + done, bytes)
        const checksum = await copyFile(disk, `${from}/${file.name}`, `${to}/${file.name}`, file.bytes, told)
        files.push({ ...file, crc32: checksum })
        before += file.bytes
      }
      await disk.syncFolder(to)
      return files
    }
    const files = await copied(log, `${folder}/log`, settled.files)
    const state = base === null ? [] : await copied(base.folder, `${folder}/state`, base.files)
    const { identity, tick, timeMicros } = settled
    await writeManifest(disk, folder, {
      format: 'millrace-backup',
      version: state.length === 0 ? 1 : 2,
      log: identity,
      tick,
      timeMicros: `${timeMicros}`,
      files,
      ...(state.length === 0 ? {} : { base: state }),
    })
    return { tick, timeMicros, files: files.length + state.length, bytes }
  } catch (error) {
    throw nameFailure(error, folder)
  }
}

export function bytesOf(files: readonly SettledFile[]): number {
  return files.reduce((sum, file) => sum + file.bytes, 0)
}

/**
 * Copies the first bytes of a file to one that is not there yet; durable, but for its name.
 * @returns their checksum
 */
export async function copyFile(
  disk: Disk,
  from: string,
  to: string,
  bytes: number,
  tell: (copied: number) => void,
): Promise<number> {
  const source = await disk.open(from, { readOnly: true })
  try {
    const target = await disk.open(to, { create: 'new' })
    try {
      const checksum = await copyBytes(source, target, bytes, from, tell)
      await target.sync()
      return checksum
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function copyBytes(
  source: DiskFile,
  target: DiskFile,
  bytes: number,
  from: string,
  tell: (copied: number) => void,
): Promise<number> {
  const piece = allocate(Math.min(pieceBytes, Math.max(1, bytes)))
  let checksum = 0
  for (let at = 0; at < bytes; at += piece.byteLength) {
    const wanted = piece.subarray(0, Math.min(piece.byteLength, bytes - at))
    if ((await source.read(wanted, at)) < wanted.byteLength) throw shortFile(from, bytes)
    checksum = crc32(wanted, checksum)
    await target.write(wanted, at)
    tell(at + wanted.byteLength)
  }
  return checksum
}

async function writeManifest(disk: Disk, folder: string, manifest: BackupManifest): Promise<void> {
  const path = `${folder}/${manifestName}`
  const file = await disk.open(`${path}.new`, { create: 'new' })
  try {
    await file.write(new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(`${path}.new`, path)
  await disk.syncFolder(folder)
}

/** @throws MillraceError backup/refused where there is no whole backup, log/version */
export async function readManifest(disk: Disk, folder: string): Promise<BackupManifest> {
  const path = `${folder}/${manifestName}`
  let text: string
  try {
    text = await readWholeText(disk, path)
  } catch (error) {
    if (!(error instanceof IoError) || error.failure !== 'missing') throw error
    throw new MillraceError('backup/refused', `${folder} holds no whole backup: it has no ${manifestName}`, {
      hint: 'name a folder that `millrace backup` has finished',
      place: { file: path },
    })
  }
  return parseManifest(text, path)
}

function parseManifest(text: string, path: string): BackupManifest {
  const broken = (): MillraceError =>
    new MillraceError('log/corrupt', `${path} can’t be read`, { hint: 'take another backup', place: { file: path } })
  let manifest: Partial<BackupManifest>
  try {
    manifest = JSON.parse(text) as Partial<BackupManifest>
  } catch {
    throw broken()
  }
  const { format, version, files, base = [] } = manifest
  if (format !== 'millrace-backup' || !Array.isArray(files) || !Array.isArray(base)) throw broken()
  if (version !== 1 && version !== 2) {
    throw new MillraceError('log/version', `${path} has version ${version}, this program reads 1 and 2`, {
      hint: 'restore it with the version of Millrace that wrote it',
      place: { file: path },
    })
  }
  for (const { name } of [...files, ...base]) if (!/^[0-9a-z][0-9a-z.-]*$/.test(name)) throw broken()
  return manifest as BackupManifest
}

export function notEmpty(folder: string): MillraceError {
  return new MillraceError('backup/refused', `${folder} is not empty`, {
    hint: 'name a folder that is empty, or not there yet',
    place: { file: folder },
  })
}

function shortFile(path: string, bytes: number): MillraceError {
  return new MillraceError('log/corrupt', `${path} is shorter than ${bytes} bytes`, { place: { file: path } })
}

/** What the disk did, as a person meets it. */
export function nameFailure(error: unknown, folder: string): unknown {
  if (!(error instanceof IoError)) return error
  const cause = { cause: error, place: { file: error.path } }
  if (error.failure === 'full') {
    return new MillraceError('log/full', `the disk is full: ${folder} can’t take the copy`, {
      ...cause,
      hint: 'free some space, remove what was copied, then start again',
    })
  }
  return new MillraceError('backup/refused', `the copy to ${folder} broke off: ${error.message}`, {
    ...cause,
    hint: 'check the folder and its permissions, then start again with an empty one',
  })
}
