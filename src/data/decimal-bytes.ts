import {
  type Decimal,
  decimalInfinity,
  decimalMinusInfinity,
  decimalNaN,
  digitCount,
  makeDecimal,
  powerOfTen,
  trimDecimal,
} from './decimal.ts'
import { Bug } from './errors.ts'

/**
 * Bytes of a numeric that compare like its value. Part of disk formats.
 *
 *     lead · [exponent, 3 bytes] · digits, two a byte, 1 + value · 0 · display scale (1 byte, or 255 and 2 bytes)
 *
 * With value = 0.d1d2… × 10^E the lead of a positive value is 0xC0 + E for |E| ≤ 40, else 0x90 or 0xF0 with E + 2^23
 * behind it. A negative value has every byte up to the scale inverted. Zero is 0x80 and its scale, −Infinity 0x07,
 * Infinity 0xF8, NaN 0xFC. So equal values differ in the scale alone, which breaks ties.
 */
const zeroLead = 0x80
const baseLead = 0xc0
const smallLead = 0x90
const greatLead = 0xf0
const nearExponent = 40
const exponentBias = 1 << 23
const minusInfinityLead = 0x07
const infinityLead = 0xf8
const nanLead = 0xfc

export function encodeDecimal(d: Decimal): Uint8Array {
  switch (d.special) {
    case 'NaN':
      return Uint8Array.of(nanLead)
    case 'Infinity':
      return Uint8Array.of(infinityLead)
    case '-Infinity':
      return Uint8Array.of(minusInfinityLead)
    case '':
      return encodeFinite(d)
  }
}

/** The form that equal values share: as key of groups, joins and DISTINCT. */
export function decimalKeyBytes(d: Decimal): Uint8Array {
  return encodeDecimal(trimDecimal(d))
}

function encodeFinite(d: Decimal): Uint8Array {
  const coefficient = d.coefficient < 0n ? -d.coefficient : d.coefficient
  if (coefficient <= 9007199254740991n) {
    const out = new Uint8Array(smallBytesMax)
    return out.slice(0, writeSmallDecimal(out, 0, Number(d.coefficient), d.scale))
  }
  const digits = coefficient.toString().replace(/0+$/, '')
  const exponent = digitCount(coefficient) - d.scale
  const near = Math.abs(exponent) <= nearExponent
  const pairs = (digits.length + 1) >>> 1
  const out = new Uint8Array((near ? 1 : 4) + pairs + 1 + (d.scale < 255 ? 1 : 3))
  let at = writeExponent(out, 0, exponent)
  for (let i = 0; i < digits.length; i += 2) out[at++] = Number(digits.slice(i, i + 2).padEnd(2, '0')) + 1
  out[at++] = 0
  if (d.coefficient < 0n) for (let i = 0; i < at; i++) out[i] ^= 0xff
  writeScale(out, at, d.scale)
  return out
}

function writeExponent(out: Uint8Array, at: number, exponent: number): number {
  if (exponent >= -nearExponent && exponent <= nearExponent) {
    out[at] = baseLead + exponent
    return at + 1
  }
  const biased = exponent + exponentBias
  out[at] = exponent < 0 ? smallLead : greatLead
  out[at + 1] = biased >>> 16
  out[at + 2] = biased >>> 8
  out[at + 3] = biased
  return at + 4
}

function writeScale(out: Uint8Array, at: number, scale: number): number {
  if (scale < 255) {
    out[at] = scale
    return at + 1
  }
  out[at] = 255
  out[at + 1] = scale >>> 8
  out[at + 2] = scale
  return at + 3
}

/** Encodes zero. @returns where the bytes end */
export function writeZeroDecimal(out: Uint8Array, start: number, scale: number): number {
  out[start] = zeroLead
  return writeScale(out, start + 1, scale)
}

/**
 * Encodes a coefficient given as decimal digits, `digits[0]` to `digits[end − 1]`, zeros in front allowed.
 * @returns where the bytes end
 */
export function writeDigits(
  out: Uint8Array,
  start: number,
  digits: Uint8Array,
  end: number,
  scale: number,
  negative: boolean,
): number {
  let first = 0
  while (first < end && digits[first] === 0) first++
  if (first === end) return writeZeroDecimal(out, start, scale)
  let at = writeExponent(out, start, end - first - scale)
  let last = end
  while (digits[last - 1] === 0) last--
  for (let k = first; k < last; k += 2) out[at++] = digits[k] * 10 + (k + 1 < last ? digits[k + 1] : 0) + 1
  out[at++] = 0
  if (negative) for (let k = start; k < at; k++) out[k] ^= 0xff
  return writeScale(out, at, scale)
}

/** The most bytes `writeSmallDecimal` writes. */
export const smallBytesMax = 24

/**
 * Encodes a safe integer × 10^−scale without making a BigInt.
 * @returns where the bytes end
 */
