import { describe, expect, it } from 'vitest'
import { deltaBlock } from '../../test/support/delta-block.ts'
import { MillraceError } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { openPage, type Page } from './page.ts'
import { PageFile, writePages } from './page-file.ts'
import { Slices } from './slices.ts'

const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
]

function pagesOf(sizes: readonly number[]): Page[] {
  return sizes.map((rows, p) => {
    const changes = Array.from({ length: rows }, (_, i) => ({
      row: [i % 7 === 0 ? null : p * 1000 + i, `page ${p} row ${i}`],
      weight: i % 5 === 0 ? -2 : 1,
    }))
    return openPage(deltaBlock(schema, changes), schema)
  })
}

const bytesOf = (pages: readonly Page[]): string[] => pages.map((page) => Buffer.from(page.memory.u8).toString('hex'))

describe('a file of pages', () => {
  it('gives them back as they were, any of them', async () => {
    const io = simulatedIo(1, { idle: 'advance' })
    const slices = new Slices(io.clock)
    const pages = pagesOf([1, 500, 3, ...Array.from({ length: 300 }, () => 40)])
    const size = await writePages(io.disk, 'pages', pages, slices)
    const file = await PageFile.open(io.disk, 'pages')
    expect(file.size).toBe(size)
    expect(file.count).toBe(pages.length)
    for (const i of [302, 1, 0, 2, 290]) {
      expect(bytesOf([await file.read(i, schema)])).toEqual(bytesOf([pages[i]]))
      expect([file.rowsOf(i), file.bytesOf(i)]).toEqual([pages[i].rows, pages[i].bytes])
    }
    await file.close()
  })

  it('is refused by name when any byte of it is another, or missing', async () => {
    const io = simulatedIo(2, { idle: 'advance' })
    const slices = new Slices(io.clock)
    const original = pagesOf([3, 2])
    const read = async (): Promise<string[]> => {
      const file = await PageFile.open(io.disk, 'pages')
      try {
        return bytesOf([await file.read(0, schema), await file.read(1, schema)])
      } finally {
        await file.close()
      }
    }
    const size = await writePages(io.disk, 'pages', original, slices)
    const file = await io.disk.open('pages')
    const whole = new Uint8Array(size)
    await file.read(whole, 0)
    for (let at = 0; at < size; at++) {
      await file.write(Uint8Array.of(whole[at] ^ (1 << (at % 8))), at)
      const outcome = await read().catch((error: unknown) => error)
      // Bytes between pages are nobody's.
      if (outcome instanceof MillraceError)
        expect(outcome).toMatchObject({ code: 'state/corrupt', place: { file: 'pages' } })
      else expect(outcome).toEqual(bytesOf(original))
      await file.write(whole.subarray(at, at + 1), at)
    }
    for (let length = 0; length < size; length += 3) {
      await file.write(whole, 0)
      await file.truncate(length)
      await expect(read()).rejects.toMatchObject({ code: 'state/corrupt' })
    }
    await file.close()
  })
})
