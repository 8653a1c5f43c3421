import type { CellErrorName } from '../../data/cell.ts'
import { roundHalfEven } from '../../data/datetime.ts'
import {
  type Decimal,
  decimalFromDouble,
  decimalFromReal,
  decimalToDouble,
  decimalZero,
  divideRounded,
  fitDecimal,
  formatDecimal,
  makeDecimal,
  roundDecimal,
} from '../../data/decimal.ts'
import { Bug } from '../../data/errors.ts'
import { parseReal } from '../../data/float.ts'
import type { SqlType } from '../../data/sql-type.ts'
import type { Builder } from '../builder.ts'
import { and, binary, convert, type Expr, f64, i32, int, not, or } from '../kernel.ts'
import { scaleOf, shapeOf, type Value } from '../value.ts'
import { defineCast, failing, viaHelper } from './cast-table.ts'
import { type CallSite, helperCall, type Implementation } from './definition.ts'
import { numberOfJson } from './json.ts'

/** Casts between numbers: overflow is an error, fractions are rounded half away from zero, doubles half to even. */

// To numeric

/** To numeric: with digits of its own, or with those of the value. */
export function toNumeric(from: SqlType): Implementation | null {
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
defineCast('boolean', 'integer', (b, [v]) => b.plain('i32', b.atom(convert(v.value, 'i32')), v.state))
defineCast('integer', 'boolean', (b, [v]) => b.plain('flag', b.atom(binary('!=', v.value, i32(0))), v.state))

// Whole numbers
defineCast('smallint', 'integer', (_, [v]) => v)
defineCast('smallint integer', 'bigint', (b, [v]) => b.widen(v))
defineCast('integer', 'smallint', (b, args) =>
  b.partial(args, 'i32', (out) => giveWithin(b, out, args[0].value, args[0].value, i32(-32768), i32(32767))),
)
defineCast('bigint', 'smallint integer', (b, args, site) =>
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

defineCast('numeric', 'smallint integer bigint', numericToWhole)

// Floats
const toDouble: Implementation = (b, [v]) => b.plain('f64', b.toDouble(v.value), v.state)
const toReal: Implementation = (b, [v]) => b.plain('f64', b.invoke(Math.fround, 'f64', [b.toDouble(v.value)]), v.state)
defineCast('smallint integer bigint', 'double', toDouble)
defineCast('smallint integer', 'real', toReal)
defineCast(
  'bigint',
  'real',
  viaHelper((value: bigint) => realOf(value)),
)
defineCast('real', 'double', (_, [v]) => v)
defineCast('double', 'real', (b, args) =>
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
  defineCast('real double', kind, (b, args) =>
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

defineCast('numeric', 'real double', (b, args, site) => {
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
