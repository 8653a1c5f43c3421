import { describe, expect, it } from 'vitest'
import { openBlock } from './block.ts'
import { BlockBuilder } from './block-builder.ts'
import { blockCells } from './cell-access.ts'
import { cellDatum, type Datum } from './datum.ts'
import { readText } from './ingest/cell-reader.ts'
import { printRow } from './json-print.ts'
import type { SqlType } from './sql-type.ts'
import { cellText, csvHeader, csvLine, textTable } from './text-print.ts'

function cell(type: SqlType, text: string | null) {
  const builder = new BlockBuilder([{ name: 'c', type, nullable: true }])
  builder.beginRow()
  if (text === null) builder.columns[0].setNull(0)
  else expect(readText(type, builder.columns[0], 0, text)).toBeNull()
  builder.commitRow()
  const block = openBlock(builder.finish())
  return { memory: block.memory, column: blockCells(block, 1)[0] }
}

// The texts are what PostgreSQL prints for the values, in its text output and with to_json.
const values: [SqlType, string | null, string | null, string, Datum][] = [
  [{ kind: 'boolean' }, 'yes', 't', 'true', true],
  [{ kind: 'integer' }, '-7', '-7', '-7', -7],
  [{ kind: 'bigint' }, '9007199254740993', '9007199254740993', '9007199254740993', 9007199254740993n],
  [{ kind: 'bigint' }, '-9007199254740991', '-9007199254740991', '-9007199254740991', -9007199254740991],
  [{ kind: 'bigint' }, '4294967296', '4294967296', '4294967296', 4294967296],
  [{ kind: 'double' }, '1e20', '1e+20', '1e+20', 1e20],
  [{ kind: 'double' }, '0.00001', '1e-05', '1e-05', 1e-5],
  [{ kind: 'double' }, 'NaN', 'NaN', '"NaN"', Number.NaN],
  [{ kind: 'double' }, '-Infinity', '-Infinity', '"-Infinity"', Number.NEGATIVE_INFINITY],
  [{ kind: 'real' }, '0.1', '0.1', '0.1', 0.1],
  [{ kind: 'numeric' }, '1.10', '1.10', '1.10', 1.1],
  [{ kind: 'numeric' }, '0.0000000000000001', '0.0000000000000001', '0.0000000000000001', 1e-16],
  [{ kind: 'numeric' }, '1234567890123456', '1234567890123456', '1234567890123456', '1234567890123456'],
  [{ kind: 'numeric' }, 'NaN', 'NaN', '"NaN"', Number.NaN],
  [{ kind: 'numeric', precision: 10, scale: 2 }, '-0.5', '-0.50', '-0.50', -0.5],
  [
    { kind: 'numeric', precision: 18, scale: 2 },
    '9999999999999999.99',
    '9999999999999999.99',
    '9999999999999999.99',
    '9999999999999999.99',
  ],
  [
    { kind: 'numeric', precision: 18, scale: 2 },
    '-9999999999999999.99',
    '-9999999999999999.99',
    '-9999999999999999.99',
    '-9999999999999999.99',
  ],
  [
    { kind: 'text' },
    'a"\\\u0001\n\u007fé😀',
    'a"\\\u0001\n\u007fé😀',
    '"a\\"\\\\\\u0001\\n\u007fé😀"',
    'a"\\\u0001\n\u007fé😀',
  ],
  [{ kind: 'bytea' }, '\\x00FF', '\\x00ff', '"\\\\x00ff"', '\\x00ff'],
  [{ kind: 'date' }, '2026-11-21', '2026-11-21', '"2026-11-21"', '2026-11-21'],
  [{ kind: 'date' }, '0044-03-15 BC', '0044-03-15 BC', '"0044-03-15 BC"', '0044-03-15 BC'],
  [{ kind: 'time' }, '10:00', '10:00:00', '"10:00:00"', '10:00:00'],
  [
    { kind: 'timestamp' },
    '2026-11-21 10:00:00.120',
    '2026-11-21 10:00:00.12',
    '"2026-11-21T10:00:00.12"',
    '2026-11-21T10:00:00.12',
  ],
  [
    { kind: 'timestamp' },
    '1969-12-31 23:59:59.999999',
    '1969-12-31 23:59:59.999999',
    '"1969-12-31T23:59:59.999999"',
    '1969-12-31T23:59:59.999999',
  ],
  [
    { kind: 'timestamp' },
    '0044-03-15 10:00:00 BC',
    '0044-03-15 10:00:00 BC',
    '"0044-03-15T10:00:00 BC"',
    '0044-03-15T10:00:00 BC',
  ],
  [
    { kind: 'timestamptz' },
    '2026-11-21 10:00:00-01',
    '2026-11-21 11:00:00+00',
    '"2026-11-21T11:00:00+00:00"',
    '2026-11-21T11:00:00+00:00',
  ],
  [
    { kind: 'timestamptz' },
    '290000-01-01',
    '290000-01-01 00:00:00+00',
    '"290000-01-01T00:00:00+00:00"',
    '290000-01-01T00:00:00+00:00',
  ],
  [{ kind: 'interval' }, '1 month 3 hours', '1 mon 03:00:00', '"1 mon 03:00:00"', '1 mon 03:00:00'],
  [{ kind: 'jsonb' }, '{"b":1,"a":null}', '{"a": null, "b": 1}', '{"a": null, "b": 1}', { a: null, b: 1 }],
  [{ kind: 'jsonb' }, 'null', 'null', 'null', null],
  [
    { kind: 'numeric', precision: 15, scale: 12 },
    '-12.000000000001',
    '-12.000000000001',
    '-12.000000000001',
    -12.000000000001,
  ],
  [
    { kind: 'numeric', precision: 18, scale: 18 },
    '0.000000000000000012',
    '0.000000000000000012',
    '0.000000000000000012',
    1.2e-17,
  ],
  [
    { kind: 'numeric', precision: 3, scale: 20 },
    '0.00000000000000000123',
    '0.00000000000000000123',
    '0.00000000000000000123',
    1.23e-18,
  ],
  [{ kind: 'text' }, null, null, 'null', null],
]

