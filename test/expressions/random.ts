import fc from 'fast-check'

/**
 * Random expressions over the sample's columns. The left operand always reads a column, so that PostgreSQL cannot
 * compute at planning time what would never be reached; conditions never fail, since FALSE AND error is FALSE here.
 */

type Kind = 'integer' | 'numeric' | 'double' | 'text' | 'boolean' | 'timestamp' | 'date' | 'interval'

const leaves: Readonly<Record<Kind, readonly string[]>> = {
  integer: ['s', 'i', 'b', 'c'],
  numeric: ['m', 'n', 'w'],
  double: ['d', 'r'],
  text: ['t', 'u', 'v'],
  boolean: ['f'],
  timestamp: ['ts', 'tz'],
  date: ['day'],
  interval: ['iv'],
}

const literals: Readonly<Record<Kind, readonly string[]>> = {
  integer: ['0', '1', '-1', '7', '100', '2147483647', '9007199254740993'],
  numeric: ['0.5', '-1.25', '100.00', '0.001', '99999999999.999'],
  double: ["'1.5'::double precision", "'-0.1'::double precision", "'1e300'::double precision"],
  text: ["''", "'l'", "'hello'", "'😀'", "'a,b'"],
  boolean: ['true', 'false'],
  timestamp: ["timestamp '2020-01-31 12:30:00'", "timestamptz '1999-12-31 23:59:59.5+00'"],
  date: ["date '2020-02-29'", "date '1900-03-01'"],
  interval: ["interval '1 month'", "interval '-1 day 02:30:00'", "interval '0.5 seconds'"],
}

