import { MillraceError } from '../data/errors.ts'
import type { Disk } from '../io/io.ts'
import { type BackupAnswer, copyFile, nameFailure, notEmpty, readManifest } from './backup.ts'
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
  if (report === null || report.tick !== manifest.tick) {
    const found = report === null ? 'no log' : `a log that ends with tick ${report.tick}`
    throw damagedBackup(from, `it holds ${found}, not the one up to tick ${manifest.tick} that it names`)
  }
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
  try {
    await disk.makeFolder(`${to}/log`)
    let before = 0
    for (const file of manifest.files) {
      const told = (copied: number): void => tell(before + copied, bytes)
      const target = `${to}/log/${file.name}${unfinished}`
      const checksum = await copyFile(disk, `${from}/log/${file.name}`, target, file.bytes, told)
      if (checksum !== file.crc32) throw damagedBackup(`${from}/log/${file.name}`, 'its checksum is another')
      before += file.bytes
    }
    await disk.syncFolder(`${to}/log`)
    const [first, ...others] = manifest.files
    for (const { name } of others) await disk.rename(`${to}/log/${name}${unfinished}`, `${to}/log/${name}`)
    // Names become durable in any order, unless a sync stands between them.
    await disk.syncFolder(`${to}/log`)
    await disk.rename(`${to}/log/${first.name}${unfinished}`, `${to}/log/${first.name}`)
    await disk.syncFolder(`${to}/log`)
  } catch (error) {
    throw nameFailure(error, to)
  }
  return { tick: manifest.tick, timeMicros: BigInt(manifest.timeMicros), files: manifest.files.length, bytes }
}

function damagedBackup(path: string, what: string): MillraceError {
  return new MillraceError('log/corrupt', `the backup is damaged: ${path}: ${what}`, {
    hint: 'restore from another backup',
    place: { file: path },
  })
}
