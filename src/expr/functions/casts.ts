import {
  formatDate,
  formatTime,
  formatTimestamp,
  parseDate,
  parseTime,
  parseTimestamp,
  parseTimestamptz,
} from '../../data/datetime.ts'
import { type Decimal, decimalZero, fitDecimal, formatDecimal, formatScaled, parseDecimal } from '../../data/decimal.ts'
import { Bug } from '../../data/errors.ts'
import { formatDouble, formatReal, parseDouble, parseReal } from '../../data/float.ts'
import { formatInterval, parseInterval } from '../../data/interval.ts'
import { canonicalJsonb } from '../../data/jsonb.ts'
import type { SqlType, TypeKind } from '../../data/sql-type.ts'
import { formatUuid, parseUuid } from '../../data/uuid.ts'
import type { Builder } from '../builder.ts'
import { choose, f64 } from '../kernel.ts'
import { formatBytea, parseBoolean, parseBytea, parseInteger } from '../literal.ts'
import type { Scalar } from '../scalar.ts'
import { scaleOf, type Value } from '../value.ts'
import { toNumeric } from './cast-numbers.ts'
import { defineCast, definedCast, failing, viaHelper } from './cast-table.ts'
import { define, helperCall, type Implementation } from './definition.ts'
import { booleanOfJson, numberOfJson } from './json.ts'
import { fitFunction } from './signatures.ts'
import './cast-datetimes.ts'

/** Casts; from and to text are here. What can't be read or doesn't fit becomes an error cell. */

/** A cast between two types; what can't be read or doesn't fit becomes an error cell. */
export function lowerCast(b: Builder, value: Value, from: SqlType, to: SqlType): Value {
  const implementation = castOf(from, to)
  if (implementation === null) throw new Bug(`no cast from ${from.kind} to ${to.kind}`)
  const arg: Scalar = { op: 'literal', text: null, type: from, nullable: true }
  return implementation(b, [value], { args: [arg], type: to })
}

function isText(kind: TypeKind): boolean {
  return kind === 'text' || kind === 'varchar'
}

function castOf(from: SqlType, to: SqlType): Implementation | null {
  if (isText(to.kind)) return isText(from.kind) ? textToText : thenCut(toText(from.kind))
  if (isText(from.kind) || from.kind === 'unknown') return fromText(to)
  if (to.kind === 'numeric') return toNumeric(from)
  return definedCast(from.kind, to.kind)
}

// Between text and text

/** An explicit cast to varchar(n) cuts off without a word. */
const textToText: Implementation = (b, [value], site) => {
  if (site.type.kind !== 'varchar' || site.type.length === undefined) return value
  const ref = b.ref(value)
  const address = b.invoke('substring', 'f64', [ref.value, ref.length!, f64(1), f64(site.type.length)])
  return { ...ref, value: address, length: b.invoke('lastLength', 'f64', []) }
}

function thenCut(cast: Implementation): Implementation {
  return (b, args, site) => textToText(b, [cast(b, args, { ...site, type: { kind: 'text' } })], site)
}

function fitted(text: string, length: number): string {
  if (text.length <= length) return text
  const characters = [...text]
  if (characters.length <= length) return text
  if (characters.slice(length).some((c) => c !== ' ')) return failing('valueTooLong', '')
  return characters.slice(0, length).join('')
}

define(fitFunction, 'text,integer', (b, args, site) => helperCall(b, args, site, fitted, true))

// To text

function toText(from: TypeKind): Implementation {
  switch (from) {
    case 'boolean':
      return (b, [value]) => {
        const text = choose(value.value, b.pooled('true'), b.pooled('false'))
        return b.plain('string', b.atom(text), value.state)
      }
    case 'jsonb':
      return (_, [value]) => value
    case 'smallint':
    case 'integer':
      return (b, args) => b.guarded(args, 'string', () => b.invoke(String, 'any', [args[0].value]))
    case 'bigint':
      return (b, args) => b.guarded(args, 'string', () => b.invoke(String, 'any', [args[0].value]))
    case 'numeric':
      return numericToText
    default: {
      const format = textOf[from]
      if (format === undefined) throw new Bug(`no text of ${from}`)
      return (b, args, site) => helperCall(b, args, site, format as (...args: never[]) => unknown, false)
    }
  }
}

