import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Batch, type Column, cellState, rawCell } from '../data/batch.ts'
import { cellErrors } from '../data/cell.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { compileMap } from './compile.ts'
import { call, caseOf, coalesce, column, literal, numberLiteral } from './resolve.ts'

/** Results that outgrow what was set aside for them, state lanes that come and go, errors on their way. */

const schema: ColumnSchema[] = [
  { name: 't', type: { kind: 'text' }, nullable: true },
  { name: 'i', type: { kind: 'integer' }, nullable: true },
]
const [t, i] = schema.map(({ type }, index) => column(index, type, true))

function textColumn(arena: Arena, values: readonly (string | null)[]): Column {
  const data = arena.allocateZeroed(values.length * 8)
  const state = values.includes(null) ? arena.allocateZeroed(values.length) : 0
  values.forEach((value, row) => {
    const bytes = Buffer.from(value ?? '')
    const address = arena.allocate(bytes.length + 8)
    arena.memory.u8.set(bytes, address)
    if (value === null) arena.memory.u8[state + row] = 1
    arena.memory.u32[data / 4 + row * 2] = address
    arena.memory.u32[data / 4 + row * 2 + 1] = bytes.length
  })
  return { lane: 'bytes', data, state, heap: 0 }
}

function integerColumn(arena: Arena, values: readonly (number | null)[], errors: readonly number[] = []): Column {
  const data = arena.allocate(values.length * 4)
  const state = values.includes(null) || errors.length > 0 ? arena.allocateZeroed(values.length) : 0
  values.forEach((value, row) => {
    arena.memory.i32[data / 4 + row] = value ?? 0
    if (value === null) arena.memory.u8[state + row] = 1
  })
  for (const row of errors) arena.memory.u8[state + row] = cellErrors.userFunction
  return { lane: 'i32', data, state, heap: 0 }
}

function text(arena: Arena, batch: Batch, at: number, row: number): string | number {
  const state = cellState(arena.memory, batch.columns[at], row)
  return state !== 0 ? state : Buffer.from(rawCell(arena.memory, batch.columns[at], row) as Uint8Array).toString()
}

describe('space for bytes', () => {
  it('is found for results far longer than was guessed, in a memory that has to grow', () => {
    const values = ['a', 'é'.repeat(100_000), 'b'.repeat(300_000), '', '😀'.repeat(50_000), 'c']
    const map = compileMap(schema, null, [call('||', [call('upper', [t]), call('repeat', [t, numberLiteral('3')])])])
    const arena = new Arena(new LinearMemory())
    for (let run = 0; run < 3; run++) {
      const columns = [textColumn(arena, values), integerColumn(arena, [1, 2, 3, 4, 5, 6])]
      const { batch } = map.run(arena, { rows: values.length, columns, weights: 0 }, 0n)
      values.forEach((value, row) => {
        expect(text(arena, batch!, 0, row)).toBe(value.toUpperCase() + value.repeat(3))
      })
      arena.reset()
    }
  })

  it('is found whatever the rows and their order', () => {
    const memory = new LinearMemory()
    const arena = new Arena(memory)
    const map = compileMap(schema, call('>', [i, numberLiteral('0')]), [
      call('lpad', [t, i]),
      caseOf([{ when: call('>', [i, numberLiteral('50')]), result: t }], literal('other', { kind: 'text' })),
      call('reverse', [t]),
    ])
    const row = fc.tuple(fc.option(fc.string({ unit: 'grapheme', maxLength: 40 })), fc.integer({ min: -5, max: 3000 }))
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), (rows) => {
        arena.reset()
        const texts = rows.map(([value]) => value?.replaceAll('\0', '') ?? null)
        const counts = rows.map(([, count]) => count)
        const columns = [textColumn(arena, texts), integerColumn(arena, counts)]
        const { batch } = map.run(arena, { rows: rows.length, columns, weights: 0 }, 0n)
        const kept = rows.flatMap((_, at) => (counts[at] > 0 ? [at] : []))
        expect(batch?.rows ?? 0).toBe(kept.length)
        kept.forEach((at, to) => {
          const value = texts[at]
          const characters = value === null ? [] : [...value]
          const padded =
            characters.length >= counts[at]
              ? characters.slice(0, counts[at]).join('')
              : ' '.repeat(counts[at] - characters.length) + value
          expect(text(arena, batch!, 0, to)).toBe(value === null ? 1 : padded)
          expect(text(arena, batch!, 1, to)).toBe(counts[at] <= 50 ? 'other' : (value ?? 1))
          expect(text(arena, batch!, 2, to)).toBe(value === null ? 1 : characters.reverse().join(''))
        })
      }),
    )
  })
})

describe('states', () => {
  const outputs = [
    call('+', [i, numberLiteral('1')]),
    coalesce([i, numberLiteral('7')]),
    caseOf([{ when: call('>', [i, numberLiteral('0')]), result: i }], numberLiteral('0')),
  ]

  it('of errors travel through strict functions and choices', () => {
    const arena = new Arena(new LinearMemory())
    const columns = [textColumn(arena, ['a', 'b', 'c']), integerColumn(arena, [5, null, 0], [2])]
    const { batch } = compileMap(schema, null, outputs).run(arena, { rows: 3, columns, weights: 0 }, 0n)
    const states = batch!.columns.map((each) => [0, 1, 2].map((row) => cellState(arena.memory, each, row)))
    const error = cellErrors.userFunction
    expect(states).toEqual([
      [0, 1, error],
      [0, 0, error],
      [0, 0, error],
    ])
    expect(rawCell(arena.memory, batch!.columns[0], 1)).toBe(0)
  })

  it('leave no lane behind where every cell is a value', () => {
    const arena = new Arena(new LinearMemory())
    const columns = [textColumn(arena, ['a']), integerColumn(arena, [null])]
    const { batch } = compileMap(schema, null, outputs).run(arena, { rows: 1, columns, weights: 0 }, 0n)
    expect(batch!.columns.map(({ state }) => state === 0)).toEqual([false, true, true])
  })

  it('come in more patterns than are compiled, and mean the same', () => {
    const many = 6
    const wide: ColumnSchema[] = Array.from({ length: many }, (_, n) => ({
      name: `c${n}`,
      type: { kind: 'integer' },
      nullable: true,
    }))
    const sum = wide.map((_, n) => column(n, { kind: 'integer' }, true)).reduce((a, b) => call('+', [a, b]))
    const map = compileMap(wide, null, [sum])
    const arena = new Arena(new LinearMemory())
    for (let pattern = 0; pattern < 2 ** many; pattern++) {
      const columns = wide.map((_, n) => integerColumn(arena, (pattern >> n) & 1 ? [1, null] : [1, 2]))
      const { batch } = map.run(arena, { rows: 2, columns, weights: 0 }, 0n)
      const [result] = batch!.columns
      expect(rawCell(arena.memory, result, 0)).toBe(many)
      expect(cellState(arena.memory, result, 1)).toBe(pattern === 0 ? 0 : 1)
      arena.reset()
    }
  })
})
