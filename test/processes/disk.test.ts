import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ServerProcess } from './server-process.ts'

// Disks that fail and fill up under a real server. Both need tools of Linux that are not everywhere.

const sql = `
CREATE TABLE note (id bigint NOT NULL, text text NOT NULL);
CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS notes, sum(id) AS ids, count(DISTINCT id) AS distinct_ids FROM note;
`

let folder: string
let server: ServerProcess | null = null

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-disk-'))
  writeFileSync(path.join(folder, 'app.sql'), sql)
})

afterEach(async () => {
  await server?.kill()
  server = null
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const often = ['--snapshot-every', '1']

async function start(
  data: string,
  wrap: readonly string[] = [],
  env: Record<string, string> = {},
  options: readonly string[] = often,
): Promise<string> {
  const args = ['start', path.join(folder, 'app.sql'), '--data', data, '--port', '0', ...options]
  server = new ServerProcess(args, wrap, env)
  return server.serving
}

interface Answer {
  readonly status: number
  readonly code?: string
  readonly hint?: string
  readonly tick?: number
}

/** Appends notes from `first` on, under a key that is theirs. */
async function append(url: string, first: number, count = 1, bytes = 10): Promise<Answer> {
  const text = 'x'.repeat(bytes)
  const notes = Array.from({ length: count }, (_, i) => ({ id: first + i, text }))
  const response = await fetch(`${url}/v1/topics/note/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `notes from ${first}` },
    body: JSON.stringify(notes),
  })
  return { status: response.status, ...((await response.json()) as object) }
}

async function idsIn(url: string): Promise<number[]> {
  const ids: number[] = []
  for (let from = 0; ; ) {
    const response = await fetch(`${url}/v1/topics/note/events?from=${from}&limit=10000`)
    expect(response.status).toBe(200)
    const { events, next } = (await response.json()) as { events: { data: { id: number } }[]; next: number }
    if (events.length === 0) return ids
    ids.push(...events.map(({ data }) => data.id))
    from = next
  }
}

async function seen(url: string, minTick?: number): Promise<unknown> {
  for (;;) {
    const response = await fetch(`${url}/v1/views/seen${minTick === undefined ? '' : `?min_tick=${minTick}`}`)
    const { rows } = (await response.json()) as { rows: unknown[] }
    // A request waits for a tick only so long; a slow machine may need longer.
    if (response.status === 504) continue
    expect(response.status).toBe(200)
    return rows[0]
  }
}

function seenOf(ids: readonly number[]): unknown {
  return { notes: ids.length, ids: ids.reduce((sum, id) => sum + id, 0), distinct_ids: new Set(ids).size }
}

/** @returns why a command does not work here, or null */
function missing(command: string, args: readonly string[]): string | null {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) return `${command} is not here`
  return status === 0 ? null : `${command} is not allowed here: ${stderr.trim().split('\n')[0]}`
}

function when(reason: string | null): string {
  return reason === null ? '' : ` (skipped: ${reason})`
}

const noStrace = missing('strace', ['-f', '-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO:when=99', 'true'])

describe('a sync that fails', () => {
  it.skipIf(noStrace !== null).each([5, 8, 9])(
    `poisons the log: appends are refused, reads go on, a restart finds all (sync %i)${when(noStrace)}`,
    async (failing) => {
      const data = path.join(folder, `sync-${failing}`)
      // Counted for each thread, so there is one thread that syncs, and nothing but the log: a snapshot's sync would be
      // one of them or not, as it comes. Later syncs succeed again, and must not help.
      const inject = ['-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${failing}`]
      const url = await start(data, ['strace', '-f', '-o', '/dev/null', ...inject], { UV_THREADPOOL_SIZE: '1' }, [])
      const acknowledged: number[] = []
      const ticks: number[] = []
      let answer: Answer = { status: 201 }
      for (let id = 1; answer.status === 201 && id < 100; id++) {
        answer = await append(url, id)
        if (answer.status !== 201) break
        acknowledged.push(id)
        ticks.push(answer.tick!)
      }
      expect(answer).toMatchObject({ status: 503, code: 'log/poisoned' })
      expect(acknowledged.length).toBeGreaterThan(0)
      for (const id of [500, 501]) expect(await append(url, id)).toMatchObject({ status: 503, code: 'log/poisoned' })

      // Where it was a seal that failed, what it would have made visible is durable, and waits for a restart.
      const visible = await idsIn(url)
      const sealed = ((await (await fetch(`${url}/v1/views/seen`)).json()) as { tick: number }).tick
      expect(visible).toEqual(acknowledged.filter((_, i) => ticks[i] <= sealed))
      expect(await seen(url)).toEqual(seenOf(visible))
      const waited = await fetch(`${url}/v1/views/seen?min_tick=${ticks.at(-1)}`)
      if (visible.length === acknowledged.length) expect(waited.status).toBe(200)
      else expect(await waited.json()).toMatchObject({ status: 503, code: 'log/poisoned' })
      expect((await fetch(`${url}/livez`)).status).toBe(503)
      // Nothing is sent here any more by who asks whether it is ready.
      expect((await fetch(`${url}/readyz`)).status).toBe(503)
      // Who runs the server is told, once.
      await expect.poll(() => server!.err.split('log/poisoned')).toHaveLength(2)
      expect(await server!.kill('SIGTERM')).toBe(0)

      const again = await start(data)
      const ids = await idsIn(again)
      // What was refused may have reached the disk; then it is there once, and what is sent again is told so.
      expect(ids.slice(0, acknowledged.length)).toEqual(acknowledged)
      expect(ids.length).toBeLessThanOrEqual(acknowledged.length + 1)
      const next = acknowledged.length + 1
      const { status, tick: last } = await append(again, next)
      expect(status).toBe(201)
      expect(await seen(again, last)).toEqual(seenOf([...acknowledged, next]))
    },
  )
})

