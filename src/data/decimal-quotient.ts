import { writeDigits, writeZeroDecimal } from './decimal-bytes.ts'

/** The most bytes `writeQuotient` writes. */
export const quotientBytesMax = 48

const greatestScale = 60
/** A remainder below this times 10^4 is a safe integer. */
const greatestDivisor = 900_719_925_474
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))
/** Slot 0 stays free for a carry; then the digits of a safe integer, then those behind the point. */
const digits = new Uint8Array(1 + 16 + greatestScale + 4)

/** Exact for safe integers, where a plain division could round up to the next integer. */
function divide(numerator: number, denominator: number): number {
  const quotient = Math.floor(numerator / denominator)
  return quotient * denominator > numerator ? quotient - 1 : quotient
}

function digitsOf(value: number): number {
  let count = 1
  while (count < 16 && value >= powers[count]) count++
  return count
}

/** Position × 10^4 + value of the first base-10000 digit of value × 10^−scale, as PostgreSQL's storage has it. */
function leadingOf(value: number, scale: number): number {
  if (value === 0) return 0
  const weight = Math.floor((digitsOf(value) - scale - 1) / 4)
  const shift = scale + weight * 4
  return weight * 10000 + (shift >= 0 ? divide(value, powers[shift]) : value * powers[-shift])
}

/** Digits behind the point that PostgreSQL gives sum × 10^−scale / count; `quotientScale` of decimal.ts in doubles. */
function scaleOf(sum: number, scale: number, count: number): number {
  const left = leadingOf(sum, scale)
  const right = leadingOf(count, 0)
  const leftWeight = Math.floor(left / 10000)
  const rightWeight = Math.floor(right / 10000)
  const smaller = left - leftWeight * 10000 <= right - rightWeight * 10000 ? 1 : 0
  return Math.max(16 - 4 * (leftWeight - rightWeight - smaller), scale, 0)
}

/**
 * Encodes sum × 10^−scale / count, rounded half away from zero at the scale that PostgreSQL's numeric division gives
 * it, without making a BigInt: an average, by long division four digits at a time.
 * @param sum a safe integer
 * @param count a positive safe integer
 * @returns where the bytes end, −1 where this needs wider arithmetic
 */
export function writeQuotient(out: Uint8Array, start: number, sum: number, scale: number, count: number): number {
  const magnitude = sum < 0 ? -sum : sum
  const wanted = scaleOf(magnitude, scale, count)
  if (wanted > greatestScale || count > greatestDivisor) return -1
  if (magnitude === 0) return writeZeroDecimal(out, start, wanted)
  let whole = divide(magnitude, count)
  let rest = magnitude - whole * count
  const before = whole === 0 ? 0 : digitsOf(whole)
  let end = 1 + before
  for (let k = before; k > 0; k--) {
    const next = Math.floor(whole / 10)
    digits[k] = whole - next * 10
    whole = next
  }
  for (let left = wanted - scale; left > 0; left -= 4) {
    const step = left < 4 ? left : 4
    const raised = rest * powers[step]
    let part = divide(raised, count)
    rest = raised - part * count
    for (let k = end + step - 1; k >= end; k--) {
      const next = (part / 10) | 0
      digits[k] = part - next * 10
      part = next
    }
    end += step
  }
  digits[0] = 0
  if (rest * 2 >= count) {
    let k = end - 1
    while (digits[k] === 9) digits[k--] = 0
    digits[k]++
  }
  return writeDigits(out, start, digits, end, wanted, sum < 0)
}
