/** real and double precision as PostgreSQL reads and prints them: the shortest digits that come back as the value. */

export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  // JavaScript's exponent form already has the shortest digits, but for those that lie half-way to a neighbour.
  const shortest = value.toExponential()
  const magnitude = Math.abs(value)
  const text = magnitude >= 2 ** 53 && isHalfWay(shortest, value) ? strictlyShortest(value) : shortest
  return layOut(text, 15)
}

/**
 * PostgreSQL doesn't print digits that come back as the value only because ties are read as the even neighbour.
 * Only doubles beyond 2^53 have such a half-way point that is short enough.
 */
function isHalfWay(text: string, value: number): boolean {
  const exact = BigInt(value)
  const printed = BigInt(value < 0 ? -plainDigits(text) : plainDigits(text))
  const distance = printed > exact ? printed - exact : exact - printed
  if (distance === 0n) return false
  const towards = printed > exact === value > 0 ? 1 : -1
  return distance * 2n === spacing(value, towards)
}

/** The digits of a magnitude in exponent form, written out. */
function plainDigits(exponential: string): bigint {
  const [mantissa, exponent] = exponential.replace('-', '').split('e')
  const [whole, fraction = ''] = mantissa.split('.')
  return BigInt((whole + fraction).padEnd(Number(exponent) + 1, '0'))
}

/** From a double beyond 2^53 to its neighbour away from zero (1) or towards it (−1). */
function spacing(value: number, direction: 1 | -1): bigint {
  const magnitude = BigInt(Math.abs(value))
  const unit = 1n << BigInt(magnitude.toString(2).length - 53)
  const isPowerOfTwo = (magnitude & (magnitude - 1n)) === 0n
  return direction === -1 && isPowerOfTwo ? unit / 2n : unit
}

function strictlyShortest(value: number): string {
  for (let precision = 1; precision < 17; precision++) {
    const text = value.toExponential(precision - 1)
    if (Number(text) === value && !isHalfWay(text, value)) return text
  }
  return value.toExponential(16)
}

/** @param value a number that is a float, as Math.fround gives it */
export function formatReal(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  return layOut(shortestReal(value), 6)
}

function formatSpecial(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

/** Fewest digits first; among those of one length the nearest that lies strictly nearer to the value than to others. */
function shortestReal(value: number): string {
  const [below, above] = neighbours(value)
  const [low, high] = [(value + below) / 2, (value + above) / 2]
  const isWithin = (candidate: number): boolean => candidate > low && candidate < high
  for (let precision = 0; precision < 8; precision++) {
    const text = toEven(value, precision)
    if (isWithin(Number(text))) return text
    // Below a power of two floats lie closer than above it, so that a neighbour of the nearest may be the one.
    const [mantissa, exponent] = text.split('e')
    const unit = BigInt(mantissa.replace('.', ''))
    for (const next of [unit - 1n, unit + 1n]) {
      const candidate = Number(`${next}e${Number(exponent) - precision}`)
      if (isWithin(candidate)) return candidate.toExponential()
    }
  }
  return value.toExponential(8)
}

/** Digits rounded half to even, where JavaScript's rounding goes away from zero. */
function toEven(value: number, precision: number): string {
  const text = value.toExponential(precision)
  // A float has no more than 112 digits; one that is half-way between shorter ones has few.
  const [digits] = value.toExponential(100).replace(/[-.]/g, '').split('e')
  const isTie = /^50*$/.test(digits.slice(precision + 1))
  if (!isTie || Number(digits[precision]) % 2 !== 0) return text
  const [mantissa] = value.toExponential(100).split('e')
  const cut = mantissa.replace('-', '').slice(0, precision === 0 ? 1 : precision + 2)
  return `${value < 0 ? '-' : ''}${cut}e${value.toExponential(100).split('e')[1]}`
}

const floatBits = new Float32Array(1)
const intBits = new Int32Array(floatBits.buffer)

/** The floats next to one, the lesser first; beyond the greatest, what would come next. */
function neighbours(value: number): readonly [number, number] {
  if (value === 0) return [-1.401298464324817e-45, 1.401298464324817e-45]
  floatBits[0] = value
  const bits = intBits[0]
  intBits[0] = bits + 1
  const outward = Number.isFinite(floatBits[0]) ? floatBits[0] : value * 2 - inward(bits)
  const inner = inward(bits)
  return value > 0 ? [inner, outward] : [outward, inner]
}

function inward(bits: number): number {
  intBits[0] = bits - 1
  return floatBits[0]
}

/** Plain digits from 10^−4 up to below 10^plainDigits, else `1.5e+20`. */
function layOut(exponential: string, plainDigits: number): string {
  const [mantissa, exponentText] = exponential.split('e')
  const exponent = Number(exponentText)
  const sign = mantissa[0] === '-' ? '-' : ''
  const digits = mantissa.replace(/[-.]/g, '').replace(/0+$/, '')
  if (digits === '') return '0'
  if (exponent < -4 || exponent >= plainDigits) {
    const point = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits
    return `${sign}${point}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  if (digits.length <= exponent + 1) return `${sign}${digits.padEnd(exponent + 1, '0')}`
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}

const finitePattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const specialPattern = /^(?:(nan)|([+-]?)inf(?:inity)?)$/i

/** @returns null for text that is no number, and for one beyond a double's range, as PostgreSQL refuses both */
export function parseDouble(text: string): number | null {
  const trimmed = text.trim()
  if (finitePattern.test(trimmed)) {
    const value = Number(trimmed)
    if (value === 0) return /[1-9]/.test(trimmed.replace(/e.*$/i, '')) ? null : 0
    return Number.isFinite(value) ? value : null
  }
  const special = specialPattern.exec(trimmed)
  if (special === null) return null
  if (special[1] !== undefined) return Number.NaN
  return special[2] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** As `parseDouble`, rounded to a float. @returns null beyond a float's range too */
export function parseReal(text: string): number | null {
  const value = parseDouble(text)
  if (value === null || !Number.isFinite(value)) return value
  const rounded = Math.fround(value)
  return Number.isFinite(rounded) && (rounded !== 0 || value === 0) ? rounded : null
}
