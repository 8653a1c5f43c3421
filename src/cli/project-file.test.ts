import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bidSql, type Running, startRunning } from '../../test/support/running-server.ts'
import { nodeIo } from '../io/node.ts'
import { ProjectFile } from './project-file.ts'

describe('saving a query as a view', () => {
  let running: Running | null = null
  let folder = ''
  afterEach(async () => {
    await running?.stop()
    running = null
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(app: string, text: string): Promise<string> {
    folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-project-'))
    const file = path.join(folder, app)
    writeFileSync(file, text)
    running = await startRunning({ project: new ProjectFile(nodeIo().disk, file) })
    return file
  }

  async function save(body: object): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await fetch(`${running!.url}/v1/project/views`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  const query = { name: 'dear', sql: 'SELECT auction, price FROM bid WHERE price > 10;' }

  it('says first what it would write, and what to compare, and writes nothing', async () => {
    const file = await start('app.sql', bidSql)
    const { status, body } = await save(query)
    expect(status).toBe(200)
    expect(body).toMatchObject({ file: 'app.sql', written: false })
    expect(body['text']).toContain(
      'CREATE MATERIALIZED VIEW dear AS\nSELECT auction, price FROM bid WHERE price > 10;\n',
    )
    expect(readFileSync(file, 'utf8')).toBe(bidSql)
    const diff = await fetch(`${running!.url}/v1/diff`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ definition: body['definition'] }),
    })
    const { views } = (await diff.json()) as { views: { view: string; kind: string }[] }
    expect(views.filter(({ kind }) => kind !== 'same')).toMatchObject([{ view: 'dear', kind: 'new' }])
  })

  it('adds to the end of a SQL app', async () => {
    const file = await start('app.sql', bidSql)
    const { body } = await save({ ...query, write: true })
    expect(body['written']).toBe(true)
    expect(readFileSync(file, 'utf8')).toBe(`${bidSql}${body['text']}`)
  })

  it('writes a module beside an app in TypeScript, over nothing that is there', async () => {
    await start('millrace.ts', 'export default 1\n')
    const tricky = { name: 'odd', sql: "SELECT auction, '`${auction}\\' AS text FROM bid" }
    const { body } = await save({ ...tricky, write: true })
    expect(body['note']).toContain("import { odd } from './odd.view.ts'")
    const text = readFileSync(path.join(folder, 'odd.view.ts'), 'utf8')
    const module = new Function('sql', 'view', text.replace(/^import.*$/m, '').replace('export const odd =', 'return'))
    const sql = (strings: TemplateStringsArray): string => strings.join('')
    expect(module(sql, (_: string, written: string) => written).trim()).toBe(tricky.sql)
    const again = await save({ ...tricky, write: true })
    expect(again.status).toBeGreaterThanOrEqual(400)
    expect(readdirSync(folder).sort()).toEqual(['millrace.ts', 'odd.view.ts'])
  })

  it.each([
    ['bad SQL', { ...query, sql: 'SELECT nothing FROM bid' }, 'sql/unknown-column'],
    ['more than one SELECT', { ...query, sql: 'SELECT 1 FROM bid; DROP TABLE bid' }, undefined],
    ['a name that is taken', { ...query, name: 'SHARES' }, 'project/refused'],
    ['a name that is none', { ...query, name: 'a"; DROP' }, 'request/malformed'],
    ['another body', { view: 1 }, 'request/malformed'],
  ])('refuses %s, and writes nothing', async (_, body, code) => {
    const file = await start('app.sql', bidSql)
    const answer = await save({ ...body, write: true })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    if (code !== undefined) expect(answer.body['code']).toBe(code)
    expect(readFileSync(file, 'utf8')).toBe(bidSql)
  })

  it('is for development alone', async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-project-'))
    running = await startRunning()
    expect(await save(query)).toMatchObject({ status: 403, body: { code: 'project/refused' } })
  })
})