/** Injects what happens at a sync, of whichever file: syncs are counted for each thread, so one thread does them. */
function atSync(what: string): [wrap: string[], env: Record<string, string>] {
  const inject = ['-e', 'trace=fdatasync,fsync', '-e', `inject=fdatasync,fsync:${what}`]
  return [['strace', '-f', '-o', '/dev/null', ...inject], { UV_THREADPOOL_SIZE: '1' }]
}

/** Appends until the server is gone or refuses. @returns what was acknowledged */
async function appendWhileItLasts(url: string, most: number): Promise<number[]> {
  const acknowledged: number[] = []
  for (let id = 1; id <= most; id++) {
    const { status } = await append(url, id, 1, 300).catch(() => ({ status: 0 }))
    if (status !== 201) break
    acknowledged.push(id)
  }
  return acknowledged
}

/** Everything acknowledged is there, once; what was under way may be. What is sent again is there once, too. */
async function expectAll(data: string, acknowledged: readonly number[]): Promise<void> {
  const url = await start(data)
  const ids = await idsIn(url)
  expect(ids.slice(0, acknowledged.length)).toEqual(acknowledged)
  expect(ids.length).toBeLessThanOrEqual(acknowledged.length + 1)
  expect(server!.err).not.toContain('passed over')
  const next = acknowledged.length + 1
  const { status, tick } = await append(url, next, 1, 300)
  expect(status).toBe(201)
  expect(await seen(url, tick)).toEqual(seenOf([...acknowledged, next]))
}

describe('syncs of log and snapshots alike', () => {
  const syncs = Array.from({ length: Number(process.env.MILLRACE_SYNCS ?? 2) }, (_, i) => 6 + 7 * i)

  it.skipIf(noStrace !== null).each(syncs)(`kill the process at one of them (sync %i)${when(noStrace)}`, async (at) => {
    const data = path.join(folder, `killed-${at}`)
    const url = await start(data, ...atSync(`signal=SIGKILL:when=${at}`)).catch(() => null)
    const acknowledged = url === null ? [] : await appendWhileItLasts(url, 200)
    await server!.ended
    await expectAll(data, acknowledged)
  })

  it.skipIf(noStrace !== null).each(syncs)(`fail once (sync %i)${when(noStrace)}`, async (at) => {
    const data = path.join(folder, `failed-${at}`)
    const url = await start(data, ...atSync(`error=EIO:when=${at}`)).catch(() => null)
    const acknowledged = url === null ? [] : await appendWhileItLasts(url, 40)
    await server!.kill()
    await expectAll(data, acknowledged)
  })

  it.skipIf(noStrace !== null)(`do nothing and say they did: a kill loses nothing${when(noStrace)}`, async () => {
    const data = path.join(folder, 'lying')
    const acknowledged = await appendWhileItLasts(await start(data, ...atSync('retval=0')), 40)
    expect(acknowledged).toHaveLength(40)
    await server!.kill()
    await expectAll(data, acknowledged)
  })
})

