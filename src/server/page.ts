import { fileURLToPath } from 'node:url'
import { MillraceError } from '../data/errors.ts'
import { type Disk, IoError } from '../io/io.ts'
import { readWhole, readWholeText } from '../io/whole-file.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import { on, type Route, route } from './routes.ts'

/** Addresses of the console's pages: each is answered by the same document, which looks at the address itself. */
const pages: readonly string[] = [
  '/',
  '/dashboards',
  '/dashboards/{name}',
  '/topology',
  '/time',
  '/query',
  '/events',
  '/topics/{topic}',
  '/views/{view}',
  '/views/{view}/why',
  '/events/{topic}/{offset}',
]

/** What the build wrote beside the files: see scripts/build-console.ts. */
interface PageFile {
  readonly path: string
  /** Relative to the list. */
  readonly file: string
  readonly type: string
  readonly etag: string
  /** There is a `.gz` of it beside it. */
  readonly gzip: boolean
  /** Its name holds its digest: what is at this path never changes. */
  readonly lasting: boolean
}

/** The page may load and ask nothing but this server. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** From the built chunks, from each module built by itself, and from the sources: where the last build put it. */
const folders = ['../server/page/', '../../server/page/', '../../dist/server/page/']

const unbuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Millrace</title>
<h1>Millrace</h1><p>The server runs; its console has not been built: <code>npm run build</code> does that.
What is defined is at <a href="/v1/catalog">/v1/catalog</a>.</p></html>
`

interface Built {
  readonly folder: string
  readonly files: ReadonlyMap<string, PageFile>
}

/** The console's files, each read once. They are known by name: no path of a request ever becomes a file's. */
export class Page {
  readonly #disk: Disk
  readonly #bytes = new Map<string, Promise<Uint8Array>>()
  #built: Promise<Built | null> | null = null

  constructor(disk: Disk) {
    this.#disk = disk
  }

  routes(): readonly Route[] {
    return [
      route(
        '/page/{file}',
        on('GET', 'public', 'free', ({ request, name }) => this.#file(request, name)),
      ),
      ...pages.map((pattern) =>
        route(
          pattern,
          on('GET', 'public', 'free', ({ request }) => this.#document(request)),
        ),
      ),
    ]
  }

  /**
   * For a browser that asks for a page at an address where nothing is: the document, which says so.
   * @returns null for who does not ask for a page: he gets the refusal itself
   */
  async missing(request: ApiRequest): Promise<ApiAnswer | null> {
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (!isRead || !/(^|,)\s*text\/html\s*(;|,|$)/i.test(request.header('accept') ?? '')) return null
    const { status, headers, body } = await this.#document(request)
    // What is not there is not kept, and there is nothing of it that a browser may have already.
    const { etag: _, ...rest } = headers
    return status === 200 ? { status: 404, headers: { ...rest, 'cache-control': 'no-store' }, body } : null
  }

  /** The document behind every page's address. */
  async #document(request: ApiRequest): Promise<ApiAnswer> {
    const answer = await this.#named(request, '/')
    if (answer !== null) return answer
    const headers = { 'content-type': htmlType, 'cache-control': 'no-cache', 'content-security-policy': policy }
    return { status: 200, headers, body: new TextEncoder().encode(unbuilt) }
  }

  /** @throws MillraceError not-found */
  async #file(request: ApiRequest, name: string): Promise<ApiAnswer> {
    const answer = await this.#named(request, `/page/${name}`)
    if (answer !== null) return answer
    throw new MillraceError('not-found', 'the console has no such file', { hint: 'load the page anew' })
  }

  /** A file of the list, or null: an upgrade in place has a new list, and other files, while the server runs. */
  async #named(request: ApiRequest, path: string): Promise<ApiAnswer | null> {
    for (let tries = 0; tries < 2; tries++) {
      const built = await this.#list()
      const file = built?.files.get(path)
      if (built === null || file === undefined) return null
      try {
        return await this.#answer(request, built, file)
      } catch (error) {
        if (!(error instanceof IoError)) throw error
        this.#built = null
        this.#bytes.clear()
      }
    }
    return null
  }

  async #answer(request: ApiRequest, { folder }: Built, file: PageFile): Promise<ApiAnswer> {
    const packed = file.gzip && /\bgzip\b/.test(request.header('accept-encoding') ?? '')
    const etag = packed ? `"${file.etag}-gzip"` : `"${file.etag}"`
    const headers = {
      etag,
      'cache-control': file.lasting ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...(file.gzip ? { vary: 'Accept-Encoding' } : {}),
      ...(file.type === htmlType ? { 'content-security-policy': policy } : {}),
    }
    const known = (request.header('if-none-match') ?? '')
      .split(',')
      .some((tag) => tag.trim().replace(/^W\//, '') === etag)
    if (known) return { status: 304, headers, body: null }
    const body = await this.#read(`${folder}${file.file}${packed ? '.gz' : ''}`)
    const typed = { ...headers, 'content-type': file.type, ...(packed ? { 'content-encoding': 'gzip' } : {}) }
    return { status: 200, headers: typed, body }
  }

  /** Asked for anew until there is one, so that a build shows without a restart. */
  async #list(): Promise<Built | null> {
    const asked = (this.#built ??= this.#find())
    const built = await asked
    if (built === null && this.#built === asked) this.#built = null
    return built
  }

  async #find(): Promise<Built | null> {
    for (const relative of folders) {
      const folder = fileURLToPath(new URL(relative, import.meta.url))
      try {
        const text = await readWholeText(this.#disk, `${folder}files.json`)
        const files = JSON.parse(text) as readonly PageFile[]
        return { folder, files: new Map(files.map((file) => [file.path, file])) }
      } catch (error) {
        if (!(error instanceof IoError)) throw error
      }
    }
    return null
  }

  #read(path: string): Promise<Uint8Array> {
    let bytes = this.#bytes.get(path)
    if (bytes === undefined) {
      bytes = readWhole(this.#disk, path)
      this.#bytes.set(path, bytes)
      bytes.catch(() => this.#bytes.delete(path))
    }
    return bytes
  }
}

const htmlType = 'text/html; charset=utf-8'
