import { describe, expect, it } from 'vitest'
import { rawCell, rowWeight } from '../data/batch.ts'
import { cellErrors } from '../data/cell.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { compileMap } from './compile.ts'
import { call, column, numberLiteral } from './resolve.ts'

const inputs: ColumnSchema[] = [{ name: 'a', type: { kind: 'bigint' }, nullable: false }]
const a = column(0, inputs[0].type, false)
const number = numberLiteral

function batchOf(arena: Arena, values: readonly bigint[], weights?: readonly number[]) {
  const data = arena.allocate(values.length * 8)
  values.forEach((value, i) => {
    arena.memory.i64[data / 8 + i] = value
  })
  let address = 0
  if (weights !== undefined) {
    address = arena.allocate(weights.length * 4)
    arena.memory.i32.set(weights, address / 4)
  }
  return { rows: values.length, columns: [{ lane: 'i64' as const, data, state: 0, heap: 0 }], weights: address }
}

describe('a compiled map', () => {
  it('keeps rows whose filter is TRUE, with their weights', () => {
    const arena = new Arena(new LinearMemory())
    const even = call('=', [call('%', [a, number('2')]), number('0')])
    const map = compileMap(inputs, even, [a, call('+', [a, number('1')])])
    const { batch } = map.run(arena, batchOf(arena, [1n, 2n, 3n, 4n], [1, -1, 2, 3]), 0n)
    expect(batch!.rows).toBe(2)
    expect([0, 1].map((row) => rawCell(arena.memory, batch!.columns[0], row))).toEqual([2n, 4n])
    expect([0, 1].map((row) => rawCell(arena.memory, batch!.columns[1], row))).toEqual([3n, 5n])
    expect([0, 1].map((row) => rowWeight(arena.memory, batch!, row))).toEqual([-1, 3])
  })

  it('passes columns on without a copy where nothing is filtered out', () => {
    const arena = new Arena(new LinearMemory())
    const batch = batchOf(arena, [1n, 2n])
    const map = compileMap(inputs, call('>', [a, number('0')]), [a])
    expect(map.run(arena, batch, 0n).batch!.columns[0]).toBe(batch.columns[0])
  })

  it('yields nothing where no row passes', () => {
    const arena = new Arena(new LinearMemory())
    const map = compileMap(inputs, call('<', [a, number('0')]), [a])
    expect(map.run(arena, batchOf(arena, [1n, 2n]), 0n)).toEqual({ batch: null, errors: [] })
  })

  it('goes on with BigInts from the first value that a double cannot hold', () => {
    const arena = new Arena(new LinearMemory())
    const map = compileMap(inputs, null, [call('*', [a, number('3')])])
    const values = [5n, 2n ** 52n, -(2n ** 61n), 2n ** 62n, 7n]
    const { batch } = map.run(arena, batchOf(arena, values), 0n)
    const [product] = batch!.columns
    expect(values.map((_, row) => rawCell(arena.memory, product, row))).toEqual([
      15n,
      3n * 2n ** 52n,
      -3n * 2n ** 61n,
      0n,
      21n,
    ])
    expect(values.map((_, row) => arena.memory.u8[product.state + row])).toEqual([
      0,
      0,
      0,
      cellErrors.integerOutOfRange,
      0,
    ])
  })

  it('reports rows whose filter is an error', () => {
    const arena = new Arena(new LinearMemory())
    const filter = call('>', [call('/', [number('10'), a]), number('1')])
    const map = compileMap(inputs, filter, [a])
    const result = map.run(arena, batchOf(arena, [0n, 2n, 100n, 0n]), 0n)
    expect(result.errors).toEqual([
      { row: 0, code: cellErrors.divisionByZero },
      { row: 3, code: cellErrors.divisionByZero },
    ])
    expect(rawCell(arena.memory, result.batch!.columns[0], 0)).toBe(2n)
  })
})
