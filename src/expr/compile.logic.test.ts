import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellState, rawCell } from '../data/batch.ts'
import { Arena, LinearMemory } from '../data/memory.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { compileMap } from './compile.ts'
import { printKernel } from './print-js.ts'
import { and, call, column, distinctFrom, greatest, isNull, literal, not, now, numberLiteral, or } from './resolve.ts'
import type { Scalar } from './scalar.ts'

/** Logic over values, NULLs and errors: the order of operands may never matter, or optimising would change results. */

type Truth = boolean | 'null' | number
const truths: readonly Truth[] = [true, false, 'null', 2, 6]
const width = 4
const schema: ColumnSchema[] = Array.from({ length: width }, (_, n) => ({
  name: `f${n}`,
  type: { kind: 'boolean' },
  nullable: true,
}))
const columns = schema.map(({ type }, n) => column(n, type, true))
const arena = new Arena(new LinearMemory())

function evaluate(scalar: Scalar, row: readonly Truth[]): Truth {
  arena.reset()
  const lanes = row.map((truth) => {
    const data = arena.allocateZeroed(4)
    const state = arena.allocateZeroed(1)
    arena.memory.i32[data / 4] = truth === true ? 1 : 0
    arena.memory.u8[state] = truth === 'null' ? 1 : typeof truth === 'number' ? truth : 0
    return { lane: 'i32' as const, data, state, heap: 0 }
  })
  const { batch } = compiled(scalar).run(arena, { rows: 1, columns: lanes, weights: 0 }, 0n)
  const state = cellState(arena.memory, batch!.columns[0], 0)
  const value = rawCell(arena.memory, batch!.columns[0], 0)
  if (state !== 0) expect(value).toBe(0)
  return state === 0 ? value === 1 : state === 1 ? 'null' : state
}

const known = new Map<Scalar, ReturnType<typeof compileMap>>()

function compiled(scalar: Scalar): ReturnType<typeof compileMap> {
  let map = known.get(scalar)
  if (map === undefined) {
    map = compileMap(schema, null, [scalar])
    known.set(scalar, map)
  }
  return map
}

/** The deciding value, else the least error, else NULL, else the other value. */
function connect(row: readonly Truth[], deciding: boolean): Truth {
  if (row.includes(deciding)) return deciding
  const errors = row.filter((truth) => typeof truth === 'number')
  if (errors.length > 0) return Math.min(...errors)
  return row.includes('null') ? 'null' : !deciding
}

const rows: fc.Arbitrary<Truth[]> = fc.array(fc.constantFrom(...truths), { minLength: width, maxLength: width })
const all = { and: and(columns), or: or(columns) }
const nested = {
  and: and([not(or([not(columns[0]), not(columns[1])])), and([columns[2], columns[3]])]),
  or: or([not(and([not(columns[0]), not(columns[1])])), or([columns[2], columns[3]])]),
}

describe('AND and OR', () => {
  it('follow the rule, in every order and nesting', () => {
    fc.assert(
      fc.property(rows, (row) => {
        expect(evaluate(all.and, row)).toBe(connect(row, false))
        expect(evaluate(all.or, row)).toBe(connect(row, true))
        expect(evaluate(nested.and, row)).toBe(connect(row, false))
        expect(evaluate(nested.or, row)).toBe(connect(row, true))
      }),
      { numRuns: 500 },
    )
  })
})

describe('errors', () => {
  const [a, b] = columns
  it('are neither NULL nor distinct from anything', () => {
    expect(evaluate(isNull(a), [6, true, true, true])).toBe(6)
    expect(evaluate(isNull(a, true), ['null', true, true, true])).toBe(false)
    expect(evaluate(distinctFrom(a, b), [6, 'null', true, true])).toBe(6)
    expect(evaluate(distinctFrom(a, b), [6, 2, true, true])).toBe(2)
    expect(evaluate(distinctFrom(a, b), ['null', true, true, true])).toBe(true)
    expect(evaluate(distinctFrom(a, b, true), ['null', 'null', true, true])).toBe(true)
  })

  it('win over NULL in strict functions and in GREATEST', () => {
    const equal = call('=', [a, b])
    expect(evaluate(equal, [6, 'null', true, true])).toBe(6)
    expect(evaluate(equal, ['null', 2, true, true])).toBe(2)
    expect(evaluate(greatest([a, b]), [6, 'null', true, true])).toBe(6)
    expect(evaluate(greatest([a, b]), [true, 'null', true, true])).toBe(true)
    expect(evaluate(greatest([a, b]), ['null', 'null', true, true])).toBe('null')
  })
})

describe('now()', () => {
  it('is the time of the tick, beyond doubles too', () => {
    const later = call('>', [now(), literal('2020-01-01', { kind: 'timestamptz' })])
    const map = compileMap([], later, [numberLiteral('1')])
    const run = (micros: bigint): number =>
      map.run(arena, { rows: 1, columns: [], weights: 0 }, micros).batch?.rows ?? 0
    expect([0n, 1_577_836_800_000_001n, 9_100_000_000_000_000_000n].map(run)).toEqual([0, 1, 1])
  })
})

describe('the printer', () => {
  it('never puts a value into the code', () => {
    const kernel = {
      exact: false,
      body: [{ k: 'keep' as const, test: { k: 'flag' as const, type: 'flag' as const, value: true } }],
      columns: [],
      pool: ['`); throw 1; (`'],
      literals: [new TextEncoder().encode("'); throw 2; ('")],
      writesState: false,
    }
    expect(printKernel(kernel, false)).not.toContain('throw')
    const hostile = `'"\`\\\n\${1}*/`
    const t: ColumnSchema[] = [{ name: hostile, type: { kind: 'text' }, nullable: true }]
    const put = call('||', [literal(hostile, { kind: 'text' }), literal('x', { kind: 'text' })])
    const map = compileMap(t, null, [put])
    const column = { lane: 'bytes' as const, data: arena.allocateZeroed(8), state: 0, heap: 0 }
    const { batch } = map.run(arena, { rows: 1, columns: [column], weights: 0 }, 0n)
    const bytes = rawCell(arena.memory, batch!.columns[0], 0) as Uint8Array
    expect(Buffer.from(bytes).toString()).toBe(`${hostile}x`)
  })
})
