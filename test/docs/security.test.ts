import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

// What docs/SECURITY.md shows is run, and must say what the page says.
const root = fileURLToPath(new URL('../../', import.meta.url))
const main = path.join(root, 'dist/cli/main.js')
const page = readFileSync(path.join(root, 'docs/SECURITY.md'), 'utf8')
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-security-'))
let server: ChildProcess | null = null
/** Its folder stays until it has ended: what a server does last wants it. */
async function stopped(): Promise<void> {
  const child = server
  server = null
  if (child === null || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill()
  await ended
}
afterAll(async () => {
  await stopped()
  rmSync(folder, { recursive: true, force: true })
})

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(page)
  if (found === null) throw new Error(`the page has no block of ${language}`)
  return found[1]
}

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function millrace(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } } as const
    execFile(process.execPath, [main, ...args], options, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    )
  })
}

function serving(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder })
  server = child
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr.on('data', (piece) => {
      said += String(piece)
      const url = /at (https?:\/\/\S+)/.exec(said)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.on('exit', () => reject(new Error(said)))
  })
}

describe('docs/SECURITY.md', () => {
  it('shows a gateway and a session that are true', async () => {
    writeFileSync(path.join(folder, 'app.sql'), block('sql'))
    writeFileSync(path.join(folder, 'auth.json'), block('json'))
    const sales = [
      { tenant: 'a', item: 'tea', amount: 5, email: 'ann@a' },
      { tenant: 'b', item: 'tea', amount: 1000, email: 'bob@b' },
    ]
    writeFileSync(path.join(folder, 'sales.ndjson'), sales.map((sale) => `${JSON.stringify(sale)}\n`).join(''))
    const session = block('console')
      .split(/^\$ /m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1).trimEnd()])
    const keys: Record<string, string> = {}
    let url = ''
    for (const [command, printed] of session) {
      const [, kept, token, rest] = /^(?:(\w+)=\$\(|MILLRACE_TOKEN=\$(\w+) )?millrace (.*?)\)?$/.exec(
        command,
      ) as unknown as string[]
      const args = [...rest.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
      if (args[0] === 'start') url = await serving([...args, '--port', '0'])
      else {
        const isRemote = token !== undefined
        const run = () =>
          millrace(isRemote ? [...args, '--url', url] : args, isRemote ? { MILLRACE_TOKEN: keys[token] } : {})
        if (args[0] === 'query') {
          // What was appended becomes visible a little later.
          await expect.poll(async () => (await run()).out.trimEnd(), { message: command }).toBe(printed)
          continue
        }
        const { code, out, err } = await run()
        expect([code, err], command).toEqual([0, expect.any(String)])
        if (kept !== undefined) keys[kept] = out.trim()
        else if (printed !== '') expect(out.trimEnd(), command).toBe(printed)
      }
    }
    expect((await millrace(['query', 'SELECT 1', '--url', url])).err).toContain('auth/required')
    expect((await millrace(['key', 'list', '--file', 'keys.json'])).out).not.toContain(keys.BOSS.slice(20))
    expect((await millrace(['key', 'revoke', 'shop-a', '--file', 'keys.json'])).code).toBe(0)
  })

  it('shows the same in TypeScript', async () => {
    writeFileSync(path.join(folder, 'shop.ts'), block('ts'))
    expect(await millrace(['explain', 'shop.ts', 'revenue'])).toMatchObject({ code: 0 })
  })

  it('says that nothing else listens publicly unless told so', async () => {
    writeFileSync(path.join(folder, 'open.sql'), block('sql'))
    const port = ['--port', '0', '--data', 'open']
    for (const command of ['start', 'dev']) {
      const { code, err } = await millrace([command, 'open.sql', '--host', '0.0.0.0', ...port])
      expect([code, err]).toEqual([2, expect.stringContaining('--insecure-public')])
    }
    await stopped()
    const url = await serving(['start', 'open.sql', '--host', '0.0.0.0', '--insecure-public', ...port])
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  })
})
