// Random typed expressions over the columns of a scope.
import type { Random } from './random.ts'
import type { Expression, FuzzType, StoredType } from './scenario.ts'

export type Scope = readonly Expression[]

/** Types whose equal values print alike, so that one may stand for the others: keys, extremes, orders. */
const usualTypes: readonly FuzzType[] = ['int', 'bigint', 'num', 'double', 'text', 'boolean', 'date', 'timestamp']
const storedTypes: readonly StoredType[] = [
  'smallint',
  'real',
  'wide',
  'varchar',
  'uuid',
  'bytea',
  'time',
  'timestamptz',
  'interval',
]
export const keyTypes: readonly FuzzType[] = [...usualTypes, ...usualTypes, ...storedTypes]
export const allTypes: readonly FuzzType[] = [...keyTypes, 'numx', 'dblx']

export function leaf(type: FuzzType, text: string): Expression {
  return { type, parts: [text], args: [] }
}

export function build(type: FuzzType, template: string, ...args: Expression[]): Expression {
  return { type, parts: template.split('?'), args }
}

export const sqlTypes: Readonly<Record<FuzzType, string>> = {
  int: 'int',
  bigint: 'bigint',
  num: 'numeric(8,2)',
  numx: 'numeric',
  double: 'double precision',
  dblx: 'double precision',
  text: 'text',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  smallint: 'smallint',
  real: 'real',
  wide: 'numeric(30,4)',
  varchar: 'varchar(12)',
  uuid: 'uuid',
  bytea: 'bytea',
  time: 'time',
  timestamptz: 'timestamptz',
  interval: 'interval',
}

