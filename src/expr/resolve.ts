import { MillraceError } from '../data/errors.ts'
import { type SqlType, sameType, typeName } from '../data/sql-type.ts'
import { checkCall } from './checks.ts'
import { type CastContext, canCast, commonKind, digitsOf, kinds, mergeTypes, numericType } from './coercion.ts'
import { escapeLike } from './functions/patterns.ts'
import { fitFunction, functionNames, keyFunction, signatureKey, signaturesOf } from './functions/signatures.ts'
import { canonicalText, invalidLiteral, literalNumericType, numberType } from './literal.ts'
import { chooseSignature } from './overload.ts'
import { choiceType, resultType } from './precision.ts'
import type { Scalar } from './scalar.ts'

export { isAggregate, resolveAggregate } from './aggregates.ts'
export { foldConstant } from './fold.ts'

/**
 * Smart constructors: they resolve names, insert casts and work out result types as PostgreSQL does. What they throw
 * is a MillraceError with code `sql/type`, `sql/unknown-function` or `sql/unsupported`; the binder adds the place.
 */

const boolean: SqlType = { kind: 'boolean' }
const text: SqlType = { kind: 'text' }

export function column(index: number, type: SqlType, nullable: boolean): Scalar {
  return { op: 'column', index, type, nullable }
}

/**
 * @param value the literal's text, null for NULL. Of type unknown (a quoted literal) it is read once its
 * surroundings decide the type; of any other type it is read here.
 */
export function literal(value: string | null, type: SqlType): Scalar {
  if (value === null) return { op: 'literal', text: null, type, nullable: true }
  const canonical = canonicalText(value, type)
  if (canonical === null) throw new MillraceError('sql/type', invalidLiteral(value, type))
  return { op: 'literal', text: canonical, type, nullable: false }
}

/** A number as written in SQL: integer, bigint or numeric, whichever is the first to hold it. */
export function numberLiteral(value: string): Scalar {
  return literal(value, numberType(value))
}

/** The tick's time. */
export function now(): Scalar {
  return { op: 'now', type: { kind: 'timestamptz' }, nullable: false }
}

/** Names of types as functions: `date(x)`, `int4(x)`. */
const castFunctions = new Map<string, SqlType>(kinds.map((kind) => [kind as string, { kind } as SqlType]))
for (const [name, kind] of [
  ['int2', 'smallint'],
  ['int4', 'integer'],
  ['int8', 'bigint'],
  ['float4', 'real'],
  ['float8', 'double'],
  ['bool', 'boolean'],
] as const) {
  castFunctions.set(name, { kind })
}

const notFunctionsOfTheLog = new Set([
  'random',
  'setseed',
  'clock_timestamp',
  'statement_timestamp',
  'timeofday',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
  'nextval',
  'currval',
  'pg_sleep',
])

/**
 * A function or operator by its lower-case name: `lower`, `+`, `~~` (LIKE), `->>`. A prefix operator has one argument.
 * @throws MillraceError sql/unknown-function, sql/type, sql/unsupported
 */
export function call(name: string, args: readonly Scalar[]): Scalar {
  const special = specialCall(name, args)
  if (special !== null) return special
  const candidates = signaturesOf(name)
  if (candidates.length === 0) throw unknownName(name, args)
  const chosen = chooseSignature(
    candidates,
    args.map((arg) => arg.type.kind),
    isOperatorName(name),
  )
  if (chosen === 'none') throw noMeaning(name, args)
  if (chosen === 'ambiguous') {
    throw new MillraceError('sql/type', `${describe(name, args)} is not unique`, {
      hint: 'say which is meant with a cast, such as x::integer',
    })
  }
  const cast = args.map((arg, i) => coerce(arg, (chosen.as ?? chosen.args)[i] as SqlType['kind']))
  const signature = { ...chosen, args: chosen.as ?? chosen.args }
  const checked = checkCall(signature, cast)
  return {
    op: 'call',
    fn: signatureKey(name, signature.args),
    args: checked,
    type: resultType(signature, checked),
    nullable: signature.nullable === true || checked.some((arg) => arg.nullable),
  }
}

