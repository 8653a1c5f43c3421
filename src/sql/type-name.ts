import type { SqlType } from '../data/sql-type.ts'
import type { Node, TypeName } from './parse.ts'
import { nearest, refusal, unsupported } from './refuse.ts'
import { placeAt, type Source } from './source.ts'

/** PostgreSQL's own names for the types, and the ones that its grammar makes of the standard's. */
const byName: Readonly<Record<string, SqlType>> = {
  bool: { kind: 'boolean' },
  int2: { kind: 'smallint' },
  int4: { kind: 'integer' },
  int8: { kind: 'bigint' },
  float4: { kind: 'real' },
  float8: { kind: 'double' },
  numeric: { kind: 'numeric' },
  text: { kind: 'text' },
  varchar: { kind: 'varchar' },
  bytea: { kind: 'bytea' },
  date: { kind: 'date' },
  time: { kind: 'time' },
  timestamp: { kind: 'timestamp' },
  timestamptz: { kind: 'timestamptz' },
  interval: { kind: 'interval' },
  uuid: { kind: 'uuid' },
  jsonb: { kind: 'jsonb' },
}

/** What to write instead of types that aren't there. */
const instead: Readonly<Record<string, string>> = {
  bpchar: 'use text or varchar(n), which do not pad',
  char: 'use text or varchar(n), which do not pad',
  json: 'use jsonb',
  timetz: 'use time, or timestamptz',
  serial: 'events bring their own values: use integer',
  serial4: 'events bring their own values: use integer',
  serial2: 'events bring their own values: use smallint',
  smallserial: 'events bring their own values: use smallint',
  bigserial: 'events bring their own values: use bigint',
  serial8: 'events bring their own values: use bigint',
  money: 'use numeric(12,2)',
  string: 'use text',
  nvarchar: 'use text',
  clob: 'use text',
  citext: 'use text, and compare with lower() or ILIKE',
  name: 'use text',
  xml: 'use text',
  inet: 'use text',
  cidr: 'use text',
  macaddr: 'use text',
  enum: 'use text',
  datetime: 'use timestamp or timestamptz',
  datetime64: 'use timestamp or timestamptz',
  double: 'use double precision',
  float64: 'use double precision',
  float32: 'use real',
  tinyint: 'use smallint',
  int1: 'use smallint',
  long: 'use bigint',
  int64: 'use bigint',
  uint64: 'use numeric(20,0)',
  hugeint: 'use numeric(38,0)',
  number: 'use numeric, bigint or double precision',
  blob: 'use bytea',
  binary: 'use bytea',
  varbinary: 'use bytea',
  oid: 'use bigint',
  bit: 'use text or bytea',
  varbit: 'use text or bytea',
  vector: 'use jsonb',
}

/**
 * The type that a type name in SQL means.
 * @throws MillraceError sql/unsupported for types of PostgreSQL's that aren't there, sql/type for no types at all
 */
export function sqlTypeOf(node: TypeName, at: Source | { readonly source: Source }): SqlType {
  const place = placeAt(at, node.location)
  const parts = (node.names ?? []).map((part) => ('String' in part ? (part.String.sval ?? '') : ''))
  const name = parts[parts.length - 1] ?? ''
  if (parts.length > 1 && parts[0] !== 'pg_catalog') {
    throw unsupported(
      `the type ${parts.join('.')} of a schema is not supported`,
      place,
      "use a type of PostgreSQL's own",
    )
  }
  if (node.setof || node.pct_type) throw unsupported('SETOF and %TYPE are not supported', place, 'name the type itself')
  if (node.arrayBounds !== undefined) {
    throw unsupported('arrays are not supported', place, 'use jsonb, which holds arrays')
  }
  const type = Object.hasOwn(byName, name) ? byName[name] : undefined
  if (type === undefined) throw notSupported(name, place)
  const modifiers = (node.typmods ?? []).map(integerOf)
  return modifiers.length === 0 ? type : modified(type, modifiers, place)
}

function notSupported(name: string, place: ReturnType<typeof placeAt>): Error {
  if (Object.hasOwn(instead, name)) {
    // What the grammar calls bpchar, people call char(n).
    const written = name === 'bpchar' ? 'char(n)' : name
    return unsupported(`the type ${written} is not supported`, place, instead[name])
  }
  const near = nearest(name, [...Object.keys(byName), 'boolean', 'integer', 'bigint', 'smallint'])
  const hint = near === null ? `there are ${Object.keys(byName).join(', ')}` : `did you mean ${near}?`
  return refusal('sql/type', `type "${name}" does not exist`, place, hint)
}

function integerOf(node: Node): number | null {
  return 'A_Const' in node && node.A_Const.ival !== undefined ? (node.A_Const.ival.ival ?? 0) : null
}

const longestVarchar = 10_485_760
const mostDigits = 1000

function modified(type: SqlType, modifiers: readonly (number | null)[], place: ReturnType<typeof placeAt>): SqlType {
  const [first, second = 0] = modifiers
  const wrong = (what: string): Error => refusal('sql/type', what, place)
  if (type.kind === 'numeric' && modifiers.length <= 2) {
    if (first === null || first < 1 || first > mostDigits) throw wrong(`numeric's precision is from 1 to ${mostDigits}`)
    if (second !== null && second < 0) {
      throw unsupported('a negative scale is not supported', place, 'round the values with round(x, -2)')
    }
    if (second === null || second > mostDigits) throw wrong(`numeric's scale is from 0 to ${mostDigits}`)
    return { kind: 'numeric', precision: first, scale: second }
  }
  if (type.kind === 'varchar' && modifiers.length === 1) {
    if (first === null || first < 1 || first > longestVarchar) {
      throw wrong(`the length of varchar is from 1 to ${longestVarchar}`)
    }
    return { kind: 'varchar', length: first }
  }
  const timely = type.kind === 'time' || type.kind === 'timestamp' || type.kind === 'timestamptz'
  if (timely && modifiers.length === 1) {
    // Six digits are what the type has anyway.
    if (first === 6) return type
    throw unsupported(`${type.kind}(${first ?? '…'}) is not supported`, place, 'leave the precision out: times keep µs')
  }
  if (type.kind === 'interval') {
    throw unsupported('an interval with fields or a precision is not supported', place, 'use interval alone')
  }
  throw wrong(`type modifiers are not allowed for ${type.kind}`)
}
