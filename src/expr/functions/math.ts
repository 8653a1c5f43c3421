import type { cellErrors } from '../../data/cell.ts'
import { roundHalfEven } from '../../data/datetime.ts'
import {
  ceilingDecimal,
  type Decimal,
  decimalZero,
  divideRounded,
  floorDecimal,
  makeDecimal,
  roundDecimal,
  signOfDecimal,
  truncateDecimal,
} from '../../data/decimal.ts'
import {
  type DecimalError,
  expDecimal,
  lnDecimal,
  logDecimal,
  powerDecimal,
  sqrtDecimal,
  wholeQuotient,
} from '../../data/decimal-functions.ts'
import type { Builder } from '../builder.ts'
import { type Expr, f64 } from '../kernel.ts'
import type { Scalar } from '../scalar.ts'
import { scaleOf, type Value } from '../value.ts'
import { roundSafe } from './cast-numbers.ts'
import { failing } from './cast-table.ts'
import { type CallSite, define, helper, type Implementation } from './definition.ts'

/** Rounding, roots, powers, logarithms and trigonometry. */

// Rounding of numerics whose scale is known is whole-number arithmetic.

function isScaled(values: readonly Value[], site: CallSite): boolean {
  return values[0].shape === 'int' && site.type.kind === 'numeric' && site.type.precision !== undefined
}

/** A numeric in units of its last digit, divided to a number of digits and, where those are fewer, put back. */
function rounding(
  safe: (value: number, divisor: number) => number,
  exact: (value: bigint, divisor: bigint) => bigint,
  dynamic: (value: Decimal, places: number) => Decimal,
): Implementation {
  return (b, args, site) => {
    const places = placesOf(site.args)
    if (places === null || !isScaled(args, site)) return helper(dynamic)(b, args, site)
    const from = scaleOf(site.args[0].type)
    const [value] = args
    if (places >= from) return { ...b.scaleUp(value, places - from), state: b.merged(args) }
    const divisor = b.constantInt(10n ** BigInt(Math.min(from - places, 400)))
    const quotient = b.intCall('int', safe, exact, [value.value, divisor.value])
    const kept = b.plain('int', quotient, null, value.bound)
    const result = places >= 0 ? kept : b.scaleUp(kept, -places)
    return { ...result, state: b.merged(args) }
  }
}

/** The places asked for where they are known: 0 if they aren't given. */
function placesOf(args: readonly Scalar[]): number | null {
  if (args.length === 1) return 0
  const [, places] = args
  return places.op === 'literal' && places.text !== null ? Math.max(Number(places.text), -300) : null
}

function truncateSafe(value: number, divisor: number): number {
  return Math.trunc(value / divisor) + 0
}

function truncateBig(value: bigint, divisor: bigint): bigint {
  return value / divisor
}

function floorSafe(value: number, divisor: number): number {
  return Math.floor(value / divisor) + 0
}

function floorBig(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return quotient * divisor > value ? quotient - 1n : quotient
}

function ceilingSafe(value: number, divisor: number): number {
  return Math.ceil(value / divisor) + 0
}

function ceilingBig(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return quotient * divisor < value ? quotient + 1n : quotient
}

const round = rounding(roundSafe, divideRounded, (value, places) => roundDecimal(value, places ?? 0))
const trunc = rounding(truncateSafe, truncateBig, (value, places) => truncateDecimal(value, places ?? 0))
define('round', 'numeric', round)
define('round', 'numeric,integer', round)
define('trunc', 'numeric', trunc)
define('trunc', 'numeric,integer', trunc)
define('floor', 'numeric', rounding(floorSafe, floorBig, floorDecimal))
define('ceil ceiling', 'numeric', rounding(ceilingSafe, ceilingBig, ceilingDecimal))

define('sign', 'numeric', (b, args, site) => {
  if (!isScaled(args, site)) {
    return helper((value: Decimal) => (value.special === 'NaN' ? value : makeDecimal(BigInt(signOfDecimal(value)), 0)))(
      b,
      args,
      site,
    )
  }
  const [value] = args
  const sign: Expr = b.intCall('int', Math.sign as never, signBig, [value.value])
  return b.total(args, 'int', sign, 1)
})

function signOfDouble(value: number): number {
  return value > 0 ? 1 : value < 0 ? -1 : 0
}

function signBig(value: bigint): bigint {
  return value < 0n ? -1n : value > 0n ? 1n : 0n
}

