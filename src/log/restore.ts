import { MillraceError } from '../data/errors.ts'
import type { Disk } from '../io/io.ts'
import {
  type BackupAnswer,
  type BackupManifest,
  bytesOf,
  type CopiedFile,
  copyFile,
  manifestName,
  nameFailure,
  notEmpty,
  readManifest,
} from './backup.ts'
import { checkLog } from './check.ts'

/** What is copied bears this ending until all of it is there: no start takes it for a log. */
const unfinished = '.restoring'

/**
 * Makes a data folder of a backup: reads all of the backup first, checking it as `verify` does, then copies it. The
 * first file gets its name last, so that a copy that broke off is no log.
 *
 * @param to is made when it is missing, and must be empty
 * @throws MillraceError backup/refused, log/corrupt for a damaged backup, log/full
 */
export async function restoreBackup(
  disk: Disk,
  from: string,
  to: string,
  tell: (copiedBytes: number, bytes: number) => void = () => {},
): Promise<BackupAnswer> {
  const manifest = await readManifest(disk, from)
  if ((await disk.list(to)).length > 0) throw notEmpty(to)
  const report = await checkLog(disk, `${from}/log`)
  if (report?.tick !== manifest.tick) throw otherLog(from, report?.tick, manifest)
  const { base = [] } = manifest
  const bytes = bytesOf(manifest.files) + bytesOf(base)
  try {
    let before = 0
    const copied = async (folder: string, files: readonly CopiedFile[], ending: string): Promise<void> => {
      await disk.makeFolder(`${to}/${folder}`)
      for (const file of files) {
        const told = (done: number): void => tell(before + done, bytes)
        const source = `${from}/${folder}/${file.name}`
        const checksum = await copyFile(disk, source, `${to}/${folder}/${file.name}${ending}`, file.bytes, told)
        if (checksum !== file.crc32) throw damagedBackup(source, 'its checksum is another')
        before += file.bytes
      }
      await disk.syncFolder(`${to}/${folder}`)
    }
    // There is no log before all that it needs is there.
    if (base.length > 0) await copied('state', base, '')
    await copied('log', manifest.files, unfinished)
    const [first, ...others] = manifest.files
    for (const { name } of others) await disk.rename(`${to}/log/${name}${unfinished}`, `${to}/log/${name}`)
    // Names become durable in any order, unless a sync stands between them.
    await disk.syncFolder(`${to}/log`)
    await disk.rename(`${to}/log/${first.name}${unfinished}`, `${to}/log/${first.name}`)
    await disk.syncFolder(`${to}/log`)
  } catch (error) {
    throw nameFailure(error, to)
  }
  return {
    tick: manifest.tick,
    timeMicros: BigInt(manifest.timeMicros),
    files: manifest.files.length + base.length,
    bytes,
  }
}

/**
 * Compares a folder's log with the `backup.json` beside it, if there is one. Later ticks are all right: a server may
 * have been started over a backup.
 *
 * @param tick the log's last
 * @throws MillraceError log/corrupt where the log ends before what the backup names
 */
export async function checkBackup(disk: Disk, folder: string, tick: number): Promise<void> {
  if (!(await disk.list(folder)).includes(manifestName)) return
  const manifest = await readManifest(disk, folder)
  if (tick < manifest.tick) throw otherLog(folder, tick, manifest)
}

function otherLog(folder: string, tick: number | undefined, manifest: BackupManifest): MillraceError {
  const found = tick === undefined ? 'no log' : `a log that ends with tick ${tick}`
  return damagedBackup(folder, `it holds ${found}, not the one up to tick ${manifest.tick} that it names`)
}

function damagedBackup(path: string, what: string): MillraceError {
  return new MillraceError('log/corrupt', `the backup is damaged: ${path}: ${what}`, {
    hint: 'restore from another backup',
    place: { file: path },
  })
}