describe('a cell', () => {
  it.each(values)('%j %s', (type, text, printed, json, datum) => {
    const { memory, column } = cell(type, text)
    expect(cellText(memory, column, 0, type)).toBe(printed)
    expect(printRow([{ name: 'c', type, nullable: true }], memory, [column], 0)).toBe(`{"c":${json}}`)
    expect(cellDatum(memory, column, 0, type)).toEqual(datum)
  })

  it('as a Date', () => {
    const stamp: SqlType = { kind: 'timestamptz' }
    const { memory, column } = cell(stamp, '2026-11-21 10:00:00.1234')
    expect(cellDatum(memory, column, 0, stamp, { times: 'date' })).toEqual(new Date('2026-11-21T10:00:00.123Z'))
    const day = cell({ kind: 'date' }, '2026-11-21')
    expect(cellDatum(day.memory, day.column, 0, { kind: 'date' }, { times: 'date' })).toEqual(new Date('2026-11-21'))
  })

  it('numbers as strings', () => {
    const { memory, column } = cell({ kind: 'bigint' }, '12')
    const print = (type: SqlType, of = column) =>
      printRow([{ name: 'c', type, nullable: true }], memory, [of], 0, { numbers: 'string', shape: 'array' })
    expect(print({ kind: 'bigint' })).toBe('["12"]')
    expect(print({ kind: 'numeric', precision: 4, scale: 1 })).toBe('["1.2"]')
    expect(print({ kind: 'bigint' }, null as never)).toBe('[null]')
  })
})

describe('CSV', () => {
  it('quotes what needs it, and tells NULL from an empty string', () => {
    const text = { kind: 'text' as const }
    expect(
      csvHeader([
        { name: 'a', type: text, nullable: true },
        { name: 'b,c', type: text, nullable: true },
      ]),
    ).toBe('a,"b,c"\n')
    expect(csvLine(['x', null, '', 'a"b', 'a,b', 'a\nb', ' y'])).toBe('x,,"","a""b","a,b","a\nb", y\n')
  })
})

it('a table is aligned, and shows control characters', () => {
  const columns = [
    { name: 'name', type: { kind: 'text' as const }, nullable: true },
    { name: 'count', type: { kind: 'bigint' as const }, nullable: true },
  ]
  expect(
    textTable(columns, [
      ['é', '5'],
      ['日本\n\u001b[31m', '12345678'],
      [null, null],
    ]),
  ).toBe(
    [
      'name               count',
      '──────────────  ────────',
      'é                      5',
      '日本\\n\\x1b[31m  12345678',
      '',
      '',
    ].join('\n'),
  )
})
