// How quick a live table is. What is asserted is far from what is measured: the figures are printed.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, startScene } from './scene.ts'

const seconds = 4
const perSecond = 100

describe.skipIf(noBrowser !== null)(`a live table${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let scene: Scene
  let browser: Browser
  beforeAll(async () => {
    scene = await startScene({ orders: 4000 })
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await scene?.stop()
  })

  it('is there soon after its address is opened', async () => {
    const { page } = await openPage(browser, scene.url)
    await page.goto(`${scene.url}/views/price_per_item`)
    await page.getByRole('gridcell').first().waitFor()
    const cold = await page.evaluate('performance.now()')
    await page.reload()
    await page.getByRole('gridcell').first().waitFor()
    const warm = await page.evaluate('performance.now()')
    console.log(
      `a live table of 2,400 rows: ${Math.round(cold as number)} ms at first, ${Math.round(warm as number)} ms again`,
    )
    await page.context().close()
  })

  it(`renders ${perSecond} changes a second`, async () => {
    const { page, complaints } = await openPage(browser, scene.url)
    await page.goto(`${scene.url}/views/price_per_item?order=-id`)
    await page.getByRole('gridcell').first().waitFor()
    await page.evaluate(`
      window.long = []
      new PerformanceObserver((list) => window.long.push(...list.getEntries().map((entry) => Math.round(entry.duration))))
        .observe({ type: 'longtask' })
      window.frames = 0
      const frame = () => { window.frames++; requestAnimationFrame(frame) }
      requestAnimationFrame(frame)
    `)
    const rows = Number((await page.getByRole('grid').getAttribute('aria-rowcount')) ?? 0)
    for (let n = 0; n < seconds * 10; n++) {
      // Three of five orders are paid: those come into the view.
      await scene.orders(Math.ceil(perSecond / 10 / 0.6))
      await new Promise((resolve) => setTimeout(resolve, 90))
    }
    await expect
      .poll(async () => Number((await page.getByRole('grid').getAttribute('aria-rowcount')) ?? 0))
      .toBeGreaterThan(rows + seconds * perSecond * 0.5)
    const long = (await page.evaluate('window.long')) as number[]
    const frames = (await page.evaluate('window.frames')) as number
    console.log(`${perSecond} changes/s for ${seconds} s: ${long.length} tasks above 50 ms [${long}], ${frames} frames`)
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
