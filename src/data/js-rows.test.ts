import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockColumn, openBlock } from './block.ts'
import { blockCells } from './cell-access.ts'
import { cellDatum } from './datum.ts'
import type { DecoderTopic } from './ingest/row-reader.ts'
import { ObjectDecoder } from './js-rows.ts'
import { compileDecoder, type Decoded } from './json-decoder.ts'
import { printRow } from './json-print.ts'
import type { SqlType } from './sql-type.ts'

const topic: DecoderTopic = {
  name: 'orders',
  columns: [
    { name: 'id', type: { kind: 'bigint' }, nullable: false },
    { name: 'userId', type: { kind: 'text' }, nullable: true },
    { name: 'at', type: { kind: 'timestamptz' }, nullable: true },
  ],
  primaryKey: [0],
  eventTime: null,
}

function rowsOf(decoded: Decoded, columns = topic.columns): string[] {
  return decoded.blocks.flatMap(({ bytes, rows }) => {
    const block = openBlock(bytes)
    const cells = blockCells(block, columns.length)
    return Array.from({ length: rows }, (_, row) => printRow(columns, block.memory, cells, row))
  })
}

function one(type: SqlType, value: unknown): string {
  const columns = [{ name: 'c', type, nullable: true }]
  const decoded = new ObjectDecoder({ name: 't', columns, primaryKey: [], eventTime: null }).decode({ c: value })
  return decoded.rows === 1 ? rowsOf(decoded, columns)[0].slice(5, -1) : decoded.errors.map((e) => e.detail).join('; ')
}

describe('what a column takes from JavaScript', () => {
  it.each<[SqlType, unknown, string]>([
    [{ kind: 'bigint' }, 7, '7'],
    [{ kind: 'bigint' }, -0, '0'],
    [{ kind: 'bigint' }, 9223372036854775807n, '9223372036854775807'],
    [{ kind: 'bigint' }, '12', '12'],
    [{ kind: 'bigint' }, 1e17, '100000000000000000'],
    [{ kind: 'bigint' }, 1.5, '"1.5" is not a bigint'],
    [{ kind: 'bigint' }, 2n ** 63n, '9223372036854775808 is out of range for bigint'],
    [{ kind: 'bigint' }, Number.NaN, '"NaN" is not a bigint'],
    [{ kind: 'integer' }, 2147483648, '2147483648 is out of range for integer'],
    [{ kind: 'integer' }, '1', 'expected integer, not a string ("1")'],
    [{ kind: 'numeric' }, 1.1, '1.1'],
    [{ kind: 'numeric' }, 10n ** 30n, '1000000000000000000000000000000'],
    [{ kind: 'numeric' }, '1.10', '1.10'],
    [{ kind: 'numeric', precision: 5, scale: 1 }, 1.25, '1.3'],
    [{ kind: 'numeric' }, Number.NaN, '"NaN"'],
    [{ kind: 'double' }, Number.NaN, '"NaN"'],
    [{ kind: 'double' }, -0, '0'],
    [{ kind: 'double' }, 1n, '1'],
    [{ kind: 'real' }, 0.1, '0.1'],
    [{ kind: 'boolean' }, true, 'true'],
    [{ kind: 'boolean' }, 1, 'expected boolean, not a number (1)'],
    [{ kind: 'text' }, 'a\ud83d\ude00', '"a😀"'],
    [{ kind: 'text' }, 'a\ud83d', 'the text has half of a surrogate pair in it'],
    [{ kind: 'text' }, 'a\0', 'the text has the character U+0000 in it, which no text may contain'],
    [{ kind: 'text' }, 1, 'expected text, not a number (1)'],
    [{ kind: 'text' }, new Date(0), 'expected text, not a Date'],
    [{ kind: 'text' }, () => 1, 'expected text, not function "() => 1"'],
    [{ kind: 'timestamp' }, new Date('2026-11-21T10:00:00.123Z'), '"2026-11-21T10:00:00.123"'],
    [{ kind: 'timestamptz' }, new Date('1969-12-31T23:59:59.999Z'), '"1969-12-31T23:59:59.999+00:00"'],
    [{ kind: 'timestamp' }, new Date(Number.NaN), 'the Date is invalid'],
    [{ kind: 'timestamp' }, 5, 'expected timestamp without time zone, not a number (5)'],
    [{ kind: 'date' }, new Date('1969-12-31T23:00:00Z'), '"1969-12-31"'],
    [{ kind: 'bytea' }, Uint8Array.of(0, 255), '"\\\\x00ff"'],
    [{ kind: 'uuid' }, new Uint8Array(16), '"00000000-0000-0000-0000-000000000000"'],
    [{ kind: 'uuid' }, new Uint8Array(15), 'expected uuid, not 15 bytes'],
    [
      { kind: 'jsonb' },
      { b: [1, 'x', null], a: new Date(0) },
      '{"a": "1970-01-01T00:00:00.000Z", "b": [1, "x", null]}',
    ],
    [{ kind: 'jsonb' }, 'x', '"x"'],
    [{ kind: 'jsonb' }, 1n, 'the value is nothing that JSON can hold'],
    [{ kind: 'interval' }, '90 minutes', '"01:30:00"'],
  ])('%j: %s', (type, value, expected) => {
    expect(one(type, value)).toBe(expected)
  })
})

