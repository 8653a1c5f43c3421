import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { NamedChart } from '../../src/app/chart.ts'
import { graveViolations, launch, noBrowser, openPage, type Theme } from './browser.ts'
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
      await page.goto(scene.url)
      await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Dashboards' }).waitFor()
      await page.keyboard.press('g')
      await page.keyboard.press('d')
      await page.waitForURL(`${scene.url}/dashboards`)
      const berlin = page.getByRole('list', { name: 'Revenue by city' }).getByRole('listitem').first()
      const before = await berlin.textContent()
      await scene.orders(50)
      await expect.poll(() => berlin.textContent(), { timeout: 15_000 }).not.toBe(before)
      await page.getByRole('link', { name: 'couriers', exact: true }).press('Enter')
      await page.waitForURL(`${scene.url}/dashboards/couriers`)
      await page.getByRole('heading', { name: 'couriers', level: 1 }).waitFor()
      await page.getByRole('link', { name: 'Busiest', exact: true }).press('Enter')
      await page.getByRole('list', { name: /busiest_couriers: orders/ }).waitFor()
      expect(await page.getByLabel('Draw as').inputValue()).toBe('bar')
      expect(complaints).toEqual([])
    } finally {
      await page.context().close()
    }
  })

  it.each<Theme>(['light', 'dark'])('say how to declare a chart where there is none: %s', async (theme) => {
    let charts: readonly NamedChart[] = []
    scene = await startScene({ orders: 0, charts: () => charts })
    const { page, complaints } = await openPage(browser, scene.url, theme)
    try {
      await page.goto(`${scene.url}/dashboards`)
      await page.getByText('mark: ').waitFor()
      const link = page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Dashboards' })
      expect(await link.count()).toBe(0)
      expect(await graveViolations(page)).toEqual([])
      charts = sceneCharts.slice(0, 1)
      await link.waitFor()
      await page.getByRole('heading', { name: 'Revenue per minute' }).waitFor()
      expect(complaints).toEqual([])
    } finally {
      await page.context().close()
    }
  })
})
