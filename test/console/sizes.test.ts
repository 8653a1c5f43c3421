// Every page in a hand, and enlarged for who sees little: nothing is cut off, nothing is too small to hit.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { graveViolations, launch, noBrowser, openPage, type Size, type Theme } from './browser.ts'
import { type Scene, sceneCharts, startScene } from './scene.ts'
import { pages, settled } from './tour.ts'

/** What the page says and stands in, wider than the window, with how much: parts that scroll by themselves are fine. */
const tooWide = `
  [...document.querySelectorAll('html, main, header, h1, p, form, button, a, select, input')].flatMap((part) => {
    const { left, right, width } = part.getBoundingClientRect()
    const scrolls = (outer) => outer !== null && outer.id !== 'main' && outer !== document.documentElement &&
      (/auto|scroll|hidden/.test(getComputedStyle(outer).overflowX) || scrolls(outer.parentElement))
    const isSeen = width > 1 && getComputedStyle(part).visibility === 'visible'
    if (part.matches('html, main')) return part.scrollWidth > part.clientWidth ? [part.tagName + ' scrolls'] : []
    if (!isSeen || scrolls(part.parentElement) || part.matches('.skip')) return []
    return left < -1 || right > innerWidth + 1 ? [part.tagName + ' ' + part.textContent.slice(0, 40)] : []
  })
`

const looks: readonly (readonly [Size, readonly Theme[]])[] = [
  ['phone', ['light', 'dark']],
  // What light and dark are differs in colours alone, which the desktop's test has seen.
  ['zoomed', ['light']],
]

describe.skipIf(noBrowser !== null)(`the console's pages, small${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
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

  const widths = async (page: Page): Promise<unknown> => page.evaluate(tooWide)

  describe.each(looks)('%s', (size, themes) => {
    it.each(pages)('$name', async ({ address, ready }) => {
      const { page, complaints } = await openPage(browser, scene.url, themes[0], size)
      try {
        await page.goto(scene.url + address)
        for (const theme of themes) {
          await page.emulateMedia({ colorScheme: theme })
          await page.locator(`html[data-theme=${theme}]`).waitFor()
          await ready(page)
          await settled(page)
          expect(await widths(page)).toEqual([])
          expect([theme, await graveViolations(page)]).toEqual([theme, []])
        }
        expect(complaints).toEqual([])
      } finally {
        await page.context().close()
      }
    })
  })
})
