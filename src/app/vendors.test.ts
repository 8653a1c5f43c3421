import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { typeName } from '../data/sql-type.ts'
import { t } from './column-type.ts'
import { type InferInput, type InferRow, type Table, type Topic, table, topic } from './definitions.ts'
import { encodeEvents } from './values.ts'

/** `type reads`, with a question mark where it can be NULL. */
function columnsOf({ columns }: Topic | Table): Record<string, string> {
  return Object.fromEntries(
    columns.map(({ name, type: sqlType, nullable, reads }) => [
      name,
      `${typeName(sqlType)}${nullable ? '?' : ''}${reads === 'plain' ? '' : ` ${reads}`}`,
    ]),
  )
}

const ofValibot = topic('of_valibot', {
  schema: v.object({
    id: v.pipe(v.string(), v.uuid()),
    name: v.pipe(v.string(), v.trim(), v.minLength(1)),
    amount: v.number(),
    pieces: v.pipe(v.number(), v.integer()),
    serial: v.bigint(),
    status: v.picklist(['new', 'paid']),
    at: v.pipe(v.string(), v.isoTimestamp(), v.toDate()),
    seen: v.date(),
    sent: v.pipe(v.string(), v.isoTimestamp()),
    day: v.pipe(v.string(), v.isoDate()),
    note: v.optional(v.string()),
    kind: v.optional(v.string(), 'usual'),
    other: v.nullable(v.boolean()),
    either: v.union([v.string(), v.null()]),
    mixed: v.union([v.string(), v.number()]),
    tags: v.array(v.string()),
    place: v.object({ x: v.number() }),
    parsed: v.pipe(v.string(), v.transform(Number), v.number()),
    one: v.literal(1),
  }),
  time: 'at',
})

const ofArktype = topic('of_arktype', {
  schema: type({
    id: 'string.uuid',
    name: 'string',
    amount: 'number',
    pieces: 'number.integer',
    serial: 'bigint',
    status: "'new' | 'paid'",
    at: 'string.date.parse',
    seen: 'Date',
    'note?': 'string',
    other: 'boolean | null',
    tags: 'string[]',
    place: { x: 'number' },
  }),
  time: 'at',
})

describe('columns of', () => {
  it('valibot', () => {
    expect(columnsOf(ofValibot)).toEqual({
      id: 'uuid',
      name: 'text',
      amount: 'double precision',
      pieces: 'bigint number',
      serial: 'bigint bigint',
      status: 'text',
      at: 'timestamp with time zone date',
      seen: 'timestamp with time zone date',
      sent: 'timestamp with time zone utc',
      day: 'date',
      note: 'text?',
      kind: 'text',
      other: 'boolean?',
      either: 'text?',
      mixed: 'jsonb',
      tags: 'jsonb',
      place: 'jsonb',
      parsed: 'double precision',
      one: 'bigint number',
    })
    expectTypeOf<InferInput<typeof ofValibot>['at']>().toEqualTypeOf<string>()
    expectTypeOf<InferRow<typeof ofValibot>['at']>().toEqualTypeOf<Date>()
    expectTypeOf<InferRow<typeof ofValibot>['note']>().toEqualTypeOf<string | null>()
  })

  it('arktype', () => {
    expect(columnsOf(ofArktype)).toEqual({
      id: 'uuid',
      name: 'text',
      amount: 'double precision',
      pieces: 'bigint number',
      serial: 'bigint bigint',
      status: 'text',
      at: 'timestamp with time zone date',
      seen: 'timestamp with time zone date',
      note: 'text?',
      other: 'boolean?',
      tags: 'jsonb',
      place: 'jsonb',
    })
    expectTypeOf<InferRow<typeof ofArktype>['seen']>().toEqualTypeOf<Date>()
  })

  it.each([
    ['valibot', () => topic('x', { schema: v.object({ a: v.string(), b: v.pipe(v.string(), v.transform(Number)) }) })],
    ['valibot, within', () => topic('x', { schema: v.object({ b: v.object({ c: v.date() }) }) })],
    ['valibot, a map', () => topic('x', { schema: v.object({ b: v.map(v.string(), v.string()) }) })],
    ['arktype', () => topic('x', { schema: type({ a: 'string', b: 'symbol' }) })],
    ['zod', () => topic('x', { schema: z.object({ a: z.string(), b: z.string().transform(Number) }) })],
  ])('%s: the field that can not be derived is named, with a hint', (_, make) => {
    expect(make).toThrow(/no column can be derived for the field b/)
    expect(make).toThrow(expect.objectContaining({ hint: 'give the column yourself: columns: { b: t.jsonb() }' }))
  })
})

describe('columns that are given', () => {
  it('go before what a schema says, in rows too', () => {
    const given = table('given', {
      schema: v.object({
        id: v.string(),
        at: v.pipe(
          v.string(),
          v.transform((text) => new Date(text)),
        ),
        price: v.number(),
      }),
      columns: { id: t.uuid(), at: t.instant(), price: t.numeric(12, 2) },
      key: 'id',
    })
    expect(columnsOf(given)).toEqual({ id: 'uuid', at: 'timestamp with time zone date', price: 'numeric(12,2)' })
    expectTypeOf<InferRow<typeof given>>().toEqualTypeOf<{ id: string; at: Date; price: number | string }>()
    expectTypeOf<InferInput<typeof given>>().toEqualTypeOf<{ id: string; at: string; price: number }>()
  })
})

describe('events are checked and transformed by', () => {
  it('valibot', async () => {
    const schema = v.object({ name: v.pipe(v.string(), v.trim(), v.minLength(1)), at: v.pipe(v.string(), v.toDate()) })
    const definition = topic('x', { schema })
    const good = { name: ' a ', at: '2026-01-01T00:00:00Z' }
    expect(await encodeEvents(definition, [good])).toEqual([{ name: 'a', at: '2026-01-01T00:00:00.000Z' }])
    await expect(encodeEvents(definition, [good, { name: '', at: 'x' }])).rejects.toMatchObject({
      code: 'event/invalid',
      errors: [{ pointer: '/1/name' }, { pointer: '/1/at' }],
    })
  })

  it('arktype', async () => {
    const definition = topic('x', { schema: type({ n: 'number > 0', at: 'string.date.parse' }) })
    expect(await encodeEvents(definition, [{ n: 1, at: '2026-01-01' }])).toEqual([
      { n: 1, at: '2026-01-01T00:00:00.000Z' },
    ])
    await expect(encodeEvents(definition, [{ n: -1, at: '2026-01-01' }])).rejects.toMatchObject({
      errors: [{ pointer: '/0/n' }],
    })
  })
})
