import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { nodeIo } from '../io/node.ts'
import { Page } from './page.ts'
import type { Call } from './routes.ts'

describe('the console in place of another one', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-page-'))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** As a build leaves it: files with their digests in their names, and the list of them. */
  function install(version: string): void {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    const entry = { etag: version, gzip: false }
    const script = { ...entry, path: `/page/main-${version}.js`, file: `main-${version}.js`, lasting: true }
    const document = { ...entry, path: '/', file: 'index.html', type: 'text/html; charset=utf-8', lasting: false }
    writeFileSync(path.join(folder, script.file), `script ${version}`)
    writeFileSync(path.join(folder, document.file), `document ${version}`)
    const files = [{ ...script, type: 'text/javascript; charset=utf-8' }, document]
    writeFileSync(path.join(folder, 'files.json'), JSON.stringify(files))
  }

  it('is handed out by the server that runs, and files that went with the old one are not found', async () => {
    const { disk } = nodeIo()
    const open: typeof disk.open = (file, options) => disk.open(path.join(folder, path.basename(file)), options)
    const routes = new Page({ ...disk, open }).routes()
    const ask = async (pattern: string, name = ''): Promise<string> => {
      const route = routes.find((one) => one.pattern === pattern)!
      const call = { request: { header: () => null }, name } as unknown as Call
      const { body } = await route.methods['GET'].answer(call)
      return new TextDecoder().decode(body as Uint8Array)
    }
    install('11111111')
    expect(await ask('/')).toBe('document 11111111')
    install('22222222')
    await expect(ask('/page/{file}', 'main-11111111.js')).rejects.toThrow('the console has no such file')
    expect(await ask('/')).toBe('document 22222222')
    expect(await ask('/time')).toBe('document 22222222')
    expect(await ask('/page/{file}', 'main-22222222.js')).toBe('script 22222222')
  })
})
