import {
  formatDate,
  formatTime,
  formatTimestamp,
  parseDate,
  parseTime,
  parseTimestamp,
  parseTimestamptz,
} from '../data/datetime.ts'
import { digitCount, fitDecimal, formatDecimal, parseDecimal } from '../data/decimal.ts'
import { formatDouble, formatReal, parseDouble, parseReal } from '../data/float.ts'
import { formatInterval, parseInterval } from '../data/interval.ts'
import { canonicalJsonb } from '../data/jsonb.ts'
import { type SqlType, typeName } from '../data/sql-type.ts'
import { formatUuid, parseUuid } from '../data/uuid.ts'
import { numericType } from './coercion.ts'

/** Literals: their text as PostgreSQL prints the value, and reading it again. */

const integerRanges = {
  smallint: [-32768n, 32767n],
  integer: [-2147483648n, 2147483647n],
  bigint: [-9223372036854775808n, 9223372036854775807n],
} as const

/** @returns null for text that is no integer of the kind */
export function parseInteger(text: string, kind: 'smallint' | 'integer' | 'bigint'): bigint | null {
  const match = /^\s*([+-]?)(\d+(?:_\d+)*|0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+)\s*$/i.exec(text)
  if (match === null) return null
  const digits = BigInt(match[2].replaceAll('_', '').toLowerCase())
  const value = match[1] === '-' ? -digits : digits
  const [least, greatest] = integerRanges[kind]
  return value < least || value > greatest ? null : value
}

const trueWords = ['true', 'yes', 'on', '1']
const falseWords = ['false', 'no', 'off', '0']

/** PostgreSQL takes any beginning of the words, as long as it tells them apart. */
export function parseBoolean(text: string): boolean | null {
  const word = text.trim().toLowerCase()
  if (word === '' || word === 'o') return null
  if (trueWords.some((each) => each.startsWith(word))) return true
  return falseWords.some((each) => each.startsWith(word)) ? false : null
}

/** bytea's input: `\x00ff`, or text in which a backslash begins `\\` or three octal digits. */
export function parseBytea(text: string): Uint8Array | null {
  if (text.startsWith('\\x')) {
    const digits = text.slice(2).replace(/[ \n\t\r]+/g, '')
    if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) return null
    return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16))
  }
  if (!/^(?:[^\\]|\\\\|\\[0-3][0-7]{2})*$/.test(text)) return null
  const out: number[] = []
  const encoder = new TextEncoder()
  for (const part of text.match(/\\\\|\\[0-7]{3}|[^\\]+/g) ?? []) {
    if (part === '\\\\') out.push(92)
    else if (part.startsWith('\\')) out.push(Number.parseInt(part.slice(1), 8))
    else out.push(...encoder.encode(part))
  }
  return Uint8Array.from(out)
}

export function formatBytea(bytes: Uint8Array): string {
  let text = '\\x'
  for (let i = 0; i < bytes.length; i++) text += (bytes[i] < 16 ? '0' : '') + bytes[i].toString(16)
  return text
}

function mapNullable<A, B>(value: A | null, map: (value: A) => B): B | null {
  return value === null ? null : map(value)
}

/**
 * The text PostgreSQL would print for the value that a literal stands for.
 * @returns null for text that the type cannot be read from
 */
export function canonicalText(text: string, type: SqlType): string | null {
  switch (type.kind) {
    case 'boolean':
      return mapNullable(parseBoolean(text), (value) => (value ? 'true' : 'false'))
    case 'smallint':
    case 'integer':
    case 'bigint':
      return mapNullable(parseInteger(text, type.kind), String)
    case 'real':
      return mapNullable(parseReal(text), formatReal)
    case 'double':
      return mapNullable(parseDouble(text), formatDouble)
    case 'numeric':
      return mapNullable(parseDecimal(text), (value) => {
        if (type.precision === undefined) return formatDecimal(value)
        return mapNullable(fitDecimal(value, type.precision, type.scale ?? 0), formatDecimal)
      })
    case 'text':
    case 'unknown':
      return text
    case 'varchar':
      return type.length === undefined ? text : fitVarchar(text, type.length)
    case 'bytea':
      return mapNullable(parseBytea(text), formatBytea)
    case 'date':
      return mapNullable(parseDate(text), formatDate)
    case 'time':
      return mapNullable(parseTime(text), formatTime)
    case 'timestamp':
      return mapNullable(parseTimestamp(text), (value) => formatTimestamp(value, ' '))
    case 'timestamptz':
      return mapNullable(parseTimestamptz(text), (value) => formatTimestamp(value, ' ', '+00'))
    case 'interval':
      return mapNullable(parseInterval(text), formatInterval)
    case 'uuid':
      return mapNullable(parseUuid(text), (bytes) => formatUuid(bytes))
    case 'jsonb':
      return canonicalJsonb(text)
  }
}

/** Cuts off spaces beyond the length; null if anything else is beyond it. */
export function fitVarchar(text: string, length: number): string | null {
  const characters = [...text]
  if (characters.length <= length) return text
  return characters.slice(length).every((c) => c === ' ') ? characters.slice(0, length).join('') : null
}

/** A literal's numeric type with the digits it has: `1.50` is numeric(3,2). */
export function literalNumericType(text: string): SqlType {
  const value = parseDecimal(text)
  if (value === null || value.special !== '') return { kind: 'numeric' }
  return numericType(Math.max(digitCount(value.coefficient), value.scale), value.scale)
}

/** The type of a bare number in SQL: integer, bigint or numeric, whichever is the first to hold it. */
export function numberType(text: string): SqlType {
  if (parseInteger(text, 'integer') !== null) return { kind: 'integer' }
  if (parseInteger(text, 'bigint') !== null) return { kind: 'bigint' }
  return literalNumericType(text)
}

/** What to say about text that a type cannot be read from, in PostgreSQL's words. */
export function invalidLiteral(text: string, type: SqlType): string {
  if (type.kind === 'numeric' && type.precision !== undefined && parseDecimal(text) !== null) {
    return `"${text}" does not fit ${typeName(type)}`
  }
  const number = /^\s*[+-]?\d+\s*$/.test(text)
  if (number && (type.kind === 'smallint' || type.kind === 'integer' || type.kind === 'bigint')) {
    return `value "${text}" is out of range for type ${typeName(type)}`
  }
  return `invalid input syntax for type ${typeName(type)}: "${text}"`
}
