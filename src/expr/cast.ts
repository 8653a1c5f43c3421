import { MillraceError } from '../data/errors.ts'
import { type SqlType, sameType, typeName } from '../data/sql-type.ts'
import { type CastContext, canCast, digitsOf, numericType } from './coercion.ts'
import { fitFunction, signatureKey } from './functions/signatures.ts'
import { canonicalText, invalidLiteral, literalNumericType, numberType } from './literal.ts'
import type { Scalar } from './scalar.ts'

/** Leaves of expressions, and casts between types. */

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

/** Digits that only we know about are not part of what PostgreSQL's users call the type. */
export function shown(type: SqlType): SqlType {
  return type.kind === 'numeric' ? { kind: 'numeric' } : type
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
