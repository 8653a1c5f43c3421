import { fileURLToPath } from 'node:url'
import type { Disk } from '../io/io.ts'
import type { ApiAnswer } from './exchange.ts'

const assets: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/page/page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
  '/page/page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/page/rows.js': { file: 'rows.js', type: 'text/javascript; charset=utf-8' },
  '/page/icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
}

/** The page may load and ask nothing but this server. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page's files, read once. They are known by name: no path of a request ever becomes a file's. */
export class Page {
  readonly #disk: Disk
  readonly #files = new Map<string, Promise<Uint8Array>>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  get paths(): readonly string[] {
    return Object.keys(assets)
  }

  async answer(path: string): Promise<ApiAnswer> {
    const { file, type } = assets[path]
    let bytes = this.#files.get(path)
    if (bytes === undefined) {
      bytes = this.#read(fileURLToPath(new URL(`./page/${file}`, import.meta.url)))
      this.#files.set(path, bytes)
    }
    return {
      status: 200,
      headers: { 'content-type': type, 'cache-control': 'no-cache', 'content-security-policy': policy },
      body: await bytes,
    }
  }

  async #read(path: string): Promise<Uint8Array> {
    const file = await this.#disk.open(path, { readOnly: true })
    try {
      const bytes = new Uint8Array(await file.size())
      await file.read(bytes, 0)
      return bytes
    } finally {
      await file.close()
    }
  }
}
