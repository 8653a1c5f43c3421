import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainCell } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Order } from '../plan/plan.ts'
import { openPage } from './page.ts'
import { rowOrder } from './row-order.ts'
import { sortPage } from './sort.ts'

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
        fc.record<Order>({ column: fc.constant(column), descending: fc.boolean(), nullsFirst: fc.boolean() }),
      ),
    ),
  )

/** PostgreSQL's order of two cells of one column, by definition. */
function compareCells(a: PlainCell, b: PlainCell, { descending, nullsFirst }: Order): number {
  if (a === null || b === null) return a === b ? 0 : (a === null) === nullsFirst ? -1 : 1
  let less = 0
  if (typeof a === 'string') less = Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  else if (Number.isNaN(a)) less = Number.isNaN(b) ? 0 : 1
  else if (Number.isNaN(b)) less = -1
  else less = a < (b as number) ? -1 : a > (b as number) ? 1 : 0
  return descending ? -less : less
}

describe('sorting a page', () => {
  it('agrees with the definition at every size', () => {
    const property = fc.property(
      orders,
      fc.array(fc.tuple(...cells), { minLength: 0, maxLength: 600, size: 'max' }),
      (order, rows) => {
        const page = openPage(
          deltaBlock(
            schema,
            rows.map((row) => ({ row, weight: 1 })),
          ),
          schema,
        )
        const complete = rowOrder(0, order, schema)
        const sorted = [...sortPage(page, complete)].map((row) => rows[row])
        const expected = [...rows].sort((x, y) => {
          for (const key of complete.keys) {
            const sign = compareCells(x[key.column], y[key.column], key)
            if (sign !== 0) return sign
          }
          return 0
        })
        expect(sorted).toEqual(expected)
      },
    )
    fc.assert(property, { numRuns: 100 })
  })
})
