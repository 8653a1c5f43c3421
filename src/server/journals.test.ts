import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Logger } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner, type Signer } from '../../test/support/gateway.ts'
import { bidSql, type Running, startRunning } from '../../test/support/running-server.ts'
import { sqlDefinition, withOwnTopics } from '../engine/definitions.ts'
import { ownTopics } from '../plan/own-topics.ts'

let folder: string
let signer: Signer
let running: Running | null = null

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-journals-'))
  signer = await makeSigner('one')
  await writeFile(path.join(folder, 'keys.json'), JSON.stringify(signer.jwks))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(async () => {
  await running?.stop()
  running = null
})

const roles = { boss: { admin: true }, reader: { read: ['by_auction'] }, auditor: { read: ['_audit'], sql: true } }

async function status(target: string, headers: Record<string, string>, init: RequestInit = {}): Promise<number> {
  const response = await fetch(running!.url + target, { ...init, headers: { ...init.headers, ...headers } })
  await response.text()
  return response.status
}

describe('audit and access log', () => {
  it('tell who wanted what, and whether he might, without a word of what was in it', async () => {
    const gateway = gatewayOf(path.join(folder, 'keys.json'), { roles, audit: true, accessLog: true })
    const own =
      'CREATE MATERIALIZED VIEW refusals AS SELECT caller, count(*) AS n FROM _audit WHERE code IS NOT NULL GROUP BY caller;'
    running = await startRunning({ gateway }, bidSql + own)
    const token = await signer.sign({ sub: 'alice', role: 'reader' })
    const boss = bearer(await signer.sign({ sub: 'boss', role: 'boss' }))
    expect(await status('/v1/views/by_auction?auction=4711', bearer(token))).toBe(200)
    expect(await status('/v1/views/owners', bearer(token))).toBe(403)
    expect(await status('/v1/views/owners', {})).toBe(401)
    const as = { 'millrace-act-as': '{"role":"reader"}' }
    expect(await status('/v1/views/by_auction', { ...boss, ...as })).toBe(200)
    const json = { 'content-type': 'application/json' }
    const body = '{"at":"2026-01-01","method":"x","route":"x","decision":"allowed"}'
    for (const topic of ['_audit', '_access']) {
      expect(await status(`/v1/topics/${topic}/events`, { ...boss, ...json }, { method: 'POST', body })).toBe(403)
    }
    const auditor = bearer(await signer.sign({ sub: 'carol', role: 'auditor' }))
    const ask = async (sql: string): Promise<unknown> => {
      const init = { method: 'POST', headers: { ...auditor, ...json }, body: JSON.stringify({ sql }) }
      const response = await fetch(`${running!.url}/v1/sql`, init)
      return ((await response.json()) as { rows: unknown }).rows
    }
    await expect
      .poll(() => ask('SELECT caller, actor, name, decision, code FROM _audit ORDER BY _offset LIMIT 4'))
      .toEqual([
        ['token alice', null, 'by_auction', 'allowed', null],
        ['token alice', null, 'owners', 'refused', 'auth/forbidden'],
        [null, null, 'owners', 'refused', 'auth/required'],
        ['token boss', 'token boss', 'by_auction', 'allowed', null],
      ])
    expect(await ask('SELECT * FROM _access')).toBeUndefined()
    const rows = (await running.database.read('refusals', { where: { caller: 'token alice' } })).rows
    expect(rows.count).toBe(1)
    const access = async (): Promise<number> =>
      (await running!.database.query("SELECT status FROM _access WHERE route = '/v1/views/{view}'")).rows.count
    await expect.poll(access).toBe(4)
    const all = JSON.stringify([await ask('SELECT * FROM _audit')])
    for (const secret of ['4711', token, token.slice(-20)]) expect(all).not.toContain(secret)
  })

  it('go on whatever somebody calls what he asks for, or himself', async () => {
    const mistakes: unknown[] = []
    const logger = { error: (what: unknown) => void mistakes.push(what), debug: () => {} } as unknown as Logger
    const gateway = gatewayOf(path.join(folder, 'keys.json'), { roles, audit: true, accessLog: true })
    running = await startRunning({ gateway, logger })
    const names = [`${'x'.repeat(199)}${encodeURIComponent('😀')}`, 'a%00b', 'last']
    for (const name of names) expect(await status(`/v1/views/${name}`, {})).toBe(401)
    for (const sub of ['\0', 'half of one \ud83d']) {
      expect(await status('/v1/views/owners', bearer(await signer.sign({ sub, role: 'reader' })))).toBe(403)
    }
    const told = async (): Promise<number> => (await running!.database.query('SELECT * FROM _audit')).rows.count
    await expect.poll(told).toBe(5)
    const access = async (): Promise<number> => (await running!.database.query('SELECT * FROM _access')).rows.count
    await expect.poll(access).toBe(5)
    expect(mistakes).toEqual([])
  })

  it('are topics that nobody else may define in another way', async () => {
    const plan = (sql: string) => sqlDefinition(sql).plan({ topics: [], views: [] })
    await expect(plan('CREATE TABLE _audit (x text)')).rejects.toThrow('reserved')
    await expect(plan('CREATE TABLE _other (x text)')).rejects.toThrow('reserved')
    await expect(plan('CREATE VIEW _audit AS SELECT 1 AS one')).rejects.toThrow('reserved')
    const { text } = withOwnTopics(sqlDefinition(bidSql), ['_audit', '_access'])
    const { program } = await plan(text)
    expect(program.topics.map(({ name }) => name)).toEqual([...Object.keys(ownTopics), 'bid', 'account'])
  })
})
