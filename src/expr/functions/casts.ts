import { type CellErrorName, cellErrors } from '../../data/cell.ts'
import {
  formatDate,
  formatTime,
  formatTimestamp,
  maxTimestamp,
  microsPerDay,
  minTimestamp,
  parseDate,
  parseTime,
  parseTimestamp,
  parseTimestamptz,
  roundHalfEven,
} from '../../data/datetime.ts'
import {
  type Decimal,
  decimalFromDouble,
  decimalFromReal,
  decimalToDouble,
  decimalZero,
  divideRounded,
  fitDecimal,
  formatDecimal,
  formatScaled,
  makeDecimal,
  parseDecimal,
  roundDecimal,
} from '../../data/decimal.ts'
import { Bug } from '../../data/errors.ts'
import { formatDouble, formatReal, parseDouble, parseReal } from '../../data/float.ts'
import { formatInterval, type Interval, makeInterval, parseInterval } from '../../data/interval.ts'
import { canonicalJsonb, type JsonValue, parseJson } from '../../data/jsonb.ts'
import type { SqlType, TypeKind } from '../../data/sql-type.ts'
import { formatUuid, parseUuid } from '../../data/uuid.ts'
import type { Builder } from '../builder.ts'
import { and, binary, choose, convert, type Expr, f64, i32, int, not, or } from '../kernel.ts'
import { formatBytea, parseBoolean, parseBytea, parseInteger } from '../literal.ts'
import { fault } from '../runtime.ts'
import type { Scalar } from '../scalar.ts'
import { scaleOf, shapeOf, type Value } from '../value.ts'
import { type CallSite, define, helperCall, type Implementation } from './definition.ts'
import { fitFunction } from './signatures.ts'

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
  return between.get(`${from.kind}>${to.kind}`) ?? null
}

