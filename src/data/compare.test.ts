import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openBlock } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import { blockCells } from './cell-access.ts'
import { compileComparator, completeOrder, type RowOrder } from './compare.ts'
import { compareDecimal, parseDecimal } from './decimal.ts'
import { readText } from './ingest/cell-reader.ts'
import { compareInterval, parseInterval } from './interval.ts'
import { type SortSource, sortRows } from './sort.ts'
import type { ColumnSchema, SqlType } from './sql-type.ts'

function source(
  types: readonly SqlType[],
  rows: readonly (readonly (string | null)[])[],
): SortSource & { readonly rows: number } {
  const builder = new BlockBuilder(types.map((type, i) => ({ name: `c${i}`, type, nullable: true })))
  for (const row of rows) {
    builder.beginRow()
    row.forEach((text, i) => {
      if (text === null) builder.columns[i].setNull(builder.rows)
      else expect(readText(types[i], builder.columns[i], builder.rows, text)).toBeNull()
    })
    builder.commitRow()
  }
  const block = openBlock(builder.finish())
  return { memory: block.memory, rows: block.rows, columns: blockCells(block, types.length) }
}

const schemaOf = (types: readonly SqlType[]): ColumnSchema[] =>
  types.map((type, i) => ({ name: `c${i}`, type, nullable: true }))

/** The numbers of a source's rows in order. */
function sortedRows(
  schema: readonly ColumnSchema[],
  order: readonly RowOrder[],
  of: ReturnType<typeof source>,
): number[] {
  const keys = completeOrder(schema, order)
  const rows = Uint16Array.from({ length: of.rows }, (_, i) => i)
  return [...sortRows(of, { schema, keys, comparator: compileComparator(schema, order) }, rows)]
}

const ascending: RowOrder = { column: 0, descending: false, nullsFirst: false }

/** The texts of one column in the order of `sortRows`. */
function sorted(type: SqlType, texts: readonly (string | null)[], order = ascending): (string | null)[] {
  const rows = source(
    [type],
    texts.map((text) => [text]),
  )
  return sortedRows(schemaOf([type]), [order], rows).map((row) => texts[row])
}

describe('the order of one column', () => {
  it.each<[SqlType, (string | null)[]]>([
    [{ kind: 'boolean' }, ['f', 't', null]],
    [{ kind: 'integer' }, ['-2147483648', '-1', '0', '7', '2147483647', null]],
    [
      { kind: 'bigint' },
      ['-9223372036854775808', '-4294967297', '-1', '0', '4294967295', '4294967296', '9223372036854775807', null],
    ],
    [{ kind: 'double' }, ['-Infinity', '-1.5', '-1e-300', '0', '1e-300', '2', 'Infinity', 'NaN', null]],
    [
      { kind: 'numeric' },
      [
        '-Infinity',
        '-1e50',
        '-1.05',
        '-1',
        '-0.001',
        '0',
        '0.001',
        '1',
        '1.05',
        '9',
        '10',
        '1e50',
        'Infinity',
        'NaN',
        null,
      ],
    ],
    [{ kind: 'numeric', precision: 6, scale: 2 }, ['-10.00', '-9.99', '0.00', '0.01', '10.00', null]],
    [{ kind: 'text' }, ['', 'A', 'B', 'a', 'aa', 'ab', 'b', 'é', '😀', null]],
    [{ kind: 'bytea' }, ['\\x', '\\x00', '\\x0001', '\\x7f', '\\x80', '\\xff', null]],
    [{ kind: 'interval' }, ['-1 day', '00:00:00', '23:00:00', '29 days', '31 days', '1 year', null]],
    [{ kind: 'timestamp' }, ['4713-01-01 BC', '1969-12-31', '1970-01-01', '2026-11-21 10:00:00.000001', null]],
  ])('%j', (type, texts) => {
    const shuffled = [...texts].sort((a, b) => String(a).length - String(b).length)
    expect(sorted(type, shuffled)).toEqual(texts)
    const backwards = sorted(type, shuffled, { column: 0, descending: true, nullsFirst: true })
    expect(backwards).toEqual([...texts].reverse())
    expect(sorted(type, shuffled, { ...ascending, nullsFirst: true })).toEqual([null, ...texts.slice(0, -1)])
  })
})

