import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainCell } from '../../test/support/delta-block.ts'
import { openBlock } from './block.ts'
import { blockCells } from './cell-access.ts'
import { compileComparator, completeOrder, type RowOrder } from './compare.ts'
import { sortRows } from './sort.ts'
import type { ColumnSchema } from './sql-type.ts'

const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
  { name: 'c', type: { kind: 'bigint' }, nullable: true },
  { name: 'd', type: { kind: 'double' }, nullable: true },
]

const cells: readonly fc.Arbitrary<PlainCell>[] = [
  fc.constantFrom(null, 0, 1, -1, 2147483647, -2147483648, 77),
  fc.constantFrom(null, '', 'a', 'aa', 'shared prefix 1', 'shared prefix 2', 'shared p', 'zebra', 'é'),
  fc.constantFrom<PlainCell>(null, 0n, -1n, 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, 2n ** 32n - 1n),
  fc.constantFrom(null, 0, -1.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, -5e-324),
]

const orders = fc
  .uniqueArray(fc.nat({ max: 3 }), { maxLength: 3 })
  .chain((columns) =>
    fc.tuple(
      ...columns.map((column) =>
        fc.record<RowOrder>({ column: fc.constant(column), descending: fc.boolean(), nullsFirst: fc.boolean() }),
      ),
    ),
  )

/** PostgreSQL's order of two cells of one column, by definition. */
function compareCells(a: PlainCell, b: PlainCell, { descending, nullsFirst }: RowOrder): number {
  if (a === null || b === null) return a === b ? 0 : (a === null) === nullsFirst ? -1 : 1
  let less = 0
  if (typeof a === 'string') less = Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  else if (Number.isNaN(a)) less = Number.isNaN(b) ? 0 : 1
  else if (Number.isNaN(b)) less = -1
  else less = a < (b as number) ? -1 : a > (b as number) ? 1 : 0
  return descending ? -less : less
}

describe('sorting the rows of a block', () => {
  it('agrees with the definition at every size', () => {
    const property = fc.property(
      orders,
      fc.array(fc.tuple(...cells), { minLength: 0, maxLength: 600, size: 'max' }),
      (order, rows) => {
        const changes = rows.map((row) => ({ row, weight: 1 }))
        const block = openBlock(deltaBlock(schema, changes))
        const source = { memory: block.memory, columns: blockCells(block, schema.length) }
        const keys = completeOrder(schema, order)
        const numbers = Uint16Array.from(rows, (_, i) => i)
        sortRows(source, { schema, keys, comparator: compileComparator(schema, order) }, numbers)
        const expected = [...rows].sort((x, y) => {
          for (const key of keys) {
            const sign = compareCells(x[key.column], y[key.column], key)
            if (sign !== 0) return sign
          }
          return 0
        })
        expect([...numbers].map((row) => rows[row])).toEqual(expected)
      },
    )
    fc.assert(property, { numRuns: 100 })
  })
})
