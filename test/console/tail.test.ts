// A topic's end as it grows: what comes is shown by the topic's own stream, and what is too much is said.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, startScene } from './scene.ts'

const seconds = 4
const perSecond = 100
const batchesPerSecond = 10
/** Of the time in which events come, what the page's thread may compute: it has to draw, too. */
const busyShare = 0.5
/** Rows that the page lists. */
const kept = 400

/** The offsets that are shown, the newest first. */
async function offsetsOn(page: Page): Promise<number[]> {
  const first = page.getByRole('grid', { name: /Events of orders/ }).locator('[role=row] [role=gridcell]:first-child')
  return (await first.allTextContents()).map((text) => Number(text.replaceAll(',', '')))
}

describe.skipIf(noBrowser !== null)(`the end of a topic${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let scene: Scene
  let browser: Browser
  beforeAll(async () => {
    scene = await startScene({ orders: 600 })
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await scene?.stop()
  })

  const end = async (): Promise<number> => {
    const { topics } = (await (await fetch(`${scene.url}/v1/catalog`)).json()) as {
      topics: readonly { readonly name: string; readonly events: number }[]
    }
    return topics.find(({ name }) => name === 'orders')!.events
  }

  it('is followed by its stream, and asked for by nothing else', async () => {
    const { page, complaints } = await openPage(browser, scene.url)
    const asked: string[] = []
    page.on('request', (request) => void asked.push(new URL(request.url()).pathname))
    await page.goto(`${scene.url}/topics/orders`)
    await page.getByRole('gridcell').first().waitFor()
    await scene.orders(3)
    const next = await end()
    await expect.poll(async () => (await offsetsOn(page))[0]).toBe(next - 1)
    const shown = await offsetsOn(page)
    expect(shown).toEqual(shown.map((_, i) => next - 1 - i))
    expect(asked.filter((path) => path === '/v1/topics/orders/live')).toHaveLength(1)
    expect(asked.filter((path) => path === '/v1/topics/orders/events')).toEqual([])
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('says how many came that it had no time to draw', async () => {
    const { page, complaints } = await openPage(browser, scene.url)
    await page.addInitScript(`
      const parse = JSON.parse
      JSON.parse = (...given) => {
        const value = parse(...given)
        if (value?.complete === true && Array.isArray(value.events)) window.toldTick = value.tick
        return value
      }
    `)
    await page.goto(`${scene.url}/topics/orders`)
    await page.getByRole('gridcell').first().waitFor()
    await page.evaluate(`
      window.frames = []
      window.drawAgain = window.requestAnimationFrame.bind(window)
      window.requestAnimationFrame = (frame) => window.frames.push(frame)
    `)
    await scene.orders(250)
    await scene.orders(kept)
    await scene.orders(50)
    const { tick } = (await (await fetch(`${scene.url}/readyz`)).json()) as { tick: number }
    await expect.poll(() => page.evaluate('window.toldTick')).toBe(tick)
    await page.evaluate(`
      window.requestAnimationFrame = window.drawAgain
      for (const frame of window.frames) window.requestAnimationFrame(frame)
    `)
    await page.getByText('300 events came too fast to be shown here').waitFor()
    const next = await end()
    expect((await offsetsOn(page))[0]).toBe(next - 1)
    // The head is one of them.
    expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe(String(kept + 1))
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it(`renders ${perSecond} events a second`, async () => {
    const { page, complaints } = await openPage(browser, scene.url)
    await page.goto(`${scene.url}/topics/orders`)
    await page.getByRole('gridcell').first().waitFor()
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable', { timeDomain: 'threadTicks' })
    const computed = async (): Promise<number> => {
      const { metrics } = await session.send('Performance.getMetrics')
      return metrics.find(({ name }) => name === 'TaskDuration')!.value * 1000
    }
    const before = await computed()
    for (let n = 0; n < seconds * batchesPerSecond; n++) {
      await scene.orders(perSecond / batchesPerSecond)
      await new Promise((resolve) => setTimeout(resolve, 90))
    }
    const next = await end()
    await expect.poll(async () => (await offsetsOn(page))[0]).toBe(next - 1)
    const busy = (await computed()) - before
    console.log(`${perSecond} events/s for ${seconds} s: ${Math.round(busy)} ms computed by the page`)
    expect(busy).toBeLessThan(seconds * 1000 * busyShare)
    expect(await page.locator('[role=row]').count()).toBeLessThan(60)
    expect(complaints).toEqual([])
    await page.context().close()
  })
})
