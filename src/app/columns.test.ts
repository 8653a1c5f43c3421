import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { MillraceError } from '../data/errors.ts'
import { typeName } from '../data/sql-type.ts'
import { t } from './column-type.ts'
import { columnsOf } from './columns.ts'
import type { StandardSchema } from './standard-schema.ts'

function shown(schema: Parameters<typeof columnsOf>[1], given?: Parameters<typeof columnsOf>[2]): string[] {
  return columnsOf('events', schema, given).map(
    ({ name, type, nullable, reads }) =>
      `${name} ${typeName(type)}${nullable ? '' : ' not null'}${reads === 'plain' ? '' : ` as ${reads}`}`,
  )
}

function refused(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('column types', () => {
  it('are columns as they stand', () => {
    expect(
      shown({
        a: t.boolean(),
        b: t.smallint(),
        c: t.integer(),
        d: t.bigint(),
        e: t.real(),
        f: t.double(),
        g: t.numeric(),
        h: t.numeric(12, 2),
        i: t.numeric(12),
        j: t.text(),
        k: t.varchar(),
        l: t.varchar(3),
        m: t.bytea(),
        n: t.date(),
        o: t.time(),
        p: t.timestamp(),
        q: t.timestamptz(),
        r: t.interval(),
        s: t.uuid(),
        u: t.jsonb().nullable(),
      }),
    ).toEqual([
      'a boolean not null',
      'b smallint not null',
      'c integer not null',
      'd bigint not null',
      'e real not null',
      'f double precision not null',
      'g numeric not null',
      'h numeric(12,2) not null',
      'i numeric(12,0) not null',
      'j text not null',
      'k character varying not null',
      'l character varying(3) not null',
      'm bytea not null as bytes',
      'n date not null',
      'o time without time zone not null',
      'p timestamp without time zone not null',
      'q timestamp with time zone not null',
      'r interval not null',
      's uuid not null',
      'u jsonb',
    ])
  })

  it('are asked for where something else stands', () => {
    const error = refused(() => columnsOf('events', { id: 'text' } as never))
    expect(error.code).toBe('schema/unmappable')
    expect(error.message).toContain('id')
    expect(refused(() => columnsOf('events', {})).message).toContain('no fields')
  })
})

describe('zod', () => {
  const self: z.ZodType = z.lazy(() => z.object({ left: self, right: self, children: z.array(self) }))
  const fields = {
    string: [z.string(), 'text not null'],
    email: [z.email(), 'text not null'],
    branded: [z.string().brand('x'), 'text not null'],
    template: [z.templateLiteral(['a', z.number()]), 'text not null'],
    uuid: [z.uuid(), 'uuid not null'],
    uuidv7: [z.uuidv7(), 'uuid not null'],
    oldUuid: [z.string().uuid(), 'uuid not null'],
    oldDatetime: [z.string().max(40).datetime({ local: true }), 'timestamp without time zone not null'],
    number: [z.number(), 'double precision not null'],
    coerced: [z.coerce.number(), 'double precision not null'],
    bounded: [z.number().positive().max(3), 'double precision not null'],
    int: [z.int(), 'bigint not null as number'],
    oldInt: [z.number().int(), 'bigint not null as number'],
    positiveInt: [z.number().min(0).int(), 'bigint not null as number'],
    int32: [z.int32(), 'integer not null'],
    uint32: [z.uint32(), 'bigint not null as number'],
    float32: [z.float32(), 'real not null'],
    float64: [z.float64(), 'double precision not null'],
    bigint: [z.bigint(), 'bigint not null as bigint'],
    int64: [z.int64(), 'bigint not null as bigint'],
    uint64: [z.uint64(), 'numeric(20,0) not null as bigint'],
    boolean: [z.boolean(), 'boolean not null'],
    stringbool: [z.stringbool(), 'boolean not null'],
    date: [z.date(), 'timestamp with time zone not null as date'],
    coercedDate: [z.coerce.date(), 'timestamp with time zone not null as date'],
    datetime: [z.iso.datetime(), 'timestamp with time zone not null as utc'],
    localDatetime: [z.iso.datetime({ local: true }), 'timestamp without time zone not null'],
    isoDate: [z.iso.date(), 'date not null'],
    isoTime: [z.iso.time(), 'time without time zone not null'],
    codec: [
      z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
      'timestamp with time zone not null as date',
    ],
    enum: [z.enum(['a', 'b']), 'text not null'],
    numericEnum: [z.enum({ A: 1, B: 2 }), 'bigint not null as number'],
    literal: [z.literal('x'), 'text not null'],
    literals: [z.literal(['x', null]), 'text'],
    fractions: [z.literal([1, 1.5]), 'double precision not null as number'],
    literalTrue: [z.literal(true), 'boolean not null'],
    optional: [z.string().optional(), 'text'],
    nullable: [z.number().nullable(), 'double precision'],
    nullish: [z.date().nullish(), 'timestamp with time zone as date'],
    nonoptional: [z.nonoptional(z.string().optional()), 'text not null'],
    nonoptionalNullable: [z.nonoptional(z.string().nullable()), 'text'],
    default: [z.string().default('x'), 'text not null'],
    prefault: [z.string().prefault('x'), 'text not null'],
    catch: [z.number().catch(1), 'double precision not null'],
    readonly: [z.string().readonly(), 'text not null'],
    piped: [z.string().pipe(z.coerce.number()), 'double precision not null'],
    preprocessed: [z.preprocess(Number, z.number()), 'double precision not null'],
    refined: [z.string().refine((text) => text !== ''), 'text not null'],
    lazy: [z.lazy(() => z.string()), 'text not null'],
    object: [z.object({ a: z.string(), b: z.object({ c: z.number().optional() }) }), 'jsonb not null'],
    array: [z.array(z.string()).optional(), 'jsonb'],
    record: [z.record(z.string(), z.number()), 'jsonb not null'],
    tuple: [z.tuple([z.string(), z.number()]), 'jsonb not null'],
    json: [z.json(), 'jsonb'],
    any: [z.any(), 'jsonb'],
    unknown: [z.unknown(), 'jsonb'],
    tree: [self, 'jsonb not null'],
    sameUnion: [z.union([z.email(), z.url()]), 'text not null'],
    nullUnion: [z.union([z.number(), z.null()]), 'double precision'],
    mixedUnion: [z.union([z.string(), z.number()]), 'jsonb not null'],
  } as const

  it.each(Object.entries(fields))('%s', (name, [schema, column]) => {
    expect(shown(z.object({ [name]: schema as z.ZodType }))).toEqual([`${name} ${column}`])
  })

  it('keeps the order of fields, and follows what is around an object', () => {
    const base = z.object({ b: z.string(), a: z.number() })
    const columns = ['b text not null', 'a double precision not null']
    expect(shown(base)).toEqual(columns)
    expect(shown(base.readonly())).toEqual(columns)
    expect(shown(base.refine(() => true))).toEqual(columns)
    expect(shown(z.looseObject({ b: z.string(), a: z.number() }))).toEqual(columns)
    expect(shown(z.intersection(z.object({ b: z.string() }), z.object({ a: z.number() })))).toEqual(columns)
    expect(shown(z.lazy(() => base))).toEqual(columns)
  })

  it.each([
    ['a map', z.map(z.string(), z.string()), 'when', 'when', 'map'],
    ['a set', z.set(z.string()), 'when', 'when', 'set'],
    ['a transform', z.string().transform((text) => text.length), 'when', 'when', 'transformed'],
    ['a date in an object', z.object({ at: z.date() }), 'when', 'when.at', 'date'],
    ['a bigint in an array in an object', z.object({ ids: z.array(z.bigint()) }), 'when', 'when.ids', 'bigint'],
    ['a date in a union', z.union([z.string(), z.date()]), 'when', 'when', 'date'],
    ['a class', z.instanceof(Uint8Array), 'when', 'when', 'custom'],
    ['a symbol', z.symbol(), 'when', 'when', 'symbol'],
    ['null alone', z.null(), 'when', 'when', 'null'],
    ['literals of two types', z.literal(['a', 1]), 'when', 'when', 'more than one type'],
  ])('%s has no column, and the field is named', (_, schema, name, field, why) => {
    const error = refused(() => columnsOf('events', z.object({ ok: z.string(), [name]: schema as z.ZodType })))
    expect(error.code).toBe('schema/unmappable')
    expect(error.message).toContain(`the field ${field}:`)
    expect(error.message).toContain(why)
    expect(error.hint).toContain(`columns: { ${name}: t.jsonb() }`)
  })

  it('takes columns that are given instead', () => {
    const schema = z.object({ id: z.number(), tags: z.set(z.string()), price: z.string() })
    expect(shown(schema, { tags: t.jsonb(), price: t.numeric(12, 2) })).toEqual([
      'id double precision not null',
      'tags jsonb not null',
      'price numeric(12,2) not null',
    ])
  })

  it('that is no object has no columns', () => {
    for (const schema of [z.string(), z.array(z.string()), z.object({ a: z.string() }).transform(() => 1)]) {
      const error = refused(() => columnsOf('events', schema as unknown as StandardSchema))
      expect(error.code).toBe('schema/unmappable')
      expect(error.message).toContain('zod')
      expect(error.hint).toBeDefined()
    }
  })
})

describe('other vendors', () => {
  const schema = (output: () => unknown): StandardSchema =>
    ({
      '~standard': { version: 1, vendor: 'vendor', validate: (value: unknown) => ({ value }), jsonSchema: { output } },
    }) as StandardSchema

  it('are read by their JSON Schema', () => {
    const json = {
      type: 'object',
      required: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'],
      properties: {
        a: { type: 'string' },
        b: { type: 'string', format: 'uuid' },
        c: { type: 'string', format: 'date-time' },
        d: { type: 'integer' },
        e: { type: ['number', 'null'] },
        f: { enum: ['x', 'y'] },
        g: { anyOf: [{ type: 'boolean' }, { type: 'null' }] },
        h: { const: 1.5 },
        i: { type: 'array', items: {} },
        j: { type: 'string', format: 'date' },
      },
    }
    expect(shown(schema(() => json))).toEqual([
      'a text not null',
      'b uuid not null',
      'c timestamp with time zone not null as utc',
      'd bigint not null as number',
      'e double precision',
      'f text not null',
      'g boolean',
      'h double precision not null as number',
      'i jsonb not null',
      'j date',
    ])
  })

  it('name the field that has no column', () => {
    const json = { type: 'object', properties: { when: {} } }
    expect(
      refused(() =>
        columnsOf(
          'events',
          schema(() => json),
        ),
      ).message,
    ).toContain('the field when')
    expect(
      shown(
        schema(() => json),
        { when: t.timestamptz() },
      ),
    ).toEqual(['when timestamp with time zone not null'])
  })

  it('without a JSON Schema need their columns given', () => {
    const throwing = schema(() => {
      throw new Error('no dates')
    })
    const error = refused(() => columnsOf('events', throwing))
    expect(error.code).toBe('schema/unmappable')
    expect(error.message).toContain('vendor')
    expect(error.hint).toContain('columns:')
    expect(shown(throwing, { a: t.text() })).toEqual(['a text not null'])
  })
})
