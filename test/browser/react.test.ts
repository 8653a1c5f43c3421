import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch, noBrowser } from '../console/browser.ts'
import { bidJson, type Running, startRunning } from '../support/running-server.ts'
import { bundle } from './bundle.ts'

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

describe('what a browser loads', () => {
  it.each([
    ['src/client/client.ts', [], 16_000],
    ['src/client/react.ts', ['react'], 2_000],
    ['src/client/tanstack-db.ts', [], 1_500],
    // As published: what the client shares with the server must bring nothing of the server with it.
    ['dist/client/client.js', [], 16_000],
    ['dist/client/react.js', ['react'], 2_000],
    ['dist/client/tanstack-db.js', [], 1_500],
  ])('%s is small, and asks for nothing of Node', async (entry, external, most) => {
    const { code, gzipBytes } = await bundle(root(entry), external)
    console.info(`${entry}: ${gzipBytes} bytes gzipped`)
    expect(gzipBytes).toBeLessThan(most)
    expect(code).not.toMatch(/\bnode:|\brequire\(|__vite-browser-external/)
  })
})

describe.skipIf(noBrowser !== null)(`useLive in a browser${noBrowser === null ? '' : ` (${noBrowser})`}`, () => {
  let browser: Browser
  let running: Running
  let origin: string
  let close: () => void

  beforeAll(async () => {
    const { code } = await bundle(root('test/browser/spent.ts'))
    const server = createServer((request, response) => {
      const isScript = request.url === '/page.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(
        isScript ? code : '<!doctype html><title>spent</title><script type="module" src="/page.js"></script>',
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    close = () => server.close()
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    running = await startRunning({ allowedOrigins: [origin] })
    browser = await launch()
  })

  afterAll(async () => {
    await browser?.close()
    await running?.stop()
    close?.()
  })

  const append = async (...bids: string[]): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const body = `[${bids.join(',')}]`
    const { status } = await fetch(`${running.url}/v1/topics/bid/events`, { method: 'POST', headers, body })
    expect(status).toBe(201)
  }

  it('shows rows as they become different, over one stream for all who look', async () => {
    await append(bidJson(1, '1.50'), bidJson(2, '9.00'))
    const page = await browser.newPage()
    const mistakes: string[] = []
    page.on('pageerror', (error) => mistakes.push(String(error)))
    await page.goto(`${origin}/?api=${running.url}`)
    await page.waitForSelector('#first[data-state=live]')
    const lines = (id: string): Promise<string[]> => page.locator(`#${id} li`).allTextContents()
    await expect.poll(() => lines('first')).toEqual(['2: 1 bids, 9', '1: 1 bids, 1.5'])
    await append(bidJson(1, '10.00'), bidJson(3, '2.00'))
    for (const id of ['first', 'second']) {
      await expect.poll(() => lines(id)).toEqual(['1: 2 bids, 11.5', '2: 1 bids, 9', '3: 1 bids, 2'])
    }
    await expect.poll(() => page.textContent('#dearest')).toBe('1: 11.5')
    const metrics = async (): Promise<string> => (await fetch(`${running.url}/metrics`)).text()
    await expect.poll(metrics).toContain('millrace_live_streams 2\n')
    await page.getByText('toggle').click()
    await append(bidJson(4, '20.00'))
    await expect.poll(async () => (await lines('first'))[0]).toBe('4: 1 bids, 20')
    await expect.poll(() => page.textContent('#dearest')).toBe('4: 20')
    await page.getByText('toggle').click()
    await expect.poll(() => lines('second')).toEqual(await lines('first'))
    await expect.poll(() => page.textContent('#missing')).toContain('failed there is no view nothing')
    expect(mistakes).toEqual([])
    await page.close()
  })
})
