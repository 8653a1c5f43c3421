import type { TypeKind } from '../../data/sql-type.ts'

/**
 * One meaning of a function or operator. `call` casts the arguments to `args` (or to `as`, where PostgreSQL has an
 * operator over mixed types that means the same as one over equal types).
 */
export interface Signature {
  readonly name: string
  readonly args: readonly TypeKind[]
  readonly as?: readonly TypeKind[]
  readonly result: TypeKind
  /** May be NULL although no argument is. */
  readonly nullable?: boolean
}

/** `+(bigint,bigint)`: how a bound call names what it calls. */
export function signatureKey(name: string, args: readonly TypeKind[]): string {
  return `${name}(${args.join(',')})`
}

const list: Signature[] = []

function add(names: string, args: string, result: TypeKind, nullable = false): void {
  const kinds = (args === '' ? [] : args.split(',')) as TypeKind[]
  for (const name of names.split(' ')) list.push({ name, args: kinds, result, ...(nullable ? { nullable } : {}) })
}

function mixed(names: string, args: string, as: TypeKind, result: TypeKind): void {
  const kinds = args.split(',') as TypeKind[]
  for (const name of names.split(' ')) list.push({ name, args: kinds, as: kinds.map(() => as), result })
}

const integers = ['smallint', 'integer', 'bigint'] as const
const numbers = [...integers, 'numeric', 'real', 'double'] as const

// Arithmetic
for (const kind of numbers) {
  add('+ - * /', `${kind},${kind}`, kind)
  add('- + @ abs', kind, kind)
}
mixed('+ - * /', 'double,real', 'double', 'double')
mixed('+ - * /', 'real,double', 'double', 'double')
for (const kind of [...integers, 'numeric'] as const) add('% mod', `${kind},${kind}`, kind)
for (const kind of integers) {
  add('& | #', `${kind},${kind}`, kind)
  add('<< >>', `${kind},integer`, kind)
  add('~', kind, kind)
}
for (const kind of ['integer', 'bigint'] as const) {
  add('gcd lcm', `${kind},${kind}`, kind)
  add('to_hex', kind, 'text')
}

// Mathematics
for (const kind of ['numeric', 'double'] as const) {
  add('ceil ceiling floor round trunc sign sqrt exp ln log log10', kind, kind)
  add('^ power pow', `${kind},${kind}`, kind)
}
add('round trunc', 'numeric,integer', 'numeric')
add('log', 'numeric,numeric', 'numeric')
add('div', 'numeric,numeric', 'numeric')
add('cbrt degrees radians sin cos tan asin acos atan', 'double', 'double')
add('atan2', 'double,double', 'double')
add('pi', '', 'double')

// Comparison
const comparable = [
  ...numbers,
  'boolean',
  'text',
  'bytea',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'uuid',
] as const
for (const kind of comparable) add('= <> < <= > >=', `${kind},${kind}`, 'boolean')
mixed('= <> < <= > >=', 'double,real', 'double', 'boolean')
mixed('= <> < <= > >=', 'real,double', 'double', 'boolean')
add('= <>', 'jsonb,jsonb', 'boolean')

// Text
add('||', 'text,text', 'text')
add('||', 'bytea,bytea', 'bytea')
add('length char_length character_length octet_length bit_length ascii', 'text', 'integer')
add('length octet_length', 'bytea', 'integer')
add('lower upper initcap reverse md5 btrim ltrim rtrim', 'text', 'text')
add('btrim ltrim rtrim', 'text,text', 'text')
add('substring substr', 'text,integer', 'text')
add('substring substr', 'text,integer,integer', 'text')
add('substring substr', 'bytea,integer', 'bytea')
add('substring substr', 'bytea,integer,integer', 'bytea')
add('strpos position', 'text,text', 'integer')
add('left right repeat', 'text,integer', 'text')
add('lpad rpad', 'text,integer', 'text')
add('lpad rpad', 'text,integer,text', 'text')
add('overlay', 'text,text,integer', 'text')
add('overlay', 'text,text,integer,integer', 'text')
add('replace translate', 'text,text,text', 'text')
add('split_part', 'text,text,integer', 'text')
add('starts_with ^@', 'text,text', 'boolean')
add('chr', 'integer', 'text')
add('encode', 'bytea,text', 'text')
add('decode', 'text,text', 'bytea')