function isOperatorName(name: string): boolean {
  return !/^[a-z_]/.test(name)
}

function describe(name: string, args: readonly Scalar[]): string {
  const types = args.map((arg) => typeName(shown(arg.type)))
  if (!isOperatorName(name)) return `function ${name}(${types.join(', ')})`
  return `operator ${types.length === 1 ? `${name} ${types[0]}` : types.join(` ${name} `)}`
}

/** Digits that only we know about are not part of what PostgreSQL's users call the type. */
function shown(type: SqlType): SqlType {
  return type.kind === 'numeric' ? { kind: 'numeric' } : type
}

function noMeaning(name: string, args: readonly Scalar[]): MillraceError {
  const known = [...new Set(signaturesOf(name).map(({ args: wanted }) => `(${wanted.join(', ')})`))].slice(0, 6)
  return new MillraceError('sql/type', `${describe(name, args)} does not exist`, {
    hint: `${name} takes ${known.join(', ')}; cast the arguments to one of these`,
  })
}

function unknownName(name: string, args: readonly Scalar[]): MillraceError {
  if (notFunctionsOfTheLog.has(name)) {
    return new MillraceError('sql/unsupported', `${name}() is refused: its result is not a function of the log`, {
      hint: 'put the value into the event when it is appended',
    })
  }
  const near = nearestName(name)
  return new MillraceError('sql/unknown-function', `${describe(name, args)} does not exist`, {
    hint: near === null ? 'docs/LIMITS.md lists the functions there are' : `did you mean ${near}?`,
  })
}

function nearestName(name: string): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const known of [...functionNames(), ...aggregateNames, 'coalesce', 'concat', 'concat_ws', 'greatest', 'least']) {
    if (isOperatorName(known) !== isOperatorName(name) || known.startsWith('$')) continue
    const distance = editDistance(name, known)
    if (distance < least) {
      least = distance
      best = known
    }
  }
  return best
}

const aggregateNames = ['count', 'sum', 'avg', 'min', 'max', 'bool_and', 'bool_or']

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

function specialCall(name: string, args: readonly Scalar[]): Scalar | null {
  switch (name) {
    case 'coalesce':
      return coalesce(args)
    case 'nullif':
      return args.length === 2 ? nullif(args[0], args[1]) : null
    case 'greatest':
    case 'least':
      return extreme(name, args)
    case 'concat':
    case 'concat_ws':
      return concat(name, args)
    case '||':
      return args.length === 2 ? concatOperator(args[0], args[1]) : null
    case 'now':
    case 'transaction_timestamp':
      return args.length === 0 ? now() : null
    case '!=':
      return call('<>', args)
    case 'like_escape':
      return escapedPattern(args)
  }
  const target = castFunctions.get(name)
  if (target !== undefined && args.length === 1 && signaturesOf(name).length === 0)
    return cast(args[0], target, 'explicit')
  return null
}

/** LIKE … ESCAPE … over literals is a literal, so that the pattern is known when the expression is compiled. */
function escapedPattern(args: readonly Scalar[]): Scalar | null {
  const [pattern, mark] = args
  if (args.length !== 2 || pattern.op !== 'literal' || mark.op !== 'literal') return null
  if (pattern.text === null || mark.text === null) return literal(null, text)
  const escaped = escapeLike(pattern.text, mark.text)
  if (escaped !== null) return literal(escaped, text)
  throw new MillraceError('sql/type', `ESCAPE '${mark.text}' does not go with the pattern '${pattern.text}'`, {
    hint: 'the escape is one character, and stands before another in the pattern',
  })
}

/** text || anything, as long as one side is text: the other is written as text. */
function concatOperator(left: Scalar, right: Scalar): Scalar | null {
  const isText = (arg: Scalar): boolean => arg.type.kind === 'text' || arg.type.kind === 'varchar'
  const textual = (isText(left) || isText(right)) && left.type.kind !== 'bytea' && right.type.kind !== 'bytea'
  const literals = left.type.kind === 'unknown' && right.type.kind === 'unknown'
  if (!textual && !literals) {
    const other = left.type.kind === 'unknown' ? right : right.type.kind === 'unknown' ? left : null
    if (other === null || other.type.kind === 'bytea' || other.type.kind === 'jsonb') return null
  }
  if (isText(left) && isText(right)) return null
  return call('||', [cast(left, text, 'explicit'), cast(right, text, 'explicit')])
}

