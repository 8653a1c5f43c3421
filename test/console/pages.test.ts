import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { graveViolations, launch, noBrowser, openPage } from './browser.ts'
import { type Scene, sceneCharts, startScene } from './scene.ts'
import { pages, settled } from './tour.ts'

const pictures = fileURLToPath(new URL('../../docs/console', import.meta.url))
const wanted = process.env['MILLRACE_SCREENSHOTS'] !== undefined
/** Until a changed row is as it was: only then its contrast is looked at. */
const fadingMs = 1500

/** Pages whose pictures are kept in docs/. */
const pictured = new Set([
  'overview',
  'dashboard',
  'view',
  'view-map',
  'topic',
  'query',
  'why',
  'event',
  'topology',
  'time',
])

describe.skipIf(noBrowser !== null)(`the console's pages${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let scene: Scene
  let browser: Browser
  beforeAll(async () => {
    scene = await startScene({ charts: () => sceneCharts })
    browser = await launch()
    if (wanted) mkdirSync(pictures, { recursive: true })
  })
  afterAll(async () => {
    await browser?.close()
    await scene?.stop()
  })

  it.each(pages)('$name', async ({ name, address, ready }) => {
    const { page, complaints } = await openPage(browser, scene.url, 'light')
    try {
      await page.goto(scene.url + address)
      for (const theme of ['light', 'dark'] as const) {
        // The console follows the system's theme: the same page shows itself in both.
        await page.emulateMedia({ colorScheme: theme })
        await page.locator(`html[data-theme=${theme}]`).waitFor()
        await ready(page)
        if (wanted && pictured.has(name)) {
          await enliven(scene)
          await page.screenshot({ path: path.join(pictures, `${name}-${theme}.png`) })
          await page.waitForTimeout(fadingMs)
        }
        await settled(page)
        expect([theme, await graveViolations(page)]).toEqual([theme, []])
      }
      expect(complaints).toEqual([])
    } finally {
      await page.context().close()
    }
  })
})

/** A few seconds of orders, so that pictures show something that moves. */
async function enliven(scene: Scene): Promise<void> {
  for (let i = 0; i < 24; i++) {
    await scene.orders(1 + (i % 5))
    await new Promise((resolve) => setTimeout(resolve, 120))
  }
}
