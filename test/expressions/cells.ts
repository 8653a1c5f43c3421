import { type Batch, type Column, cellState, rawCell } from '../../src/data/batch.ts'
import type { Arena } from '../../src/data/memory.ts'
import { type ColumnSchema, laneOf } from '../../src/data/sql-type.ts'
import { compileMap } from '../../src/expr/compile.ts'
import * as resolve from '../../src/expr/resolve.ts'

/** A batch of values written as text, read by the casts that are under test elsewhere. */
export function batchOfTexts(
  arena: Arena,
  schema: readonly ColumnSchema[],
  rows: readonly (readonly (string | null)[])[],
): Batch {
  const texts: ColumnSchema[] = schema.map(({ name }) => ({ name, type: { kind: 'text' }, nullable: true }))
  const columns = schema.map((_, c) =>
    textColumn(
      arena,
      rows.map((row) => row[c]),
    ),
  )
  const read = texts.map(({ type }, c) => resolve.cast(resolve.column(c, type, true), schema[c].type, 'explicit'))
  const { batch } = compileMap(texts, null, read).run(arena, { rows: rows.length, columns, weights: 0 }, 0n)
  return batch!
}

function textColumn(arena: Arena, values: readonly (string | null)[]): Column {
  const data = arena.allocateZeroed(values.length * 8)
  const state = arena.allocateZeroed(values.length)
  values.forEach((value, row) => {
    if (value === null) {
      arena.memory.u8[state + row] = 1
      return
    }
    const bytes = new TextEncoder().encode(value)
    const address = arena.allocate(bytes.length)
    arena.memory.u8.set(bytes, address)
    arena.memory.u32[data / 4 + row * 2] = address
    arena.memory.u32[data / 4 + row * 2 + 1] = bytes.length
  })
  return { lane: laneOf({ kind: 'text' }), data, state, heap: 0 }
}

/** Each row's cell of one column as text: NULL as null, an error as `error` and its code. */
export function textsOf(arena: Arena, schema: ColumnSchema, column: Column, rows: number): (string | null)[] {
  const written = resolve.cast(resolve.column(0, schema.type, true), { kind: 'text' }, 'explicit')
  const { batch } = compileMap([schema], null, [written]).run(arena, { rows, columns: [column], weights: 0 }, 0n)
  const [texts] = batch!.columns
  return Array.from({ length: rows }, (_, row) => {
    const state = cellState(arena.memory, texts, row)
    if (state > 1) return `error ${state}`
    return state === 1 ? null : Buffer.from(rawCell(arena.memory, texts, row) as Uint8Array).toString()
  })
}
