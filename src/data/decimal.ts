// The bytes are the value's other face; readers of one mostly want both.
export { decodeDecimal, encodeDecimal } from './decimal-bytes.ts'

/**
 * PostgreSQL's numeric: an exact decimal of any size with a display scale of its own, so that 1.5 and 1.50 are equal
 * and print differently. Result scales follow PostgreSQL's rules to the digit.
 */
export interface Decimal {
  /** The value is coefficient × 10^−scale; 0 for special values. */
  readonly coefficient: bigint
  /** Digits printed behind the point; 0 for special values. */
  readonly scale: number
  readonly special: '' | 'NaN' | 'Infinity' | '-Infinity'
}

/** Digits that PostgreSQL allows before and behind the point. */
export const maxIntegerDigits = 131072
export const maxScale = 16383

/** Significant digits that division and the transcendental functions aim for. */
export const minSignificantDigits = 16
export const maxDisplayScale = 1000

export const decimalNaN: Decimal = { coefficient: 0n, scale: 0, special: 'NaN' }
export const decimalInfinity: Decimal = { coefficient: 0n, scale: 0, special: 'Infinity' }
export const decimalMinusInfinity: Decimal = { coefficient: 0n, scale: 0, special: '-Infinity' }
export const decimalZero: Decimal = { coefficient: 0n, scale: 0, special: '' }

export function makeDecimal(coefficient: bigint, scale: number): Decimal {
  return { coefficient, scale, special: '' }
}

const powers: bigint[] = [1n]
for (let i = 1; i < 64; i++) powers.push(powers[i - 1] * 10n)

export function powerOfTen(exponent: number): bigint {
  return exponent < 64 ? powers[exponent] : 10n ** BigInt(exponent)
}

/** Decimal digits of a coefficient; 0 has none. */
export function digitCount(coefficient: bigint): number {
  const positive = coefficient < 0n ? -coefficient : coefficient
  if (positive === 0n) return 0
  if (positive < 9007199254740992n) {
    let digits = 1
    for (let rest = Number(positive); rest >= 10; rest = Math.floor(rest / 10)) digits++
    return digits
  }
  return positive.toString().length
}

const finitePattern = /^\s*([+-]?)(\d(?:_?\d)*)?(?:\.(\d(?:_?\d)*)?)?(?:e([+-]?\d(?:_?\d)*))?\s*$/i
const radixPattern = /^\s*([+-]?)(0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+)\s*$/i
const specialPattern = /^\s*(?:(nan)|([+-]?)inf(?:inity)?)\s*$/i

/**
 * Reads what PostgreSQL's numeric input reads: `1`, `-1.50`, `.5`, `5.`, `1e-3`, `1_000`, `0xff`, `NaN`, `Infinity`.
 * @returns null where PostgreSQL refuses
 */
export function parseDecimal(text: string): Decimal | null {
  const match = finitePattern.exec(text)
  if (match === null) return parseUnusual(text)
  const whole = (match[2] ?? '').replaceAll('_', '')
  const fraction = (match[3] ?? '').replaceAll('_', '')
  if (whole === '' && fraction === '') return null
  const exponent = match[4] === undefined ? 0 : Number(match[4].replaceAll('_', ''))
  if (Math.abs(exponent) > 1073741823) return null
  const digits = BigInt(whole + fraction)
  let scale = fraction.length - exponent
  if (digits === 0n) return scale > maxScale ? null : makeDecimal(0n, Math.max(scale, 0))
  if (scale > maxScale || digitCount(digits) - scale > maxIntegerDigits) return null
  let coefficient = match[1] === '-' ? -digits : digits
  if (scale < 0) {
    coefficient *= powerOfTen(-scale)
    scale = 0
  }
  return makeDecimal(coefficient, scale)
}

function parseUnusual(text: string): Decimal | null {
  const special = specialPattern.exec(text)
  if (special !== null) {
    if (special[1] !== undefined) return decimalNaN
    return special[2] === '-' ? decimalMinusInfinity : decimalInfinity
  }
  const radix = radixPattern.exec(text)
  if (radix === null) return null
  const value = BigInt(radix[2].replaceAll('_', '').toLowerCase())
  return makeDecimal(radix[1] === '-' ? -value : value, 0)
}

export function formatDecimal(d: Decimal): string {
  return d.special === '' ? formatScaled(d.coefficient, d.scale) : d.special
}

