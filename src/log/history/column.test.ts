import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { align8, viewsOver } from '../../data/memory.ts'
import type { Lane } from '../../data/sql-type.ts'
import { encodeColumn, type PlainColumn, Section } from './column.ts'
import type { Compression } from './compression.ts'
import { encodeIntegers, integerEncoding } from './integers.ts'
import { stringEncoding } from './strings.ts'

/** Cells and states as a block has them after they went through a section. */
function through(column: PlainColumn, rows: number, compression: Compression) {
  const { bytes, ...rest } = encodeColumn(column, rows, compression)
  const section = new Section(bytes)
  expect(section.head).toMatchObject({ lane: column.lane, rows, cellBytes: rest.cellBytes })
  const out = viewsOver(new ArrayBuffer(16 + align8(rest.cellBytes) + align8(rows)))
  out.u8.fill(0xee)
  const states = 8 + align8(rest.cellBytes)
  section.decode(out, 8, states)
  const cells = out.u8.slice(8, 8 + rest.cellBytes)
  return {
    ...rest,
    encoding: bytes[1],
    cells,
    states: section.head.hasStates ? out.u8.slice(states, states + rows) : null,
  }
}

function integers(lane: 'i32' | 'i64', values: readonly (bigint | null)[]): PlainColumn {
  const longs = BigInt64Array.from(values, (value) => value ?? 0n)
  const words = lane === 'i64' ? new Int32Array(longs.buffer) : Int32Array.from(values, (value) => Number(value ?? 0n))
  const states = values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 1 : 0)) : null
  return { lane, words, states, heap: new Uint8Array(0) }
}

const around = (base: bigint, spread: bigint): fc.Arbitrary<bigint[]> =>
  fc.array(fc.bigInt({ min: base - spread, max: base + spread }), { minLength: 1, maxLength: 60 })

const shapes: Record<string, fc.Arbitrary<(bigint | null)[]>> = {
  narrow: fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }).chain((base) => around(base, 100n)),
  'of any width': fc
    .tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer({ min: 0, max: 62 }))
    .chain(([base, bits]) => around(base, 2n ** BigInt(bits)))
    .map((values) => values.map((value) => BigInt.asIntN(64, value))),
  rising: around(0n, 3000n).map((steps) => {
    let at = 1_700_000_000_000_000n
    return steps.map((step) => (at += step < 0n ? -step : step))
  }),
  'in runs': fc
    .array(fc.tuple(fc.bigInt({ min: -5n, max: 2n ** 40n }), fc.integer({ min: 1, max: 60 })), {
      minLength: 1,
      maxLength: 9,
    })
    .map((runs) => runs.flatMap(([value, length]) => Array.from({ length }, () => value))),
  'with NULLs': fc.array(fc.option(fc.bigInt({ min: 10n ** 15n, max: 10n ** 15n + 9n })), { minLength: 1 }),
}

describe.each(['none', 'deflate', 'auto'] as const)('a section, compression %s', (compression) => {
  it.each(Object.entries(shapes))('gives whole numbers back: %s', (_name, shape) => {
    fc.assert(
      fc.property(shape, fc.constantFrom('i32' as const, 'i64' as const), (values, lane) => {
        const fitting = lane === 'i64' ? values : values.map((value) => value && BigInt.asIntN(32, value))
        const column = integers(lane, fitting)
        const back = through(column, fitting.length, compression)
        expect(Buffer.compare(back.cells, new Uint8Array(column.words.buffer))).toBe(0)
        expect(back.states).toEqual(column.states)
        expect(back.nulls).toBe(fitting.filter((value) => value === null).length)
        const known = fitting.filter((value) => value !== null).map(Number)
        if (back.min !== null && known.length > 0) {
          expect([back.min, back.max]).toEqual([Math.min(...known), Math.max(...known)])
        }
      }),
    )
  })

  it('gives doubles back, bit by bit', () => {
    fc.assert(
      fc.property(fc.array(fc.double(), { minLength: 1, maxLength: 50 }), (values) => {
        const words = new Int32Array(Float64Array.from(values).buffer)
        const back = through({ lane: 'f64', words, states: null, heap: new Uint8Array(0) }, values.length, compression)
        expect(back.cells).toEqual(new Uint8Array(words.buffer))
      }),
    )
  })

  it('gives strings back, in any order and overlapping', () => {
    const text = fc.uint8Array({ maxLength: 40 })
    const list = fc.oneof(
      fc.array(text, { minLength: 1, maxLength: 80 }),
      fc
        .tuple(fc.array(text, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 400 }))
        .map(([few, rows]) => Array.from({ length: rows }, (_, i) => few[(i * i) % few.length])),
    )
    const seen = new Set<number>()
    fc.assert(
      fc.property(list, fc.boolean(), (strings, backwards) => {
        const rows = strings.length
        const heap = new Uint8Array(strings.reduce((sum, { length }) => sum + length, 3))
        const words = new Int32Array(rows * 2)
        let end = 3
        for (let k = 0; k < rows; k++) {
          const row = backwards ? rows - 1 - k : k
          heap.set(strings[row], end)
          if (strings[row].length > 0) words.set([end, strings[row].length], row * 2)
          end += strings[row].length
        }
        const states = Uint8Array.from(strings, ({ length }, i) => (length === 0 && i % 2 === 0 ? 1 : 0))
        const back = through({ lane: 'bytes', words, states, heap }, rows, compression)
        seen.add(back.encoding)
        const cells = new Uint32Array(back.cells.slice(0, rows * 8).buffer)
        for (let row = 0; row < rows; row++) {
          const [start, length] = [cells[2 * row], cells[2 * row + 1]]
          expect(back.cells.slice(start, start + length)).toEqual(length === 0 ? new Uint8Array(0) : strings[row])
          expect(length).toBe(strings[row].length)
          if (length === 0) expect(start).toBe(0)
        }
        expect(back.states ?? new Uint8Array(rows)).toEqual(states)
      }),
    )
    expect(seen).toEqual(new Set(Object.values(stringEncoding)))
  })
})

describe('whole numbers', () => {
  const encodingOf = (values: number[], cellBytes: 4 | 8 = 8): number =>
    encodeIntegers(Float64Array.from(values), values.length, cellBytes).encoding
  const many = (value: (i: number) => number): number[] => Array.from({ length: 1000 }, (_, i) => value(i))

  it('take the smallest form', () => {
    expect(encodingOf(many(() => -7))).toBe(integerEncoding.constant)
    expect(encodingOf(many((i) => 1e15 + ((i * 7919) % 250)))).toBe(integerEncoding.offset)
    expect(encodingOf(many((i) => 1e15 + i * 1000))).toBe(integerEncoding.delta)
    expect(encodingOf(many((i) => Math.floor(i / 300) * 1e12))).toBe(integerEncoding.runs)
    expect(encodingOf(many((i) => ((i * 7919) % 1000) * 1e10))).toBe(integerEncoding.raw)
    expect(
      encodingOf(
        many((i) => ((i * 7919) % 1000) * 1e6),
        4,
      ),
    ).toBe(integerEncoding.raw)
  })
})

const lanes: readonly Lane[] = ['i32', 'i64', 'f64', 'bytes']
it.each(lanes)('a section without rows is one: %s', (lane) => {
  const empty = { lane, words: new Int32Array(0), states: null, heap: new Uint8Array(0) }
  expect(through(empty, 0, 'auto').cells).toHaveLength(0)
})
