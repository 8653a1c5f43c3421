import { BlockBuilder } from '../../src/data/block-builder.ts'
import type { ColumnSchema } from '../../src/data/sql-type.ts'

export const wideSchema: readonly ColumnSchema[] = [
  { name: 'id', type: { kind: 'bigint' }, nullable: false },
  { name: 'n', type: { kind: 'integer' }, nullable: true },
  { name: 'price', type: { kind: 'double' }, nullable: false },
  { name: 'url', type: { kind: 'text' }, nullable: true },
]

/** Where the cells come from, such as a seeded generator. */
export interface Draws {
  chance(probability: number): boolean
  below(limit: number): number
}

/** A block of events with columns of every lane, NULLs, and now and then deletes and unknown fields. */
export function wideBlock(draws: Draws, rows: number): Uint8Array {
  const builder = new BlockBuilder(wideSchema)
  const operations = draws.chance(0.3)
  const rests = draws.chance(0.3)
  for (let i = 0; i < rows; i++) {
    builder.beginRow()
    const [id, n, price, url] = builder.columns
    id.setI64(builder.rows, 1000 + i)
    if (draws.chance(0.2)) n.setNull(builder.rows)
    else n.setI32(builder.rows, draws.below(1000))
    price.setF64(builder.rows, draws.below(1000) / 8)
    if (draws.chance(0.2)) url.setNull(builder.rows)
    else url.setText(builder.rows, `https://example.com/ä/${draws.below(1_000_000)}`)
    if (operations && draws.chance(0.3)) builder.setDelete()
    if (rests && draws.chance(0.3)) builder.setRest(new TextEncoder().encode('{"x":1}'), 0, 7)
    builder.commitRow()
  }
  return builder.finish()
}
