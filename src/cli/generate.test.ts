import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = path.join(root, 'dist/cli/main.js')

let folder: string

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-generate-'))
  file('package.json', '{"type":"module"}')
  mkdirSync(path.join(folder, 'node_modules'))
  symlinkSync(root, path.join(folder, 'node_modules/millrace'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
  writeFileSync(path.join(folder, name), text)
}

function read(name: string): string {
  return readFileSync(path.join(folder, name), 'utf8')
}

function millrace(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' })
  return { status, stderr }
}

/** What the compiler says of a folder's files. */
function compiled(name: string): string {
  const options = { strict: true, module: 'nodenext', target: 'es2022', noEmit: true, types: [] }
  file(`${name}/tsconfig.json`, JSON.stringify({ compilerOptions: options, include: ['*.ts'] }))
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
  return spawnSync(process.execPath, [compiler, '-p', path.join(folder, name)], { encoding: 'utf8' }).stdout
}

describe('millrace generate', () => {
  it('types the rows of an app’s SQL views', () => {
    file(
      'ts/app.ts',
      `import { defineApp, from, sql, t, topic, view } from 'millrace'
export const orders = topic('orders', { schema: { id: t.text(), amount: t.numeric(10, 2), at: t.timestamptz() } })
export const byId = view('byId', sql\`SELECT id, sum(amount) AS "the sum", count(*) AS n, '{}'::jsonb AS j FROM \${orders} GROUP BY id\`)
export const built = view('built', from({ o: orders }).select(({ o }) => ({ id: o.id })))
export default defineApp({ orders, byId, built })
`,
    )
    file(
      'ts/use.ts',
      `import { createClient } from 'millrace/client'
const db = createClient<typeof import('./app.js')>({ url: 'http://127.0.0.1:1' })
const { rows } = await db.byId.get()
const id: string = rows[0].id
const total: number | string | null = rows[0]['the sum']
const n: number | bigint = rows[0].n
// @ts-expect-error there is no such column
console.log(id, total, n, rows[0].nope)
`,
    )
    expect(compiled('ts')).not.toBe('')
    expect(millrace('generate', 'ts/app.ts')).toMatchObject({ status: 0, stderr: expect.stringContaining('wrote') })
    expect(read('ts/millrace.gen.ts')).not.toContain('built:')
    expect(read('ts/millrace.gen.ts')).toContain("declare module 'millrace' {\n  interface SqlRows {\n    byId: {\n")
    expect(compiled('ts')).toBe('')
    expect(millrace('generate', 'ts/app.ts').stderr).toContain('is up to date')
    expect(millrace('generate', 'ts/app.ts', '--check').status).toBe(0)
  })

  it('types the client of an app in SQL', () => {
    file(
      'sql/app.sql',
      `CREATE TABLE bid (auction bigint NOT NULL, price numeric(10,2), at timestamp NOT NULL, raw bytea);
CREATE TABLE account (id integer, region text, "the owner" text, PRIMARY KEY (id, region));
CREATE MATERIALIZED VIEW totals AS SELECT auction, sum(price) AS total FROM bid GROUP BY auction;
`,
    )
    expect(millrace('generate', 'sql/app.sql').status).toBe(0)
    file(
      'sql/use.ts',
      `import { createClient } from 'millrace/client'
import type { Program } from './millrace.gen.js'
const db = createClient<Program>({ url: 'http://127.0.0.1:1' })
await db.bid.append({ auction: 1n, at: new Date(), raw: new Uint8Array() })
await db.bid.append([{ auction: 1, price: '1.50', at: '2026-11-22T10:00:00' }])
await db.account.delete({ id: 1, region: 'eu' })
const owner: string | null = (await db.account.read()).events[0].data['the owner']
const total: number | string | null = (await db.totals.get()).rows[0].total
// @ts-expect-error the key is whole
await db.account.delete({ id: 1 })
// @ts-expect-error a view takes nothing
await db.totals.append({})
console.log(owner, total)
`,
    )
    expect(compiled('sql')).toBe('')
  })

  it('checks without writing', () => {
    file('check/app.sql', 'CREATE TABLE a (b bigint);')
    const missing = millrace('generate', 'check/app.sql', '--check')
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringContaining('hint: run millrace generate') })
    expect(() => read('check/millrace.gen.ts')).toThrow()
    expect(millrace('generate', 'check/app.sql', '--out', 'check/types.ts').status).toBe(0)
    file('check/app.sql', 'CREATE TABLE a (b bigint, c text);')
    expect(millrace('generate', 'check/app.sql', '--out', 'check/types.ts', '--check').status).toBe(2)
    expect(read('check/types.ts')).not.toContain('c?')
  })

  it('is done by dev when an app is saved', async () => {
    const app = (column: string) =>
      `import { defineApp, sql, t, topic, view } from 'millrace'
const a = topic('a', { schema: { b: t.text() } })
const v = view('v', sql\`SELECT b AS NAME FROM \${a}\`)
export default defineApp({ a, v })
`.replace('NAME', column)
    file('dev/app.ts', app('one'))
    const child = spawn(process.execPath, [main, 'dev', 'dev/app.ts', '--port', '0', '--data', 'dev/data'], {
      cwd: folder,
      stdio: 'ignore',
    })
    try {
      await expect.poll(() => read('dev/millrace.gen.ts')).toContain('one: string')
      file('dev/app.ts', app('two'))
      await expect.poll(() => read('dev/millrace.gen.ts')).toContain('two: string')
    } finally {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    }
  })
})
