import {
  addDecimal,
  compareDecimal,
  type Decimal,
  decimalInfinity,
  decimalNaN,
  decimalToDouble,
  decimalZero,
  digitCount,
  divideDecimal,
  divideRounded,
  leadingDigit,
  makeDecimal,
  maxDisplayScale,
  minSignificantDigits,
  multiplyDecimal,
  powerOfTen,
  roundDecimal,
  signOfDecimal,
  subtractDecimal,
  truncateDecimal,
} from './decimal.ts'

/**
 * Roots, logarithms and powers of numerics, with the scale PostgreSQL gives them. Values that go on for ever are
 * computed with guard digits and rounded once.
 */

export type DecimalError = 'overflow' | 'logarithm' | 'power' | 'division'

/** Digits computed beyond those that are kept. */
const guardDigits = 20

/** As PostgreSQL writes it, a little less than it is. */
const log10e = Number('0.434294481903252')
const one = makeDecimal(1n, 0)

function displayScale(wanted: number, ...least: readonly number[]): number {
  return Math.min(Math.max(wanted, 0, ...least), maxDisplayScale)
}

function integerRoot(n: bigint): bigint {
  if (n < 2n) return n
  let guess = 1n << BigInt((n.toString(2).length + 1) >>> 1)
  for (;;) {
    const next = (guess + n / guess) >> 1n
    if (next >= guess) return guess
    guess = next
  }
}

/** @returns 'power' for a negative value */
export function sqrtDecimal(d: Decimal): Decimal | DecimalError {
  if (d.special === 'NaN') return d
  if (signOfDecimal(d) < 0) return 'power'
  if (d.special !== '') return d
  const { weight } = leadingDigit(d)
  const resultWeight = weight >= 0 ? weight * 2 + 1 : 1 - (1 - weight * 4) / 2
  const scale = displayScale(minSignificantDigits - Math.trunc(resultWeight), d.scale)
  // Four times the radicand: rounding asks whether it reaches the square of an odd number.
  const shift = scale * 2 - d.scale
  const fourfold = shift >= 0 ? 4n * d.coefficient * powerOfTen(shift) : (4n * d.coefficient) / powerOfTen(-shift)
  const root = integerRoot(fourfold / 4n)
  const above = 2n * root + 1n
  return makeDecimal(fourfold >= above * above ? root + 1n : root, scale)
}

// Fixed-point arithmetic: value × 10^scale, truncated.

/** atanh(1/n) at a scale. */
function inverseAtanh(n: bigint, unit: bigint): bigint {
  let term = unit / n
  let sum = term
  for (let k = 3n; term !== 0n; k += 2n) {
    term /= n * n
    sum += term / k
  }
  return sum
}

const lnTwoByScale = new Map<number, bigint>()

function lnTwo(scale: number): bigint {
  let value = lnTwoByScale.get(scale)
  if (value === undefined) {
    const unit = powerOfTen(scale + 10)
    // 2 atanh(1/3)
    value = (2n * inverseAtanh(3n, unit)) / 10n ** 10n
    if (lnTwoByScale.size > 100) lnTwoByScale.clear()
    lnTwoByScale.set(scale, value)
  }
  return value
}

/** ln of a positive value, at a scale. */
function lnFixed(d: Decimal, scale: number): bigint {
  const unit = powerOfTen(scale)
  // d = m × 2^k with m near 1, where the series is short.
  let numerator = d.coefficient
  let denominator = powerOfTen(d.scale)
  const k = numerator.toString(2).length - denominator.toString(2).length
  if (k > 0) denominator <<= BigInt(k)
  else numerator <<= BigInt(-k)
  const z = ((numerator - denominator) * unit) / (numerator + denominator)
  const square = (z * z) / unit
  let term = z
  let sum = z
  for (let n = 3n; term !== 0n; n += 2n) {
    term = (term * square) / unit
    sum += term / n
  }
  return 2n * sum + BigInt(k) * lnTwo(scale)
}

/** e^x for x at a scale, at the same scale. */
function expFixed(x: bigint, scale: number): bigint {
  const two = lnTwo(scale)
  const k = divideRounded(x, two)
  // What is lost by the factor 2^k is put in beforehand.
  const extra = Math.max(0, Math.ceil(Number(k) * 0.302)) + guardDigits
  const unit = powerOfTen(scale + extra)
  const rest = x * powerOfTen(extra) - k * lnTwo(scale + extra)
  let term = unit
  let sum = unit
  for (let n = 1n; term !== 0n; n++) {
    term = (term * rest) / (unit * n)
    sum += term
  }
  const shifted = k >= 0n ? sum << k : sum >> -k
  return shifted / powerOfTen(extra)
}

