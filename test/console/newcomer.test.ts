// A newcomer's first minutes, with what the package installs: an app is begun, served, fed by hand, asked why, broken,
// and mended.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const pictures = fileURLToPath(new URL('../../docs/console', import.meta.url))
const wanted = process.env['MILLRACE_SCREENSHOTS'] !== undefined

describe.skipIf(noBrowser !== null)(`a newcomer${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let folder: string
  let browser: Browser
  let server: ChildProcess | null = null

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-newcomer-'))
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    if (server !== null) {
      const ended = new Promise((resolve) => server!.once('exit', resolve))
      server.kill('SIGTERM')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  })

  /** `millrace dev` in the app's folder. @returns its URL, once it is said */
  function dev(app: string): Promise<string> {
    const child = spawn(process.execPath, [main, 'dev', '--port', '0'], {
      cwd: app,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server = child
    return new Promise((resolve, reject) => {
      let said = ''
      child.stderr.setEncoding('utf8').on('data', (text) => {
        said += text
        const url = /at (http:\/\/\S+)/.exec(said)
        if (url !== null) resolve(url[1])
      })
      child.once('exit', (code) => reject(new Error(`dev ended with ${code}: ${said}`)))
    })
  }

  it('begins an app, appends by the form, sees the view move, asks why, breaks the schema and is told what to do', async () => {
    execFileSync(process.execPath, [main, 'init', 'shop'], { cwd: folder, stdio: 'ignore' })
    const app = path.join(folder, 'shop')
    const url = await dev(app)
    const { page, complaints } = await openPage(browser, url)

    await page.goto(url)
    await page
      .getByRole('link', { name: /^customers/ })
      .first()
      .click()
    await page.getByRole('link', { name: 'Append one by hand' }).click()
    await page.getByLabel('id', { exact: true }).fill('c1')
    await page.getByLabel('name', { exact: true }).fill('Ada')
    await page.getByRole('button', { name: 'Upsert' }).click()
    await page.getByText(/visible at tick/).waitFor()

    await page.goto(`${url}/topics/orders?tab=append`)
    await page.getByLabel('id', { exact: true }).fill('o1')
    await page.getByLabel('customer').fill('c1')
    await page.getByLabel('amount').fill('12.50')
    await page.getByRole('button', { name: 'Now' }).click()
    await page.getByRole('button', { name: 'Append' }).click()
    await page.getByText(/visible at tick/).waitFor()

    // The view moves while it is looked at.
    const watcher = await openPage(browser, url)
    await watcher.page.goto(`${url}/views/spent`)
    await watcher.page.getByRole('gridcell', { name: '12.50' }).waitFor()
    await page.getByLabel('id', { exact: true }).fill('o2')
    await page.getByLabel('amount').fill('7.50')
    await page.getByRole('button', { name: 'Append' }).click()
    await watcher.page.getByRole('gridcell', { name: '20.00' }).waitFor()

    await watcher.page.getByRole('gridcell', { name: '20.00' }).click()
    await watcher.page.getByText('12.50 + 7.50 = 20.00').first().waitFor()
    await watcher.page.getByText('is made of 3 events').waitFor()

    // An amount that is a boolean can't be made of those in the log.
    const file = path.join(app, 'millrace.ts')
    const good = readFileSync(file, 'utf8')
    const broken = good.replace('t.numeric(12, 2)', 't.date()')
    expect(broken).not.toBe(good)
    writeFileSync(file, broken)
    const told = watcher.page.getByRole('alert', { name: 'The app that was saved' })
    await told
      .getByText(/amount/)
      .first()
      .waitFor()
    await expect.poll(() => told.textContent()).toMatch(/what ran before goes on/)
    if (wanted) await watcher.page.screenshot({ path: path.join(pictures, 'newcomer-broken-light.png') })
    writeFileSync(file, good)
    await told.waitFor({ state: 'detached' })

    expect([...complaints, ...watcher.complaints]).toEqual([])
    await page.context().close()
    await watcher.page.context().close()
  })
})
