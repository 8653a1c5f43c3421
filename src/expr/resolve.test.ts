import { describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { type SqlType, typeName } from '../data/sql-type.ts'
import { isAggregate, resolveAggregate } from './aggregates.ts'
import {
  between,
  call,
  caseOf,
  cast,
  coalesce,
  column,
  commonType,
  distinctFrom,
  greatest,
  inList,
  isTruth,
  keyOf,
  literal,
  nullif,
  numberLiteral,
  or,
  predicate,
} from './resolve.ts'
import type { Scalar } from './scalar.ts'

const types: Record<string, SqlType> = {
  s: { kind: 'smallint' },
  i: { kind: 'integer' },
  b: { kind: 'bigint' },
  r: { kind: 'real' },
  d: { kind: 'double' },
  n: { kind: 'numeric' },
  m: { kind: 'numeric', precision: 12, scale: 2 },
  k: { kind: 'numeric', precision: 10, scale: 3 },
  t: { kind: 'text' },
  v: { kind: 'varchar', length: 5 },
  f: { kind: 'boolean' },
  day: { kind: 'date' },
  time: { kind: 'time' },
  ts: { kind: 'timestamp' },
  tz: { kind: 'timestamptz' },
  iv: { kind: 'interval' },
  j: { kind: 'jsonb' },
  u: { kind: 'uuid' },
  y: { kind: 'bytea' },
}

/** `i` is a column of that type, `'x` a quoted literal, `12` a number, `null` NULL. */
function arg(text: string): Scalar {
  if (text === 'null') return literal(null, { kind: 'unknown' })
  if (text.startsWith("'")) return literal(text.slice(1), { kind: 'unknown' })
  if (/^[\d.]/.test(text)) return numberLiteral(text)
  return column(Object.keys(types).indexOf(text), types[text], true)
}

function resolved(name: string, ...args: string[]): string {
  const scalar = call(name, args.map(arg))
  return `${scalar.op === 'call' ? scalar.fn : scalar.op} → ${typeName(scalar.type)}`
}

describe('overloads resolve as in PostgreSQL', () => {
  it.each([
    ['+ s i', '+(integer,integer) → integer'],
    ['+ i b', '+(bigint,bigint) → bigint'],
    ['+ b r', '+(double,double) → double precision'],
    ['+ r d', '+(double,double) → double precision'],
    ['+ i n', '+(numeric,numeric) → numeric'],
    ['+ i d', '+(double,double) → double precision'],
    ["+ i '5", '+(integer,integer) → integer'],
    ['= t v', '=(text,text) → boolean'],
    ["= j '1", '=(jsonb,jsonb) → boolean'],
    ["> ts '2020-01-01", '>(timestamp,timestamp) → boolean'],
    ['< day ts', '<(timestamp,timestamp) → boolean'],
    ['- ts ts', '-(timestamp,timestamp) → interval'],
    ['- tz ts', '-(timestamptz,timestamptz) → interval'],
    ['- day day', '-(date,date) → integer'],
    ['- day 1', '-(date,integer) → date'],
    ['+ day iv', '+(date,interval) → timestamp without time zone'],
    ['- tz iv', '-(timestamptz,interval) → timestamp with time zone'],
    ['* iv 2', '*(interval,double) → interval'],
    ["date_trunc 'month day", 'date_trunc(text,timestamptz) → timestamp with time zone'],
    ['round d', 'round(double) → double precision'],
    ['round i', 'round(double) → double precision'],
    ['sqrt i', 'sqrt(double) → double precision'],
    ['sqrt n', 'sqrt(numeric) → numeric'],
    ['|| t i', '||(text,text) → text'],
    ["|| ' i", '||(text,text) → text'],
    ['|| y y', '||(bytea,bytea) → bytea'],
    ["-> j 'a", '->(jsonb,text) → jsonb'],
    ['-> j 1', '->(jsonb,integer) → jsonb'],
    ['length t', 'length(text) → integer'],
    ['- i', '-(integer) → integer'],
    ['substring t 1', 'substring(text,integer) → text'],
    ['^ i i', '^(double,double) → double precision'],
    ["position t 'a", 'position(text,text) → integer'],
  ])('%s is %s', (text, expected) => {
    const [name, ...args] = text.split(' ')
    expect(resolved(name, ...args)).toBe(expected)
  })

  it.each([
    ['+ t i', 'sql/type', 'operator text + integer does not exist'],
    ['< j j', 'sql/type', 'operator jsonb < jsonb does not exist'],
    ['lowr t', 'sql/unknown-function', 'did you mean lower?'],
    ['random', 'sql/unsupported', 'not a function of the log'],
    ["+ '1 '2", 'sql/type', 'is not unique'],
    ["+ i 'x", 'sql/type', 'invalid input syntax for type integer: "x"'],
    ["extract 'eon ts", 'sql/type', 'unit "eon" not recognized'],
    ["extract 'hour day", 'sql/type', 'unit "hour" not supported for type date'],
    ["timezone 'Europe/Berlin ts", 'sql/unsupported', 'time zone'],
    ["date_bin '1\u00a0month ts ts", 'sql/type', 'months'],
  ])('%s is refused with %s', (text, code, message) => {
    const [name, ...args] = text.split(' ')
    const attempt = (): string => resolved(name, ...args.map((each) => each.replace('\u00a0', ' ')))
    expect(attempt).toThrow(MillraceError)
    try {
      attempt()
    } catch (error) {
      expect((error as MillraceError).code).toBe(code)
      expect(`${(error as MillraceError).message} ${(error as MillraceError).hint}`).toContain(message)
    }
  })
})

describe('digits that are known stay known', () => {
  it.each([
    ['+ m m', 'numeric(13,2)'],
    ['+ m k', 'numeric(14,3)'],
    ['- m i', 'numeric(13,2)'],
    ['* m k', 'numeric(22,5)'],
    ['* b 0.908', 'numeric(22,3)'],
    ['+ m 1', 'numeric(13,2)'],
    ['% m k', 'numeric(10,3)'],
    ['/ m m', 'numeric'],
    ['+ m n', 'numeric'],
    ['- m', 'numeric(12,2)'],
    ['round m', 'numeric(11,0)'],
    ['round m 1', 'numeric(12,1)'],
    ['round m i', 'numeric'],
    ["extract 'year ts", 'numeric(10,0)'],
    ["extract 'second ts", 'numeric(8,6)'],
    ["extract 'julian ts", 'numeric'],
  ])('%s is %s', (text, expected) => {
    const [name, ...args] = text.split(' ')
    expect(typeName(call(name, args.map(arg)).type)).toBe(expected)
  })

  it('but not where a choice mixes scales', () => {
    const choose = (...args: string[]): string => typeName(commonType(args.map(arg)))
    expect(choose('m', 'm')).toBe('numeric(12,2)')
    expect(choose('m', 'k')).toBe('numeric')
    expect(choose('m', 'i')).toBe('numeric')
    expect(choose('m', 'null')).toBe('numeric(12,2)')
    expect(choose('m', "'1.5")).toBe('numeric')
    expect(choose('m', "'1.50")).toBe('numeric(12,2)')
    expect(choose('i', 'b')).toBe('bigint')
    expect(choose('i', 'r')).toBe('real')
    expect(choose("'a", 'null')).toBe('text')
    expect(choose('v', 'v')).toBe('character varying(5)')
    expect(choose('v', 't')).toBe('character varying')
    expect(choose('day', 'ts')).toBe('timestamp without time zone')
    expect(() => choose('t', 'i')).toThrow('UNION types text and integer cannot be matched')
  })
})

describe('constructors', () => {
  it('keep track of NULLs', () => {
    const sure = column(0, types.i, false)
    expect(call('+', [sure, sure]).nullable).toBe(false)
    expect(call('+', [sure, arg('i')]).nullable).toBe(true)
    expect(coalesce([arg('i'), sure]).nullable).toBe(false)
    expect(greatest([arg('i'), sure]).nullable).toBe(false)
    expect(caseOf([{ when: arg('f'), result: sure }], null).nullable).toBe(true)
    expect(nullif(sure, sure).nullable).toBe(true)
    expect(distinctFrom(arg('i'), arg('i')).nullable).toBe(false)
    expect(isTruth(arg('f'), true).nullable).toBe(false)
    expect(call('->', [column(0, types.j, false), arg("'a")]).nullable).toBe(true)
  })

  it('cast only as far as the context allows', () => {
    expect(typeName(cast(arg('i'), types.m, 'assignment').type)).toBe('numeric(12,2)')
    expect(() => cast(arg('t'), types.i, 'assignment')).toThrow(
      'cannot cast type text to integer without being asked to',
    )
    expect(() => cast(arg('u'), types.i, 'explicit')).toThrow('cannot cast type uuid to integer')
    expect(cast(arg('i'), types.i, 'implicit')).toEqual(arg('i'))
    expect(cast(arg("'1_000"), types.i, 'explicit')).toMatchObject({ op: 'literal', text: '1000' })
    expect(cast(arg("'abcdefg"), types.v, 'explicit')).toMatchObject({ op: 'literal', text: 'abcde' })
    expect(() => cast(arg("'abcdefg"), types.v, 'assignment')).toThrow(MillraceError)
    expect(cast(arg('t'), types.v, 'assignment')).toMatchObject({ op: 'call', fn: '$fit(text,integer)' })
    expect(cast(arg('m'), { kind: 'numeric' }, 'explicit')).toEqual(arg('m'))
  })

  it('build lists and ranges out of comparisons', () => {
    expect(inList(arg('i'), [arg('1'), arg("'2")])).toMatchObject({
      op: 'or',
      args: [{ fn: '=(integer,integer)' }, {}],
    })
    expect(inList(arg('i'), [arg('1.5')], true)).toMatchObject({ op: 'not', arg: { fn: '=(numeric,numeric)' } })
    expect(between(arg('i'), arg('1'), arg('2'))).toMatchObject({ op: 'and', args: [{}, {}] })
    expect(or([or([arg('f'), arg('f')]), arg('f')])).toMatchObject({ op: 'or', args: [{}, {}, {}] })
  })

  it('refuse a condition that is no boolean', () => {
    expect(() => predicate(arg('i'), 'WHERE')).toThrow('argument of WHERE must be type boolean, not type integer')
    expect(predicate(arg('null'), 'WHERE').type.kind).toBe('boolean')
  })

  it('give equal values one key', () => {
    expect(keyOf(arg('n'))).toMatchObject({ op: 'call' })
    expect(keyOf(arg('m'))).toEqual(arg('m'))
    expect(keyOf(arg('t'))).toEqual(arg('t'))
  })
})

describe('aggregates', () => {
  it.each([
    ['count', null, 'bigint'],
    ['count', 't', 'bigint'],
    ['sum', 'i', 'bigint'],
    ['sum', 'b', 'numeric(38,0)'],
    ['sum', 'm', 'numeric(31,2)'],
    ['sum', 'n', 'numeric'],
    ['sum', 'r', 'real'],
    ['avg', 'i', 'numeric'],
    ['avg', 'r', 'double precision'],
    ['min', 'v', 'text'],
    ['every', 'f', 'boolean'],
  ])('%s of %s is %s', (name, type, expected) => {
    expect(typeName(resolveAggregate(name, type === null ? null : types[type]).type)).toBe(expected)
  })

  it('are refused where PostgreSQL has none, or we have none yet', () => {
    expect(() => resolveAggregate('max', types.f)).toThrow('function max(boolean) does not exist')
    expect(() => resolveAggregate('sum', null)).toThrow('sum(*)')
    expect(() => resolveAggregate('string_agg', types.t)).toThrow('not supported')
    expect(isAggregate('stddev')).toBe(true)
    expect(isAggregate('lower')).toBe(false)
  })
})