it('lets the next column decide between equal values, and their form at the very last', () => {
  const types: SqlType[] = [{ kind: 'numeric' }, { kind: 'interval' }, { kind: 'integer' }]
  const texts = [
    ['1.50', '30 days', '1'],
    ['1.5', '1 mon', '2'],
    ['1.500', '30 days', '3'],
    ['1.5', '30 days', '3'],
  ]
  const rows = sortedRows(schemaOf(types), [], source(types, texts))
  expect(rows.map((row) => texts[row])).toEqual([texts[0], texts[1], texts[3], texts[2]])
})

const cases: { readonly type: SqlType; readonly value: fc.Arbitrary<string>; compare(a: string, b: string): number }[] =
  [
    { type: { kind: 'integer' }, value: fc.integer({ min: -3, max: 3 }).map(String), compare: (a, b) => +a - +b },
    {
      type: { kind: 'bigint' },
      value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      compare: (a, b) => (BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0),
    },
    {
      type: { kind: 'text' },
      value: fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0')),
      compare: (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)),
    },
    {
      type: { kind: 'numeric' },
      value: fc
        .tuple(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: -6, max: 6 }))
        .map(([n, e]) => `${n}e${e}`),
      compare: (a, b) => compareDecimal(parseDecimal(a)!, parseDecimal(b)!),
    },
    {
      type: { kind: 'interval' },
      value: fc.integer({ min: -40, max: 40 }).map((days) => `${days % 2} mons ${days} days`),
      compare: (a, b) => compareInterval(parseInterval(a)!, parseInterval(b)!),
    },
    {
      type: { kind: 'double' },
      value: fc.double({ noNaN: true }).map(String),
      compare: (a, b) => (+a < +b ? -1 : +a > +b ? 1 : 0),
    },
  ]

it('agrees with a plain sort of the values, over several blocks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(cases.length - 1), { minLength: 1, maxLength: 3 }).chain((picks) =>
        fc.record({
          picks: fc.constant(picks),
          order: fc.array(
            fc.record({ column: fc.nat(picks.length - 1), descending: fc.boolean(), nullsFirst: fc.boolean() }),
            { maxLength: 3 },
          ),
          rows: fc.array(fc.tuple(...picks.map((pick) => fc.option(cases[pick].value, { freq: 4 }))), {
            maxLength: 40,
          }),
          repeat: fc.constantFrom(1, 1, 90),
          cut: fc.nat(40),
        }),
      ),
      ({ picks, order, rows, repeat, cut }) => {
        const types = picks.map((pick) => cases[pick].type)
        const all = Array.from({ length: repeat }, () => rows).flat()
        const parts = [all.slice(0, cut), all.slice(cut)]
        const sources = parts.map((part) => source(types, part))
        const steps = [...order, ...types.map((_, column) => ({ column, descending: false, nullsFirst: false }))]
        const compare = (a: readonly (string | null)[], b: readonly (string | null)[]): number => {
          for (const { column, descending, nullsFirst } of steps) {
            const [x, y] = [a[column], b[column]]
            if (x === null || y === null) {
              if (x === y) continue
              return (x === null) === nullsFirst ? -1 : 1
            }
            const c = cases[picks[column]].compare(x, y)
            if (c !== 0) return descending ? -c : c
          }
          return 0
        }
        const compiled = compileComparator(schemaOf(types), order)
        const sorted = sources.map((of) => sortedRows(schemaOf(types), order, of))
        sorted.forEach((numbers, part) => {
          expect(new Set(numbers).size).toBe(parts[part].length)
          const texts = numbers.map((row) => parts[part][row])
          for (let i = 1; i < texts.length; i++) expect(compare(texts[i - 1], texts[i])).toBeLessThanOrEqual(0)
        })
        const [a, b] = sources
        for (let i = 0; i < Math.min(a.rows, b.rows, 50); i++) {
          const c = compiled(a.memory, a, i, b.memory, b, i)
          const expected = Math.sign(compare(parts[0][i], parts[1][i]))
          if (expected !== 0) expect(Math.sign(c)).toBe(expected)
          expect(Math.sign(compiled(b.memory, b, i, a.memory, a, i))).toBe(-Math.sign(c) + 0)
        }
      },
    ),
    { numRuns: 150 },
  )
})