/** Prints coefficient × 10^−scale with exactly `scale` digits behind the point. */
export function formatScaled(coefficient: bigint, scale: number): string {
  if (scale === 0) return coefficient.toString()
  const digits = (coefficient < 0n ? -coefficient : coefficient).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${coefficient < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}

function rank(d: Decimal): number {
  switch (d.special) {
    case '':
      return 0
    case '-Infinity':
      return -1
    case 'Infinity':
      return 1
    case 'NaN':
      return 2
  }
}

/** Numeric order; NaN equals itself and is greater than everything else. */
export function compareDecimal(a: Decimal, b: Decimal): -1 | 0 | 1 {
  if (a.special !== '' || b.special !== '') return Math.sign(rank(a) - rank(b)) as -1 | 0 | 1
  let left = a.coefficient
  let right = b.coefficient
  if (a.scale < b.scale) left *= powerOfTen(b.scale - a.scale)
  else if (b.scale < a.scale) right *= powerOfTen(a.scale - b.scale)
  return left < right ? -1 : left > right ? 1 : 0
}

export function signOfDecimal(d: Decimal): -1 | 0 | 1 {
  if (d.special !== '') return d.special === '-Infinity' ? -1 : 1
  return d.coefficient < 0n ? -1 : d.coefficient > 0n ? 1 : 0
}

export function negateDecimal(d: Decimal): Decimal {
  switch (d.special) {
    case '':
      return makeDecimal(-d.coefficient, d.scale)
    case 'NaN':
      return d
    case 'Infinity':
      return decimalMinusInfinity
    case '-Infinity':
      return decimalInfinity
  }
}

export function absoluteDecimal(d: Decimal): Decimal {
  return d.special === 'NaN' || signOfDecimal(d) >= 0 ? d : negateDecimal(d)
}

/** The coefficient of a finite value at a scale at least its own. */
function coefficientAt(d: Decimal, scale: number): bigint {
  return d.scale === scale ? d.coefficient : d.coefficient * powerOfTen(scale - d.scale)
}

export function addDecimal(a: Decimal, b: Decimal): Decimal {
  if (a.special !== '' || b.special !== '') {
    if (a.special === 'NaN' || b.special === 'NaN') return decimalNaN
    if (a.special === '') return b
    return b.special === '' || a.special === b.special ? a : decimalNaN
  }
  const scale = Math.max(a.scale, b.scale)
  return makeDecimal(coefficientAt(a, scale) + coefficientAt(b, scale), scale)
}

export function subtractDecimal(a: Decimal, b: Decimal): Decimal {
  return addDecimal(a, negateDecimal(b))
}

function infinityOfSign(sign: number): Decimal {
  return sign === 0 ? decimalNaN : sign < 0 ? decimalMinusInfinity : decimalInfinity
}

export function multiplyDecimal(a: Decimal, b: Decimal): Decimal {
  if (a.special !== '' || b.special !== '') {
    if (a.special === 'NaN' || b.special === 'NaN') return decimalNaN
    return infinityOfSign(signOfDecimal(a) * signOfDecimal(b))
  }
  const product = makeDecimal(a.coefficient * b.coefficient, a.scale + b.scale)
  return product.scale > maxScale ? roundDecimal(product, maxScale) : product
}

/** Position and value of the first base-10000 digit, as PostgreSQL's storage has it; (0, 0) for zero. */
export function leadingDigit(d: Decimal): { readonly weight: number; readonly digit: number } {
  const digits = digitCount(d.coefficient)
  if (digits === 0) return { weight: 0, digit: 0 }
  const weight = Math.floor((digits - d.scale - 1) / 4)
  const shift = d.scale + weight * 4
  const positive = d.coefficient < 0n ? -d.coefficient : d.coefficient
  const digit = shift >= 0 ? positive / powerOfTen(shift) : positive * powerOfTen(-shift)
  return { weight, digit: Number(digit) }
}

/** Digits behind the point that PostgreSQL gives a quotient: at least 16 significant ones. */
export function quotientScale(a: Decimal, b: Decimal): number {
  const left = leadingDigit(a)
  const right = leadingDigit(b)
  const weight = left.weight - right.weight - (left.digit <= right.digit ? 1 : 0)
  const scale = Math.max(minSignificantDigits - weight * 4, a.scale, b.scale, 0)
  return Math.min(scale, maxDisplayScale)
}

/** Quotient rounded half away from zero. The divisor is not zero. */
export function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const negative = numerator < 0n !== denominator < 0n
  const n = numerator < 0n ? -numerator : numerator
  const d = denominator < 0n ? -denominator : denominator
  const quotient = (n * 2n + d) / (d * 2n)
  return negative ? -quotient : quotient
}