/** Roughly the decimal weight of ln(d), as PostgreSQL estimates it to choose a scale. */
function lnWeight(d: Decimal): number {
  if (signOfDecimal(d) <= 0) return 0
  if (compareDecimal(d, makeDecimal(9n, 1)) >= 0 && compareDecimal(d, makeDecimal(11n, 1)) <= 0) {
    const { weight, digit } = leadingDigit(subtractDecimal(d, one))
    return digit === 0 ? 0 : weight * 4 + Math.trunc(Math.log10(digit))
  }
  const { weight, digits, pairs } = leadingDigits(d)
  const logarithm = Math.log(digits) + (weight - pairs) * 4 * Math.LN10
  return Math.trunc(Math.log10(Math.abs(logarithm)))
}

/** Up to the first two base-10000 digits as one number, and how many follow the first. */
function leadingDigits(d: Decimal): { readonly weight: number; readonly digits: number; readonly pairs: number } {
  const { weight, digit } = leadingDigit(d)
  const second = nextDigit(d, weight - 1)
  // Trailing zeros are not stored: a value of one digit has no second.
  const more = d.coefficient % powerOfTen(Math.max(d.scale + weight * 4, 0)) !== 0n
  return more ? { weight, digits: digit * 10000 + second, pairs: 1 } : { weight, digits: digit, pairs: 0 }
}

function nextDigit(d: Decimal, weight: number): number {
  const shift = d.scale + weight * 4
  const positive = d.coefficient < 0n ? -d.coefficient : d.coefficient
  return Number((shift >= 0 ? positive / powerOfTen(shift) : positive * powerOfTen(-shift)) % 10000n)
}

function fromFixed(value: bigint, fixedScale: number, scale: number): Decimal {
  return roundDecimal(makeDecimal(value, fixedScale), scale)
}

export function lnDecimal(d: Decimal): Decimal | DecimalError {
  if (d.special === 'NaN') return d
  if (signOfDecimal(d) <= 0) return 'logarithm'
  if (d.special !== '') return d
  const scale = displayScale(minSignificantDigits - lnWeight(d), d.scale)
  return fromFixed(lnFixed(d, scale + guardDigits), scale + guardDigits, scale)
}

/** The logarithm of `d` to a base. */
export function logDecimal(base: Decimal, d: Decimal): Decimal | DecimalError {
  if (base.special === 'NaN' || d.special === 'NaN') return decimalNaN
  if (signOfDecimal(base) <= 0 || signOfDecimal(d) <= 0) return 'logarithm'
  if (base.special !== '') return d.special !== '' ? decimalNaN : decimalZero
  if (d.special !== '') return compareDecimal(base, one) < 0 ? 'logarithm' : decimalInfinity
  const baseWeight = lnWeight(base)
  const scale = displayScale(minSignificantDigits - (lnWeight(d) - baseWeight), base.scale, d.scale)
  const fixed = scale + guardDigits + Math.abs(baseWeight) * 2
  const divisor = lnFixed(base, fixed)
  if (divisor === 0n) return 'division'
  return fromFixed((lnFixed(d, fixed) * powerOfTen(fixed)) / divisor, fixed, scale)
}

/** Beyond this exponent of e a result is out of range, or zero. */
const expMax = 6000

export function expDecimal(d: Decimal): Decimal | DecimalError {
  if (d.special === 'NaN' || d.special === 'Infinity') return d
  if (d.special !== '') return decimalZero
  const value = decimalToDouble(d)
  const weight = Math.trunc(Math.min(Math.max(value * log10e, -2000), 2000))
  const scale = displayScale(minSignificantDigits - weight, d.scale)
  return expAt(d, value, scale)
}

function expAt(d: Decimal, value: number, scale: number): Decimal | DecimalError {
  if (Math.abs(value) >= expMax) return value > 0 ? 'overflow' : makeDecimal(0n, scale)
  const fixed = Math.max(scale + guardDigits, d.scale)
  return fromFixed(expFixed(d.coefficient * powerOfTen(fixed - d.scale), fixed), fixed, scale)
}

export function powerDecimal(base: Decimal, exponent: Decimal): Decimal | DecimalError {
  if (base.special !== '' || exponent.special !== '') return specialPower(base, exponent)
  if (base.coefficient === 0n && exponent.coefficient < 0n) return 'power'
  const whole = truncateDecimal(exponent, 0)
  const integral = compareDecimal(whole, exponent) === 0
  if (base.coefficient < 0n && !integral) return 'power'
  const n = whole.coefficient
  if (integral && n >= -2147483648n && n <= 2147483647n) return integerPower(base, Number(n), exponent.scale)
  if (base.coefficient === 0n) return makeDecimal(0n, minSignificantDigits)
  const magnitude = base.coefficient < 0n ? makeDecimal(-base.coefficient, base.scale) : base
  const odd = n % 2n !== 0n
  const estimateScale = Math.max(8 - lnWeight(magnitude), 0)
  const rough = roundDecimal(
    multiplyDecimal(
      fromFixed(lnFixed(magnitude, estimateScale + guardDigits), estimateScale + guardDigits, estimateScale),
      exponent,
    ),
    estimateScale,
  )
  const value = decimalToDouble(rough)
  if (Math.abs(value) > 2000 * 3.01) return value > 0 ? 'overflow' : makeDecimal(0n, maxDisplayScale)
  const weight = Math.trunc(value * log10e)
  const scale = displayScale(minSignificantDigits - weight, base.scale, exponent.scale)
  const fixed = scale + Math.max(weight, 0) + digitCount(n) + guardDigits
  const product = multiplyDecimal(makeDecimal(lnFixed(magnitude, fixed), fixed), exponent)
  const result = expAt(product, decimalToDouble(product), scale)
  return typeof result === 'string' || base.coefficient > 0n || !odd
    ? result
    : makeDecimal(-result.coefficient, result.scale)
}

