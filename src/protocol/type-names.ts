import type { SqlType } from '../data/sql-type.ts'

/** Names of types that have no parameter, as `typeName` prints them. */
const plain: Readonly<Record<string, SqlType>> = {
  'double precision': { kind: 'double' },
  'character varying': { kind: 'varchar' },
  'time without time zone': { kind: 'time' },
  'timestamp without time zone': { kind: 'timestamp' },
  'timestamp with time zone': { kind: 'timestamptz' },
  boolean: { kind: 'boolean' },
  smallint: { kind: 'smallint' },
  integer: { kind: 'integer' },
  bigint: { kind: 'bigint' },
  real: { kind: 'real' },
  numeric: { kind: 'numeric' },
  text: { kind: 'text' },
  bytea: { kind: 'bytea' },
  date: { kind: 'date' },
  interval: { kind: 'interval' },
  uuid: { kind: 'uuid' },
  jsonb: { kind: 'jsonb' },
}

/** The type of a name that `typeName` printed; what a newer server calls otherwise is taken as JSON shows it. */
export function typeOfName(name: string): SqlType {
  if (Object.hasOwn(plain, name)) return plain[name]
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(name)
  if (numeric !== null) return { kind: 'numeric', precision: Number(numeric[1]), scale: Number(numeric[2]) }
  const varchar = /^character varying\((\d+)\)$/.exec(name)
  if (varchar !== null) return { kind: 'varchar', length: Number(varchar[1]) }
  return { kind: 'unknown' }
}
