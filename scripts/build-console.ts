// Builds console/ into a folder of files that the server hands out as they are, and lists them with what the server
// has to say of each, so that it needs neither to guess types nor to compress anything.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Names that vite made of a digest: `main-Ab12Cd34.js`. */
const digested = /-[\w-]{8}\.\w+$/

export async function buildConsole(outDir: string): Promise<void> {
  const root = path.resolve('console')
  await build({
    root,
    configFile: path.join(root, 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true },
  })
  const names = readdirSync(outDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(outDir, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
  const files = names.sort().map((file) => {
    const type = types[path.extname(file)]
    if (type === undefined) throw new Error(`scripts/build-console.ts knows no type for ${file}`)
    const bytes = readFileSync(path.join(outDir, file))
    const packed = gzipSync(bytes, { level: 9 })
    const gzip = packed.length < bytes.length * 0.9
    if (gzip) writeFileSync(path.join(outDir, `${file}.gz`), packed)
    return {
      path: file === 'index.html' ? '/' : `/${file}`,
      file,
      type,
      etag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
      gzip,
      lasting: digested.test(file),
    }
  })
  writeFileSync(path.join(outDir, 'files.json'), `${JSON.stringify(files, null, 1)}\n`)
}
