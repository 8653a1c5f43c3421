import type { SqlType, TypeKind } from '../data/sql-type.ts'

/** Which types turn into which, and how willingly: PostgreSQL's pg_cast and its type categories. */

export type CastContext = 'implicit' | 'assignment' | 'explicit'

type Category = 'boolean' | 'number' | 'string' | 'datetime' | 'timespan' | 'user' | 'unknown'

export const kinds = [
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'real',
  'double',
  'numeric',
  'text',
  'varchar',
  'bytea',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'uuid',
  'jsonb',
] as const satisfies readonly TypeKind[]

const categories: Readonly<Record<TypeKind, Category>> = {
  boolean: 'boolean',
  smallint: 'number',
  integer: 'number',
  bigint: 'number',
  real: 'number',
  double: 'number',
  numeric: 'number',
  text: 'string',
  varchar: 'string',
  bytea: 'user',
  date: 'datetime',
  time: 'datetime',
  timestamp: 'datetime',
  timestamptz: 'datetime',
  interval: 'timespan',
  uuid: 'user',
  jsonb: 'user',
  unknown: 'unknown',
}

export function categoryOf(kind: TypeKind): Category {
  return categories[kind]
}

const preferred: ReadonlySet<TypeKind> = new Set<TypeKind>(['boolean', 'double', 'text', 'timestamptz', 'interval'])

/** The type of its category that wins when nothing else decides. */
export function isPreferred(kind: TypeKind): boolean {
  return preferred.has(kind)
}

/** From each kind: `i` implicitly, `a` when assigned, `e` only when asked for. What isn't here goes through text. */
const casts: Readonly<Partial<Record<TypeKind, string>>> = {
  boolean: 'e:integer a:text,varchar',
  smallint: 'i:integer,bigint,numeric,real,double',
  integer: 'i:bigint,numeric,real,double a:smallint e:boolean',
  bigint: 'i:numeric,real,double a:smallint,integer',
  real: 'i:double a:smallint,integer,bigint,numeric',
  double: 'a:smallint,integer,bigint,numeric,real',
  numeric: 'i:real,double a:smallint,integer,bigint',
  text: 'i:varchar',
  varchar: 'i:text',
  date: 'i:timestamp,timestamptz',
  time: 'i:interval',
  timestamp: 'i:timestamptz a:date,time',
  timestamptz: 'a:timestamp,date,time',
  interval: 'a:time',
  jsonb: 'e:boolean,smallint,integer,bigint,real,double,numeric',
}

const contexts: Readonly<Record<string, CastContext>> = { i: 'implicit', a: 'assignment', e: 'explicit' }
const castTable = new Map<string, CastContext>()
for (const [from, text] of Object.entries(casts)) {
  for (const group of text.split(' ')) {
    const [letter, targets] = group.split(':')
    for (const to of targets.split(',')) castTable.set(`${from}>${to}`, contexts[letter])
  }
}

/** How willingly one type turns into another; null if it never does. A literal of unknown type becomes anything. */
export function castContext(from: TypeKind, to: TypeKind): CastContext | null {
  if (from === to || from === 'unknown') return 'implicit'
  const stated = castTable.get(`${from}>${to}`)
  if (stated !== undefined) return stated
  // Every type is written as text when assigned, and read back from it only when asked for.
  if (categoryOf(to) === 'string') return 'assignment'
  return categoryOf(from) === 'string' ? 'explicit' : null
}

const willingness: Readonly<Record<CastContext, number>> = { implicit: 0, assignment: 1, explicit: 2 }

export function canCast(from: TypeKind, to: TypeKind, context: CastContext): boolean {
  const needed = castContext(from, to)
  return needed !== null && willingness[needed] <= willingness[context]
}

/**
 * The type that values of several types share, as UNION, CASE and COALESCE choose it.
 * @returns null if there is none; text where nothing but literals of unknown type is given
 */
export function commonKind(types: readonly TypeKind[]): TypeKind | null {
  const known = types.filter((kind) => kind !== 'unknown')
  if (known.length === 0) return 'text'
  let chosen = known[0]
  for (const kind of known.slice(1)) {
    if (kind === chosen) continue
    if (categoryOf(kind) !== categoryOf(chosen)) return null
    if (!isPreferred(chosen) && canCast(chosen, kind, 'implicit') && !canCast(kind, chosen, 'implicit')) chosen = kind
  }
  return known.every((kind) => canCast(kind, chosen, 'implicit')) ? chosen : null
}

/** Numeric precision of a type's values: digits in all, digits behind the point. Null where each value brings its own. */
export function digitsOf(type: SqlType): { readonly precision: number; readonly scale: number } | null {
  switch (type.kind) {
    case 'smallint':
      return { precision: 5, scale: 0 }
    case 'integer':
      return { precision: 10, scale: 0 }
    case 'bigint':
      return { precision: 19, scale: 0 }
    case 'numeric':
      return type.precision === undefined ? null : { precision: type.precision, scale: type.scale ?? 0 }
    default:
      return null
  }
}

/** The most digits that a numeric type may state; results that might need more are numeric without precision. */
const statedDigitsMax = 1000

export function numericType(precision: number, scale: number): SqlType {
  return precision > statedDigitsMax
    ? { kind: 'numeric' }
    : { kind: 'numeric', precision: Math.max(precision, 1), scale }
}

/**
 * A type that keeps the values of all given types of one kind as they are. Numerics of different scales share only
 * the numeric without precision, since each value keeps its own digits; varchars of different lengths only varchar.
 */
export function mergeTypes(kind: TypeKind, types: readonly SqlType[]): SqlType {
  if (kind === 'numeric') {
    const digits = types.filter((type) => type.kind !== 'unknown').map(digitsOf)
    const first = digits[0]
    if (first === undefined || first === null) return { kind }
    let precision = 0
    for (const each of digits) {
      if (each === null || each.scale !== first.scale) return { kind }
      precision = Math.max(precision, each.precision)
    }
    return numericType(precision, first.scale)
  }
  if (kind === 'varchar') {
    const [first] = types
    // Nothing but NULLs, which have no length.
    if (first === undefined) return { kind }
    const same = types.every(
      (type) => type.kind === 'varchar' && first.kind === 'varchar' && type.length === first.length,
    )
    return same ? first : { kind }
  }
  return { kind } as SqlType
}
