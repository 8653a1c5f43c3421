import { describe, expect, it } from 'vitest'
import { openBlock } from './block.ts'
import { blockCells } from './cell-access.ts'
import type { DecoderTopic } from './ingest/row-reader.ts'
import { compileDecoder, type Decoded, EventStream } from './json-decoder.ts'
import { printRow } from './json-print.ts'
import type { SqlType } from './sql-type.ts'

const utf8 = (body: string): Uint8Array => new TextEncoder().encode(body)

const topic: DecoderTopic = {
  name: 'bid',
  columns: [
    { name: 'id', type: { kind: 'bigint' }, nullable: false },
    { name: 'price', type: { kind: 'numeric', precision: 6, scale: 2 }, nullable: true },
    { name: 'channel', type: { kind: 'varchar', length: 3 }, nullable: true },
    { name: 'at', type: { kind: 'timestamp' }, nullable: true },
  ],
  primaryKey: [],
  eventTime: 3,
}

function rowsOf(decoded: Decoded, columns = topic.columns): string[] {
  return decoded.blocks.flatMap(({ bytes, rows }) => {
    const block = openBlock(bytes)
    const cells = blockCells(block, columns.length)
    return Array.from({ length: rows }, (_, row) => printRow(columns, block.memory, cells, row))
  })
}

const good = '{"id":1,"at":"2026-11-21T00:00:00"}'

/** Column c of the type, with a NOT NULL id before it. */
function one(type: SqlType, json: string): string {
  const columns = [{ name: 'c', type, nullable: true }]
  const decoded = compileDecoder({ name: 't', columns, primaryKey: [], eventTime: null }).decodeBody(
    utf8(`{"c":${json}}`),
  )
  return decoded.rows === 1 ? rowsOf(decoded, columns)[0].slice(5, -1) : decoded.errors.map((e) => e.detail).join('; ')
}

