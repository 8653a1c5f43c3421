// What people do in the console: by keyboard and by mouse, each over a real server.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser, openPage } from './browser.ts'
import { type Scene, startScene } from './scene.ts'

/** The newest tick of a view's changelog, and how many changes it holds. */
async function changesKnown(scene: Scene, view: string): Promise<{ tick: number; ticks: number }> {
  const answer = await fetch(`${scene.url}/v1/views/${view}/changes?from_tick=0&limit=10000`)
  const { changes } = (await answer.json()) as { readonly changes: readonly { readonly tick: number }[] }
  return { tick: changes.at(-1)!.tick, ticks: changes.length }
}

describe.skipIf(noBrowser !== null)(`ways through the console${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
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

  /** Opens a page, does what `walk` does, and checks that the page never complained. */
  const walking = (address: string, walk: (page: Awaited<ReturnType<typeof openPage>>['page']) => Promise<void>) => {
    return async () => {
      const { page, complaints } = await openPage(browser, scene.url)
      try {
        await page.goto(scene.url + address)
        await walk(page)
        expect(
          complaints.filter((line) => !/status of 4|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED/.test(line)),
        ).toEqual([])
      } finally {
        await page.context().close()
      }
    }
  }

  it(
    'finds a view by keyboard alone, and goes home',
    walking('/', async (page) => {
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.keyboard.press('/')
      await page.keyboard.type('cit')
      await page.getByRole('option', { name: /cities/ }).waitFor()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('Enter')
      await page.waitForURL(/\/views\/cities/)
      await page.keyboard.press('g')
      await page.keyboard.press('o')
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.keyboard.press('/')
      await page.getByRole('dialog').waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }),
  )

  it(
    'walks a table by arrows, and tabs by arrows',
    walking('/views/busiest_couriers', async (page) => {
      const grid = page.getByRole('grid')
      await grid.getByRole('gridcell').first().waitFor()
      await grid.focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowRight')
      const active = (): Promise<string | null> => grid.getAttribute('aria-activedescendant')
      await expect.poll(active).toMatch(/-1-1$/)
      await page.locator(`#${await active()}`).waitFor()
      await page.getByRole('tab', { name: 'Rows' }).focus()
      await page.keyboard.press('ArrowRight')
      await page.getByRole('tab', { name: 'Changes', selected: true }).waitFor()
      await expect.poll(() => new URL(page.url()).search).toBe('?tab=changes')
    }),
  )

  it(
    'shows a change as it comes, and the rows as they were before it',
    walking('/views/revenue_by_city', async (page) => {
      const total = async (): Promise<number> => {
        const cells = await page.getByRole('row').locator('[role=gridcell]:nth-child(2)').allTextContents()
        return cells.reduce((sum, text) => sum + Number(text), 0)
      }
      const now = await fetch(`${scene.url}/v1/views/revenue_by_city`)
      const { tick, rows } = (await now.json()) as { tick: number; rows: { orders: number }[] }
      const before = rows.reduce((sum, { orders }) => sum + orders, 0)
      await expect.poll(total).toBe(before)
      await scene.orders(40)
      await expect.poll(total).toBeGreaterThan(before)
      await page.goto(`${scene.url}/views/revenue_by_city?as_of=${tick}`)
      await page.getByText(`as of ${tick}`).waitFor()
      await expect.poll(total).toBe(before)
      await page.getByRole('button', { name: 'Live' }).click()
      await expect.poll(total).toBeGreaterThan(before)
      await expect.poll(() => new URL(page.url()).search).toBe('')
    }),
  )

  it(
    'appends by the form, says what is wrong at the field, then sees the event come',
    walking('/topics/orders?tab=append', async (page) => {
      await page.getByLabel('id', { exact: true }).fill('77')
      await page.getByLabel('courier').fill('c01')
      await page.getByLabel('items').fill('many')
      await page.getByLabel('amount').fill('12.50')
      await page.getByLabel('status').fill('paid')
      await page.getByRole('button', { name: 'Now' }).click()
      await page.getByRole('button', { name: 'Append' }).click()
      await expect.poll(() => page.getByLabel('items').getAttribute('aria-invalid')).toBe('true')
      await page.getByLabel('items').fill('2')
      await page.getByRole('button', { name: 'Append' }).click()
      await page.getByText(/visible at tick/).waitFor()
      await page.getByRole('tab', { name: 'Events' }).click()
      await page.getByRole('gridcell', { name: '77', exact: true }).waitFor()
    }),
  )

  it(
    'filters events in SQL, and tells what is wrong with a filter',
    walking('/topics/orders', async (page) => {
      const field = page.getByLabel('Condition in SQL')
      await field.fill("amount > 50 AND status = 'paid'")
      await field.press('Enter')
      await page.getByText('the newest first').waitFor()
      await field.fill('amout > 50')
      await field.press('Enter')
      await page.getByText('sql/unknown-column').waitFor()
    }),
  )

  it(
    'seeks to a stretch that is dragged over',
    walking('/topics/orders', async (page) => {
      await page.getByRole('grid').getByRole('gridcell').first().waitFor()
      const plot = page.locator('.u-over')
      await plot.waitFor()
      const { x, y, width, height } = (await plot.boundingBox())!
      await page.mouse.move(x + width * 0.3, y + height / 2)
      await page.mouse.down()
      await page.mouse.move(x + width * 0.6, y + height / 2, { steps: 4 })
      await page.mouse.up()
      await page.waitForURL(/\?from=\d+$/)
      const from = new URL(page.url()).searchParams.get('from')
      await page.getByText(`Offsets ${Number(from).toLocaleString('en')} to`).waitFor()
    }),
  )

  it(
    'keeps what it shows in its address, over a reload and back',
    walking('/views/cities?tab=chart&mark=bar', async (page) => {
      await page.getByRole('list', { name: /orders/ }).waitFor()
      await page.getByLabel('of', { exact: true }).selectOption('revenue')
      await page.reload()
      await page.getByRole('list', { name: /revenue/ }).waitFor()
      await page.getByRole('link', { name: /Overview/ }).click()
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.goBack()
      await page.getByRole('list', { name: /revenue/ }).waitFor()
    }),
  )

  it(
    'asks a query by keyboard, completes a name, and goes on with new ticks',
    walking('/query', async (page) => {
      const editor = page.getByRole('textbox', { name: 'SQL' })
      await editor.click()
      await page.keyboard.type('SELECT count(*) AS n FROM orde')
      await page
        .getByRole('option', { name: /^orders/ })
        .first()
        .waitFor()
      await page.waitForTimeout(200)
      await page.keyboard.press('Enter')
      await page.keyboard.press('Control+Enter')
      const cell = page.getByRole('gridcell').first()
      await cell.waitFor()
      await expect
        .poll(() => new URL(page.url()).searchParams.get('sql'))
        .toMatch(/^SELECT count\(\*\) AS n FROM orders/)
      const before = Number(await cell.textContent())
      await page.getByRole('button', { name: 'Live' }).click()
      await cell.waitFor()
      await scene.orders(7)
      await expect.poll(async () => Number(await cell.textContent())).toBe(before + 7)
      await page.getByText('live', { exact: true }).waitFor()
      const copied = page.getByRole('button', { name: 'curl', exact: true })
      await expect.poll(() => copied.getAttribute('title')).toContain('/v1/sql/live')
      const typed = page.getByRole('button', { name: 'TypeScript' })
      await expect.poll(() => typed.getAttribute('title')).toContain('db.sql.live(')
    }),
  )

  it(
    'says so when nobody answers a live query, and goes on with it by itself once somebody does',
    walking('/query?live=true&sql=SELECT%20count(*)%20AS%20n%20FROM%20orders', async (page) => {
      const cell = page.getByRole('gridcell').first()
      await page.getByText('live', { exact: true }).waitFor()
      const before = Number(await cell.textContent())
      await scene.away(async () => {
        await page.locator('.query-note').getByText('no answer').waitFor()
        expect(Number(await cell.textContent())).toBe(before)
      })
      await scene.orders(7)
      await expect.poll(async () => Number(await cell.textContent())).toBe(before + 7)
      await page.getByText('live', { exact: true }).waitFor()
    }),
  )

  it(
    'begins a live query anew whose first rows broke off',
    walking('/', async (page) => {
      const sql = 'SELECT name, country FROM city'
      const rows = Array.from({ length: 4 }, (_, i) => [`city ${i}`, 'XX'])
      const columns = ['name', 'country'].map((name) => ({ name, type: 'text' }))
      let broken = 1
      await page.route('**/v1/sql/live*', (route) => {
        if (broken-- <= 0) return route.continue()
        // The first part of more: without an id nothing is whole.
        const body = `event: snapshot\ndata: ${JSON.stringify({ tick: 1, columns, order: [], rows })}\n\n`
        return route.fulfill({ contentType: 'text/event-stream', body })
      })
      await page.goto(`${scene.url}/query?live=true&sql=${encodeURIComponent(sql)}`)
      await page.getByText(/^12 rows at tick/).waitFor()
      expect(await page.getByRole('gridcell', { name: /^city \d/ }).count()).toBe(0)
    }),
  )

  it(
    'tells where a query is wrong',
    walking('/query?sql=SELECT%20amout%20FROM%20orders', async (page) => {
      await page.getByRole('alert').getByText(/amout/).waitFor()
      await page.getByText('line 1').waitFor()
    }),
  )

  it(
    'asks why of a cell, goes down to an event, and sees what that did',
    walking('/views/revenue_by_city', async (page) => {
      await page.getByRole('gridcell', { name: 'Oslo' }).click()
      await page.waitForURL(/why\?eq\.city=Oslo/)
      await page
        .getByText(/\(\d+ terms\) =/)
        .first()
        .waitFor()
      await page.getByRole('grid', { name: 'Events' }).getByRole('gridcell', { name: 'orders' }).first().click()
      await page.waitForURL(/\/events\/orders\/\d+/)
      await page.getByText('Rows that it changed').waitFor()
      await page.getByRole('link', { name: 'revenue_by_city' }).nth(1).waitFor()
    }),
  )

  it(
    'asks why a row is not there',
    walking('/views/revenue_by_city/why', async (page) => {
      await page.getByLabel('city').fill('Paris')
      await page.getByRole('button', { name: 'Ask why' }).click()
      await page.getByText('not there').waitFor()
      await page.getByText(/Paris/).last().waitFor()
    }),
  )

  it(
    'shows what runs, and the latest changes that left a part',
    walking('/topology', async (page) => {
      const node = page.getByRole('button', { name: /^revenue_by_city/ })
      await node.focus()
      await page.keyboard.press('Enter')
      const about = page.getByRole('complementary', { name: 'About revenue_by_city' })
      await about.getByText('Latest changes').waitFor()
      await scene.orders(20)
      await about.getByText('+1').first().waitFor()
      await page.keyboard.press('Escape')
      await about.waitFor({ state: 'detached' })
      await page.getByLabel('Show').selectOption('busiest_couriers')
      await node.waitFor({ state: 'detached' })
      const follower = new AbortController()
      await fetch(`${scene.url}/v1/views/busiest_couriers/live`, { signal: follower.signal })
      await page
        .getByRole('button', { name: /^subscribers/ })
        .getByText('1 live stream')
        .waitFor()
      follower.abort()
    }),
  )

  it(
    'lists what changed before it was opened, then what comes, without a gap',
    walking('/views/orders_per_minute?tab=changes', async (page) => {
      const grid = page.getByRole('grid', { name: 'Changes of orders_per_minute' })
      const weights = async (): Promise<number> => Number(await grid.getAttribute('aria-rowcount')) - 1
      await grid.waitFor()
      const { tick, ticks } = await changesKnown(scene, 'orders_per_minute')
      await expect.poll(weights).toBe(ticks)
      await expect.poll(() => grid.getByRole('gridcell').first().textContent()).toBe(String(tick))
      for (let n = 0; n < 3; n++) await scene.orders(1)
      await scene.database.waitForTick(scene.database.status().sealedTick)
      await expect.poll(weights).toBe((await changesKnown(scene, 'orders_per_minute')).ticks)
    }),
  )

  it(
    'loads itself anew when its files are gone, once, and else says what to do',
    walking('/', async (page) => {
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      await page.evaluate('window.before = true')
      let gone = 1
      await page.route('**/page/time-*.js', (route) => (gone-- > 0 ? route.fulfill({ status: 404 }) : route.continue()))
      await page.getByRole('link', { name: 'Time' }).click()
      await page.getByText('Behind the clock').waitFor()
      await expect.poll(() => page.evaluate('window.before')).toBeUndefined()
      await page.route('**/page/topology-*.js', (route) => route.fulfill({ status: 404 }))
      await page.getByRole('link', { name: 'Topology' }).click()
      await page.getByRole('button', { name: 'Load it again' }).waitFor()
    }),
  )

  it(
    'fits a phone, where the menu unfolds and folds again',
    walking('/', async (page) => {
      await page.setViewportSize({ width: 390, height: 844 })
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
      const link = page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: /^busiest_couriers/ })
      expect(await link.isVisible()).toBe(false)
      await page.getByRole('button', { name: 'Menu' }).press('Enter')
      await link.press('Enter')
      await page.getByRole('gridcell', { name: 'c01' }).waitFor()
      await link.waitFor({ state: 'hidden' })
      const grid = (await page.getByRole('grid').boundingBox())!
      expect(grid.height).toBeGreaterThan(400)
      for (const address of ['/topics/orders?event=500', '/views/revenue_by_city/why?eq.city=Oslo', '/time']) {
        await page.goto(scene.url + address)
        await page.getByRole('heading', { level: 1 }).waitFor()
        expect([address, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([address, 390])
      }
    }),
  )

  it(
    'wears the theme that was chosen',
    walking('/', async (page) => {
      const theme = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme')
      await page.getByRole('button', { name: 'Dark theme' }).click()
      await expect.poll(theme).toBe('dark')
      await page.reload()
      await page.getByRole('button', { name: 'Light theme' }).waitFor()
      await expect.poll(theme).toBe('dark')
    }),
  )
})
