// Files of views' pages of version 1 stay readable; version 2 is what is written, byte for byte. The files are made by
// MILLRACE_GOLDEN=write; they never change for a version that was released.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { deltaBlock } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openPage, type Page } from './page.ts'
import { PageFile, writePages } from './page-file.ts'
import { Slices } from './slices.ts'

const golden = (version: number): string =>
  fileURLToPath(new URL(`../../test/golden/pages-v${version}/views-1.pages`, import.meta.url))

const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
]

function pages(): Page[] {
  return [1, 30, 4].map((rows, p) => {
    const changes = Array.from({ length: rows }, (_, i) => ({
      row: [i % 7 === 0 ? null : p * 1000 + i, i % 5 === 1 ? null : `page ${p}, ${'ä'.repeat(i)}`],
      weight: p === 1 && i % 3 === 0 ? -2 : 1,
    }))
    return openPage(deltaBlock(schema, changes), schema)
  })
}

it.each([1, 2])('pages of version %i', async (version) => {
  const io = simulatedIo(1, { idle: 'advance' })
  if (version === 2) {
    await writePages(io.disk, 'pages', pages(), new Slices(io.clock))
    if (process.env['MILLRACE_GOLDEN'] === 'write') {
      await mkdir(fileURLToPath(new URL('.', `file://${golden(version)}`)), { recursive: true })
      await writeFile(golden(version), io.disk.contentOf('pages'))
    }
    expect(Buffer.compare(io.disk.contentOf('pages'), await readFile(golden(version)))).toBe(0)
  }
  io.disk.place('golden', await readFile(golden(version)))
  const file = await PageFile.open(io.disk, 'golden')
  expect(file.count).toBe(3)
  for (const [i, page] of pages().entries()) {
    expect(Buffer.compare((await file.read(i, schema)).memory.u8, page.memory.u8)).toBe(0)
    expect(file.rowsOf(i)).toBe(version === 1 ? null : page.rows)
    expect(file.bytesOf(i)).toBe(page.bytes)
  }
  await file.close()
})