/** concat writes booleans as `t` and `f`, as a table's output does, and leaves NULLs out. */
function concat(name: 'concat' | 'concat_ws', args: readonly Scalar[]): Scalar {
  if (args.length < (name === 'concat' ? 1 : 2)) throw noArguments(name)
  const written = args.map((arg) => {
    if (arg.type.kind !== 'boolean') return cast(arg, text, 'explicit')
    const letters = [
      { when: arg, result: literal('t', text) },
      { when: not(arg), result: literal('f', text) },
    ]
    return caseOf(letters, null)
  })
  return {
    op: 'call',
    fn: signatureKey(
      name,
      written.map(() => 'text'),
    ),
    args: written,
    type: text,
    nullable: name === 'concat_ws' && written[0].nullable,
  }
}

function noArguments(name: string): MillraceError {
  return new MillraceError('sql/type', `${name} needs more arguments`)
}

/** Casts an argument to the kind a signature wants; digits that are known stay known. */
function coerce(arg: Scalar, kind: SqlType['kind']): Scalar {
  return cast(arg, { kind } as SqlType, 'implicit')
}

/**
 * A cast to `type`. Of an unknown literal it reads the literal; to numeric without precision it keeps the digits that
 * are known; to varchar(n) it cuts off when explicit and refuses longer text when assigned.
 * @throws MillraceError sql/type
 */
export function cast(arg: Scalar, type: SqlType, context: CastContext): Scalar {
  if (type.kind === 'unknown') return arg
  if (type.kind === 'numeric' && (type.scale ?? 0) < 0) {
    throw new MillraceError('sql/unsupported', `a numeric of scale ${type.scale} is not supported`, {
      hint: 'use round(x, -2)',
    })
  }
  if (arg.op === 'literal' && arg.text === null) return { op: 'literal', text: null, type, nullable: true }
  if (arg.op === 'literal' && arg.type.kind === 'unknown') return castUnknown(arg.text!, type, context)
  if (!canCast(arg.type.kind, type.kind, context)) throw cannotCast(arg.type, type, context)
  if (arg.op === 'literal' && arg.text !== null && isWholeNumber(arg.type)) {
    if (type.kind === 'numeric' && type.precision === undefined) return literal(arg.text, literalNumericType(arg.text))
    if (type.kind === 'bigint' || type.kind === 'double') return literal(arg.text, type)
  }
  const target = knownDigits(arg.type, type)
  if (target.kind === 'varchar' && target.length !== undefined && context !== 'explicit') return fitted(arg, target)
  if (sameType(arg.type, target)) return arg
  return { op: 'cast', arg, type: target, nullable: arg.nullable || arg.type.kind === 'jsonb' }
}

function isWholeNumber(type: SqlType): boolean {
  return type.kind === 'smallint' || type.kind === 'integer' || type.kind === 'bigint'
}

function knownDigits(from: SqlType, to: SqlType): SqlType {
  if (to.kind !== 'numeric' || to.precision !== undefined) return to
  const digits = digitsOf(from)
  return digits === null ? to : numericType(digits.precision, digits.scale)
}

function castUnknown(value: string, type: SqlType, context: CastContext): Scalar {
  if (type.kind === 'varchar' && type.length !== undefined && context === 'explicit') {
    return literal([...value].slice(0, type.length).join(''), type)
  }
  const read = literal(value, type)
  if (type.kind !== 'numeric' || type.precision !== undefined || read.op !== 'literal') return read
  return { ...read, type: literalNumericType(read.text!) }
}

function fitted(arg: Scalar, type: SqlType & { kind: 'varchar' }): Scalar {
  if (sameType(arg.type, type)) return arg
  const args = [cast(arg, text, 'assignment'), literal(String(type.length), { kind: 'integer' })]
  return { op: 'call', fn: signatureKey(fitFunction, ['text', 'integer']), args, type, nullable: arg.nullable }
}