/** Values as text, for events and literals alike. No two intervals are of one length. */
export const storedValues: Readonly<Record<StoredType, readonly string[]>> = {
  smallint: ['0', '1', '-1', '32767'],
  real: ['0', '0.5', '-1.25', '16777216', '0.1'],
  wide: ['0.0000', '1.5000', '-12345678901234567890.1234', '99999999999999999999999999.9999'],
  varchar: ['', 'a', 'B', 'été', 'twelve chars'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  bytea: ['\\x', '\\x00', '\\x00ff', '\\xff'],
  time: ['00:00:00', '10:00:00.5', '23:59:59.999999', '24:00:00'],
  timestamptz: ['2026-01-01T00:00:10Z', '2026-01-01T00:00:10+01:00', '1969-12-31T23:59:59.999999Z'],
  interval: ['00:00:00', '1 day', '-1 hours', '1 mon 2 days 00:00:00.000777', '00:00:00.000001'],
}

export function literal(random: Random, type: FuzzType): Expression {
  // A NULL says nothing of digits, so that what is computed with it is no `num`.
  if (type !== 'num' && random.chance(0.06)) return leaf(type, `NULL::${sqlTypes[type]}`)
  switch (type) {
    case 'int':
      return leaf(type, random.pick(['0', '1', '2', '3', '(-1)', '7']))
    case 'bigint':
      return leaf(type, random.pick(['0::bigint', '3000000000', '9007199254740993', '2::bigint']))
    case 'num':
      return leaf(type, random.pick(['0.00', '1.50', '2.25', '(-0.75)', '10.00']))
    case 'numx':
      return leaf(type, random.pick(['0.5', '3.0', '1.125', '100.0']))
    case 'double':
    case 'dblx':
      return leaf(type, `${random.pick(['0', '0.5', '-1.25', '2', '8'])}::double precision`)
    case 'text':
      return leaf(type, random.pick(["''", "'a'", "'b'", "'ab'", "'B'", "'é'", "'a b'"]))
    case 'boolean':
      return leaf(type, random.pick(['true', 'false']))
    case 'date':
      return leaf(type, random.pick(["date '2026-01-01'", "date '2026-01-31'", "date '1969-12-31'"]))
    case 'timestamp':
      return leaf(type, random.pick(["timestamp '2026-01-01 00:00:10'", "timestamp '2026-01-01 00:01:00'"]))
    default:
      return leaf(type, `'${random.pick(storedValues[type])}'::${sqlTypes[type]}`)
  }
}

/** Templates by type: `?` stands for arguments of the listed types. */
const templates: Readonly<Record<FuzzType, readonly (readonly [string, ...FuzzType[]])[]>> = {
  int: [
    ['(? + ?)', 'int', 'int'],
    ['(? - ?)', 'int', 'int'],
    ['(? * ?)', 'int', 'int'],
    ['(? / nullif(?, 0))', 'int', 'int'],
    ['(? % nullif(?, 0))', 'int', 'int'],
    ['(- ?::int)', 'int'],
    ['abs(?)', 'int'],
    ['length(?)', 'text'],
    ['strpos(?, ?)', 'text', 'text'],
    ['(? - ?)', 'date', 'date'],
    ['?::int', 'boolean'],
    ['?::int', 'num'],
    ['extract(day from ?)::int', 'date'],
  ],
  bigint: [
    ['?::bigint', 'int'],
    ['(? + ?)', 'bigint', 'int'],
    ['(? + ?)', 'bigint', 'smallint'],
    ['(? - ?)', 'bigint', 'bigint'],
    ['(? * 3)', 'bigint'],
    ['(? / nullif(?, 0))', 'bigint', 'int'],
    ['(? % nullif(?, 0))', 'bigint', 'bigint'],
    ['abs(?)', 'bigint'],
  ],
  num: [
    ['(? + ?)', 'num', 'num'],
    ['(? - ?)', 'num', 'num'],
    ['(- ?)', 'num'],
    ['abs(?)', 'num'],
    ['?::numeric(30,2)', 'numx'],
    ['?::numeric(12,2)', 'int'],
    ['(? + ?)', 'num', 'int'],
  ],
  numx: [
    ['(? * ?)', 'num', 'num'],
    ['(? / nullif(?, 0))', 'num', 'num'],
    ['(? / nullif(?, 0))', 'num', 'int'],
    ['(? + ?)', 'numx', 'num'],
    ['(? % nullif(?, 0))', 'num', 'num'],
    ['(? * 1.5)', 'int'],
    ['round(?, 1)', 'num'],
    ['round(?, 2)', 'numx'],
    ['trunc(?)', 'num'],
    ['?::numeric', 'bigint'],
  ],
  double: [
    ['(? + ?)', 'double', 'double'],
    ['(? - ?)', 'double', 'double'],
    ['(? * ?)', 'double', 'double'],
    ['(- ?)', 'double'],
    ['abs(?)', 'double'],
    ['?::double precision', 'int'],
    ['floor(?)', 'double'],
  ],
  dblx: [
    ['(? / nullif(?, 0))', 'double', 'double'],
    ['sqrt(abs(?))', 'double'],
    ['?::double precision', 'num'],
    ['(? * ?)', 'dblx', 'double'],
  ],
  text: [
    ['(? || ?)', 'text', 'text'],
    ['upper(?)', 'text'],
    ['lower(?)', 'text'],
    ['substring(? from 2)', 'text'],
    ['substring(? from 1 for 2)', 'text'],
    ['left(?, ?)', 'text', 'int'],
    ["replace(?, 'a', ?)", 'text', 'text'],
    ['trim(?)', 'text'],
    ["lpad(?, 3, '*')", 'text'],
    ['concat(?, ?)', 'text', 'int'],
    ['?::text', 'int'],
    ['?::text', 'num'],
    ['?::text', 'date'],
    ['?::text', 'boolean'],
    ['?::text', 'uuid'],
    ['?::text', 'wide'],
    ['?::text', 'time'],
    ['?::text', 'timestamptz'],
    ['upper(?)', 'varchar'],
    ['(? || ?)', 'varchar', 'text'],
    ["split_part(?, 'b', 1)", 'text'],
    ['reverse(?)', 'text'],
  ],
  boolean: [
    ['(? AND ?)', 'boolean', 'boolean'],
    ['(? OR ?)', 'boolean', 'boolean'],
    ['(NOT ?)', 'boolean'],
    ['(? IS TRUE)', 'boolean'],
    ['(? IS NOT FALSE)', 'boolean'],
    ["(? LIKE 'a%')", 'text'],
    ["(? ILIKE '%B_')", 'text'],
    ['(? IN (1, 2, NULL))', 'int'],
    ['(? NOT IN (0, 3))', 'int'],
    ["(? IN ('a', 'b'))", 'text'],
    ['(? > ?)', 'int', 'num'],
    ['(? <= ?)', 'double', 'num'],
    ['(? < ?)', 'date', 'timestamp'],
    ['(? <= ?)', 'timestamptz', 'timestamp'],
    ['(? > ?)', 'smallint', 'int'],
    ['(? = ?)', 'varchar', 'text'],
    ['(? < ?)', 'wide', 'num'],
    ['(? = ?)', 'real', 'double'],
  ],
  date: [
    ['(? + ?)', 'date', 'int'],
    ['(? - 7)', 'date'],
    ['?::date', 'timestamp'],
    ["date_trunc('month', ?)::date", 'date'],
  ],
  timestamp: [
    ["(? + interval '10 seconds')", 'timestamp'],
    ["(? - interval '1 day 2 hours')", 'timestamp'],
    ["(? + interval '1 month')", 'timestamp'],
    ["date_trunc('minute', ?)", 'timestamp'],
    ["date_trunc('week', ?)", 'timestamp'],
    ["date_bin(interval '15 seconds', ?, timestamp '2000-01-01')", 'timestamp'],
    ['?::timestamp', 'date'],
    ['?::timestamp', 'timestamptz'],
  ],
  smallint: [
    ['(- ?)', 'smallint'],
    ['(? % nullif(?, 0::smallint))', 'smallint', 'smallint'],
  ],
  real: [
    ['(? + ?)', 'real', 'real'],
    ['?::real', 'double'],
  ],
  wide: [
    ['(? + ?)', 'wide', 'wide'],
    ['(- ?)', 'wide'],
    ['?::numeric(30,4)', 'num'],
  ],
  varchar: [
    ['?::varchar(12)', 'text'],
    ['?::varchar(12)', 'varchar'],
  ],
  uuid: [['coalesce(?, ?)', 'uuid', 'uuid']],
  bytea: [['coalesce(?, ?)', 'bytea', 'bytea']],
  time: [['?::time', 'timestamp']],
  timestamptz: [
    ['?::timestamptz', 'timestamp'],
    ["(? - interval '90 minutes')", 'timestamptz'],
  ],
  interval: [
    ['(? - ?)', 'timestamp', 'timestamp'],
    // 24:00:00 would be another spelling of a day.
    ["(? - time '00:00:00.000333')", 'time'],
  ],
}

const comparisons = ['=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM']

export function expression(random: Random, scope: Scope, type: FuzzType, depth: number): Expression {
  const columns = scope.filter((column) => column.type === type)
  if (depth <= 0 || random.chance(0.35)) {
    if (columns.length > 0 && random.chance(0.9)) return random.pick(columns)
    return (random.chance(0.75) ? shallow(random, scope, type) : null) ?? literal(random, type)
  }
  const sub = (wanted: FuzzType): Expression => expression(random, scope, wanted, depth - 1)
  if (type === 'boolean' && random.chance(0.4)) {
    const of = random.pick(keyTypes)
    return build(type, `(? ${random.pick(comparisons)} ?)`, sub(of), sub(of))
  }
  if (type === 'boolean' && random.chance(0.15)) {
    return build(type, random.pick(['(? IS NULL)', '(? IS NOT NULL)']), sub(random.pick(allTypes)))
  }
  if (type === 'boolean' && random.chance(0.1)) {
    const of = random.pick(keyTypes)
    return build(type, random.pick(['(? BETWEEN ? AND ?)', '(? NOT BETWEEN ? AND ?)']), sub(of), sub(of), sub(of))
  }
  if (random.chance(0.2)) return anyType(random, type, sub)
  const [template, ...wanted] = random.pick(templates[type])
  return build(type, template, ...wanted.map(sub))
}

/** One call over columns alone, so that few expressions are constant. */
function shallow(random: Random, scope: Scope, type: FuzzType): Expression | null {
  if (type === 'boolean') {
    const columns = scope.filter((column) => keyTypes.includes(column.type))
    if (columns.length === 0) return null
    const column = random.pick(columns)
    return build(type, `(? ${random.pick(comparisons)} ?)`, column, literal(random, column.type))
  }
  const [template, ...wanted] = random.pick(templates[type])
  const args = wanted.map((of) => scope.filter((column) => column.type === of))
  if (template === '(? / ?)' || args.some((columns) => columns.length === 0)) return null
  return build(type, template, ...args.map((columns) => random.pick(columns)))
}

function anyType(random: Random, type: FuzzType, sub: (wanted: FuzzType) => Expression): Expression {
  switch (random.integer(0, 5)) {
    case 0:
      return build(type, 'CASE WHEN ? THEN ? ELSE ? END', sub('boolean'), sub(type), sub(type))
    case 1:
      return build(type, 'CASE WHEN ? THEN ? WHEN ? THEN ? END', sub('boolean'), sub(type), sub('boolean'), sub(type))
    case 2:
      return build(type, 'coalesce(?, ?)', sub(type), sub(type))
    case 3:
      return build(type, 'nullif(?, ?)', sub(type), sub(type))
    case 4:
      return type === 'boolean' || type === 'numx' ? sub(type) : build(type, 'greatest(?, ?)', sub(type), sub(type))
    default:
      return type === 'boolean' || type === 'numx' ? sub(type) : build(type, 'least(?, ?)', sub(type), sub(type))
  }
}