/** @returns null for a division by zero; NaN / 0 is NaN, as in PostgreSQL */
export function divideDecimal(a: Decimal, b: Decimal): Decimal | null {
  if (a.special === 'NaN' || b.special === 'NaN') return decimalNaN
  if (signOfDecimal(b) === 0) return null
  if (a.special !== '') return b.special === '' ? infinityOfSign(signOfDecimal(a) * signOfDecimal(b)) : decimalNaN
  if (b.special !== '') return decimalZero
  const scale = quotientScale(a, b)
  const shift = scale + b.scale - a.scale
  return makeDecimal(
    shift >= 0
      ? divideRounded(a.coefficient * powerOfTen(shift), b.coefficient)
      : divideRounded(a.coefficient, b.coefficient * powerOfTen(-shift)),
    scale,
  )
}

/** Remainder with the dividend's sign. @returns null for a division by zero */
export function moduloDecimal(a: Decimal, b: Decimal): Decimal | null {
  if (a.special === 'NaN' || b.special === 'NaN') return decimalNaN
  if (signOfDecimal(b) === 0) return null
  if (a.special !== '') return decimalNaN
  if (b.special !== '') return a
  const scale = Math.max(a.scale, b.scale)
  return makeDecimal(coefficientAt(a, scale) % coefficientAt(b, scale), scale)
}

/** Rounds half away from zero; a negative scale rounds before the point and prints no digits behind it. */
export function roundDecimal(d: Decimal, scale: number): Decimal {
  return rescale(d, scale, divideRounded)
}

export function truncateDecimal(d: Decimal, scale: number): Decimal {
  return rescale(d, scale, (numerator, denominator) => numerator / denominator)
}

function rescale(d: Decimal, wanted: number, divide: (numerator: bigint, denominator: bigint) => bigint): Decimal {
  if (d.special !== '') return d
  const scale = Math.min(wanted, maxScale)
  if (scale >= d.scale) return scale === d.scale ? d : makeDecimal(coefficientAt(d, scale), scale)
  const dropped = d.scale - scale
  if (dropped > digitCount(d.coefficient) + 1) return makeDecimal(0n, Math.max(scale, 0))
  const kept = divide(d.coefficient, powerOfTen(dropped))
  return scale >= 0 ? makeDecimal(kept, scale) : makeDecimal(kept * powerOfTen(-scale), 0)
}

export function floorDecimal(d: Decimal): Decimal {
  const whole = truncateDecimal(d, 0)
  return compareDecimal(whole, d) > 0 ? makeDecimal(whole.coefficient - 1n, 0) : whole
}

export function ceilingDecimal(d: Decimal): Decimal {
  const whole = truncateDecimal(d, 0)
  return compareDecimal(whole, d) < 0 ? makeDecimal(whole.coefficient + 1n, 0) : whole
}

/** The same value without trailing zeros behind the point. */
export function trimDecimal(d: Decimal): Decimal {
  let { coefficient, scale } = d
  while (scale > 0 && coefficient % 10n === 0n) {
    coefficient /= 10n
    scale--
  }
  return scale === d.scale ? d : makeDecimal(coefficient, scale)
}

/**
 * The value as a numeric(precision, scale) holds it, rounded half away from zero.
 * @returns null if it has too many digits, and for NaN and infinities, which only a numeric without precision holds
 */
export function fitDecimal(d: Decimal, precision: number, scale: number): Decimal | null {
  if (d.special !== '') return null
  const rounded = roundDecimal(d, scale)
  return digitCount(rounded.coefficient) > precision ? null : rounded
}

/** Is it within what PostgreSQL's format can hold? Products and powers may outgrow it. */
export function decimalInRange(d: Decimal): boolean {
  return digitCount(d.coefficient) - d.scale <= maxIntegerDigits
}

/** PostgreSQL's float8 → numeric: the 15 significant digits that every double keeps. */
export function decimalFromDouble(value: number): Decimal {
  return fromDigits(value, 15)
}

/** PostgreSQL's float4 → numeric: 6 significant digits. */
export function decimalFromReal(value: number): Decimal {
  return fromDigits(value, 6)
}

function fromDigits(value: number, digits: number): Decimal {
  if (Number.isNaN(value)) return decimalNaN
  if (!Number.isFinite(value)) return value < 0 ? decimalMinusInfinity : decimalInfinity
  // printf's %g drops trailing zeros, and so must this before the scale is taken from the text.
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e')
  return parseDecimal(`${mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa}e${exponent}`)!
}

/** The nearest double; ±Infinity for values beyond it. */
export function decimalToDouble(d: Decimal): number {
  const value = Number(formatDecimal(d))
  return value === 0 ? 0 : value
}
