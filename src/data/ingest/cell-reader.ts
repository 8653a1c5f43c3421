import type { BuilderColumn } from '../block-builder.ts'
import { parseDate, parseTime, parseTimestamp, parseTimestamptz } from '../datetime.ts'
import { compareDecimal, type Decimal, fitDecimal, parseDecimal, trimDecimal } from '../decimal.ts'
import { encodeDecimal } from '../decimal-bytes.ts'
import { parseDouble } from '../float.ts'
import { encodeInterval, parseInterval } from '../interval.ts'
import { canonicalJsonb } from '../jsonb.ts'
import { narrowDigits, type SqlType, typeName } from '../sql-type.ts'
import { parseUuid } from '../uuid.ts'

/**
 * From one value in any form to a cell: every form that the hot readers leave, and all of CSV. Each function writes
 * the cell and returns null, or writes nothing that counts and returns what is wrong.
 */

export type JsonKind = 'number' | 'string' | 'boolean' | 'container'

const integerRanges = {
  smallint: [-32768n, 32767n],
  integer: [-2147483648n, 2147483647n],
  bigint: [-9223372036854775808n, 9223372036854775807n],
} as const

/** @param text a number's token, a string's characters, `true` or `false`, or a container's JSON text */
export function readJson(
  type: SqlType,
  column: BuilderColumn,
  row: number,
  kind: JsonKind,
  text: string,
): string | null {
  if (type.kind === 'jsonb') return readJsonb(column, row, kind === 'string' ? JSON.stringify(text) : text)
  if (kind === 'container') return `expected ${typeName(type)}, not ${text[0] === '{' ? 'an object' : 'an array'}`
  const takes = jsonKinds(type)
  if (!takes.includes(kind)) return `expected ${typeName(type)}, not ${kindNames[kind]} (${clip(text, kind)})`
  if (kind === 'string') {
    if (type.kind === 'bigint' && !/^-?\d+$/.test(text)) return notA(type, text)
    if ((type.kind === 'double' || type.kind === 'real') && !/^(?:NaN|-?Infinity)$/.test(text)) return notA(type, text)
  }
  return readText(type, column, row, text)
}

const kindNames = { number: 'a number', string: 'a string', boolean: 'a boolean' } as const

function jsonKinds(type: SqlType): readonly JsonKind[] {
  switch (type.kind) {
    case 'boolean':
      return ['boolean']
    case 'smallint':
    case 'integer':
      return ['number']
    // A bigint or numeric may be more than a writer's numbers hold; NaN and infinities have no JSON number.
    case 'bigint':
    case 'numeric':
    case 'real':
    case 'double':
      return ['number', 'string']
    default:
      return ['string']
  }
}

/** Reads the text that PostgreSQL's input function for the type reads. */
export function readText(type: SqlType, column: BuilderColumn, row: number, text: string): string | null {
  switch (type.kind) {
    case 'boolean':
      return readBoolean(column, row, text)
    case 'smallint':
    case 'integer':
    case 'bigint':
      return readInteger(type, column, row, text)
    case 'real':
    case 'double': {
      const value = type.kind === 'real' ? realOf(text) : parseDouble(text)
      if (value === null) return notA(type, text)
      column.setF64(row, value)
      return null
    }
    case 'numeric':
      return readNumeric(type, column, row, text)
    case 'text':
    case 'varchar':
      return readString(type, column, row, text)
    case 'date': {
      const days = parseDate(text)
      if (days === null) return notA(type, text)
      column.setI32(row, days)
      return null
    }
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return readMicros(type, column, row, text)
    case 'bytea':
      return readBytea(column, row, text)
    case 'uuid':
    case 'interval': {
      const bytes = type.kind === 'uuid' ? parseUuid(text) : intervalOf(text)
      if (bytes === null) return notA(type, text)
      column.setBytes(row, bytes)
      return null
    }
    case 'jsonb':
      return readJsonb(column, row, text)
    case 'unknown':
      return `a column cannot be of type ${typeName(type)}`
  }
}

function notA(type: SqlType, text: string): string {
  return `${clip(text, 'string')} is not ${/^[aei]/.test(typeName(type)) ? 'an' : 'a'} ${typeName(type)}`
}

/** A value as an error shows it. */
export function clip(text: string, kind: JsonKind): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return kind === 'string' ? JSON.stringify(short) : short
}

const booleanText = /^\s*(?:(t|tr|tru|true|y|ye|yes|on|1)|(f|fa|fal|fals|false|n|no|of|off|0))\s*$/i

function readBoolean(column: BuilderColumn, row: number, text: string): string | null {
  const match = booleanText.exec(text)
  if (match === null) return notA({ kind: 'boolean' }, text)
  column.setI32(row, match[1] === undefined ? 0 : 1)
  return null
}

type IntegerType = SqlType & { readonly kind: keyof typeof integerRanges }

function readInteger(type: IntegerType, column: BuilderColumn, row: number, text: string): string | null {
  const value = integerOf(text)
  return value === null ? notA(type, text) : setInteger(type, column, row, value, text)
}

/** `1.0` and `1e3` are integers, `1.5` isn't. */
function integerOf(text: string): bigint | null {
  if (/^\s*[+-]?\d{1,40}\s*$/.test(text)) return BigInt(text.trim().replace('+', ''))
  const decimal = parseDecimal(text)
  if (decimal === null || decimal.special !== '') return null
  const whole = trimDecimal(decimal)
  return whole.scale === 0 ? whole.coefficient : null
}

