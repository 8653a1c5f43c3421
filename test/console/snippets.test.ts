// What the console offers to copy is what it says: each piece of SQL runs, each curl is answered, each program in
// TypeScript compiles and runs.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, sceneCharts, sceneSql, startScene } from './scene.ts'
import { pages } from './tour.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

type Form = 'SQL' | 'curl' | 'TypeScript'

/** Parts of pages, some of which come behind what a page shows first. */
const parts: readonly string[] = [
  'overview: Copy as: Views',
  'overview: Copy as: Topics',
  'overview: Copy as: Memory and disk',
  'overview: Copy as: Lately',
  'view-definition: Copy as: Plan',
  'view-definition: Copy as: Columns',
  'topic: Copy as: when events were appended',
  'topic: Copy as: events as they come',
  'topic-schema: Copy as: columns',
  'why: Copy as: How it came about',
  'why: Copy as: Events',
  'event: Copy as: Rows that it changed',
  'event: Copy as: Its way',
  'dashboard: Copy as: Revenue by city',
  'topology-topic: Copy as: the latest changes',
  'time: Copy as: orders',
  'time: Copy as: Windows held open',
  'time: Copy as: Late events',
]

interface Offered {
  /** The page, and the part of it. */
  readonly place: string
  readonly form: Form
  readonly text: string
}

/** All that a page offers to copy, its folded menus too. */
async function offeredBy(page: Page, name: string): Promise<Offered[]> {
  const offered: Offered[] = []
  const take = async (scope: ReturnType<Page['locator']>): Promise<void> => {
    const legend = await scope.locator('legend').textContent()
    for (const button of await scope.getByRole('button').all()) {
      const form = (await button.textContent()) as Form
      offered.push({ place: `${name}: ${legend}`, form, text: (await button.getAttribute('title'))! })
    }
  }
  for (const scope of await page.locator('.copy-as fieldset').all()) await take(scope)
  for (const menu of await page.locator('.copy-menu').all()) {
    await menu.getByRole('button', { expanded: false }).click()
    await take(menu.locator('fieldset'))
    await page.keyboard.press('Escape')
  }
  for (const form of ['SQL', 'curl', 'TypeScript'] as const) {
    for (const code of await page.locator(`figure[aria-label$=" ${form}"] code`).allTextContents()) {
      offered.push({ place: `${name}: ${form}`, form, text: code })
    }
  }
  return offered
}

/** What a shell hands to each `curl` of a text. */
function argumentsOf(text: string): readonly (readonly string[])[] {
  const printing = `curl() { printf '%s\\0' "$@"; printf '\\036\\0'; }\n${text}\n`
  const printed = execFileSync('sh', ['-c', printing], { encoding: 'utf8' })
  return printed
    .split('\u001e\0')
    .filter((call) => call !== '')
    .map((call) => call.split('\0').slice(0, -1))
}

/** Asks as curl would. @returns the status and, where the answer has an end, its text */
async function asked(args: readonly string[]): Promise<{ readonly status: number; readonly text: string }> {
  const valueBehind = (flag: string): string | undefined => args[args.indexOf(flag) + 1]
  const url = args.find((one) => one.startsWith('http'))!
  const headers = args.flatMap((one, i): [string, string][] => {
    if (one !== '-H') return []
    const [name, ...value] = args[i + 1].split(': ')
    return [[name, value.join(': ')]]
  })
  const stop = new AbortController()
  const body = args.includes('-d') ? { body: valueBehind('-d')! } : {}
  const method = args.includes('-X') ? { method: valueBehind('-X')! } : {}
  const answer = await fetch(url, { headers, ...method, ...body, signal: stop.signal })
  if (args.includes('-N')) {
    const first = await answer.body!.getReader().read()
    stop.abort()
    return { status: answer.status, text: new TextDecoder().decode(first.value) }
  }
  return { status: answer.status, text: await answer.text() }
}

/** A folder in which programs find the package and the app's types, as in a project of its user's. */
function projectFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-snippets-'))
  mkdirSync(path.join(folder, 'node_modules'))
  symlinkSync(root, path.join(folder, 'node_modules/millrace'))
  writeFileSync(path.join(folder, 'millrace.sql'), sceneSql)
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022', 'dom', 'dom.asynciterable', 'esnext.disposable'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  execFileSync(process.execPath, [path.join(root, 'dist/cli/main.js'), 'generate', 'millrace.sql'], { cwd: folder })
  return folder
}