describe('what a column takes', () => {
  it.each<[SqlType, string, string]>([
    [{ kind: 'bigint' }, '1.0', '1'],
    [{ kind: 'bigint' }, '1e3', '1000'],
    [{ kind: 'bigint' }, '-0', '0'],
    [{ kind: 'bigint' }, '"9223372036854775807"', '9223372036854775807'],
    [{ kind: 'bigint' }, '9007199254740993', '9007199254740993'],
    [{ kind: 'bigint' }, '"007"', '7'],
    [{ kind: 'bigint' }, '1.5', '"1.5" is not a bigint'],
    [{ kind: 'bigint' }, '9223372036854775808', '9223372036854775808 is out of range for bigint'],
    [{ kind: 'bigint' }, '"1.0"', '"1.0" is not a bigint'],
    [{ kind: 'bigint' }, '""', '"" is not a bigint'],
    [{ kind: 'bigint' }, '"1 "', '"1 " is not a bigint'],
    [{ kind: 'bigint' }, 'true', 'expected bigint, not a boolean (true)'],
    [{ kind: 'bigint' }, '[1]', 'expected bigint, not an array'],
    [{ kind: 'integer' }, '"1"', 'expected integer, not a string ("1")'],
    [{ kind: 'integer' }, '2147483648', '2147483648 is out of range for integer'],
    [{ kind: 'smallint' }, '-32769', '-32769 is out of range for smallint'],
    [{ kind: 'smallint' }, '3.20e1', '32'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '1.005', '1.01'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '-1.005', '-1.01'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '9999.994', '9999.99'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '9999.995', '9999.995 does not fit numeric(6,2)'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '"12"', '12.00'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '1e-3', '0.00'],
    [{ kind: 'numeric', precision: 6, scale: 2 }, '"NaN"', 'NaN does not fit numeric(6,2)'],
    [{ kind: 'numeric' }, '"NaN"', '"NaN"'],
    [{ kind: 'numeric' }, '12345678901234567890.1234567890', '12345678901234567890.1234567890'],
    [{ kind: 'numeric' }, '1.10', '1.10'],
    [{ kind: 'numeric' }, '-0.00', '0.00'],
    [{ kind: 'numeric' }, '1e400000000', '"1e400000000" is not a numeric'],
    [{ kind: 'numeric', precision: 25, scale: 3 }, '1234567890123456789012.3456', '1234567890123456789012.346'],
    [{ kind: 'double' }, '0.1', '0.1'],
    [{ kind: 'double' }, '-0.0', '0'],
    [{ kind: 'double' }, '123456789.123456789012345', '123456789.12345679'],
    [{ kind: 'double' }, '1e400', '"1e400" is not a double precision'],
    [{ kind: 'double' }, '1e-400', '"1e-400" is not a double precision'],
    [{ kind: 'double' }, '0e-400', '0'],
    [{ kind: 'double' }, '5e-324', '5e-324'],
    [{ kind: 'double' }, '"NaN"', '"NaN"'],
    [{ kind: 'double' }, '"-Infinity"', '"-Infinity"'],
    [{ kind: 'double' }, '"1"', '"1" is not a double precision'],
    [{ kind: 'real' }, '16777217', '1.6777216e+07'],
    // Exactly between two floats as a double, but beyond the middle as text: one rounding, not two.
    [{ kind: 'real' }, '1.00000005960464477540', '1.0000001'],
    [{ kind: 'real' }, '1.00000005960464477539', '1'],
    [{ kind: 'real' }, '1.000000059604644775390625', '1'],
    [{ kind: 'real' }, '1e39', '"1e39" is not a real'],
    [{ kind: 'boolean' }, 'true', 'true'],
    [{ kind: 'boolean' }, '"true"', 'expected boolean, not a string ("true")'],
    [{ kind: 'boolean' }, '1', 'expected boolean, not a number (1)'],
    [{ kind: 'text' }, '5', 'expected text, not a number (5)'],
    [{ kind: 'text' }, '"\\ud83d\\ude00\\u00e9\\/"', '"😀é/"'],
    [{ kind: 'varchar', length: 3 }, '"abé"', '"abé"'],
    [{ kind: 'varchar', length: 3 }, '"abé  "', '"abé"'],
    [{ kind: 'varchar', length: 3 }, '"abcd"', '"abcd" is longer than 3 characters'],
    [{ kind: 'date' }, '"2024-02-29"', '"2024-02-29"'],
    [{ kind: 'date' }, '"2023-02-29"', '"2023-02-29" is not a date'],
    [{ kind: 'time' }, '"10:11:12.5"', '"10:11:12.5"'],
    [{ kind: 'timestamp' }, '"2026-11-21"', '"2026-11-21T00:00:00"'],
    [{ kind: 'timestamp' }, '"2026-11-21 10:00:00.1234567Z"', '"2026-11-21T10:00:00.123457"'],
    [
      { kind: 'timestamp' },
      '"2026-11-21T10:00:00+02:00"',
      '"2026-11-21T10:00:00+02:00" has an offset, and a timestamp without time zone takes none but Z',
    ],
    [{ kind: 'timestamp' }, '"2026-13-21"', '"2026-13-21" is not a timestamp without time zone'],
    [{ kind: 'timestamp' }, '1700000000000', 'expected timestamp without time zone, not a number (1700000000000)'],
    [{ kind: 'timestamptz' }, '"2026-11-21T10:00:00+02:00"', '"2026-11-21T08:00:00+00:00"'],
    [{ kind: 'timestamptz' }, '"2400-11-21T10:00:00Z"', '"2400-11-21T10:00:00+00:00"'],
    [{ kind: 'uuid' }, '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'],
    [{ kind: 'uuid' }, '"{a0eebc999c0b4ef8bb6d6bb9bd380a11}"', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'],
    [{ kind: 'uuid' }, '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1" is not a uuid'],
    [{ kind: 'bytea' }, '"\\\\x00FF"', '"\\\\x00ff"'],
    [{ kind: 'bytea' }, '"00ff"', '"00ff" is not bytea in the form \\x00ff'],
    [{ kind: 'interval' }, '"1 day 02:00:00"', '"1 day 02:00:00"'],
    [{ kind: 'jsonb' }, '{"b": 1, "a" : [1.0, "x"]}', '{"a": [1.0, "x"], "b": 1}'],
    [{ kind: 'jsonb' }, '"x"', '"x"'],
    [{ kind: 'jsonb' }, 'null', 'null'],
    [{ kind: 'jsonb' }, '{"a":1,"a":2}', '{"a": 2}'],
  ])('%j: %s', (type, json, expected) => {
    expect(one(type, json)).toBe(expected)
  })
})

describe('what is wrong with an event', () => {
  const decoder = compileDecoder(topic)
  it.each<[string, string, string, string]>([
    ['a wrong type', '{"id":1,"price":"x","at":"2026-11-21"}', '/price', '"x" is not a numeric(6,2)'],
    ['NULL in a NOT NULL column', '{"id":null,"at":"2026-11-21"}', '/id', 'a NOT NULL column must not be null'],
    ['a missing column', '{"at":"2026-11-21"}', '/id', 'a NOT NULL column is missing'],
    ['a missing event time', '{"id":1}', '/at', 'the event time is missing'],
    ['a key twice', '{"id":1,"at":"2026-11-21","id":2}', '/id', 'the key is there twice'],
    ['an escaped key twice', '{"id":1,"at":"2026-11-21","\\u0069d":2}', '/id', 'the key is there twice'],
    ['a key in two cases', '{"id":1,"at":"2026-11-21","ID":2}', '/ID', 'the key is there twice'],
    ['an unknown key twice', '{"id":1,"at":"2026-11-21","a/b~":2,"a/b~":3}', '/a~1b~0', 'the key is there twice'],
    ['an unknown key twice, escaped', '{"id":1,"at":"2026-11-21","x":2,"\\u0078":3}', '/x', 'the key is there twice'],
    ['no object', '[[]]', '/0', 'an event must be a JSON object'],
    ['a name in another case', '{"Id":true,"at":"2026-11-21"}', '/Id', 'expected bigint, not a boolean (true)'],
  ])('%s', (_, body, pointer, detail) => {
    const decoded = decoder.decodeBody(utf8(body))
    expect(decoded.errors.map((e) => [e.pointer, e.detail])).toContainEqual([pointer, detail])
    expect(decoded).toMatchObject({ rows: 0, blocks: [], malformed: false, badEvents: 1 })
  })

  it('tells all of an event', () => {
    const { errors } = decoder.decodeBody(utf8('{"id":1.5,"price":true,"channel":"12345"}'))
    expect(errors.map((e) => e.pointer)).toEqual(['/id', '/price', '/channel', '/at'])
  })

  it('many unknown keys, one of them twice', () => {
    const many = Array.from({ length: 40 }, (_, i) => `"u${i}":${i}`).join(',')
    expect(decoder.decodeBody(utf8(`{"id":1,"at":"2026-11-21",${many}}`)).rows).toBe(1)
    const { errors } = decoder.decodeBody(utf8(`{"id":1,"at":"2026-11-21",${many},"u3":1}`))
    expect(errors.map((e) => [e.pointer, e.detail])).toEqual([['/u3', 'the key is there twice']])
  })

  it('points into arrays and lines', () => {
    const array = decoder.decodeBody(utf8(`[${good},${good},{"id":1},${good},{"id":"x","at":"2026-11-21"}]`))
    expect(array.errors.map((e) => [e.index, e.pointer])).toEqual([
      [2, '/2/at'],
      [4, '/4/id'],
    ])
    const lines = decoder.decodeBody(utf8(`${good}\n\n  \r\n{"id":1}\n{"id" 1}\n${good} x\n${good}`), 'ndjson')
    expect(lines.errors.map((e) => [e.index, e.line, e.pointer, e.code])).toEqual([
      [3, 4, '/3/at', 'event/invalid'],
      [4, 5, '/4', 'event/invalid'],
      [5, 6, '/5', 'event/invalid'],
    ])
    expect(lines.errors[1].detail).toBe("not JSON: expected ':', found '1' (byte 7 of the line)")
  })
})

describe('the policy', () => {
  const decoder = compileDecoder(topic)
  const body = `${good}\n{"id":2,"channel":"too long","at":"2026-11-21"}\nnonsense\n{"id":3,"at":"2026-11-22","x":1}`

  it('reject keeps nothing', () => {
    expect(decoder.decodeBody(utf8(body))).toMatchObject({ blocks: [], rows: 0, badEvents: 2 })
  })

  it('skip keeps the good events whole', () => {
    const decoded = decoder.decodeBody(utf8(body), 'auto', { policy: 'skip' })
    expect(decoded).toMatchObject({ rows: 2, badEvents: 2, malformed: false })
    expect(rowsOf(decoded)).toEqual([
      '{"id":1,"price":null,"channel":null,"at":"2026-11-21T00:00:00"}',
      '{"id":3,"price":null,"channel":null,"at":"2026-11-22T00:00:00"}',
    ])
  })

  it('an array that is not JSON has no good events', () => {
    const decoded = decoder.decodeBody(utf8(`[${good}, ${good}`), 'auto', { policy: 'skip' })
    expect(decoded).toMatchObject({ blocks: [], rows: 0, malformed: true })
    expect(decoded.errors).toMatchObject([{ code: 'request/malformed', detail: expect.stringContaining('too early') }])
    expect(decoder.decodeBody(utf8(`[${good}]]`), 'auto', { policy: 'skip' }).rows).toBe(0)
    expect(decoder.decodeBody(utf8(`${good},`), 'object', { policy: 'skip' }).rows).toBe(0)
  })

  it('tells no more errors than asked for, and counts them all', () => {
    const bad = Array.from({ length: 300 }, () => '{"id":1}').join('\n')
    const decoded = decoder.decodeBody(utf8(bad), 'ndjson', { maxErrors: 5 })
    expect(decoded.errors.length).toBe(5)
    expect(decoded.badEvents).toBe(300)
  })

  it('a decoder forgets the last body', () => {
    decoder.decodeBody(utf8(`[${good},{"id":9,"channel":"x`))
    decoder.decodeBody(utf8(`{"id":9,"channel":"x","at":5}`))
    expect(rowsOf(decoder.decodeBody(utf8(good)))).toEqual([
      '{"id":1,"price":null,"channel":null,"at":"2026-11-21T00:00:00"}',
    ])
  })
})

describe('big bodies', () => {
  it('cuts blocks at 16384 rows and reads events wider than the window', () => {
    const decoder = compileDecoder(topic)
    const wide = `{"id":7,"at":"2026-11-21","more":"${'y'.repeat(300_000)}"}`
    const events = [...Array.from({ length: 40_000 }, (_, i) => `{"id":${i},"at":"2026-11-21"}`), wide, good]
    for (const body of [events.join('\n'), `[${events.join(',')}]`]) {
      const decoded = decoder.decodeBody(utf8(body))
      expect(decoded.errors).toEqual([])
      expect(decoded.blocks.map((block) => block.rows)).toEqual([16384, 16384, 7234])
      expect(rowsOf(decoded)[39_999]).toContain('"id":39999')
    }
    expect(decoder.decodeBody(utf8(wide)).rows).toBe(1)
    expect(decoder.decodeBody(utf8(`${wide}\n${wide}`)).rows).toBe(2)
  })

  it('cuts blocks when their strings grow large', () => {
    const columns = [{ name: 'c', type: { kind: 'text' as const }, nullable: false }]
    const decoder = compileDecoder({ name: 't', columns, primaryKey: [], eventTime: null })
    const event = JSON.stringify({ c: 'z'.repeat(3_000_000) })
    const decoded = decoder.decodeBody(utf8(Array.from({ length: 7 }, () => event).join('\n')))
    expect(decoded.blocks.map((block) => block.rows)).toEqual([3, 3, 1])
  })
})

describe('hostile bytes', () => {
  const decoder = compileDecoder(topic)
  const bytes = (...parts: (string | number[])[]): Uint8Array =>
    Buffer.concat(parts.map((part) => Buffer.from(part as string)))

  it.each<[string, Uint8Array]>([
    ['a raw NUL', bytes('{"id":1,"at":"2026-11-21","x":"', [0], '"}')],
    ['an encoded surrogate', bytes('{"id":1,"at":"2026-11-21","channel":"', [0xed, 0xa0, 0x80], '"}')],
    ['an overlong slash', bytes('{"id":1,"at":"2026-11-21","channel":"', [0xc0, 0xaf], '"}')],
    ['an overlong three bytes', bytes('{"id":1,"at":"2026-11-21","channel":"', [0xe0, 0x80, 0xaf], '"}')],
    ['beyond Unicode', bytes('{"id":1,"at":"2026-11-21","x":"', [0xf4, 0x90, 0x80, 0x80], '"}')],
    ['half a character', bytes('{"id":1,"at":"2026-11-21","x":"', [0xe2, 0x82], '"}')],
    ['bad UTF-8 in a key', bytes('{"id":1,"at":"2026-11-21","', [0xff], '":1}')],
    ['a tab in a string', bytes('{"id":1,"at":"2026-11-21","channel":"\t"}')],
    ['a tab in a key', bytes('{"id":1,"at":"2026-11-21","c\t":1}')],
    ['too deep', bytes(`{"id":1,"at":"2026-11-21","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
    ['a comma too many', bytes('{"id":1,"at":"2026-11-21",}')],
    ['a comma too few', bytes('{"id":1 "at":"2026-11-21"}')],
    ['a comment', bytes('{"id":1,/**/"at":"2026-11-21"}')],
    ['single quotes', bytes('{\'id\':1,"at":"2026-11-21"}')],
    ['a plus', bytes('{"id":+1,"at":"2026-11-21"}')],
    ['a leading zero', bytes('{"id":01,"at":"2026-11-21"}')],
    ['a bare point', bytes('{"id":1.,"at":"2026-11-21"}')],
    ['a number with a tail', bytes('{"id":1x,"at":"2026-11-21"}')],
    ['NaN', bytes('{"id":NaN,"at":"2026-11-21"}')],
    ['no colon', bytes('{"id",1,"at":"2026-11-21"}')],
    ['a word with a tail', bytes('{"id":1,"x":nulls,"at":"2026-11-21"}')],
    ['a byte order mark', bytes([0xef, 0xbb, 0xbf], good)],
    ['nothing', bytes('')],
    ['white space', bytes(' \n ')],
  ])('%s', (_, body) => {
    const decoded = decoder.decodeBody(body, 'object')
    expect(decoded).toMatchObject({ rows: 0, badEvents: 1 })
    expect(decoded.errors[0].detail).toMatch(/^not JSON: /)
    expect(rowsOf(decoder.decodeBody(utf8(good)))).toHaveLength(1)
  })

  it.each([
    ['NUL in a column', '{"id":1,"at":"2026-11-21","channel":"\\u0000"}', 38, '/channel'],
    ['NUL in an unknown field', '{"id":1,"at":"2026-11-21","x":{"y":["\\u0000"]}}', 38, '/x/y/0'],
    ['NUL in a key', '{"id":1,"at":"2026-11-21","\\u0000":1}', 28, '/\0'],
    ['high half of a pair', '{"id":1,"at":"2026-11-21","channel":"\\ud800"}', 38, '/channel'],
    ['low half of a pair', '{"id":1,"at":"2026-11-21","x":"a\\udc00b"}', 33, '/x'],
    ['pair of two high halves', '{"id":1,"at":"2026-11-21","x":"\\ud800\\ud800"}', 38, '/x'],
    ['half behind a pair', '{"id":1,"at":"2026-11-21","x":"\\ud83d\\ude00\\ud83d"}', 44, '/x'],
  ])('an escaped %s makes its event bad and no other', (what, bad, byte, pointer) => {
    const detail = what.startsWith('NUL') ? '\\u0000, which no text may contain' : 'half of a surrogate pair'
    expect(decoder.decodeBody(utf8(bad), 'object')).toMatchObject({
      malformed: false,
      errors: [{ pointer, code: 'event/invalid', detail: `${detail} (byte ${byte})` }],
    })
    const lines = decoder.decodeBody(utf8(`${good}\n${bad}\n${good}`), 'ndjson', { policy: 'skip' })
    expect(lines).toMatchObject({ rows: 2, badEvents: 1, errors: [{ pointer: `/1${pointer}`, line: 2 }] })
    expect(lines.errors[0].detail).toBe(`${detail} (byte ${byte} of the line)`)
    const list = decoder.decodeBody(utf8(`[${good},${bad},${good}]`), 'array', { policy: 'skip' })
    expect(list).toMatchObject({ rows: 2, badEvents: 1, malformed: false, errors: [{ pointer: `/1${pointer}` }] })
    const stream = new EventStream(topic, 'array')
    let rows = 0
    for (const c of `[${good},${bad},${good}]`) for (const block of stream.feed(utf8(c))) rows += block.rows
    for (const block of stream.end()) rows += block.rows
    expect([rows, stream.badEvents, stream.malformed]).toEqual([2, 1, false])
  })

  it('a line end inside an event of NDJSON', () => {
    const lines = decoder.decodeBody(utf8('{"id":1,\n"at":"2026-11-21"}'), 'ndjson')
    expect(lines.errors.map((e) => e.pointer)).toEqual(['/0', '/1'])
    expect(decoder.decodeBody(utf8('{"id":1,\n"at":"2026-11-21"}')).rows).toBe(1)
  })

  it('an empty list is no error', () => {
    expect(decoder.decodeBody(utf8('[ ]'))).toMatchObject({ rows: 0, errors: [], malformed: false })
    expect(decoder.decodeBody(utf8(' \n \n'), 'ndjson')).toMatchObject({ rows: 0, errors: [], malformed: false })
  })

  it('a stream tells the line across its pieces', () => {
    const stream = new EventStream(topic, 'ndjson')
    for (const piece of [`${good}\n${good}`, `\n${good}\n{"id":`, '"x"', ',"at":"2026-11-21"}\n'])
      stream.feed(utf8(piece))
    stream.end()
    expect(stream.errors).toMatchObject([{ line: 4, pointer: '/3/id' }])
  })
})

describe('tables', () => {
  it('need their key, whatever the schema says', () => {
    const table: DecoderTopic = {
      name: 'account',
      columns: [
        { name: 'owner', type: { kind: 'text' }, nullable: false },
        { name: 'id', type: { kind: 'bigint' }, nullable: true },
      ],
      primaryKey: [1],
      eventTime: null,
    }
    const decoder = compileDecoder(table)
    expect(decoder.decodeBody(utf8('{"owner":"x"}')).errors).toMatchObject([
      { pointer: '/id', detail: 'the primary key is missing' },
    ])
    expect(decoder.decodeBody(utf8('{"id":1}')).errors).toMatchObject([{ pointer: '/owner' }])
    expect(rowsOf(decoder.decodeBody(utf8('{"id":1,"owner":"x"}')), table.columns)).toEqual(['{"owner":"x","id":1}'])
  })
})

describe('wide schemas', () => {
  it.each([1, 47, 48, 49, 64, 96, 97, 128, 130])('%i columns in any order', (count) => {
    const columns = Array.from({ length: count }, (_, i) => ({
      name: `c${i}`,
      type: i % 2 === 0 ? { kind: 'integer' as const } : { kind: 'varchar' as const, length: 4 },
      nullable: true,
    }))
    const decoder = compileDecoder({ name: 't', columns, primaryKey: [], eventTime: null })
    const value = (i: number): string => (i % 2 === 0 ? `${i}` : `"v${i}"`)
    const expected = (has: (i: number) => boolean): string =>
      `{${columns.map(({ name }, i) => `"${name}":${has(i) ? value(i) : 'null'}`).join(',')}}`
    const orders = [
      columns.map((_, i) => i),
      columns.map((_, i) => count - 1 - i),
      columns.map((_, i) => (i * 7) % count).filter((i, at, all) => all.indexOf(i) === at),
      columns.map((_, i) => i).filter((i) => i % 3 !== 1),
    ]
    for (let round = 0; round < 2; round++) {
      for (const order of orders) {
        const body = `{${[...order.map((i) => `"c${i}":${value(i)}`), '"other":1'].join(',')}}`
        const decoded = decoder.decodeBody(utf8(body))
        expect(decoded.errors).toEqual([])
        expect(rowsOf(decoded, columns)).toEqual([expected((i) => order.includes(i))])
      }
    }
    const twice = decoder.decodeBody(utf8(`{"c0":1,"c${count - 1}":${value(count - 1)},"c0":1}`))
    expect(twice.errors.map((e) => e.pointer)).toContain('/c0')
  })
})
