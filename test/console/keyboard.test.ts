// Without a pointer: everything is reached, seen where it is, and left again; and what is read out is worth it.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, sceneCharts, startScene } from './scene.ts'
import { pages, settled } from './tour.ts'

/** More stops than any page has: who is not through by then is trapped. */
const mostStops = 400

/** Notes what gets the focus, and whether it shows. Ends in `window.stops`; each part in its first stop only. */
const watching = `
  window.stops = []
  window.met = new Set()
  const nameOf = (part) => (part.tagName + ' ' + (part.getAttribute('aria-label') ?? part.textContent.trim() ?? '')).slice(0, 60)
  window.nameOf = nameOf
  document.addEventListener('focusin', ({ target }) => {
    const part = target
    const again = window.met.has(part)
    window.met.add(part)
    const { outlineStyle, outlineWidth } = getComputedStyle(part)
    const { width, height, right, bottom } = part.getBoundingClientRect()
    // An editor in a tree of its own marks its frame.
    const isMarked = part.shadowRoot !== null || (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1)
    const isInSight = width > 1 && height > 1 && right > 0 && bottom > 0
    window.stops.push({ name: nameOf(part), again, isMarked, isInSight })
  })
`

/** What can be worked with and is shown, but was not stopped at. A choice among others is one stop. */
const missed = `
  [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter((part) => part.tabIndex >= 0 && !part.disabled && part.checkVisibility({ visibilityProperty: true }))
    .filter((part) => !window.met.has(part))
    .map(window.nameOf)
`

interface Stop {
  readonly name: string
  readonly again: boolean
  readonly isMarked: boolean
  readonly isInSight: boolean
}

/** Goes through a page by Tab until it comes round. @returns the stops of one round */
async function walked(page: Page): Promise<readonly Stop[]> {
  await page.evaluate(watching)
  for (let n = 0; n < mostStops; n += 10) {
    for (let i = 0; i < 10; i++) await page.keyboard.press('Tab')
    const stops = (await page.evaluate('window.stops')) as Stop[]
    const round = stops.findIndex(({ again }) => again)
    if (round >= 0) return stops.slice(0, round)
  }
  throw new Error(`no end after ${mostStops} stops`)
}

describe.skipIf(noBrowser !== null)(`the console by keyboard${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let scene: Scene
  let browser: Browser
  beforeAll(async () => {
    scene = await startScene({ charts: () => sceneCharts })
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await scene?.stop()
  })

  it.each(pages)('goes through $name, sees where it is, and comes round', async ({ address, ready }) => {
    const { page } = await openPage(browser, scene.url)
    try {
      await page.goto(scene.url + address)
      await ready(page)
      await settled(page)
      const stops = await walked(page)
      expect(stops[0]?.name).toBe('A Skip to the page')
      expect(stops.filter(({ isMarked, isInSight }) => !isMarked || !isInSight)).toEqual([])
      expect(await page.evaluate(missed)).toEqual([])
      // What stands first is come to first: nothing jumps the queue.
      expect(await page.locator('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])').count()).toBe(0)
    } finally {
      await page.context().close()
    }
  })

  const walking = (address: string, walk: (page: Page) => Promise<void>) => async (): Promise<void> => {
    const { page } = await openPage(browser, scene.url)
    try {
      await page.goto(scene.url + address)
      await walk(page)
    } finally {
      await page.context().close()
    }
  }
  const focused = (page: Page): Promise<unknown> =>
    page.evaluate('document.activeElement.id || document.activeElement.tagName')

  it(
    'skips to the page, and begins at the title of one that was opened from inside of another',
    walking('/', async (page) => {
      await page.getByRole('table', { name: 'Views' }).waitFor()
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await expect.poll(() => focused(page)).toBe('main')
      await page.getByRole('table', { name: 'Views' }).getByRole('link', { name: 'cities' }).press('Enter')
      await page.getByRole('gridcell', { name: 'Berlin' }).waitFor()
      await expect.poll(() => focused(page)).toBe('H1')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('cities')
    }),
  )

  it(
    'opens a row of a grid, and folds and unfolds what is copied',
    walking('/views/revenue_by_city', async (page) => {
      const grid = page.getByRole('grid')
      await grid.getByRole('gridcell').first().waitFor()
      await grid.focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await page.waitForURL(/why\?eq\.city=/)
      const menu = page.getByRole('button', { name: 'Copy as: How it came about' })
      await menu.press('Enter')
      await expect.poll(() => menu.getAttribute('aria-expanded')).toBe('true')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('curl')
      await page.keyboard.press('Escape')
      await expect.poll(() => menu.getAttribute('aria-expanded')).toBe('false')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Copy as')
    }),
  )

  it(
    'closes what Escape closes, and is back where it was opened',
    walking('/topology', async (page) => {
      const node = page.getByRole('button', { name: /^revenue_by_city/ })
      await node.press('Enter')
      await page.getByRole('complementary').getByRole('button', { name: /Close/ }).focus()
      await page.keyboard.press('Escape')
      await page.getByRole('complementary').waitFor({ state: 'detached' })
      expect(await page.evaluate('document.activeElement.textContent')).toMatch(/^revenue_by_city/)
      await page.setViewportSize({ width: 390, height: 844 })
      const menu = page.getByRole('button', { name: 'Menu' })
      await menu.press('Enter')
      await page.getByRole('link', { name: 'Time' }).focus()
      await page.keyboard.press('Escape')
      await expect.poll(() => menu.getAttribute('aria-expanded')).toBe('false')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Menu')
    }),
  )

  const lively = [
    '/',
    '/views/revenue_by_city',
    '/views/revenue_by_city?tab=changes',
    '/topology',
    '/time',
    '/dashboards',
  ]

  it.each([...lively, '/query?live=true&sql=SELECT%20count(*)%20FROM%20orders'])(
    'reads out nothing while %s only goes on',
    async (address) => {
      await walking(address, async (page) => {
        await page.getByRole('heading', { level: 1 }).waitFor()
        await page.locator('.waiting').first().waitFor({ state: 'detached' })
        const tick = (): Promise<string | null> => page.locator('.side-state').textContent()
        // What is asked for at first may be told: the overview's verdict, a query's answer.
        const first = await tick()
        await scene.orders(1)
        await expect.poll(tick).not.toBe(first)
        await page.evaluate(`
          window.told = []
          const aloud = '[role=status], [role=alert], [role=log], [aria-live]:not([aria-live=off]), output'
          new MutationObserver((changes) => {
            for (const { target } of changes) {
              const part = (target.nodeType === 1 ? target : target.parentElement)?.closest(aloud)
              if (part && part.textContent.trim() !== '') window.told.push(part.textContent)
            }
          }).observe(document.body, { childList: true, subtree: true, characterData: true })
        `)
        for (let n = 0; n < 2; n++) {
          const before = await tick()
          await scene.orders(5)
          await expect.poll(tick).not.toBe(before)
        }
        await settled(page)
        expect(await page.evaluate('window.told')).toEqual([])
      })()
    },
  )
})