function cannotCast(from: SqlType, to: SqlType, context: CastContext): MillraceError {
  const message = `cannot cast type ${typeName(shown(from))} to ${typeName(to)}`
  if (context !== 'explicit' && canCast(from.kind, to.kind, 'explicit')) {
    return new MillraceError('sql/type', `${message} without being asked to`, {
      hint: `write the cast: …::${typeName(to)}`,
    })
  }
  return new MillraceError('sql/type', message)
}

/** Text as a condition is no truth value; a NULL or unknown literal is read as one. */
function condition(arg: Scalar, what: string): Scalar {
  if (arg.type.kind === 'boolean') return arg
  if (arg.type.kind === 'unknown') return cast(arg, boolean, 'implicit')
  throw new MillraceError(
    'sql/type',
    `argument of ${what} must be type boolean, not type ${typeName(shown(arg.type))}`,
    {
      hint: 'compare the value with something, such as x <> 0',
    },
  )
}

export function and(args: readonly Scalar[]): Scalar {
  return connective('and', args)
}

export function or(args: readonly Scalar[]): Scalar {
  return connective('or', args)
}

/** An AND within an AND is one AND; of one argument it is that argument. */
function connective(op: 'and' | 'or', args: readonly Scalar[]): Scalar {
  const flat = args.map((arg) => condition(arg, op.toUpperCase())).flatMap((arg) => (arg.op === op ? arg.args : [arg]))
  if (flat.length === 1) return flat[0]
  return { op, args: flat, type: boolean, nullable: flat.some((arg) => arg.nullable) }
}

export function not(arg: Scalar): Scalar {
  const truth = condition(arg, 'NOT')
  return { op: 'not', arg: truth, type: boolean, nullable: truth.nullable }
}

/** A condition for WHERE, HAVING, ON or FILTER. @throws MillraceError sql/type if it is no boolean */
export function predicate(arg: Scalar, clause: string): Scalar {
  return condition(arg, clause)
}

export function isNull(arg: Scalar, negated = false): Scalar {
  const typed = arg.type.kind === 'unknown' ? cast(arg, text, 'implicit') : arg
  return { op: 'isNull', arg: typed, negated, type: boolean, nullable: false }
}

/** IS TRUE, IS NOT TRUE, IS FALSE, IS NOT FALSE; IS UNKNOWN is isNull. */
export function isTruth(arg: Scalar, truth: boolean, negated = false): Scalar {
  return distinctFrom(condition(arg, 'IS'), literal(truth ? 'true' : 'false', boolean), !negated)
}

/** IS DISTINCT FROM; negated: IS NOT DISTINCT FROM. */
export function distinctFrom(left: Scalar, right: Scalar, negated = false): Scalar {
  const equal = call('=', [left, right])
  if (equal.op !== 'call') throw new MillraceError('sql/type', 'these cannot be compared')
  return { op: 'distinct', left: equal.args[0], right: equal.args[1], negated, type: boolean, nullable: false }
}

/** A searched CASE. A simple one is bound by comparing its argument in each `when`. */
export function caseOf(
  whens: readonly { readonly when: Scalar; readonly result: Scalar }[],
  otherwise: Scalar | null,
): Scalar {
  const results = [...whens.map(({ result }) => result), ...(otherwise === null ? [] : [otherwise])]
  const { type, args } = unify(results, 'CASE')
  return {
    op: 'case',
    whens: whens.map(({ when }, i) => ({ when: condition(when, 'CASE/WHEN'), result: args[i] })),
    otherwise: otherwise === null ? null : args[whens.length],
    type,
    nullable: otherwise === null || args.some((arg) => arg.nullable),
  }
}

export function coalesce(values: readonly Scalar[]): Scalar {
  if (values.length === 0) throw noArguments('coalesce')
  const { type, args } = unify(values, 'COALESCE')
  if (args.length === 1) return args[0]
  return { op: 'coalesce', args, type, nullable: args.every((arg) => arg.nullable) }
}

export function nullif(left: Scalar, right: Scalar): Scalar {
  const equal = call('=', [left, right])
  if (equal.op !== 'call') throw new MillraceError('sql/type', 'these cannot be compared')
  const [value] = equal.args
  const none: Scalar = { op: 'literal', text: null, type: value.type, nullable: true }
  return { op: 'case', whens: [{ when: equal, result: none }], otherwise: value, type: value.type, nullable: true }
}

