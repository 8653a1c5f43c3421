import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { startRunning } from '../support/running-server.ts'

// What the README shows is run, and must say what the README says.
const root = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-readme-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The text of the first block in a language. */
function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(readme)
  if (found === null) throw new Error(`the README has no block of ${language}`)
  return found[1]
}

/** Commands of the first terminal session, each with what it prints. */
function session(): [command: string, printed: string][] {
  return block('console')
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf('\n')
      return [text.slice(0, end), text.slice(end + 1).trimEnd()]
    })
}

function node(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder, encoding: 'utf8' }, (error, out) =>
      error === null ? resolve(out) : reject(error),
    )
  })
}

describe('README.md', () => {
  it('shows a program and a session that are true', async () => {
    const [[dev, serving], [append, appended], [curl, answer], ...more] = session()
    expect(dev).toBe('npx millrace dev app.sql &')
    expect(serving).toBe('serving app.sql at http://127.0.0.1:4280')
    expect(more).toEqual([])
    const [, event, topic] = /^echo '(.*)' \| npx millrace append (\w+) -$/.exec(append) ?? []
    const [, call] = /^curl http:\/\/127\.0\.0\.1:4280(\S+)$/.exec(curl) ?? []
    expect(appended).toBe(`appended 1 event to ${topic}`)

    const running = await startRunning({}, block('sql'))
    try {
      const posted = await fetch(`${running.url}/v1/topics/${topic}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: event,
      })
      const { tick } = (await posted.json()) as { tick: number }
      const read = await fetch(`${running.url}${call}?min_tick=${tick}`)
      expect((await read.text()).trimEnd()).toBe(answer)
    } finally {
      await running.stop()
    }
  })

  it('shows a TypeScript program that prints what it says', async () => {
    const file = path.join(root, 'examples/orders/orders.ts')
    // The example is type-checked with the rest of the project.
    expect(readFileSync(file, 'utf8').replace("'../../src/index.ts'", "'millrace'")).toBe(block('ts'))
    const [, printed] = / \/\/ (.*)\n$/.exec(block('ts')) ?? []
    const out = await node(['--import', import.meta.resolve('tsx'), file])
    expect(out.trimEnd()).toBe(printed)
  })

  it('names the commands there are, and all of them', async () => {
    const rows = readme.slice(readme.indexOf('## Commands'))
    const named = [...rows.matchAll(/`millrace (\w+)/g)].map(([, name]) => name)
    const help = await node([path.join(root, 'dist/cli/main.js'), '--help'])
    const commands = [...help.matchAll(/^ {2}([a-z]+) (?:\[|<| )/gm)]
      .map(([, name]) => name)
      .filter((c) => c !== 'help')
    expect(named.sort()).toEqual(commands.sort())
  })

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    for (const text of [readme, readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8')]) {
      for (const [, name] of text.matchAll(/npm run (\w+)/g)) expect(scripts).toHaveProperty(name)
    }
  })
})

describe('links', () => {
  it.each([
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'docs/ARCHITECTURE.md',
    'docs/LIMITS.md',
    'docs/FUNCTIONS.md',
    'docs/ERRORS.md',
  ])('of %s lead somewhere', (page) => {
    const text = readFileSync(path.join(root, page), 'utf8')
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect([link, existsSync(path.join(root, path.dirname(page), link))]).toEqual([link, true])
    }
  })
})

describe('ARCHITECTURE.md', () => {
  it('names files that exist', () => {
    const text = readFileSync(path.join(root, 'docs/ARCHITECTURE.md'), 'utf8')
    const named = [...text.matchAll(/`((?:[a-z-]+\/)+[a-z-]+\.ts)`/g)].map(([, name]) => name)
    expect(named.length).toBeGreaterThan(10)
    for (const name of named) {
      expect([name, [`src/${name}`, name].some((file) => existsSync(path.join(root, file)))]).toEqual([name, true])
    }
  })
})