describe('events as objects', () => {
  const decoder = new ObjectDecoder(topic)

  it('one, or an array of them', () => {
    expect(rowsOf(decoder.decode({ id: 1, userId: 'u' }))).toEqual(['{"id":1,"userId":"u","at":null}'])
    expect(decoder.decode([{ id: 1 }, { id: 2, at: undefined }]).rows).toBe(2)
    expect(decoder.decode([])).toMatchObject({ rows: 0, errors: [] })
  })

  it('finds columns in another case, and keeps unknown fields', () => {
    const decoded = decoder.decode({ ID: 1, USERID: 'u', more: { x: [1] }, nothing: undefined })
    expect(decoded.errors).toEqual([])
    expect(rowsOf(decoded)).toEqual(['{"id":1,"userId":"u","at":null}'])
    const block = openBlock(decoded.blocks[0].bytes)
    const rest = block.columns.get(blockColumn.rest)!
    expect(cellDatum(block.memory, rest, 0, { kind: 'jsonb' })).toEqual({ more: { x: [1] } })
  })

  it.each<[unknown, [string, string][]]>([
    [{ userId: 'u' }, [['/id', 'is missing']]],
    [{ id: null }, [['/id', 'must not be null']]],
    [
      [{ id: 1 }, { id: 'x', userId: 5 }],
      [
        ['/1/id', '"x" is not a bigint'],
        ['/1/userId', 'expected text, not a number (5)'],
      ],
    ],
    [[{ id: 1 }, 7], [['/1', 'an event must be an object, not number "7"']]],
    [{ id: 1, ID: 2 }, [['/ID', 'the key is there twice']]],
    [{ Id: 1, ID: 2 }, [['/ID', 'the key is there twice']]],
    [{ id: 1, more: 1n }, [['', 'an unknown field has a value that JSON cannot hold']]],
    [{ id: 1, more: '\ud800' }, [['', 'an unknown field has a value that JSON cannot hold']]],
  ])('%s', (rows, expected) => {
    const decoded = decoder.decode(rows)
    expect(decoded.errors.map((e) => [e.pointer, e.detail])).toEqual(expected)
    expect(decoded).toMatchObject({ rows: 0, blocks: [] })
  })

  it('skips bad ones whole', () => {
    const decoded = decoder.decode(
      [
        { id: 1, userId: 'a' },
        { id: 2, userId: 7 },
        { id: 3, userId: 'c' },
      ],
      'upsert',
      {
        policy: 'skip',
      },
    )
    expect(rowsOf(decoded)).toEqual(['{"id":1,"userId":"a","at":null}', '{"id":3,"userId":"c","at":null}'])
    expect(decoded.badEvents).toBe(1)
  })

  it('deletes by the key alone', () => {
    const decoded = decoder.decode([{ id: 1, userId: 'left out' }], 'delete')
    expect(rowsOf(decoded)).toEqual(['{"id":1,"userId":null,"at":null}'])
    expect(openBlock(decoded.blocks[0].bytes).columns.has(blockColumn.operation)).toBe(true)
    expect(decoder.decode({}, 'delete').errors).toMatchObject([{ pointer: '/id' }])
    const events = new ObjectDecoder({ ...topic, primaryKey: [] })
    expect(events.decode({ id: 1 }, 'delete').errors).toMatchObject([{ code: 'event/unsupported-delete' }])
  })

  it('reads no inherited fields', () => {
    const row = Object.create({ userId: 'inherited' })
    row.id = 5
    expect(rowsOf(decoder.decode(row))).toEqual(['{"id":5,"userId":null,"at":null}'])
  })
})

it('says the same as JSON does', () => {
  const types: SqlType[] = [
    { kind: 'numeric', precision: 12, scale: 2 },
    { kind: 'numeric' },
    { kind: 'double' },
    { kind: 'real' },
    { kind: 'bigint' },
    { kind: 'integer' },
    { kind: 'timestamp' },
    { kind: 'text' },
  ]
  const columns = types.map((type, i) => ({
    name: ['__proto__', 'constructor', 'c'][i] ?? `c${i}`,
    type,
    nullable: true,
  }))
  const topic: DecoderTopic = { name: 't', columns, primaryKey: [], eventTime: null }
  const json = compileDecoder(topic)
  const objects = new ObjectDecoder(topic)
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.integer({ min: -99999, max: 99999 }).map((n) => n / 1000),
    fc.integer({ min: -99999, max: 99999 }).map((n) => n / 100),
  )
  const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  const value = fc.option(fc.oneof(number, number, number, time, fc.string(), fc.boolean()))
  const row = fc
    .array(fc.tuple(fc.constantFrom('extra', ...columns.map(({ name }) => name)), value), { maxLength: 9 })
    .map((entries) => Object.fromEntries(entries))
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
      const fromJson = json.decodeBody(new TextEncoder().encode(JSON.stringify(rows)), 'array', { policy: 'skip' })
      const fromObjects = objects.decode(rows, 'upsert', { policy: 'skip' })
      expect(rowsOf(fromObjects, columns)).toEqual(rowsOf(fromJson, columns))
      expect(fromObjects.blocks.map((block) => Buffer.from(block.bytes))).toEqual(
        fromJson.blocks.map((block) => Buffer.from(block.bytes)),
      )
      expect(fromObjects.badEvents).toBe(fromJson.badEvents)
    }),
    { numRuns: 1000 },
  )
})
