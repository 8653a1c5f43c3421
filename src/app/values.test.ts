import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { MillraceError } from '../data/errors.ts'
import type { SqlType } from '../data/sql-type.ts'
import { type Reads, t } from './column-type.ts'
import { topic } from './definitions.ts'
import { decodeRow, decodeValue, encodeEvents, readColumns } from './values.ts'

const plain = topic('plain', { schema: { id: t.bigint(), data: t.bytea().nullable(), at: t.timestamptz() } })
const checked = topic('checked', {
  schema: z.object({
    id: z.string().min(2),
    'a/b~c': z.number().optional(),
    at: z.coerce.date(),
    kind: z.string().default('new'),
    list: z.array(z.object({ n: z.number() })).optional(),
  }),
})

async function refused(run: Promise<unknown>): Promise<MillraceError> {
  try {
    await run
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('encodeEvents', () => {
  it('puts values into JSON', async () => {
    const event = { id: 12345678901234567890n, data: new Uint8Array([0, 255]), at: new Date(0), more: { a: [1, null] } }
    expect(await encodeEvents(plain, [event, { id: 1, at: '2026-01-01', data: undefined }])).toEqual([
      { id: '12345678901234567890', data: '\\x00ff', at: '1970-01-01T00:00:00.000Z', more: { a: [1, null] } },
      { id: 1, at: '2026-01-01' },
    ])
  })

  it('gives what comes out of the schema', async () => {
    expect(await encodeEvents(checked, [{ id: 'ab', at: 0, unknown: 1 }])).toEqual([
      { id: 'ab', at: '1970-01-01T00:00:00.000Z', kind: 'new' },
    ])
  })

  it('points to everything that is wrong', async () => {
    const events = [{ id: 'ab', at: 0 }, { id: 'a', at: 'never', 'a/b~c': 'x' }, 3]
    const error = await refused(encodeEvents(checked, events, '/events'))
    expect(error.code).toBe('event/invalid')
    expect(error.errors.map(({ pointer }) => pointer)).toEqual([
      '/events/1/id',
      '/events/1/a~1b~0c',
      '/events/1/at',
      '/events/2',
    ])
    expect(error.place).toEqual({ topic: 'checked', pointer: '/events/1/id' })
  })

  it('points into a list', async () => {
    const error = await refused(encodeEvents(checked, [{ id: 'ab', at: 0, list: [{ n: 1 }, { n: 'x' }] }]))
    expect(error.errors.map(({ pointer }) => pointer)).toEqual(['/0/list/1/n'])
  })

  it.each([
    ['a function', () => 1, '/0/data', 'function'],
    ['an invalid date', new Date('x'), '/0/data', 'invalid date'],
    ['a bigint in JSON', { a: [1n] }, '/0/data/a/0', 'bigint'],
    ['a date in JSON', { a: new Date(0) }, '/0/data/a', 'Date'],
    ['a map', new Map(), '/0/data', 'Map'],
    ['NaN in JSON', [Number.NaN], '/0/data/0', 'NaN'],
  ])('refuses %s', async (_, data, pointer, words) => {
    const error = await refused(encodeEvents(plain, [{ id: 1, at: '2026-01-01', data }]))
    expect(error.errors).toEqual([{ pointer, detail: expect.stringContaining(words) }])
  })

  it('refuses JSON that contains itself, and takes what is only there twice', async () => {
    const circle: unknown[] = []
    circle.push({ circle })
    const error = await refused(encodeEvents(plain, [{ id: 1, at: '', data: circle }]))
    expect(error.errors[0].detail).toContain('contains itself')
    const twice = { a: 1 }
    expect(await encodeEvents(plain, [{ id: 1, at: '', data: [twice, twice] }])).toHaveLength(1)
  })

  it('refuses what is no object', async () => {
    for (const event of [null, 3, 'x', [], undefined]) {
      expect((await refused(encodeEvents(plain, [event]))).errors[0].pointer).toBe('/0')
    }
  })
})

describe('decodeValue', () => {
  it.each<[string, unknown, SqlType, Reads, unknown]>([
    ['a safe bigint', '9007199254740991', { kind: 'bigint' }, 'plain', 9007199254740991],
    ['an unsafe bigint', '-9007199254740992', { kind: 'bigint' }, 'plain', -9007199254740992n],
    ['a bigint as such', '1', { kind: 'bigint' }, 'bigint', 1n],
    ['a bigint as a string', '1', { kind: 'bigint' }, 'string', '1'],
    ['a bigint that came as a number', 1, { kind: 'bigint' }, 'plain', 1],
    ['a short numeric', '-12.50', { kind: 'numeric' }, 'plain', -12.5],
    ['15 digits', '0.000123456789012345', { kind: 'numeric' }, 'plain', 0.000123456789012345],
    ['16 digits', '1234567890.123456', { kind: 'numeric' }, 'plain', '1234567890.123456'],
    ['a numeric NaN', 'NaN', { kind: 'numeric' }, 'plain', Number.NaN],
    ['a double', 1.5, { kind: 'double' }, 'plain', 1.5],
    ['a double beyond JSON', '-Infinity', { kind: 'double' }, 'plain', Number.NEGATIVE_INFINITY],
    [
      'a moment as a Date',
      '2026-11-21T10:00:00.123456+00:00',
      { kind: 'timestamptz' },
      'date',
      new Date('2026-11-21T10:00:00.123Z'),
    ],
    ['a timestamp as a Date', '2026-11-21T10:00:00', { kind: 'timestamp' }, 'date', new Date('2026-11-21T10:00:00Z')],
    ['a moment in UTC', '2026-11-21T10:00:00.5+00:00', { kind: 'timestamptz' }, 'utc', '2026-11-21T10:00:00.5Z'],
    ['a moment', '2026-11-21T10:00:00.5+00:00', { kind: 'timestamptz' }, 'plain', '2026-11-21T10:00:00.5+00:00'],
    ['bytes', '\\x00ff', { kind: 'bytea' }, 'bytes', new Uint8Array([0, 255])],
    ['no bytes', '\\x', { kind: 'bytea' }, 'bytes', new Uint8Array()],
    ['NULL', null, { kind: 'bigint' }, 'bigint', null],
    ['JSON', { a: 1 }, { kind: 'jsonb' }, 'plain', { a: 1 }],
  ])('%s', (_, value, type, reads, expected) => {
    expect(decodeValue(value, type, reads)).toEqual(expected)
  })

  it('reads rows as their columns say', () => {
    const columns = readColumns([...checked.columns, { name: 'n', type: { kind: 'bigint' } }], checked.columns)
    expect(decodeRow(columns, { id: 'ab', at: '1970-01-01T00:00:00+00:00', kind: 'x', n: '5' })).toEqual({
      id: 'ab',
      at: new Date(0),
      kind: 'x',
      n: 5,
    })
  })
})
