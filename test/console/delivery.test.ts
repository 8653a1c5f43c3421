import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, startRunning } from '../support/running-server.ts'

const mostBytes = 300 * 1024

interface Listed {
  readonly path: string
  readonly file: string
  readonly gzip: boolean
  readonly lasting: boolean
}

const dist = new URL('../../dist/server/page/', import.meta.url)
const files = JSON.parse(readFileSync(new URL('files.json', dist), 'utf8')) as readonly Listed[]

describe("the console's files", () => {
  let running: Running
  beforeAll(async () => {
    running = await startRunning()
  })
  afterAll(() => running.stop())

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(running.url + path, { headers })

  it('are one document at every page, never kept without asking', async () => {
    const root = await get('/')
    const html = await root.text()
    expect(html).toContain('<title>Millrace</title>')
    expect(root.headers.get('cache-control')).toBe('no-cache')
    expect(root.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    for (const path of [
      '/topology',
      '/query',
      '/time',
      '/topics/bid',
      '/views/a%20b',
      '/views/x/why',
      '/events/bid/7',
    ]) {
      const page = await get(path)
      expect([path, page.status, await page.text()]).toEqual([path, 200, html])
    }
    expect((await get('/elsewhere')).status).toBe(404)
  })

  it('load nothing from elsewhere and hold no script of their own in the document', async () => {
    const html = await (await get('/')).text()
    expect(html).not.toMatch(/https?:\/\//)
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/)
    expect(html).not.toMatch(/\bstyle=|<style/)
  })

  it('are named by their digest and kept for ever, all but the document and its icon', async () => {
    expect(files.filter(({ lasting }) => !lasting).map(({ path }) => path)).toEqual(['/', '/page/icon.svg'])
    for (const { path, lasting } of files) {
      const answer = await get(path)
      await answer.arrayBuffer()
      expect([path, answer.status]).toEqual([path, 200])
      expect(answer.headers.get('cache-control')).toBe(lasting ? 'public, max-age=31536000, immutable' : 'no-cache')
    }
  })

  it('come packed to who can unpack them, and not again to who has them', async () => {
    const script = files.find(({ path, gzip }) => gzip && path.endsWith('.js'))!
    const plain = await get(script.path, { 'accept-encoding': 'identity' })
    const packed = await get(script.path, { 'accept-encoding': 'br, gzip' })
    expect(plain.headers.get('content-encoding')).toBeNull()
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(packed.headers.get('vary')).toContain('Accept-Encoding')
    expect(await packed.text()).toBe(await plain.text())
    const etag = plain.headers.get('etag')!
    expect(packed.headers.get('etag')).not.toBe(etag)
    const again = await get(script.path, { 'accept-encoding': 'identity', 'if-none-match': `"other", W/${etag}` })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })

  it('are no way to other files', async () => {
    for (const path of [
      '/page/../listen.ts',
      '/page/..%2findex.html',
      '/page/files.json',
      '/page/index.html',
      '/page/',
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404])
    }
  })

  it('are small: what any page loads first is below 300 kB packed', async () => {
    const html = readFileSync(new URL('index.html', dist), 'utf8')
    const size = (path: string): number => {
      const file = files.find((one) => one.path === path)!
      return readFileSync(new URL(`${file.file}${file.gzip ? '.gz' : ''}`, dist)).length
    }
    const needed = new Set([...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, path]) => path))
    // The styles name the typefaces.
    for (const path of [...needed].filter((one) => one.endsWith('.css'))) {
      const css = readFileSync(new URL(`.${path}`, dist), 'utf8')
      for (const [, font] of css.matchAll(/url\(([^)]+\.woff2)\)/g))
        needed.add(new URL(font, `http://x${path}`).pathname)
    }
    const first = [...needed].reduce((sum, path) => sum + size(path), 0)
    const pages = files
      .filter(({ path }) => /\/(overview|page-head)-/.test(path))
      .reduce((sum, { path }) => sum + size(path), 0)
    console.log(`first load: ${((first + pages) / 1024).toFixed(0)} KiB packed, typefaces included`)
    expect(first + pages).toBeLessThan(mostBytes)
  })
})
