import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { NamedChart } from '../../src/app/chart.ts'
import { graveViolations, launch, noBrowser, openPage } from './browser.ts'
import { type Scene, sceneCharts, startScene } from './scene.ts'

describe.skipIf(noBrowser !== null)(`dashboards${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let browser: Browser
  let scene: Scene | null = null
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())
  afterEach(async () => {
    await scene?.stop()
    scene = null
  })

  it('are reached by keys, stay live, and lead to the view drawn in the same way', async () => {
    scene = await startScene({ orders: 400, charts: () => sceneCharts })
    const { page, complaints } = await openPage(browser, scene.url)
    try {
      const asked: string[] = []
      page.on('request', (request) => asked.push(new URL(request.url()).pathname))
      await page.goto(scene.url)
      await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Dashboards' }).waitFor()
      await page.keyboard.press('g')
      await page.keyboard.press('d')
      await page.waitForURL(`${scene.url}/dashboards`)
      const berlin = page.getByRole('list', { name: 'Revenue by city' }).getByRole('listitem').first()
      const before = await berlin.textContent()
      await scene.orders(50)
      await expect.poll(() => berlin.textContent()).not.toBe(before)
      // Three of the four views by their streams, each opened once; the last one's rows are asked for.
      const views = (live: boolean): string[] =>
        asked.filter((path) => path.startsWith('/v1/views/') && path.endsWith('/live') === live).sort()
      await expect
        .poll(() => views(true))
        .toEqual(['cities', 'orders_per_minute', 'revenue_by_city'].map((view) => `/v1/views/${view}/live`))
      await expect.poll(() => [...new Set(views(false))]).toEqual(['/v1/views/closed_minutes'])
      await page.getByRole('link', { name: 'couriers', exact: true }).press('Enter')
      await page.waitForURL(`${scene.url}/dashboards/couriers`)
      await page.getByRole('heading', { name: 'couriers', level: 1 }).waitFor()
      await page.getByRole('table', { name: 'Spent most' }).getByRole('cell', { name: 'c01' }).waitFor()
      expect(asked.filter((path) => path === '/v1/views/busiest_couriers/live')).toHaveLength(1)
      await page.getByRole('link', { name: 'Busiest', exact: true }).press('Enter')
      await page.getByRole('list', { name: /busiest_couriers: orders/ }).waitFor()
      await expect.poll(() => page.getByLabel('Draw as').inputValue()).toBe('bar')
      expect(complaints).toEqual([])
    } finally {
      await page.context().close()
    }
  })

  it('say how to declare a chart where there is none', async () => {
    let charts: readonly NamedChart[] = []
    scene = await startScene({ orders: 0, charts: () => charts })
    const { page, complaints } = await openPage(browser, scene.url)
    try {
      await page.goto(`${scene.url}/dashboards`)
      await page.getByText('mark: ').waitFor()
      const link = page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Dashboards' })
      expect(await link.count()).toBe(0)
      for (const theme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: theme })
        await page.locator(`html[data-theme=${theme}]`).waitFor()
        expect([theme, await graveViolations(page)]).toEqual([theme, []])
      }
      charts = sceneCharts.slice(0, 1)
      await link.waitFor()
      await page.getByRole('heading', { name: 'Revenue per minute' }).waitFor()
      expect(complaints).toEqual([])
    } finally {
      await page.context().close()
    }
  })
})
