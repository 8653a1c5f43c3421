/** real and double precision as PostgreSQL reads and prints them: the shortest digits that come back as the value. */

export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  // JavaScript's exponent form already has the shortest digits.
  return layOut(value.toExponential(), 15)
}

/** @param value a number that is a float, as Math.fround gives it */
export function formatReal(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  return layOut(shortestReal(value), 6)
}

function formatSpecial(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

/** Fewest digits first; among those of one length the nearest that rounds back. */
function shortestReal(value: number): string {
  for (let precision = 0; precision < 8; precision++) {
    const text = value.toExponential(precision)
    if (Math.fround(Number(text)) === value) return text
    // Below a power of two floats lie closer than above it, so that a neighbour of the nearest may be the one.
    const [mantissa, exponent] = text.split('e')
    const unit = BigInt(mantissa.replace('.', ''))
    for (const next of [unit - 1n, unit + 1n]) {
      const candidate = Number(`${next}e${Number(exponent) - precision}`)
      if (Math.fround(candidate) === value) return candidate.toExponential()
    }
  }
  return value.toExponential(8)
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
