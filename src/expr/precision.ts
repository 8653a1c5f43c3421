import { narrowDigits, type SqlType } from '../data/sql-type.ts'
import { digitsOf, mergeTypes, numericType } from './coercion.ts'
import { keyFunction, type Signature } from './functions/signatures.ts'
import type { Scalar } from './scalar.ts'

/**
 * How many digits a numeric result has, where that can be said without looking at values. PostgreSQL says only
 * `numeric`; knowing more keeps values in the i64 lane, and it never changes what is printed, since the scale is the
 * one PostgreSQL would give.
 */
export function resultType(signature: Signature, args: readonly Scalar[]): SqlType {
  if (signature.result !== 'numeric') return { kind: signature.result } as SqlType
  if (signature.name === 'extract') return extractType(args)
  const left = args.length > 0 ? digitsOf(args[0].type) : null
  if (left === null) return { kind: 'numeric' }
  if (args.length === 1) return unaryType(signature.name, left)
  const right = digitsOf(args[1].type)
  if (signature.name === 'round' || signature.name === 'trunc') return roundedType(left, args[1])
  return right === null ? { kind: 'numeric' } : binaryType(signature.name, left, right)
}

type Digits = NonNullable<ReturnType<typeof digitsOf>>

function unaryType(name: string, { precision, scale }: Digits): SqlType {
  switch (name) {
    case '-':
    case '+':
    case '@':
    case 'abs':
    case keyFunction:
      return numericType(precision, scale)
    case 'ceil':
    case 'ceiling':
    case 'floor':
    case 'round':
      return numericType(Math.max(precision - scale, 0) + 1, 0)
    case 'trunc':
      return numericType(precision - scale, 0)
    case 'sign':
      return numericType(1, 0)
    default:
      return { kind: 'numeric' }
  }
}

function binaryType(name: string, left: Digits, right: Digits): SqlType {
  const scale = Math.max(left.scale, right.scale)
  const leftWhole = left.precision - left.scale
  const rightWhole = right.precision - right.scale
  switch (name) {
    case '+':
    case '-':
      return numericType(Math.max(leftWhole, rightWhole, 0) + scale + 1, scale)
    case '*':
      return numericType(left.precision + right.precision, left.scale + right.scale)
    case '%':
    case 'mod':
      return numericType(Math.max(Math.min(leftWhole, rightWhole), 0) + scale, scale)
    default:
      return { kind: 'numeric' }
  }
}

/** round(x, n) prints n digits, so n must be known. */
function roundedType({ precision, scale }: Digits, places: Scalar): SqlType {
  if (places.op !== 'literal' || places.text === null) return { kind: 'numeric' }
  const wanted = Number(places.text)
  const kept = Math.max(wanted, 0)
  return kept > 500 ? { kind: 'numeric' } : numericType(Math.max(precision - scale, 0) + 1 + kept, kept)
}

const wholeFields =
  /^(?:year|month|day|hour|minute|microseconds|week|quarter|decade|century|millennium|dow|doy|isodow|isoyear|timezone)/

function extractType(args: readonly Scalar[]): SqlType {
  const field = args[0].op === 'literal' ? args[0].text : null
  const kind = args[1].type.kind
  if (field === null) return { kind: 'numeric' }
  if (wholeFields.test(field) || (kind === 'date' && field === 'julian'))
    return numericType(field === 'microseconds' ? 19 : 10, 0)
  if (field === 'second') return numericType(kind === 'interval' ? narrowDigits : 8, 6)
  if (field === 'milliseconds') return numericType(kind === 'interval' ? narrowDigits : 8, 3)
  if (field === 'epoch') return kind === 'date' ? numericType(16, 0) : numericType(kind === 'interval' ? 24 : 19, 6)
  return { kind: 'numeric' }
}

/** The type of a choice between values: CASE, COALESCE, GREATEST, UNION. */
export function choiceType(kind: SqlType['kind'], args: readonly Scalar[]): SqlType {
  // A NULL literal is no value and has no digits of its own.
  const values = args.filter((arg) => arg.op !== 'literal' || arg.text !== null)
  return mergeTypes(
    kind,
    values.map((arg) => arg.type),
  )
}