for (const [names, compute] of [
  ['round', roundHalfEven],
  ['trunc', Math.trunc],
  ['floor', Math.floor],
  ['ceil ceiling', Math.ceil],
  ['sign', signOfDouble],
] as const) {
  define(names, 'double', (b: Builder, args: readonly Value[]) =>
    b.total(args, 'f64', b.invoke(compute as never, 'f64', [args[0].value])),
  )
}

// numeric

const errors: Readonly<Record<DecimalError, keyof typeof cellErrors>> = {
  overflow: 'numericOutOfRange',
  logarithm: 'invalidLogarithm',
  power: 'invalidPower',
  division: 'divisionByZero',
}

function checked(result: Decimal | DecimalError): Decimal {
  return typeof result === 'string' ? failing(errors[result], decimalZero) : result
}

const ten = makeDecimal(10n, 0)
define(
  'sqrt',
  'numeric',
  helper((value: Decimal) => checked(sqrtDecimal(value)), true),
)
define(
  'exp',
  'numeric',
  helper((value: Decimal) => checked(expDecimal(value)), true),
)
define(
  'ln',
  'numeric',
  helper((value: Decimal) => checked(lnDecimal(value)), true),
)
define(
  'log log10',
  'numeric',
  helper((value: Decimal) => checked(logDecimal(ten, value)), true),
)
define(
  'log',
  'numeric,numeric',
  helper((base: Decimal, value: Decimal) => checked(logDecimal(base, value)), true),
)
define(
  '^ power pow',
  'numeric,numeric',
  helper((base: Decimal, exponent: Decimal) => checked(powerDecimal(base, exponent)), true),
)
define(
  'div',
  'numeric,numeric',
  helper((a: Decimal, b: Decimal) => wholeQuotient(a, b) ?? failing('divisionByZero', decimalZero), true),
)

// double precision

/** A finite argument has a finite result, and a zero only where the function has one. */
function ranged(compute: (value: number) => number, zeroIsExact: (value: number) => boolean) {
  return (value: number): number => {
    const result = compute(value)
    const lost = Number.isFinite(value) && (!Number.isFinite(result) || (result === 0 && !zeroIsExact(value)))
    return lost ? failing('floatOutOfRange', 0) : result
  }
}

function logarithm(compute: (value: number) => number) {
  return (value: number): number => (value <= 0 ? failing('invalidLogarithm', 0) : compute(value))
}

function within(compute: (value: number) => number) {
  return (value: number): number => (value < -1 || value > 1 ? failing('invalidArgument', 0) : compute(value))
}

function finite(compute: (value: number) => number) {
  return (value: number): number => {
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return failing('invalidArgument', 0)
    return compute(value)
  }
}

define(
  'sqrt',
  'double',
  helper((value: number) => (value < 0 ? failing('invalidPower', 0) : Math.sqrt(value)), true),
)
define('cbrt', 'double', helper(Math.cbrt as never))
define('exp', 'double', helper(ranged(Math.exp, () => false) as never, true))
define('ln', 'double', helper(logarithm(Math.log), true))
define('log log10', 'double', helper(logarithm(Math.log10), true))

function power(base: number, exponent: number): number {
  if (base === 1 || exponent === 0) return 1
  if (Number.isNaN(base) || Number.isNaN(exponent)) return Number.NaN
  if (base === 0 && exponent < 0) return failing('invalidPower', 0)
  if (base < 0 && Number.isFinite(exponent) && !Number.isInteger(exponent)) return failing('invalidPower', 0)
  if (base === -1 && !Number.isFinite(exponent)) return 1
  const result = base ** exponent
  const expected = Number.isFinite(base) && Number.isFinite(exponent)
  const lost = expected && (!Number.isFinite(result) || (result === 0 && base !== 0))
  return lost ? failing('floatOutOfRange', 0) : result
}

define('^ power pow', 'double,double', helper(power, true))

const radians = Math.PI / 180
define(
  'degrees',
  'double',
  helper(
    ranged(
      (value) => value / radians,
      (value) => value === 0,
    ),
    true,
  ),
)
define(
  'radians',
  'double',
  helper((value: number) => value * radians),
)
define('sin', 'double', helper(finite(Math.sin), true))
define('cos', 'double', helper(finite(Math.cos), true))
define('tan', 'double', helper(finite(Math.tan), true))
define('asin', 'double', helper(within(Math.asin), true))
define('acos', 'double', helper(within(Math.acos), true))
define('atan', 'double', helper(Math.atan as never))
define('atan2', 'double,double', helper(Math.atan2 as never))
define('pi', '', (b) => b.plain('f64', f64(Math.PI)))