function integerPower(base: Decimal, exponent: number, exponentScale: number): Decimal | DecimalError {
  const weight = base.coefficient === 0n ? 0 : exponent * roughLog10(base)
  if (weight > 131072) return 'overflow'
  if (weight + 1 < -maxDisplayScale) return makeDecimal(0n, maxDisplayScale)
  const scale = displayScale(minSignificantDigits - Math.trunc(weight), base.scale, exponentScale)
  if (exponent === 0) return roundDecimal(one, scale)
  if (base.coefficient === 0n) return exponent < 0 ? 'division' : makeDecimal(0n, scale)
  // More digits than the result can show are not carried along.
  const digits = Math.max(Math.ceil(weight), 0) + scale + guardDigits + String(exponent).length
  let result = one
  let square = base
  for (let n = Math.abs(exponent); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result = shorten(multiplyUnbounded(result, square), digits)
    if (n > 1) square = shorten(multiplyUnbounded(square, square), digits)
  }
  if (exponent > 0) return roundDecimal(result, scale)
  const shift = scale + result.scale
  return makeDecimal(
    divideRounded(powerOfTen(Math.max(shift, 0)), result.coefficient * powerOfTen(Math.max(-shift, 0))),
    scale,
  )
}

/** The scale may be negative in here: a coefficient with zeros left off. */
function multiplyUnbounded(a: Decimal, b: Decimal): Decimal {
  return makeDecimal(a.coefficient * b.coefficient, a.scale + b.scale)
}

function shorten(d: Decimal, digits: number): Decimal {
  const extra = digitCount(d.coefficient) - digits
  return extra <= 0 ? d : makeDecimal(divideRounded(d.coefficient, powerOfTen(extra)), d.scale - extra)
}

/** log10 of a magnitude, from its first sixteen digits. */
function roughLog10(d: Decimal): number {
  const positive = d.coefficient < 0n ? -d.coefficient : d.coefficient
  const text = positive.toString()
  return Math.log10(Number(text.slice(0, 17))) + Math.max(text.length - 17, 0) - d.scale
}

function specialPower(base: Decimal, exponent: Decimal): Decimal | DecimalError {
  const isOne = base.special === '' && compareDecimal(base, one) === 0
  const isZero = exponent.special === '' && exponent.coefficient === 0n
  // Whatever the other is, 1 to any power and any to the power 0 are 1.
  if (isOne || isZero) return one
  if (base.special === 'NaN' || exponent.special === 'NaN') return decimalNaN
  if (exponent.special !== '') {
    const size = compareDecimal(base.special === '-Infinity' ? decimalInfinity : absolute(base), one)
    if (base.special === '' && base.coefficient === 0n) return exponent.special === 'Infinity' ? decimalZero : 'power'
    if (size === 0) return one
    return size > 0 === (exponent.special === 'Infinity') ? decimalInfinity : decimalZero
  }
  if (exponent.coefficient < 0n) return decimalZero
  if (base.special === 'Infinity') return base
  const whole = truncateDecimal(exponent, 0)
  if (compareDecimal(whole, exponent) !== 0) return 'power'
  return whole.coefficient % 2n === 0n ? decimalInfinity : base
}

function absolute(d: Decimal): Decimal {
  return d.coefficient < 0n ? makeDecimal(-d.coefficient, d.scale) : d
}

/** The whole number of times that one goes into the other. Null for a division by zero. */
export function wholeQuotient(a: Decimal, b: Decimal): Decimal | null {
  if (a.special !== '' || b.special !== '') {
    const quotient = divideDecimal(a, b)
    return quotient === null || quotient.special !== '' ? quotient : truncateDecimal(quotient, 0)
  }
  if (b.coefficient === 0n) return null
  const scale = Math.max(a.scale, b.scale)
  const [left, right] = [addDecimal(a, makeDecimal(0n, scale)), addDecimal(b, makeDecimal(0n, scale))]
  return makeDecimal(left.coefficient / right.coefficient, 0)
}