// Patterns
add('~~ !~~ ~~* !~~* ~ !~ ~* !~* regexp_like', 'text,text', 'boolean')
add('regexp_like', 'text,text,text', 'boolean')
add('like_escape', 'text,text', 'text')
add('regexp_replace', 'text,text,text', 'text')
add('regexp_replace', 'text,text,text,text', 'text')
add('regexp_count', 'text,text', 'integer')
add('regexp_substr substring', 'text,text', 'text', true)

// Dates and times
add('+ -', 'date,integer', 'date')
add('+', 'integer,date', 'date')
add('-', 'date,date', 'integer')
add('+ -', 'date,interval', 'timestamp')
add('+', 'interval,date', 'timestamp')
add('+', 'date,time', 'timestamp')
add('+', 'time,date', 'timestamp')
add('+ -', 'time,interval', 'time')
add('+', 'interval,time', 'time')
add('-', 'time,time', 'interval')
for (const kind of ['timestamp', 'timestamptz'] as const) {
  add('+ -', `${kind},interval`, kind)
  add('+', `interval,${kind}`, kind)
  add('- age', `${kind},${kind}`, 'interval')
  add('date_trunc', `text,${kind}`, kind)
  add('date_bin', `interval,${kind},${kind}`, kind)
  add('to_char', `${kind},text`, 'text', true)
}
add('timezone', 'text,timestamp', 'timestamptz')
add('timezone', 'text,timestamptz', 'timestamp')
add('date_trunc', 'text,timestamptz,text', 'timestamptz')
for (const kind of ['timestamp', 'timestamptz', 'interval'] as const) add('isfinite', kind, 'boolean')
add('isfinite', 'date', 'boolean')
for (const kind of ['date', 'time', 'timestamp', 'timestamptz', 'interval'] as const) {
  add('extract', `text,${kind}`, 'numeric')
  if (kind !== 'date') add('date_part', `text,${kind}`, 'double')
}
list.push({ name: 'date_part', args: ['text', 'date'], as: ['text', 'timestamp'], result: 'double' })
add('to_timestamp', 'double', 'timestamptz')
add('make_date', 'integer,integer,integer', 'date')
add('make_time', 'integer,integer,double', 'time')
add('make_timestamp', 'integer,integer,integer,integer,integer,double', 'timestamp')

// Intervals
add('+ -', 'interval,interval', 'interval')
add('-', 'interval', 'interval')
add('* /', 'interval,double', 'interval')
add('*', 'double,interval', 'interval')
add('date_trunc', 'text,interval', 'interval')
add('justify_hours justify_days justify_interval', 'interval', 'interval')

// jsonb
add('->', 'jsonb,text', 'jsonb', true)
add('->', 'jsonb,integer', 'jsonb', true)
add('->>', 'jsonb,text', 'text', true)
add('->>', 'jsonb,integer', 'text', true)
add('#>', 'jsonb,text', 'jsonb', true)
add('#>>', 'jsonb,text', 'text', true)
add('?', 'jsonb,text', 'boolean')
add('||', 'jsonb,jsonb', 'jsonb')
add('-', 'jsonb,text', 'jsonb')
add('-', 'jsonb,integer', 'jsonb')
add('@> <@ jsonb_contains jsonb_contained', 'jsonb,jsonb', 'boolean')
add('jsonb_strip_nulls', 'jsonb', 'jsonb')
add('jsonb_typeof', 'jsonb', 'text')
add('jsonb_array_length', 'jsonb', 'integer')

/** The form that equal values share, for keys of groups, joins and DISTINCT. Not for users. */
export const keyFunction = '$key'
add(keyFunction, 'numeric', 'numeric')
add(keyFunction, 'interval', 'interval')
add(keyFunction, 'jsonb', 'jsonb')

/** Assignment to varchar(n), which refuses what a cast would cut off. Not for users. */
export const fitFunction = '$fit'
list.push({ name: fitFunction, args: ['text', 'integer'], result: 'varchar' })

const byName = new Map<string, Signature[]>()
for (const signature of list) {
  const known = byName.get(signature.name)
  if (known === undefined) byName.set(signature.name, [signature])
  else known.push(signature)
}

/** Every meaning of a name; empty for an unknown one. */
export function signaturesOf(name: string): readonly Signature[] {
  return byName.get(name) ?? []
}

export function allSignatures(): readonly Signature[] {
  return [...byName.values()].flat()
}

export function functionNames(): readonly string[] {
  return [...byName.keys()]
}
