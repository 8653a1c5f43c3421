import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { version } from '../src/index.ts'

const root = new URL('../', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

test('the exported version is the package’s', () => {
  expect(version).toBe(manifest.version)
})

test('what the package names is built, with types, and its entries share their classes', () => {
  const entries = Object.values<{ readonly types: string; readonly default: string } | string>(manifest.exports)
  const named = entries.flatMap((entry) => (typeof entry === 'string' ? [entry] : [entry.types, entry.default]))
  const files = [...named, ...Object.values<string>(manifest.bin)]
  expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([])
  // By the package's name, as its users load it, and without the test runner's own loader.
  const program = `
    import { MillraceError } from 'millrace'
    import { createClient } from 'millrace/client'
    const fetch = () => Promise.reject(new TypeError('out of reach'))
    const db = createClient({ url: 'http://127.0.0.1', fetch })
    await db.revenue.get().catch((error) => console.log(error instanceof MillraceError, error.code))`
  const args = ['--input-type=module', '-e', program]
  expect(execFileSync(process.execPath, args, { cwd: fileURLToPath(root), encoding: 'utf8' })).toBe(
    'true server/unreachable\n',
  )
})