function failing<T>(error: CellErrorName, value: T): T {
  fault.state = cellErrors[error]
  return value
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

// To numeric

function toNumeric(from: SqlType): Implementation | null {
  switch (from.kind) {
    case 'smallint':
    case 'integer':
      return (b, [value], site) => rescale(b, b.widen(value), { kind: 'numeric', precision: 10, scale: 0 }, site.type)
    case 'bigint':
      return (b, [value], site) => rescale(b, value, { kind: 'numeric', precision: 19, scale: 0 }, site.type)
    case 'numeric':
      return (b, [value], site) => rescale(b, value, from, site.type)
    case 'real':
    case 'double': {
      const read = from.kind === 'real' ? decimalFromReal : decimalFromDouble
      return (b, args, site) => helperCall(b, args, site, fitting(site.type, read), true)
    }
    case 'jsonb':
      return (b, args, site) => helperCall(b, args, site, fitting(site.type, numberOfJson), true)
    default:
      return null
  }
}

/** A conversion to Decimal that must fit the numeric type, if that says how many digits there are. */
function fitting<T>(type: SqlType, read: (value: T) => Decimal): (value: T) => Decimal {
  if (type.kind !== 'numeric' || type.precision === undefined) return read
  const { precision, scale = 0 } = type
  return (value) => fitDecimal(read(value), precision, scale) ?? failing('numericOutOfRange', decimalZero)
}

/** From one numeric type to another. */
function rescale(b: Builder, value: Value, from: SqlType & { kind: 'numeric' }, to: SqlType): Value {
  if (to.kind !== 'numeric') throw new Bug('a numeric cast to something else')
  const site: CallSite = { args: [{ op: 'literal', text: null, type: from, nullable: true }], type: to }
  if (value.shape === 'decimal') {
    if (to.precision === undefined) return value
    return helperCall(
      b,
      [value],
      site,
      fitting(to, (d: Decimal) => d),
      true,
    )
  }
  const fromScale = scaleOf(from)
  if (to.precision === undefined) {
    const make = (): Expr => b.invoke(makeDecimal, 'any', [b.atom(convert(value.value, 'any')), f64(fromScale)])
    return b.guarded([value], 'decimal', make)
  }
  const toScale = scaleOf(to)
  const wider = to.precision - toScale >= (from.precision ?? 1000) - fromScale
  const limit = 10n ** BigInt(to.precision)
  if (toScale >= fromScale) {
    const scaledUp = b.scaleUp(value, toScale - fromScale)
    return wider ? scaledUp : b.partial([value], 'int', (out) => giveBelow(b, out, scaledUp.value, limit))
  }
  const divisor = 10n ** BigInt(fromScale - toScale)
  return b.partial([value], 'int', (out) => {
    const rounded = b.intCall('int', roundSafe, divideRounded, [value.value, b.constantInt(divisor).value])
    giveBelow(b, out, rounded, limit)
  })
}

function giveBelow(
  b: Builder,
  out: { give(value: Expr): void; fail(error: CellErrorName): void },
  result: Expr,
  limit: bigint,
): void {
  // Beyond 2^53 a safe value can't reach the limit anyway.
  if (!b.exact && limit > 9007199254740991n) {
    out.give(result)
    return
  }
  const within = and(binary('<', result, int(limit)), binary('>', result, int(-limit)))
  b.branch(
    within,
    () => out.give(result),
    () => out.fail('numericOutOfRange'),
  )
}

/** Safe integers divided, rounded half away from zero. */
export function roundSafe(value: number, divisor: number): number {
  const quotient = Math.trunc(value / divisor)
  const rest = value - quotient * divisor
  const half = rest < 0 ? -rest : rest
  if (half >= divisor - half) return quotient + (value < 0 ? -1 : 1)
  return quotient + 0
}

// Between other types

const between = new Map<string, Implementation>()

function cast(from: string, to: string, implementation: Implementation): void {
  for (const source of from.split(' '))
    for (const target of to.split(' ')) between.set(`${source}>${target}`, implementation)
}

function viaHelper(target: (value: never) => unknown, fails = false): Implementation {
  return (b, args, site) => helperCall(b, args, site, target as (...args: never[]) => unknown, fails)
}

cast('boolean', 'integer', (b, [v]) => b.plain('i32', b.atom(convert(v.value, 'i32')), v.state))
cast('integer', 'boolean', (b, [v]) => b.plain('flag', b.atom(binary('!=', v.value, i32(0))), v.state))

// Whole numbers
cast('smallint', 'integer', (_, [v]) => v)
cast('smallint integer', 'bigint', (b, [v]) => b.widen(v))
cast('integer', 'smallint', (b, args) =>
  b.partial(args, 'i32', (out) => giveWithin(b, out, args[0].value, args[0].value, i32(-32768), i32(32767))),
)
cast('bigint', 'smallint integer', (b, args, site) =>
  b.partial(args, 'i32', (out) => giveWhole(b, out, args[0].value, site)),
)

const limits = { smallint: [-32768, 32767], integer: [-2147483648, 2147483647] } as const

function giveWithin(
  b: Builder,
  out: { give(value: Expr): void; fail(error: CellErrorName): void },
  tested: Expr,
  given: Expr,
  least: Expr,
  greatest: Expr,
): void {
  const outside = or(binary('<', tested, least), binary('>', tested, greatest))
  b.branch(
    outside,
    () => out.fail('integerOutOfRange'),
    () => out.give(given),
  )
}

/** An int as the whole-number type that is cast to. */
function giveWhole(
  b: Builder,
  out: { give(value: Expr): void; fail(error: CellErrorName): void },
  value: Expr,
  site: CallSite,
): void {
  const { kind } = site.type
  if (kind === 'smallint' || kind === 'integer') {
    const [least, greatest] = limits[kind]
    giveWithin(b, out, value, convert(convert(value, 'f64'), 'i32'), int(least), int(greatest))
    return
  }
  const outside = b.outside64(value)
  if (outside === null) out.give(value)
  else
    b.branch(
      outside,
      () => out.fail('integerOutOfRange'),
      () => out.give(value),
    )
}

const numericToWhole: Implementation = (b, args, site) => {
  const [value] = args
  const shape = shapeOf(site.type)
  if (value.shape === 'decimal') {
    const whole = helperCall(b, args, { ...site, type: { kind: 'bigint' } }, wholeOfDecimal, true)
    return shape === 'int' ? whole : b.partial([whole], shape, (out) => giveWhole(b, out, whole.value, site))
  }
  const divisor = b.constantInt(10n ** BigInt(scaleOf(site.args[0].type)))
  return b.partial(args, shape, (out) => {
    const whole = b.intCall('int', roundSafe, divideRounded, [value.value, divisor.value])
    giveWhole(b, out, whole, site)
  })
}

function wholeOfDecimal(value: Decimal): bigint {
  const whole = roundDecimal(value, 0).coefficient
  const outside = whole > 9223372036854775807n || whole < -9223372036854775808n
  return value.special !== '' || outside ? failing('integerOutOfRange', 0n) : whole
}

cast('numeric', 'smallint integer bigint', numericToWhole)

// Floats
const toDouble: Implementation = (b, [v]) => b.plain('f64', b.toDouble(v.value), v.state)
const toReal: Implementation = (b, [v]) => b.plain('f64', b.invoke(Math.fround, 'f64', [b.toDouble(v.value)]), v.state)
cast('smallint integer bigint', 'double', toDouble)
cast('smallint integer', 'real', toReal)
cast(
  'bigint',
  'real',
  viaHelper((value: bigint) => realOf(value)),
)
cast('real', 'double', (_, [v]) => v)
cast('double', 'real', (b, args) =>
  b.partial(args, 'f64', (out) => {
    const rounded = b.invoke(Math.fround, 'f64', [args[0].value])
    const finite = binary('==', binary('-', args[0].value, args[0].value), f64(0))
    const infinite = not(binary('==', binary('-', rounded, rounded), f64(0)))
    const vanished = and(binary('==', rounded, f64(0)), binary('!=', args[0].value, f64(0)))
    b.branch(
      or(and(finite, infinite), vanished),
      () => out.fail('floatOutOfRange'),
      () => out.give(rounded),
    )
  }),
)

/** One rounding, not two: where the double lies half-way between floats, the BigInt decides. */
function realOf(value: bigint): number {
  const double = Number(value)
  const rounded = Math.fround(double)
  const exact = BigInt(double)
  if (exact === value || rounded === double) return rounded
  // Nudging the double towards the value makes the second rounding see on which side of the middle it is.
  const toward = exact < value ? 1 : -1
  const spacing = 2 ** (Math.floor(Math.log2(Math.abs(double))) - 52)
  return Math.fround(double + toward * spacing)
}

for (const kind of ['smallint', 'integer', 'bigint'] as const) {
  const shape = kind === 'bigint' ? 'int' : 'i32'
  const [least, end] = kind === 'bigint' ? [-(2 ** 63), 2 ** 63] : [limits[kind][0], limits[kind][1] + 1]
  cast('real double', kind, (b, args) =>
    b.partial(args, shape, (out) => {
      const rounded = b.invoke(roundHalfEven, 'f64', [args[0].value])
      const within = and(binary('>=', rounded, f64(least)), binary('<', rounded, f64(end)))
      b.branch(
        within,
        () => {
          if (kind === 'bigint') b.checkSafe(rounded)
          out.give(convert(rounded, kind === 'bigint' ? 'int' : 'i32'))
        },
        () => out.fail('integerOutOfRange'),
      )
    }),
  )
}

cast('numeric', 'real double', (b, args, site) => {
  const [value] = args
  const scale = scaleOf(site.args[0].type)
  // Two doubles that are exact have a correctly rounded quotient.
  if (value.shape === 'int' && !b.exact && scale <= 22 && site.type.kind === 'double') {
    return b.total(
      args,
      'f64',
      scale === 0 ? b.toDouble(value.value) : binary('/', b.toDouble(value.value), f64(10 ** scale)),
    )
  }
  return helperCall(b, args, site, site.type.kind === 'real' ? realOfDecimal : doubleOfDecimal, true)
})

function doubleOfDecimal(value: Decimal): number {
  const double = value.special === '' ? decimalToDouble(value) : Number(value.special)
  const lost = value.special === '' && (!Number.isFinite(double) || (double === 0 && value.coefficient !== 0n))
  return lost ? failing('floatOutOfRange', 0) : double
}

function realOfDecimal(value: Decimal): number {
  if (value.special !== '') return Number(value.special)
  return parseReal(formatDecimal(value)) ?? failing('floatOutOfRange', 0)
}

// Dates and times
const dayMicros = BigInt(microsPerDay)

function startOfDay(b: Builder, value: Value): Value {
  return { ...b.intArithmetic('*', b.widen(value), b.constantInt(dayMicros)), state: value.state }
}

cast('date', 'timestamp timestamptz', (b, args) =>
  b.partial(args, 'int', (out) => {
    const micros = startOfDay(b, args[0])
    b.branch(
      b.exact ? outsideTimestamps(micros.value) : { k: 'flag', type: 'flag', value: false },
      () => out.fail('datetimeOutOfRange'),
      () => out.give(micros.value),
    )
  }),
)

/** In the exact variant only: every safe integer is a timestamp. */
export function outsideTimestamps(micros: Expr): Expr {
  return or(binary('<', micros, int(minTimestamp)), binary('>', micros, int(maxTimestamp)))
}

/** The day of a timestamp, rounded down. */
export function dayOf(b: Builder, micros: Expr): Expr {
  return b.intCall('i32', dayOfSafe, dayOfBig, [micros])
}

function dayOfSafe(micros: number): number {
  return Math.floor(micros / microsPerDay)
}

function dayOfBig(micros: bigint): number {
  const day = micros / dayMicros
  return Number(micros % dayMicros < 0n ? day - 1n : day)
}

function timeOfSafe(micros: number): number {
  return micros - Math.floor(micros / microsPerDay) * microsPerDay
}

function timeOfBig(micros: bigint): bigint {
  return ((micros % dayMicros) + dayMicros) % dayMicros
}

cast('timestamp timestamptz', 'date', (b, args) => b.total(args, 'i32', dayOf(b, args[0].value)))
cast('timestamp timestamptz', 'time', (b, args) =>
  b.total(args, 'int', b.intCall('int', timeOfSafe, timeOfBig, [args[0].value]), microsPerDay),
)
cast('timestamp', 'timestamptz', (_, [v]) => v)
cast('timestamptz', 'timestamp', (_, [v]) => v)
cast(
  'time',
  'interval',
  viaHelper((micros: bigint) => makeInterval(0, 0, micros)!),
)
cast(
  'interval',
  'time',
  viaHelper((value: Interval) => timeOfBig(value.micros)),
)

// jsonb: only the kind of value that is asked for, and null is NULL.

function jsonOf(text: string): JsonValue {
  const value = parseJson(text)
  if (value === null) throw new Bug('a jsonb that is no JSON')
  if (value.kind === 'null') fault.state = 1
  return value
}

function numberOfJson(text: string): Decimal {
  const value = jsonOf(text)
  if (value.kind === 'number') return parseDecimal(value.text)!
  return value.kind === 'null' ? decimalZero : failing('invalidArgument', decimalZero)
}

function booleanOfJson(text: string): boolean {
  const value = jsonOf(text)
  if (value.kind === 'true') return true
  return value.kind === 'false' || value.kind === 'null' ? false : failing('invalidArgument', false)
}

cast('jsonb', 'boolean', viaHelper(booleanOfJson, true))
for (const kind of ['smallint', 'integer', 'bigint', 'real', 'double'] as const) {
  cast('jsonb', kind, (b, args, site) => {
    const number = helperCall(b, args, { ...site, type: { kind: 'numeric' } }, numberOfJson, true)
    return lowerCast(b, number, { kind: 'numeric' }, site.type)
  })
}
