import { beforeAll, describe, expect, it } from 'vitest'
import { MillraceError } from '../data/errors.ts'
import { type SqlType, typeName } from '../data/sql-type.ts'
import { loadParser, parseSql } from './parse.ts'
import { sqlTypeOf } from './type-name.ts'

beforeAll(loadParser)

function typeOf(name: string): SqlType {
  const [statement] = parseSql(`CREATE TABLE t (\n  c ${name})`)
  if (statement.kind !== 'createTopic') throw new Error(statement.kind)
  const element = statement.node.tableElts?.[0]
  if (element === undefined || !('ColumnDef' in element)) throw new Error('no column')
  return sqlTypeOf(element.ColumnDef.typeName ?? {}, statement)
}

describe('sqlTypeOf', () => {
  it.each([
    ['boolean', 'boolean'],
    ['bool', 'boolean'],
    ['smallint', 'smallint'],
    ['int2', 'smallint'],
    ['int', 'integer'],
    ['INTEGER', 'integer'],
    ['int4', 'integer'],
    ['bigint', 'bigint'],
    ['int8', 'bigint'],
    ['real', 'real'],
    ['float4', 'real'],
    ['float(24)', 'real'],
    ['float', 'double precision'],
    ['float(25)', 'double precision'],
    ['float8', 'double precision'],
    ['double precision', 'double precision'],
    ['numeric', 'numeric'],
    ['decimal', 'numeric'],
    ['dec(3)', 'numeric(3,0)'],
    ['numeric(12,2)', 'numeric(12,2)'],
    ['numeric(1000,1000)', 'numeric(1000,1000)'],
    ['numeric(2,4)', 'numeric(2,4)'],
    ['text', 'text'],
    ['varchar', 'character varying'],
    ['varchar(3)', 'character varying(3)'],
    ['character varying(10485760)', 'character varying(10485760)'],
    ['bytea', 'bytea'],
    ['date', 'date'],
    ['time', 'time without time zone'],
    ['time(6) without time zone', 'time without time zone'],
    ['timestamp', 'timestamp without time zone'],
    ['timestamp(6)', 'timestamp without time zone'],
    ['timestamptz', 'timestamp with time zone'],
    ['timestamp with time zone', 'timestamp with time zone'],
    ['interval', 'interval'],
    ['uuid', 'uuid'],
    ['jsonb', 'jsonb'],
    ['pg_catalog.int8', 'bigint'],
  ])('%s is %s', (written, name) => {
    expect(typeName(typeOf(written))).toBe(name)
  })

  it.each([
    ['char', 'char(n)', 'text'],
    ['char(3)', 'char(n)', 'text'],
    ['character(3)', 'char(n)', 'text'],
    ['"char"', 'char', 'text'],
    ['json', 'json', 'jsonb'],
    ['bigserial', 'bigserial', 'bigint'],
    ['serial', 'serial', 'integer'],
    ['money', 'money', 'numeric'],
    ['int[]', 'arrays', 'jsonb'],
    ['int array', 'arrays', 'jsonb'],
    ['timetz', 'timetz', 'time'],
    ['time with time zone', 'timetz', 'time'],
    ['timestamp(3)', 'timestamp(3)', 'µs'],
    ['timestamptz(0)', 'timestamptz(0)', 'µs'],
    ['interval day to second', 'interval', 'alone'],
    ['interval(3)', 'interval', 'alone'],
    ['numeric(4,-2)', 'negative scale', 'round'],
    ['bit(3)', 'bit', 'bytea'],
    ['s.t', 's.t', 'PostgreSQL'],
    ['inet', 'inet', 'text'],
    ['datetime', 'datetime', 'timestamp'],
  ])('%s is refused by name', (written, what, hint) => {
    const error = refused(written)
    expect(error.code).toBe('sql/unsupported')
    expect(error.message).toContain(what)
    expect(error.message).toContain('not supported')
    expect(error.hint).toContain(hint)
    expect(error.place).toEqual({ line: 2, column: 5, source: `  c ${written})` })
  })

  it.each([
    ['numeric(0)', 'precision'],
    ['numeric(1001)', 'precision'],
    ['numeric(2,1001)', 'scale'],
    ["numeric('2')", 'precision'],
    ['numeric(1,2,3)', 'modifiers'],
    ['varchar(0)', 'length'],
    ['varchar(10485761)', 'length'],
    ['text(3)', 'modifiers'],
    ['uuid(3)', 'modifiers'],
    ['bigintt', '"bigintt" does not exist'],
    ['constructor', '"constructor" does not exist'],
    ['__proto__', '"__proto__" does not exist'],
  ])('%s is no type', (written, words) => {
    const error = refused(written)
    expect(error.code).toBe('sql/type')
    expect(error.message).toContain(words)
    expect(error.place).toMatchObject({ line: 2, column: 5 })
  })

  it('suggests the type that was probably meant', () => {
    expect(refused('timestmp').hint).toBe('did you mean timestamp?')
    expect(refused('bigintt').hint).toBe('did you mean bigint?')
  })
})

function refused(written: string): MillraceError {
  try {
    typeOf(written)
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error(`accepted: ${written}`)
}