/** `$kind` stands for an expression of that kind, `#kind` for one that may be a literal. */
const forms: Readonly<Record<Kind, readonly string[]>> = {
  integer: [
    '($integer + #integer)',
    '($integer - #integer)',
    '($integer * #integer)',
    '($integer / #integer)',
    '($integer % #integer)',
    '(- $integer)',
    'abs($integer)',
    '($integer)::bigint',
    '($numeric)::bigint',
    '($double)::integer',
    'length($text)',
    'strpos($text, #text)',
    '($date - #date)',
    'CASE WHEN $boolean THEN $integer ELSE #integer END',
    'COALESCE($integer, #integer)',
    'greatest($integer, #integer)',
    'extract(day from $timestamp)::integer',
    'octet_length($text)',
    'ascii($text)',
    '($integer & #integer)',
    '($integer | #integer)',
    'mod($integer, #integer)',
    '($integer)::integer',
    '($integer)::smallint',
    'sign($numeric)::integer',
    '(octet_length($text) / 2)',
    '(length($text) * #integer)',
    'extract(doy from $date)::integer',
    'NULLIF($integer, #integer)',
    'CASE $integer WHEN #integer THEN $integer WHEN 0 THEN 1 END',
  ],
  numeric: [
    '($numeric + #numeric)',
    '($numeric - #numeric)',
    '($numeric * #numeric)',
    '($numeric / #numeric)',
    '($numeric % #numeric)',
    '($numeric + #integer)',
    '($integer * #numeric)',
    'abs($numeric)',
    'round($numeric, 2)',
    'trunc($numeric, 1)',
    'floor($numeric)',
    'ceil($numeric)',
    'round($numeric)',
    '($integer)::numeric',
    '(m)::numeric(20,4)',
    '(w)::numeric(32,1)',
    'CASE WHEN $boolean THEN $numeric ELSE #numeric END',
    'COALESCE($numeric, #numeric)',
    'least($numeric, #numeric)',
    'extract(epoch from $timestamp)',
    'extract(julian from $timestamp)',
    '($double)::numeric',
    'sqrt(abs($numeric))',
    'div($numeric, #numeric)',
    'round($numeric, -1)',
    'round($numeric, s)',
    'trunc($numeric, -2)',
    '(($integer)::numeric / #numeric)',
    'extract(epoch from $interval)',
    'NULLIF($numeric, #numeric)',
    'greatest($numeric, #integer)',
    'extract(second from $interval)',
  ],
  double: [
    '($double + #double)',
    '($double - #double)',
    '($double * #double)',
    '($double / #double)',
    '($integer + #double)',
    '($integer)::double precision',
    '($numeric)::double precision',
    'floor($double)',
    'round($double)',
    '($double)::real',
    '(- $double)',
    'abs($double)',
    'sqrt(abs($double))',
    "date_part('epoch', $timestamp)",
    "date_part('second', $interval)",
    'greatest($double, #double)',
    '($double * #integer)',
    'CASE WHEN $boolean THEN $double ELSE #double END',
  ],
  text: [
    '($text || #text)',
    '($text || #integer)',
    'upper($text)',
    'lower($text)',
    'substring($text, 2, 3)',
    'left($text, 2)',
    'right($text, -1)',
    'trim($text)',
    "replace($text, 'l', #text)",
    "split_part($text, ',', 2)",
    'lpad($text, 7, #text)',
    '($integer)::text',
    '($numeric)::text',
    '($timestamp)::text',
    '($interval)::text',
    '($date)::text',
    '($boolean)::text',
    'initcap($text)',
    'reverse($text)',
    'ltrim($text, #text)',
    'translate($text, #text, #text)',
    'overlay($text placing #text from 2)',
    'repeat($text, 2)',
    'rpad($text, 5, #text)',
    'left($text, s)',
    'right($text, s)',
    'split_part($text, #text, -1)',
    "regexp_replace($text, '[lo]+', '<\\\\&>', 'g')",
    "to_char($timestamp, 'YYYY-MM-DD HH12:MI:SS.US AM Day')",
    'concat_ws(#text, $text, #integer)',
    'greatest($text, #text)',
    'md5($text)',
    'concat($text, #integer, #text)',
    'CASE WHEN $boolean THEN $text ELSE #text END',
    'COALESCE($text, #text)',
    "NULLIF($text, 'hello')",
  ],
  boolean: [
    '(@integer < @integer)',
    '(@integer = @numeric)',
    '(@integer >= @double)',
    '(@numeric < @double)',
    '(@timestamp > @date)',
    '(@numeric IN (1.5, 12.34, 0))',
    '(@text IN (@text, #text))',
    '(@text LIKE @text)',
    '(@text ILIKE #text)',
    "(@text ~ '^[a-z]+')",
    '(@integer BETWEEN @integer AND @integer)',
    '(@numeric IS NOT DISTINCT FROM @numeric)',
    '($boolean IS NOT TRUE)',
    '(@date = @date)',
    '(COALESCE(@text, @text) <> @text)',
    "(@double = 'NaN')",
    '(@numeric >= @numeric)',
    '(@double > @double)',
    '(@text = @text)',
    '(@text < @text)',
    '(@timestamp <= @timestamp)',
    '(@interval > @interval)',
    '($boolean AND $boolean)',
    '($boolean OR $boolean)',
    '(NOT $boolean)',
    '(@integer IS NULL)',
    '(@text IS DISTINCT FROM @text)',
    "(@text LIKE '%l%')",
    '(@integer IN (1, 2, NULL))',
  ],
  timestamp: [
    '($timestamp + #interval)',
    '($timestamp - #interval)',
    "date_trunc('month', $timestamp)",
    "date_trunc('hour', $timestamp)",
    '($date + #interval)',
    'CASE WHEN $boolean THEN $timestamp ELSE #timestamp END',
    'greatest($timestamp, #timestamp)',
    "date_trunc('week', $timestamp)",
    "date_trunc('year', $timestamp)",
    "date_bin('17 minutes', $timestamp, #timestamp)",
    "($timestamp AT TIME ZONE 'UTC')",
    '($timestamp)::timestamptz',
    '($date)::timestamp',
    '($timestamp)::timestamp',
    '(#interval + $timestamp)',
  ],
  date: [
    '($date + 3)',
    '($date - s)',
    "date_trunc('month', $date)::date",
    'greatest($date, #date)',
    '($timestamp)::date',
    'COALESCE($date, #date)',
  ],
  interval: [
    '($timestamp - #timestamp)',
    '($interval + #interval)',
    '(- $interval)',
    '($interval * 2)',
    '($interval / 3)',
  ],
}

function expression(kind: Kind, depth: number): fc.Arbitrary<string> {
  const leaf = fc.constantFrom(...leaves[kind])
  if (depth === 0) return leaf
  const inner = fc.constantFrom(...forms[kind]).chain((form) => fill(form, depth - 1))
  return fc.oneof({ weight: 1, arbitrary: leaf }, { weight: 4, arbitrary: inner })
}

function fill(form: string, depth: number): fc.Arbitrary<string> {
  const pieces = form.split(/([$#@][a-z]+)/)
  return fc.tuple(...pieces.map((piece) => fillPiece(piece, depth))).map((parts) => parts.join(''))
}

function fillPiece(piece: string, depth: number): fc.Arbitrary<string> {
  const kind = piece.slice(1) as Kind
  if (/^[$#@]/.test(piece) && forms[kind] !== undefined) {
    if (piece[0] === '$') return expression(kind, depth)
    if (piece[0] === '@') return fc.constantFrom(...leaves[kind])
    return fc.oneof(fc.constantFrom(...literals[kind]), expression(kind, depth))
  }
  return fc.constant(piece)
}

export const randomExpression: fc.Arbitrary<string> = fc
  .constantFrom(...(Object.keys(forms) as Kind[]))
  .chain((kind) => expression(kind, 3))
