import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from './server-process.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-startup-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const asModule = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`

/** Notes each module's address: of ES modules as they are loaded, of the others at the end. */
function noting(file: string): string {
  const hooks = `
    import { appendFileSync } from 'node:fs'
    export const load = (url, context, next) => {
      appendFileSync(${JSON.stringify(file)}, url + '\\n')
      return next(url, context)
    }`
  return asModule(`
    import Module, { register } from 'node:module'
    import { appendFileSync } from 'node:fs'
    register(${JSON.stringify(asModule(hooks))})
    process.on('exit', () => appendFileSync(${JSON.stringify(file)}, Object.keys(Module._cache).join('\\n') + '\\n'))`)
}

interface Loaded {
  readonly packages: ReadonlySet<string>
  /** Files of dist/. */
  readonly own: ReadonlySet<string>
}

/** What a command has loaded when it ends. @param until a line on stderr behind which it is told to end */
async function loadedBy(args: readonly string[], until?: string): Promise<Loaded> {
  const file = path.join(folder, `${args[0]}.txt`)
  const child = spawn(process.execPath, ['--import', noting(file), main, ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (piece) => {
    said += piece
    if (until !== undefined && said.includes(until)) child.kill('SIGTERM')
  })
  await new Promise((resolve) => child.once('close', resolve))
  if (until !== undefined) expect(said).toContain(until)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  const names = lines.map((line) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(line)?.[1])
  const dist = path.dirname(path.dirname(main))
  return {
    packages: new Set(names.filter((name) => name !== undefined)),
    own: new Set(lines.filter((line) => line.startsWith(`file://${dist}/`))),
  }
}

describe('what a start pays for', () => {
  const nowhere = ['--url', 'http://127.0.0.1:1']
  it.each([
    ['--version', []],
    ['query', ['SELECT 1', ...nowhere]],
    ['append', ['orders', 'none.ndjson', ...nowhere]],
    ['tail', ['orders', ...nowhere]],
  ])('of %s is a few files and the command line’s own library', async (command, args) => {
    const { packages, own } = await loadedBy([command, ...args])
    expect([...packages]).toEqual(['commander'])
    // One by one these were hundreds.
    expect(own.size).toBeLessThan(25)
    expect(own.size).toBeGreaterThan(2)
  })

  it('of a server is no library that waits for its use', async () => {
    writeFileSync(
      path.join(folder, 'app.sql'),
      'CREATE TABLE o (a bigint NOT NULL);\nCREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM o GROUP BY a;\n',
    )
    const { packages, own } = await loadedBy(['start', 'app.sql', '--port', '0'], 'serving')
    expect([...packages]).toEqual(expect.arrayContaining(['commander', 'libpg-query']))
    const late = ['ajv', 'pino', 'prom-client', '@opentelemetry/api', 'jose', 'rate-limiter-flexible', 'opossum']
    expect(late.filter((name) => packages.has(name))).toEqual([])
    expect(own.size).toBeLessThan(100)
  })
})
