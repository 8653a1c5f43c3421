// How quick a live table is. Asserted is what a loaded machine can't change: questions asked, elements made, and the
// processor time of the page's thread; how long it took is printed.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, startScene } from './scene.ts'

const seconds = 4
const perSecond = 100
const batchesPerSecond = 10
/** Of the time in which changes come, what the page's thread may compute: it has to draw, too. */
const busyShare = 0.5
/** Asked for again sooner than this, the catalog was asked for twice; later, the page wants to know what is new. */
const twiceMs = 1000

/** Milliseconds that the page's thread has computed so far. */
async function computing(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration')!.value * 1000
  }
}

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
    await page.addInitScript(`
      new MutationObserver((_, observer) => {
        if (document.querySelector('[role=gridcell]') === null) return
        window.shownAt = performance.now()
        observer.disconnect()
      }).observe(document, { childList: true, subtree: true })
    `)
    const computed = await computing(page)
    const shownAt = async (): Promise<number> => {
      await page.getByRole('gridcell').first().waitFor()
      return (await page.evaluate('window.shownAt')) as number
    }
    await page.goto(`${scene.url}/views/price_per_item`)
    const cold = await shownAt()
    const asked = (await page.evaluate(`
      performance.getEntriesByType('resource').filter(({ startTime }) => startTime < window.shownAt)
        .map(({ name, startTime }) => ({ name, startTime }))
    `)) as { readonly name: string; readonly startTime: number }[]
    const names = new Set(asked.map(({ name }) => name))
    const busy = await computed()
    await page.reload()
    const warm = await shownAt()
    console.log(
      `a live table of 2,400 rows: ${Math.round(cold)} ms at first, ${Math.round(warm)} ms again; ` +
        `${names.size} questions, ${Math.round(busy)} ms computed`,
    )
    // Script, styles, what pages share, the page, its icon and two typefaces; catalog, charts, project.
    expect(names.size).toBeLessThanOrEqual(12)
    const catalogs = asked.filter(({ name }) => name.endsWith('/v1/catalog')).map(({ startTime }) => startTime)
    for (const [i, at] of catalogs.slice(1).entries()) expect(at - catalogs[i]).toBeGreaterThan(twiceMs)
    expect(busy).toBeLessThan(1000)
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
    const computed = await computing(page)
    const before = await computed()
    for (let n = 0; n < seconds * batchesPerSecond; n++) {
      // Three of five orders are paid: those come into the view.
      await scene.orders(Math.ceil(perSecond / batchesPerSecond / 0.6))
      await new Promise((resolve) => setTimeout(resolve, 90))
    }
    await expect
      .poll(async () => Number((await page.getByRole('grid').getAttribute('aria-rowcount')) ?? 0))
      .toBeGreaterThan(rows + seconds * perSecond * 0.5)
    const busy = (await computed()) - before
    const long = (await page.evaluate('window.long')) as number[]
    const frames = (await page.evaluate('window.frames')) as number
    console.log(
      `${perSecond} changes/s for ${seconds} s: ${(busy / frames).toFixed(1)} ms computed in each of ${frames} frames; ` +
        `${long.length} tasks above 50 ms [${long}]`,
    )
    expect(busy).toBeLessThan(seconds * 1000 * busyShare)
    // All rows are there, and only those in sight are on the page.
    expect(await page.locator('[role=row]').count()).toBeLessThan(60)
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