export function setInteger(
  type: IntegerType,
  column: BuilderColumn,
  row: number,
  value: bigint,
  text: string,
): string | null {
  const [least, most] = integerRanges[type.kind]
  if (value < least || value > most) return `${clip(text, 'number')} is out of range for ${typeName(type)}`
  if (type.kind === 'bigint') column.setBig(row, value)
  else column.setI32(row, Number(value))
  return null
}

/** Text to the nearest float, rounded once. @returns null for other text and beyond a float's range */
function realOf(text: string): number | null {
  const value = parseDouble(text)
  if (value === null || !Number.isFinite(value)) return value
  let rounded = Math.fround(value)
  const other = rounded + 2 * (value - rounded)
  if (value !== rounded && Math.fround(other) === other) {
    // Exactly between two floats, but perhaps only since the text was rounded to a double first.
    const side = compareDecimal(parseDecimal(text)!, exactDecimal(value))
    if (side !== 0 && side > 0 === other > rounded) rounded = other
  }
  return Number.isFinite(rounded) && (rounded !== 0 || value === 0) ? rounded : null
}

/** All digits of a double between two floats, which are few. */
function exactDecimal(value: number): Decimal {
  let scale = 0
  let rest = value
  let coefficient = 1n
  // A power of two at a time is exact; 2^-n is 5^n × 10^-n.
  for (; !Number.isInteger(rest); rest *= 2) {
    coefficient *= 5n
    scale++
  }
  return { coefficient: coefficient * BigInt(rest), scale, special: '' }
}

type NumericType = SqlType & { readonly kind: 'numeric' }

function readNumeric(type: NumericType, column: BuilderColumn, row: number, text: string): string | null {
  const decimal = parseDecimal(text)
  return decimal === null ? notA(type, text) : setDecimal(type, column, row, decimal, text)
}

export function setDecimal(
  type: NumericType,
  column: BuilderColumn,
  row: number,
  decimal: Decimal,
  text: string,
): string | null {
  if (type.precision === undefined) {
    column.setBytes(row, encodeDecimal(decimal))
    return null
  }
  const fitted = fitDecimal(decimal, type.precision, type.scale ?? 0)
  if (fitted === null) return `${clip(text, 'number')} does not fit ${typeName(type)}`
  if (type.precision <= narrowDigits) column.setBig(row, fitted.coefficient)
  else column.setBytes(row, encodeDecimal(fitted))
  return null
}

type StringType = SqlType & { readonly kind: 'text' | 'varchar' }

function readString(type: StringType, column: BuilderColumn, row: number, text: string): string | null {
  if (/\p{Surrogate}/u.test(text)) return 'the text has half of a surrogate pair in it'
  if (text.includes('\0')) return 'the text has the character U+0000 in it, which no text may contain'
  column.setText(row, text)
  return type.kind === 'varchar' && type.length !== undefined ? fitLength(column, row, type.length) : null
}

/**
 * Checks the characters of the string just written against a varchar's length. Spaces beyond it are cut off, as
 * PostgreSQL does; anything else is too long.
 */
export function fitLength(column: BuilderColumn, row: number, most: number): string | null {
  const bytes = column.words[row * 2 + 1]
  if (bytes <= most) return null
  const { heap, end } = column
  let characters = 0
  let at = end
  for (; at < end + bytes; at++) {
    if ((heap[at] & 0xc0) !== 0x80 && ++characters > most) break
  }
  for (let i = at; i < end + bytes; i++) {
    if (heap[i] === 0x20) continue
    return `${clip(text(column, row), 'string')} is longer than ${most} character${most === 1 ? '' : 's'}`
  }
  column.setLength(row, at - end)
  return null
}

function text(column: BuilderColumn, row: number): string {
  return new TextDecoder().decode(column.heap.subarray(column.end, column.end + column.words[row * 2 + 1]))
}

type MicrosType = SqlType & { readonly kind: 'time' | 'timestamp' | 'timestamptz' }

function readMicros(type: MicrosType, column: BuilderColumn, row: number, text: string): string | null {
  const parse = type.kind === 'time' ? parseTime : type.kind === 'timestamp' ? parseTimestamp : parseTimestamptz
  const micros = parse(text)
  if (micros === null) {
    if (type.kind !== 'timestamp' || parseTimestamptz(text) === null) return notA(type, text)
    return `${clip(text, 'string')} has an offset, and a timestamp without time zone takes none but Z`
  }
  column.setBig(row, micros)
  return null
}

function readBytea(column: BuilderColumn, row: number, text: string): string | null {
  if (!/^\\x(?:[0-9a-f]{2})*$/i.test(text)) return `${clip(text, 'string')} is not bytea in the form \\x00ff`
  const length = (text.length - 2) / 2
  column.reserve(length)
  for (let i = 0; i < length; i++) column.heap[column.end + i] = Number.parseInt(text.slice(i * 2 + 2, i * 2 + 4), 16)
  column.setLength(row, length)
  return null
}

function intervalOf(text: string): Uint8Array | null {
  const interval = parseInterval(text)
  return interval === null ? null : encodeInterval(interval)
}

function readJsonb(column: BuilderColumn, row: number, text: string): string | null {
  const canonical = canonicalJsonb(text)
  if (canonical === null) return `${clip(text, 'container')} is not JSON that jsonb can hold`
  column.setText(row, canonical)
  return null
}
