import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = path.join(root, 'dist/cli/main.js')

let folder: string

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-init-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function millrace(cwd: string, ...args: string[]) {
  const run = promisify(execFile)(process.execPath, [main, ...args], { cwd })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

/** Runs `use` while a made app is served. */
async function served(app: string, use: (url: string) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [main, 'dev', '--port', '0'], { cwd: app, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  try {
    let said = ''
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
        const found = /serving \S+ at (\S+)/.exec(said)?.[1]
        if (found !== undefined) resolve(found)
      })
      ended.then(() => reject(new Error(said)))
    })
    await use(url)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

describe('millrace init', () => {
  it.each(['ts', 'sql'])('begins an app in %s that runs at once', async (language) => {
    const made = await millrace(folder, 'init', `My Shop ${language}`, '--language', language)
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('npx millrace dev') })
    const app = path.join(folder, `My Shop ${language}`)
    const npm = JSON.parse(readFileSync(path.join(app, 'package.json'), 'utf8'))
    expect(npm).toMatchObject({
      name: `my-shop-${language}`,
      dependencies: { millrace: expect.stringMatching(/^\^\d/) },
    })
    expect(readFileSync(path.join(app, 'README.md'), 'utf8')).toContain(`millrace.${language}`)
    await served(app, async (url) => {
      // What its README says, word for word, at another port.
      const readme = readFileSync(path.join(app, 'README.md'), 'utf8')
      const steps = [...readme.matchAll(/npx millrace ((?:append|query) .*)/g)].map(([, step]) => step)
      expect(steps).toHaveLength(3)
      const answers = []
      for (const step of steps) {
        const args = [...step.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
        answers.push(await millrace(app, ...args, '--url', url))
      }
      expect(answers.map(({ code }) => code)).toEqual([0, 0, 0])
      const rows = async (view: string): Promise<unknown> =>
        ((await (await fetch(`${url}/v1/views/${view}`)).json()) as { rows: unknown }).rows
      await expect
        .poll(() => rows('spent'))
        .toEqual([
          { id: 'grace', name: 'Grace Hopper', orders: 2, total: 117.75 },
          { id: 'alan', name: 'Alan Turing', orders: 1, total: 41 },
          { id: 'ada', name: 'Ada Lovelace', orders: 2, total: 19.75 },
        ])
      expect(await rows('revenue')).toHaveLength(3)
    })
  })

  it('compiles', async () => {
    const app = path.join(folder, 'typed')
    await millrace(folder, 'init', 'typed')
    mkdirSync(path.join(app, 'node_modules'))
    symlinkSync(root, path.join(app, 'node_modules/millrace'))
    expect((await millrace(app, 'generate')).code).toBe(0)
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
    expect(spawnSync(process.execPath, [compiler, '-p', app], { encoding: 'utf8' }).stdout).toBe('')
  })

  it('overwrites nothing', async () => {
    const app = path.join(folder, 'full')
    mkdirSync(app)
    writeFileSync(path.join(app, 'millrace.ts'), 'mine')
    const refused = await millrace(folder, 'init', 'full')
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('full is not empty') })
    expect(readdirSync(app)).toEqual(['millrace.ts'])
    const begun = path.join(folder, 'begun')
    mkdirSync(path.join(begun, '.git'), { recursive: true })
    writeFileSync(path.join(begun, '.gitignore'), 'mine')
    const made = await millrace(begun, 'init', '--language', 'sql', '--json')
    expect(JSON.parse(made.stdout).files).not.toContain('.gitignore')
    expect(readFileSync(path.join(begun, '.gitignore'), 'utf8')).toBe('mine')
  })
})

describe('npm create millrace', () => {
  it('is millrace init of the same version', async () => {
    const bin = path.join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(path.join(bin, 'npx'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n', { mode: 0o755 })
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
    const create = path.join(root, 'create-millrace/create.js')
    const made = spawnSync(process.execPath, [create, 'my app', '--language', 'sql'], { env, encoding: 'utf8' })
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    expect(made.stdout.trimEnd().split('\n')).toEqual([
      '--yes',
      `millrace@${version}`,
      'init',
      'my app',
      '--language',
      'sql',
    ])
    expect(made.status).toBe(7)
  })
})

describe('millrace doctor', () => {
  const nowhere = ['--url', 'http://127.0.0.1:9']

  it('finds nothing wrong with a new app', async () => {
    await millrace(folder, 'init', 'well')
    const well = await millrace(path.join(folder, 'well'), 'doctor', ...nowhere)
    expect(well.code).toBe(0)
    expect(well.stdout).toMatch(/^✓ app .*millrace\.ts: 2 topics, 2 views$/m)
    expect(well.stdout).toMatch(/^✓ server .*nothing serves/m)
    expect(readdirSync(path.join(folder, 'well'))).not.toContain('.millrace')
  })

  it('says what is wrong, where, and what to do', async () => {
    const app = path.join(folder, 'ill')
    mkdirSync(app)
    writeFileSync(
      path.join(app, 'millrace.sql'),
      'CREATE TABLE a (b bigint);\nCREATE MATERIALIZED VIEW v AS SELECT c FROM a;\n',
    )
    const ill = await millrace(app, 'doctor', ...nowhere)
    expect(ill.code).toBe(10)
    expect(ill.stdout).toMatch(/^✗ app .*\n\s+at millrace\.sql:2:/m)
    expect(ill.stdout).toContain('hint:')
    const { ok, findings } = JSON.parse((await millrace(app, 'doctor', '--json', ...nowhere)).stdout)
    expect(ok).toBe(false)
    expect(findings).toContainEqual(expect.objectContaining({ check: 'app', state: 'fail' }))
  })

  it('tells a server from something else', async () => {
    const server = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const found = await millrace(folder, 'doctor', '--url', url)
    expect(found.stdout).toMatch(/^! server .*is not Millrace$/m)
    expect(found.stdout).toMatch(/^! app .*\n.*run millrace init/m)
    server.close()
  })
})

describe('millrace completion', () => {
  it('completes commands, options and their choices in bash', async () => {
    const script = path.join(folder, 'completion.bash')
    writeFileSync(script, (await millrace(folder, 'completion', 'bash')).stdout)
    const complete = (...words: string[]): string[] => {
      const set = `COMP_WORDS=(millrace ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`
      const line = `source '${script}'; ${set}; _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`
      return spawnSync('bash', ['--norc', '-c', line], { encoding: 'utf8' })
        .stdout.split('\n')
        .filter((word) => word !== '')
    }
    expect(complete('st')).toEqual(['start'])
    expect(complete('query', '--f')).toEqual(['--format'])
    expect(complete('query', '--format', 'nd')).toEqual(['ndjson'])
    expect(complete('init', '--language', '')).toEqual(['ts', 'sql'])
  })

  it('is there for zsh and fish', async () => {
    expect((await millrace(folder, 'completion', 'zsh')).stdout).toContain("'tail:print a relation")
    const fish = (await millrace(folder, 'completion', 'fish')).stdout
    expect(fish).toContain("-n '__fish_seen_subcommand_from query' -l format -x -a 'ndjson json csv table'")
    expect((await millrace(folder, 'completion', 'tcsh')).code).toBe(2)
  })
})
