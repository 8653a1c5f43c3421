import { MillraceError } from '../data/errors.ts'
import type { Database } from '../database.ts'
import type { Disk } from '../io/io.ts'
import { problemOf } from '../protocol/problem.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import { isText, readJsonBody } from './json-body.ts'
import { Parameters } from './parameters.ts'

/** Told once so many bytes more are copied, so that a caller knows that it goes on. */
const toldBytes = 16 << 20

interface BackupRequest {
  /** A folder on the server's machine. */
  readonly folder: string
  /** The name of a file that stands in it, and of nothing else there. */
  readonly token: string
}

/**
 * POST /v1/backup: `{"folder", "token"}`, answered by NDJSON lines `{"copied", "bytes"}`, the last of them the result
 * or a problem.
 *
 * Who may say where a server writes files? The caller must be on this machine, and must have put a file with a name
 * that nobody guesses into the folder, which otherwise is empty: so the server writes only where the caller can write
 * as well, and never over anything.
 */
export async function backUp(database: Database, disk: Disk, request: ApiRequest, query: string): Promise<ApiAnswer> {
  new Parameters(query).end()
  if (!request.local) {
    throw new MillraceError('backup/refused', 'only a caller on the server’s own machine may have a backup made', {
      hint: 'run `millrace backup` there',
    })
  }
  const { folder, token } = await readRequest(request)
  const names = await disk.list(folder)
  if (!names.includes(token)) {
    throw new MillraceError('backup/refused', 'the server does not find the caller’s file in that folder', {
      hint: 'run `millrace backup` on the server’s machine, for a folder that the server’s user may write to',
    })
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
    body: progress(database, folder, token),
  }
}

async function* progress(database: Database, folder: string, beside: string): AsyncGenerator<Uint8Array> {
  const lines: unknown[] = []
  let told = 0
  let wake = (): void => {}
  let over = false
  const put = (line: unknown): void => {
    lines.push(line)
    wake()
  }
  const tell = (copied: number, bytes: number): void => {
    if (copied < told + toldBytes) return
    told = copied
    put({ copied, bytes })
  }
  const done = database.backup(folder, { tell, beside }).then(
    ({ tick, files, bytes }) => put({ tick, files, bytes }),
    (error) => put(problemOf(error)),
  )
  void done.then(() => {
    over = true
    wake()
  })
  while (!over || lines.length > 0) {
    if (lines.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    for (const line of lines.splice(0)) yield new TextEncoder().encode(`${JSON.stringify(line)}\n`)
  }
}

/** @throws MillraceError request/malformed */
async function readRequest(request: ApiRequest): Promise<BackupRequest> {
  const body = await readJsonBody(request, {
    folder: { is: (value) => isText(value) && isAbsolute(value as string), what: 'an absolute path' },
    token: { is: (value) => isText(value) && /^[0-9a-z.-]{32,100}$/.test(value as string), what: 'a file’s name' },
  })
  return body as unknown as BackupRequest
}

function isAbsolute(path: string): boolean {
  return /^(\/|[a-z]:[\\/])/i.test(path)
}
