import { MillraceError } from '../data/errors.ts'
import { type SqlType, sameType, typeName } from '../data/sql-type.ts'
import { cast, literal, now, shown } from './cast.ts'
import { checkCall } from './checks.ts'
import { commonKind, kinds } from './coercion.ts'
import { escapeLike } from './functions/patterns.ts'
import { keyFunction, signatureKey, signaturesOf } from './functions/signatures.ts'
import { chooseSignature } from './overload.ts'
import { choiceType, resultType } from './precision.ts'
import type { Scalar } from './scalar.ts'
import { describe, isOperatorName, noMeaning, unknownName } from './unknown-call.ts'

// The binder's one door to expressions.
export { cast, column, literal, now, numberLiteral } from './cast.ts'
export { foldConstant } from './fold.ts'

/**
 * Smart constructors: they resolve names, insert casts and work out result types as PostgreSQL does. What they throw
 * is a MillraceError with code `sql/type`, `sql/unknown-function` or `sql/unsupported`; the binder adds the place.
 */

const boolean: SqlType = { kind: 'boolean' }
const text: SqlType = { kind: 'text' }

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
  const coerced = args.map((arg, i) => coerce(arg, (chosen.as ?? chosen.args)[i] as SqlType['kind']))
  const signature = { ...chosen, args: chosen.as ?? chosen.args }
  const checked = checkCall(signature, coerced)
  return {
    op: 'call',
    fn: signatureKey(name, signature.args),
    args: checked,
    type: resultType(signature, checked),
    nullable: signature.nullable === true || checked.some((arg) => arg.nullable),
  }
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
  // PostgreSQL asks the ELSE first where several types would do, such as text and varchar.
  const first = otherwise === null ? [] : [otherwise]
  const { type, args } = unify([...first, ...whens.map(({ result }) => result)], 'CASE')
  return {
    op: 'case',
    whens: whens.map(({ when }, i) => ({ when: condition(when, 'CASE/WHEN'), result: args[first.length + i] })),
    otherwise: otherwise === null ? null : args[0],
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
  // PostgreSQL compares these as they are, and so the result has the left's own type.
  const isMixed = mixedComparison.some((kinds) => kinds.includes(left.type.kind) && kinds.includes(right.type.kind))
  const value = isMixed ? left : equal.args[0]
  const none: Scalar = { op: 'literal', text: null, type: value.type, nullable: true }
  return { op: 'case', whens: [{ when: equal, result: none }], otherwise: value, type: value.type, nullable: true }
}

/** Kinds that PostgreSQL has operators between, where `call` casts to the wider one. */
const mixedComparison: readonly (readonly SqlType['kind'][])[] = [
  ['smallint', 'integer', 'bigint'],
  ['real', 'double'],
  ['date', 'timestamp', 'timestamptz'],
]

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
