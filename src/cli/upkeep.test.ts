import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bidJson, bidSql, type Running, startRunning } from '../../test/support/running-server.ts'

// A real process of what `npm run build` made, against a server in this one.
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
let folder: string
let running: Running

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-upkeep-'))
  running = await startRunning({}, bidSql, path.join(folder, 'served'))
  await append(Array.from({ length: 50 }, (_, i) => bidJson(i + 1)))
})

afterAll(async () => {
  await running.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function append(events: readonly string[]): Promise<void> {
  await running.database.appendText('bid', new TextEncoder().encode(`[${events.join()}]`), 'json')
}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function millrace(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err })
    })
  })
}

function post(body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${running.url}/v1/backup`, { method: 'POST', headers, body: JSON.stringify(body) })
}

describe('a backup of a running server', () => {
  it('is verified, restored and served; the server goes on', async () => {
    const taken = await millrace('backup', 'copy', '--url', running.url, '--json')
    expect(taken).toMatchObject({ code: 0 })
    const { tick } = JSON.parse(taken.out) as { tick: number }
    await append([bidJson(99)])
    expect(readdirSync(path.join(folder, 'copy'))).toEqual(['backup.json', 'log'])
    const checked = await millrace('verify', '--data', 'copy', '--full', '--json')
    expect(checked).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(checked.out)).toMatchObject({ ok: true, checks: [{ check: 'log', ticks: tick }] })
    expect(await millrace('restore', 'copy', '--data', 'again')).toMatchObject({ code: 0, out: '' })
    writeFileSync(path.join(folder, 'app.sql'), bidSql)
    const run = await millrace('run', 'app.sql', '--data', 'again', '--view', 'by_auction')
    expect(run.code).toBe(0)
    expect(run.out.trim().split('\n')).toHaveLength(50)
    const table = await millrace('verify', '--data', 'again')
    expect(table).toMatchObject({ code: 0 })
    expect(table.out).toMatch(/log +events +51\n(.*\n)*ok\n$/)
  })

  it('says why it can’t be', async () => {
    expect(await millrace('verify', '--data', 'served')).toMatchObject({
      code: 1,
      err: expect.stringContaining('log/locked'),
    })
    expect(await millrace('backup', 'other', '--data', 'served')).toMatchObject({
      code: 1,
      err: expect.stringContaining('log/locked'),
    })
    expect(await millrace('verify', '--data', 'nothing')).toMatchObject({ code: 2 })
    expect(await millrace('restore', 'nothing', '--data', 'new')).toMatchObject({
      code: 1,
      err: expect.stringContaining('backup/refused'),
    })
    mkdirSync(path.join(folder, 'full'))
    writeFileSync(path.join(folder, 'full', 'mine'), 'x')
    expect(await millrace('backup', 'full', '--url', running.url)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is not empty'),
    })
    expect(readdirSync(path.join(folder, 'full'))).toEqual(['mine'])
  })

  it('names file and byte of what is damaged', async () => {
    await millrace('backup', 'bad', '--url', running.url)
    const name = path.join(folder, 'bad', 'log', readdirSync(path.join(folder, 'bad', 'log'))[0])
    const bytes = readFileSync(name)
    bytes[700] ^= 1
    writeFileSync(name, bytes)
    const { code, out, err } = await millrace('verify', '--data', 'bad', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      checks: [{ ok: false, file: expect.stringMatching(/journal$/) }],
    })
    expect(err).toContain('log/corrupt')
    expect(await millrace('restore', 'bad', '--data', 'fresh')).toMatchObject({ code: 1 })
  })
})

describe('POST /v1/backup', () => {
  const token = `.millrace-${'0123456789abcdef'.repeat(2)}`

  it('writes only where the caller has shown that he can', async () => {
    const target = path.join(folder, 'asked')
    mkdirSync(target)
    const without = await post({ folder: target, token })
    expect(without.status).toBe(409)
    expect(await without.json()).toMatchObject({ code: 'backup/refused' })
    expect(readdirSync(target)).toEqual([])
    writeFileSync(path.join(target, token), '')
    const answer = await post({ folder: target, token })
    expect(answer.status).toBe(200)
    const lines = (await answer.text()).trim().split('\n')
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ tick: expect.any(Number), files: 1 })
    const again = await post({ folder: target, token })
    expect(JSON.parse((await again.text()).trim())).toMatchObject({ code: 'backup/refused', status: 409 })
  })

  it('refuses paths that mean something else elsewhere, and what is no request', async () => {
    for (const body of [
      { folder: 'asked', token },
      { folder: '/tmp', token: '../x' },
      { folder: 3, token },
      null,
      [],
    ]) {
      expect((await post(body)).status).toBe(400)
    }
  })
})