const numericToText: Implementation = (b, args, site) => {
  const [value] = args
  if (value.shape === 'decimal') return helperCall(b, args, site, formatDecimal, false)
  const scale = f64(scaleOf(site.args[0].type))
  return b.guarded(args, 'string', () => b.intCall('any', formatSmall, formatScaled, [value.value, scale]))
}

function formatSmall(value: number, scale: number): string {
  if (scale === 0) return String(value)
  const digits = String(value < 0 ? -value : value).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${value < 0 ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}

const textOf: Readonly<Partial<Record<TypeKind, (value: never) => string>>> = {
  real: formatReal,
  double: formatDouble,
  date: formatDate,
  time: formatTime,
  timestamp: (micros: bigint) => formatTimestamp(micros, ' '),
  timestamptz: (micros: bigint) => formatTimestamp(micros, ' ', '+00'),
  interval: formatInterval,
  uuid: (bytes: Uint8Array) => formatUuid(bytes),
  bytea: formatBytea,
}

// From text

function reading<T>(read: (text: string) => T | null, zero: T): (text: string) => T {
  return (text) => read(text) ?? failing('invalidText', zero)
}

const readers: Readonly<Partial<Record<TypeKind, (text: string) => unknown>>> = {
  boolean: reading(parseBoolean, false),
  smallint: (text) => readSmall(text, 'smallint'),
  integer: (text) => readSmall(text, 'integer'),
  bigint: (text) => readInteger(text, 'bigint'),
  real: (text) => parseReal(text) ?? failing(parseDecimal(text) === null ? 'invalidText' : 'floatOutOfRange', 0),
  double: (text) => parseDouble(text) ?? failing(parseDecimal(text) === null ? 'invalidText' : 'floatOutOfRange', 0),
  numeric: reading(parseDecimal, decimalZero),
  date: reading(parseDate, 0),
  time: reading(parseTime, 0n),
  timestamp: reading(parseTimestamp, 0n),
  timestamptz: reading(parseTimestamptz, 0n),
  interval: reading(parseInterval, parseInterval('0')!),
  uuid: reading(parseUuid, new Uint8Array(16)),
  bytea: reading(parseBytea, new Uint8Array()),
  jsonb: reading(canonicalJsonb, ''),
}

function readInteger(text: string, kind: 'smallint' | 'integer' | 'bigint'): bigint {
  const value = parseInteger(text, kind)
  if (value !== null) return value
  return failing(/^\s*[+-]?\d+\s*$/.test(text) ? 'integerOutOfRange' : 'invalidText', 0n)
}

function readSmall(text: string, kind: 'smallint' | 'integer'): number {
  // Most numbers are short and plain.
  if (text.length <= 4 && /^\d+$/.test(text)) return Number(text)
  return Number(readInteger(text, kind))
}

function fromText(to: SqlType): Implementation | null {
  const read = readers[to.kind]
  if (read === undefined) return null
  if (to.kind === 'numeric' && to.precision !== undefined) {
    const { precision, scale = 0 } = to
    const fit = (text: string): Decimal => {
      const value = parseDecimal(text)
      if (value === null) return failing('invalidText', decimalZero)
      return fitDecimal(value, precision, scale) ?? failing('numericOutOfRange', decimalZero)
    }
    return (b, args, site) => helperCall(b, args, site, fit, true)
  }
  return (b, args, site) => helperCall(b, args, site, read as (...args: never[]) => unknown, true)
}

defineCast('jsonb', 'boolean', viaHelper(booleanOfJson, true))
for (const kind of ['smallint', 'integer', 'bigint', 'real', 'double'] as const) {
  defineCast('jsonb', kind, (b, args, site) => {
    const number = helperCall(b, args, { ...site, type: { kind: 'numeric' } }, numberOfJson, true)
    return lowerCast(b, number, { kind: 'numeric' }, site.type)
  })
}
