import path from 'node:path'
import type { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import type { Io } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import type { BackupAnswer, SettledBase } from '../log/backup.ts'
import { holdsLog } from '../log/check.ts'
import { openFileLog } from '../log/file-log.ts'
import type { Log } from '../log/log.ts'
import { restoreBackup } from '../log/restore.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { findBase, settledBase } from '../state/snapshots/base.ts'
import { say, writeOut } from './output.ts'
import { ProgressBar } from './progress.ts'

type Tell = (copied: number, bytes: number) => void
type Outcome = Pick<BackupAnswer, 'tick' | 'files' | 'bytes'>

/** Copies the data of a running server, which must be on this machine. */
export async function backupServer(io: Io, connection: Connection, folder: string, json: boolean): Promise<number> {
  const target = path.resolve(folder)
  const token = `.millrace-${Buffer.from(io.random.bytes(16)).toString('hex')}`
  const claim = `${target}/${token}`
  await putDown(io, target, claim)
  try {
    return await copied('backup', folder, json, (tell) => askServer(connection, target, token, tell))
  } finally {
    await io.disk.remove(claim)
  }
}

/** The file shows the server that who asks may write there. */
async function putDown(io: Io, target: string, claim: string): Promise<void> {
  try {
    await io.disk.makeFolder(target)
    await (await io.disk.open(claim, { create: 'new' })).close()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    throw new MillraceError('backup/refused', `${target} can’t be written: ${error.message}`, { cause: error })
  }
}

async function askServer(connection: Connection, folder: string, token: string, tell: Tell): Promise<Outcome> {
  const route = '/v1/backup'
  const response = await connection.open(route, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ folder, token }),
  })
  let rest = ''
  let outcome: Outcome | null = null
  const decoder = new TextDecoder()
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const told = JSON.parse(line) as Partial<Outcome> & { readonly copied?: number }
      const problem = errorOf(told)
      if (problem !== null) throw problem
      if (told.copied !== undefined) tell(told.copied, told.bytes!)
      else outcome = told as Outcome
    }
  }
  if (outcome === null) throw unreachable(route, new Error('the answer broke off'))
  return outcome
}

/** Copies a data folder that no server has open. */
export async function backupFolder(io: Io, data: string, folder: string, json: boolean): Promise<number> {
  if (!(await holdsLog(io.disk, `${data}/log`))) {
    throw new MillraceError('usage', `there is no log in ${data}`, { hint: 'name the data folder with --data' })
  }
  const log = await openFileLog(io, `${data}/log`, { sealNow: () => false })
  try {
    const base = await baseOf(io, `${data}/state`, log)
    return await copied('backup', folder, json, (tell) => log.backup(folder, { tell, base }))
  } finally {
    await log.close()
  }
}

/** What stands for events that the log has not any more. */
async function baseOf(io: Io, folder: string, log: Log): Promise<SettledBase | null> {
  const { base, damaged } = await findBase(io.disk, folder)
  if (base !== null && base.about.log === log.identity) return settledBase(io.disk, folder, base)
  const trimmed = [...log.starts().values()].some(({ keeps }) => keeps === 'nothing')
  if (!trimmed || damaged.length === 0) return null
  throw new MillraceError('backup/refused', `the copy would be of no use: ${damaged[0]}`, {
    hint: 'start the server once, which makes it again if a snapshot is whole, or restore from a backup',
  })
}

/** Makes a data folder of a backup. */
export function restore(io: Io, folder: string, data: string, json: boolean): Promise<number> {
  return copied('restore', data, json, (tell) => restoreBackup(io.disk, folder, data, tell))
}

async function copied(
  what: 'backup' | 'restore',
  folder: string,
  json: boolean,
  work: (tell: Tell) => Promise<Outcome>,
): Promise<number> {
  const bar = new ProgressBar(what)
  try {
    const { tick, files, bytes } = await work((done, all) => bar.update(done, all, `${done >>> 20} MiB`))
    if (json) await writeOut(`${JSON.stringify({ tick, files, bytes })}\n`)
    say(`${folder} holds everything up to tick ${tick}: ${files} ${files === 1 ? 'file' : 'files'}, ${bytes} bytes`)
    return 0
  } finally {
    bar.stop()
  }
}