export function greatest(args: readonly Scalar[]): Scalar {
  return extreme('greatest', args)
}

export function least(args: readonly Scalar[]): Scalar {
  return extreme('least', args)
}

/** The greatest or least argument that is not NULL. */
function extreme(name: 'greatest' | 'least', values: readonly Scalar[]): Scalar {
  if (values.length === 0) throw noArguments(name)
  const { type, args } = unify(values, name.toUpperCase())
  if (!orderable(type)) throw new MillraceError('sql/type', `${typeName(type)} has no order for ${name.toUpperCase()}`)
  const fn = signatureKey(
    name,
    args.map(() => type.kind),
  )
  return { op: 'call', fn, args, type, nullable: args.every((arg) => arg.nullable) }
}

export function inList(arg: Scalar, values: readonly Scalar[], negated = false): Scalar {
  const kind = commonKind([arg, ...values].map((each) => each.type.kind))
  // PostgreSQL compares in the type all share, and pair by pair where they share none.
  const [left, ...right] = kind === null ? [arg, ...values] : unify([arg, ...values], 'IN').args
  const found = or(right.map((each) => call('=', [left, each])))
  return negated ? not(found) : found
}

/** BETWEEN. With `symmetric` the bounds may come in either order. */
export function between(arg: Scalar, low: Scalar, high: Scalar, negated = false, symmetric = false): Scalar {
  const upright = and([call('>=', [arg, low]), call('<=', [arg, high])])
  const within = symmetric ? or([upright, and([call('>=', [arg, high]), call('<=', [arg, low])])]) : upright
  return negated ? not(within) : within
}

/**
 * Casts expressions to the type they share, as UNION, CASE and COALESCE do.
 * @param what who asks, for the message
 */
export function unify(
  values: readonly Scalar[],
  what: string,
): { readonly type: SqlType; readonly args: readonly Scalar[] } {
  const kind = commonKind(values.map((arg) => arg.type.kind))
  if (kind === null) {
    const [first, second] = new Set(
      values.filter((arg) => arg.type.kind !== 'unknown').map((arg) => typeName(shown(arg.type))),
    )
    throw new MillraceError('sql/type', `${what} types ${first} and ${second} cannot be matched`, {
      hint: `cast one of them: …::${first}`,
    })
  }
  const wanted = { kind } as SqlType
  const coerced = values.map((arg) => (arg.type.kind === kind ? arg : cast(arg, wanted, 'implicit')))
  const type = choiceType(kind, coerced)
  return { type, args: coerced.map((arg) => retype(arg, type)) }
}

/** The type that expressions share. @throws MillraceError sql/type */
export function commonType(values: readonly Scalar[], what = 'UNION'): SqlType {
  return unify(values, what).type
}

/** The type that columns share, for UNION of stored relations. Null if there is none. */
export function commonColumnType(types: readonly SqlType[]): SqlType | null {
  const kind = commonKind(types.map((type) => type.kind))
  return kind === null ? null : mergeTypes(kind, types)
}

/** Within one kind, to a type that differs in digits or length alone. */
function retype(arg: Scalar, type: SqlType): Scalar {
  if (sameType(arg.type, type)) return arg
  if (arg.op === 'literal' && arg.text === null) return { ...arg, type }
  return { op: 'cast', arg, type, nullable: arg.nullable }
}

/** Has the type an order, for ORDER BY, min, max and comparison? */
export function orderable(type: SqlType): boolean {
  return type.kind !== 'jsonb'
}

/**
 * The expression as key of a group, join or DISTINCT: values that are equal get equal bytes. Itself where they have
 * them anyway.
 */
export function keyOf(arg: Scalar): Scalar {
  const { kind } = arg.type
  const many = (kind === 'numeric' && arg.type.precision === undefined) || kind === 'interval' || kind === 'jsonb'
  if (!many) return arg
  return { op: 'call', fn: signatureKey(keyFunction, [kind]), args: [arg], type: arg.type, nullable: arg.nullable }
}