/** A way to let a disk be full for one process, and to free it again. */
interface Limited {
  readonly name: string
  readonly refusal: string | null
  readonly wrap: (data: string) => readonly string[]
  /** Takes most of the room. */
  readonly fill: (data: string, pid: number) => void
  readonly free: (data: string, pid: number) => void
  /** Whether the data are there when the process is gone. */
  readonly lasting: boolean
}

const mebibyte = 1 << 20
const ways: readonly Limited[] = [
  {
    name: 'a small file system',
    refusal: missing('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'millrace', '/tmp']),
    wrap: (data) => ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o size=8m millrace '${data}' && exec "$@"`, 'sh'],
    fill: (data, pid) => writeFileSync(`/proc/${pid}/root${data}/filler`, new Uint8Array(5 * mebibyte)),
    free: (data, pid) => rmSync(`/proc/${pid}/root${data}/filler`),
    lasting: false,
  },
  {
    name: 'a limit on files',
    refusal: missing('prlimit', [`--fsize=${2 * mebibyte}:unlimited`, 'true']),
    wrap: () => ['prlimit', `--fsize=${2 * mebibyte}:unlimited`],
    fill: () => {},
    free: (_data, pid) => {
      expect(spawnSync('prlimit', ['--pid', String(pid), '--fsize=unlimited']).status).toBe(0)
    },
    lasting: true,
  },
]

describe('a disk that is full', () => {
  for (const { name, refusal, wrap, fill, free, lasting } of ways) {
    it.skipIf(refusal !== null)(
      `refuses appends, and takes them again when there is room (${name})${when(refusal)}`,
      async () => {
        const data = path.join(folder, name.replaceAll(' ', '-'))
        mkdirSync(data)
        const url = await start(data, wrap(data))
        const { pid } = server!
        fill(data, pid)
        const count = 100
        const acknowledged: number[] = []
        const take = (first: number): void => {
          for (let i = 0; i < count; i++) acknowledged.push(first + i)
        }
        let first = 0
        let answer: Answer = { status: 201 }
        let tick = 0
        // Large commits and, where those find no room any more, small ones, to the brim.
        for (const bytes of [2000, 100]) {
          for (let i = 0; i < 1000; i++) {
            answer = await append(url, first, count, bytes)
            if (answer.status !== 201) break
            tick = answer.tick!
            take(first)
            first += count
          }
          expect(answer).toMatchObject({ status: 507, code: 'log/full' })
          expect(answer.hint).toBeTypeOf('string')
        }
        expect(acknowledged.length).toBeGreaterThan(0)
        expect(await seen(url, tick)).toEqual(seenOf(acknowledged))
        expect(await idsIn(url)).toEqual(acknowledged)
        expect((await fetch(`${url}/livez`)).status).toBe(200)

        free(data, pid)
        // The refused one again, under its key, and more than there was room for.
        for (let i = 0; i < 5; i++) {
          answer = await append(url, first, count, i === 0 ? 100 : 2000)
          expect(answer.status).toBe(201)
          take(first)
          first += count
        }
        expect(await seen(url, answer.tick)).toEqual(seenOf(acknowledged))
        expect(await idsIn(url)).toEqual(acknowledged)
        expect(await server!.kill('SIGTERM')).toBe(0)
        if (!lasting) return
        const again = await start(data)
        expect(await seen(again)).toEqual(seenOf(acknowledged))
        expect(await idsIn(again)).toEqual(acknowledged)
      },
    )
  }
})
