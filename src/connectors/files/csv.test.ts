import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openBlock } from '../../data/block.ts'
import { blockCells } from '../../data/cell-access.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { compileRowTexts, csvHeader, csvLine } from '../../data/text-print.ts'
import { CsvStream } from './csv.ts'

const columns: readonly ColumnSchema[] = ['a', 'b,"', 'c'].map((name) => ({
  name,
  type: { kind: 'text' },
  nullable: true,
}))
const cell = fc.option(
  fc.oneof(
    fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', ' ', 'x', 'é', '😀'), maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 5 }).filter((text) => !text.includes('\0')),
  ),
)

it('reads back what is printed, wherever it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 8 }), fc.nat(200), (rows, cut) => {
      const bytes = new TextEncoder().encode(csvHeader(columns) + rows.map(csvLine).join(''))
      const stream = new CsvStream({ name: 't', columns, primaryKey: [], eventTime: null })
      const blocks = [...stream.feed(bytes.subarray(0, cut)), ...stream.feed(bytes.subarray(cut)), ...stream.end()]
      expect(stream.errors).toEqual([])
      const texts = compileRowTexts(columns)
      const read = blocks.flatMap((part) => {
        const block = openBlock(part.bytes)
        const cells = blockCells(block, columns.length)
        return Array.from({ length: part.rows }, (_, row) => texts(block.memory, cells, row))
      })
      expect(read).toEqual(rows)
    }),
    { numRuns: 500 },
  )
})