export function writeSmallDecimal(out: Uint8Array, start: number, coefficient: number, scale: number): number {
  if (coefficient === 0) {
    return writeZeroDecimal(out, start, scale)
  }
  let rest = coefficient < 0 ? -coefficient : coefficient
  let count = digitsOfSafe(rest)
  let at = writeExponent(out, start, count - scale)
  // Digits go in pairs from the first one on, so an odd count is made even by a zero behind it.
  if ((count & 1) === 1) {
    // Exact: a safe integer with an odd count is below 10^15, and its tenfold, being even, below 2^54.
    rest *= 10
    count++
  }
  const pairs = count >>> 1
  let end = at + pairs
  // Two halves below 10^8 each keep the divisions in 32 bits.
  const high = Math.floor(rest / 1e8)
  let low = rest - high * 1e8
  if (high === 0) {
    for (let i = end - 1; i >= at; i--) {
      const next = (low / 100) | 0
      out[i] = low - next * 100 + 1
      low = next
    }
  } else {
    for (let i = end - 1; i >= end - 4; i--) {
      const next = (low / 100) | 0
      out[i] = low - next * 100 + 1
      low = next
    }
    let upper = high
    for (let i = end - 5; i >= at; i--) {
      const next = (upper / 100) | 0
      out[i] = upper - next * 100 + 1
      upper = next
    }
  }
  while (out[end - 1] === 1) end--
  out[end] = 0
  at = end + 1
  if (coefficient < 0) for (let i = start; i < at; i++) out[i] ^= 0xff
  return writeScale(out, at, scale)
}

function digitsOfSafe(value: number): number {
  if (value < 1e8) {
    if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4
    return value < 1e6 ? (value < 1e5 ? 5 : 6) : value < 1e7 ? 7 : 8
  }
  if (value < 1e12) return value < 1e10 ? (value < 1e9 ? 9 : 10) : value < 1e11 ? 11 : 12
  return value < 1e14 ? (value < 1e13 ? 13 : 14) : value < 1e15 ? 15 : 16
}

/** Reads what `encodeDecimal` wrote. */
export function decodeDecimal(u8: Uint8Array, start: number, length: number): Decimal {
  const lead = u8[start]
  if (lead === zeroLead) return makeDecimal(0n, readScale(u8, start + 1))
  if (lead === nanLead) return decimalNaN
  if (lead === infinityLead) return decimalInfinity
  if (lead === minusInfinityLead) return decimalMinusInfinity
  const invert = lead < zeroLead ? 0xff : 0
  const upright = lead ^ invert
  let at = start + 1
  let exponent = upright - baseLead
  if (upright === smallLead || upright === greatLead) {
    exponent = (((u8[at] ^ invert) << 16) | ((u8[at + 1] ^ invert) << 8) | (u8[at + 2] ^ invert)) - exponentBias
    at += 3
  }
  const first = at
  const end = start + length
  let small = 0
  while (at < end && (u8[at] ^ invert) !== 0) {
    if (at - first < 7) small = small * 100 + (u8[at] ^ invert) - 1
    at++
  }
  if (at >= end) throw new Bug('a numeric without its end')
  const pairs = at - first
  let coefficient = pairs <= 7 ? BigInt(small) : BigInt(digitText(u8, first, at, invert))
  const scale = readScale(u8, at + 1)
  // The digits stand for 0.d1d2… × 10^exponent with two digits a byte.
  const shift = exponent + scale - pairs * 2
  coefficient = shift >= 0 ? coefficient * powerOfTen(shift) : coefficient / powerOfTen(-shift)
  return makeDecimal(invert === 0 ? coefficient : -coefficient, scale)
}

function digitText(u8: Uint8Array, from: number, to: number, invert: number): string {
  let text = ''
  for (let i = from; i < to; i++) {
    const pair = (u8[i] ^ invert) - 1
    text += pair < 10 ? `0${pair}` : pair
  }
  return text
}

function readScale(u8: Uint8Array, at: number): number {
  return u8[at] < 255 ? u8[at] : (u8[at + 1] << 8) | u8[at + 2]
}

/**
 * The coefficient at a known scale as a double, without making a BigInt.
 * @returns NaN if it is not a safe integer or the value has another scale
 */
export function readSmallDecimal(u8: Uint8Array, start: number, length: number, scale: number): number {
  const lead = u8[start]
  if (lead === zeroLead) return readScale(u8, start + 1) === scale ? 0 : Number.NaN
  const invert = lead < zeroLead ? 0xff : 0
  const exponent = (lead ^ invert) - baseLead
  const last = start + length - 2
  if (exponent < -nearExponent || exponent > nearExponent || u8[last + 1] !== scale || last - start > 9) {
    return Number.NaN
  }
  let value = 0
  for (let i = start + 1; i < last; i++) value = value * 100 + ((u8[i] ^ invert) - 1)
  const shift = exponent + scale - (last - start - 1) * 2
  if (shift < 0) value = Math.round(value / tens[-shift])
  else if (shift > 0) value = shift <= 16 ? value * tens[shift] : Number.NaN
  if (!(value <= 9007199254740991)) return Number.NaN
  return invert === 0 ? value : -value
}

const tens = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))