/** Runs modules one after the other. One that follows something is done with the first that it prints. */
const runner = `
const { log } = console
for (const name of process.argv.slice(2)) {
  const printed = new Promise((resolve) => { console.log = resolve })
  const done = await Promise.race([import(name).then(() => 'ended', (error) => String(error)), printed.then(() => 'ended')])
  if (done !== 'ended') log(name, done)
}
process.exit(0)
`

/** @returns what failed, and nothing else */
function output(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
    child.once('close', () => resolve(said))
  })
}

describe.skipIf(noBrowser !== null)(`what is copied${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let scene: Scene
  let browser: Browser
  let folder: string
  const offered: Offered[] = []
  const of = (form: Form): Offered[] => offered.filter((one) => one.form === form)

  beforeAll(async () => {
    const project = { file: 'millrace.sql', problem: null, plan: () => Promise.reject(new Error('nothing is saved')) }
    scene = await startScene({ charts: () => sceneCharts, project })
    browser = await launch()
    folder = projectFolder()
    const { page } = await openPage(browser, scene.url)
    for (const { name, address, ready } of pages) {
      await page.goto(scene.url + address)
      await ready(page)
      for (const part of parts.filter((one) => one.startsWith(`${name}: `))) {
        const legend = { name: part.slice(name.length + 2), exact: true }
        await page.getByRole('button', legend).or(page.getByRole('group', legend)).first().waitFor()
      }
      offered.push(...(await offeredBy(page, name)))
    }
    await page.context().close()
  })
  afterAll(async () => {
    await browser?.close()
    await scene?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is offered by every page that shows data, for each of its parts', () => {
    const silent = pages.filter(({ name }) => !offered.some(({ place }) => place.startsWith(`${name}:`)))
    expect(silent.map(({ name }) => name)).toEqual(['query-empty'])
    expect(offered.map(({ place }) => place)).toEqual(expect.arrayContaining([...parts]))
  })

  it('is on the clipboard', async () => {
    const { page } = await openPage(browser, scene.url)
    await page.goto(scene.url)
    const menu = page.getByRole('button', { name: 'Copy as: Views' })
    await menu.click()
    const sql = page.getByRole('group', { name: 'Copy as: Views' }).getByRole('button', { name: 'SQL' })
    const text = await sql.getAttribute('title')
    await sql.click()
    await page.getByText('SQL copied').waitFor({ state: 'attached' })
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(text)
    await expect.poll(() => menu.getAttribute('aria-expanded')).toBe('false')
    await page.context().close()
  })

  it('runs as SQL', async () => {
    expect(of('SQL').length).toBeGreaterThan(20)
    for (const { place, text } of of('SQL')) {
      const answer = await fetch(`${scene.url}/v1/sql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sql: text }),
      })
      expect([place, text, answer.status, answer.status === 200 ? '' : await answer.text()]).toEqual([
        place,
        text,
        200,
        '',
      ])
      await answer.body?.cancel()
    }
  })

  it('is answered as curl', async () => {
    expect(of('curl').length).toBeGreaterThan(40)
    for (const { place, text } of of('curl')) {
      const calls = argumentsOf(text)
      expect([place, calls.length]).toEqual([place, text.split('\n').filter((line) => line.startsWith('curl ')).length])
      for (const args of calls) {
        const answer = await asked(args)
        const isFine = answer.status === 200 || answer.status === 201
        expect([place, text, isFine ? '' : answer.text]).toEqual([place, text, ''])
        expect([place, answer.text.length > 0]).toEqual([place, true])
      }
    }
  })

  it('compiles and runs as TypeScript', async () => {
    const programs = [...new Map(of('TypeScript').map((one) => [one.text, one])).values()]
    expect(programs.length).toBeGreaterThan(30)
    const names = programs.map(({ text, place }, i) => {
      const name = `./${i}-${place.replace(/\W+/g, '-')}.ts`
      writeFileSync(path.join(folder, name), text)
      return name
    })
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
    expect(await output(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], folder)).toBe('')
    writeFileSync(path.join(folder, 'runner.mjs'), runner)
    const args = ['--import', import.meta.resolve('tsx'), 'runner.mjs', ...names]
    expect(await output(process.execPath, args, folder)).toBe('')
  })
})
