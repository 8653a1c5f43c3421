import type { BuilderColumn } from '../block-builder.ts'
import { smallBytesMax, writeSmallDecimal } from '../decimal-bytes.ts'
import { failed, type JsonScanner, lowest, special } from './json-scan.ts'

/**
 * The hot readers: each takes the form that a value of its type nearly always has, from bytes to cell without an
 * object. Whatever else comes, right or wrong, they leave to cell-reader.ts by returning `failed`; they have then
 * written nothing that counts. `at` is the value's first byte; the result is the position behind its last.
 */

const quote = 0x22
const minus = 0x2d
const point = 0x2e

const powers = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/** Would these bytes go on with a number that digits alone have begun? */
function goesOn(c: number): boolean {
  return c === point || c === 0x65 || c === 0x45
}

/** Digits whose value a double holds exactly whatever they are. */
const safeDigits = 15

export function readI64(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  const quoted = s[at] === quote
  if (quoted) at++
  const negative = s[at] === minus
  if (negative) at++
  const first = at
  let digit = s[at] - 48
  if (digit < 0 || digit > 9) return failed
  let value = 0
  const short = at + 9
  do {
    value = (value * 10 + digit) | 0
    digit = s[++at] - 48
  } while (digit >= 0 && digit <= 9 && at < short)
  const { words } = column
  if (digit < 0 || digit > 9) {
    if (negative) value = -value | 0
    words[row * 2] = value
    words[row * 2 + 1] = value >> 31
  } else {
    let long = value
    do {
      long = long * 10 + digit
      digit = s[++at] - 48
    } while (digit >= 0 && digit <= 9)
    if (at - first > safeDigits) return failed
    if (negative) long = -long
    words[row * 2] = long
    words[row * 2 + 1] = Math.floor(long / 4294967296)
  }
  if (at - first > 1 && s[first] === 48) return failed
  if (quoted) return s[at] === quote ? at + 1 : failed
  return goesOn(s[at]) ? failed : at
}

export function readI32(
  s: Uint8Array,
  at: number,
  column: BuilderColumn,
  row: number,
  least: number,
  most: number,
): number {
  const negative = s[at] === minus
  if (negative) at++
  const first = at
  let value = 0
  for (;;) {
    const digit = s[at] - 48
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    at++
  }
  const digits = at - first
  if (digits === 0 || digits > 10 || (digits > 1 && s[first] === 48) || goesOn(s[at])) return failed
  if (negative) value = -value
  if (value < least || value > most) return failed
  column.words[row] = value
  return at
}

export function readBoolean(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  if (s[at] === 0x74 && s[at + 1] === 0x72 && s[at + 2] === 0x75 && s[at + 3] === 0x65) {
    column.words[row] = 1
    return at + 4
  }
  if (s[at] === 0x66 && s[at + 1] === 0x61 && s[at + 2] === 0x6c && s[at + 3] === 0x73 && s[at + 4] === 0x65) {
    column.words[row] = 0
    return at + 5
  }
  return failed
}

export function readF64(scanner: JsonScanner, s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  const next = readDouble(scanner, s, at)
  if (next >= 0) column.doubles[row] = double
  return next
}

export function readReal(scanner: JsonScanner, s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  const next = readDouble(scanner, s, at)
  if (next < 0) return failed
  const rounded = Math.fround(double)
  // A double halfway between two floats may itself have been rounded: the text decides.
  const mirrored = rounded + 2 * (double - rounded)
  if (double !== rounded && Math.fround(mirrored) === mirrored) return failed
  if (rounded === 0 ? double !== 0 : rounded === Number.POSITIVE_INFINITY || rounded === Number.NEGATIVE_INFINITY) {
    return failed
  }
  column.doubles[row] = rounded
  return next
}

// A function returns but one number: what it has read goes through module variables.
let double = 0
let coefficient = 0
let fractionDigits = 0

/** Up to 15 digits over a power of ten that a double holds exactly round once, and so correctly. */
function readDouble(scanner: JsonScanner, s: Uint8Array, start: number): number {
  let at = start
  const negative = s[at] === minus
  if (negative) at++
  const first = at
  let value = 0
  let digit = s[at] - 48
  while (digit >= 0 && digit <= 9) {
    value = value * 10 + digit
    digit = s[++at] - 48
  }
  let digits = at - first
  if (digits === 0 || (digits > 1 && s[first] === 48)) return failed
  if (s[at] === point) {
    const behind = ++at
    digit = s[at] - 48
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      digit = s[++at] - 48
    }
    const fraction = at - behind
    if (fraction === 0) return failed
    digits += fraction
    if (fraction < 23) value /= powers[fraction]
  }
  if (digits > safeDigits || s[at] === 0x65 || s[at] === 0x45) return readLongDouble(scanner, start)
  // Subtracting from 0 keeps −0 out.
  double = negative ? 0 - value : value
  return at
}

function readLongDouble(scanner: JsonScanner, start: number): number {
  const end = scanner.skipNumber(start)
  if (end < 0) return failed
  double = Number(scanner.ascii(start, end))
  // Zero may be an underflow, which is refused as an overflow is.
  return double === 0 || double === Number.POSITIVE_INFINITY || double === Number.NEGATIVE_INFINITY ? failed : end
}

/** Reads a number of up to 15 digits without exponent: its digits as an integer, and how many are behind the point. */
function readCoefficient(s: Uint8Array, at: number): number {
  const quoted = s[at] === quote
  if (quoted) at++
  const negative = s[at] === minus
  if (negative) at++
  const first = at
  let value = 0
  let digit = s[at] - 48
  while (digit >= 0 && digit <= 9) {
    value = value * 10 + digit
    digit = s[++at] - 48
  }
  let digits = at - first
  if (digits === 0 || (digits > 1 && s[first] === 48)) return failed
  fractionDigits = 0
  if (s[at] === point) {
    const behind = ++at
    digit = s[at] - 48
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      digit = s[++at] - 48
    }
    fractionDigits = at - behind
    if (fractionDigits === 0) return failed
    digits += fractionDigits
  }
  if (digits > safeDigits || s[at] === 0x65 || s[at] === 0x45) return failed
  coefficient = negative ? 0 - value : value
  if (quoted) return s[at] === quote ? at + 1 : failed
  return at
}

/** numeric(p, s) in an i64. @param limit 10^p as a double */
export function readScaled(
  s: Uint8Array,
  at: number,
  column: BuilderColumn,
  row: number,
  scale: number,
  limit: number,
): number {
  const next = readCoefficient(s, at)
  if (next < 0 || fractionDigits > scale || scale - fractionDigits > 22) return failed
  const value = coefficient * powers[scale - fractionDigits]
  if (value >= limit || value <= -limit || value > 9007199254740991 || value < -9007199254740991) return failed
  column.words[row * 2] = value
  column.words[row * 2 + 1] = Math.floor(value / 4294967296)
  return next
}

/** numeric as bytes. @param scale the type's, or −1 where each value brings its own @param limit 10^p as a double */
export function readDecimal(
  s: Uint8Array,
  at: number,
  column: BuilderColumn,
  row: number,
  scale: number,
  limit: number,
): number {
  const next = readCoefficient(s, at)
  if (next < 0) return failed
  let value = coefficient
  let digits = fractionDigits
  if (scale >= 0) {
    if (digits > scale || scale - digits > 22) return failed
    value *= powers[scale - digits]
    digits = scale
  }
  if (value >= limit || value <= -limit || value > 9007199254740991 || value < -9007199254740991) return failed
  column.reserve(smallBytesMax)
  column.setLength(row, writeSmallDecimal(column.heap, column.end, value, digits) - column.end)
  return next
}

/** Any text; its length in characters is the caller's to check. */
export function readText(
  scanner: JsonScanner,
  s: Uint8Array,
  d: DataView,
  at: number,
  column: BuilderColumn,
  row: number,
): number {
  if (s[at] !== quote) return failed
  at++
  // Nothing in this loop changes its views, and `special` stands here by hand: both halve its time.
  const view = column.heapView
  const from = column.end
  const limit = view.byteLength - 4
  let to = from
  while (to <= limit) {
    const word = d.getInt32(at, true)
    view.setInt32(to, word, true)
    const flags =
      (((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101) | (word - 0x20202020) | word) &
      0x80808080
    if (flags === 0) {
      at += 4
      to += 4
      continue
    }
    const plain = (31 - Math.clz32(flags & -flags)) >>> 3
    at += plain
    to += plain
    if (s[at] !== quote) break
    const { words } = column
    words[row * 2] = from
    words[row * 2 + 1] = to - from
    return at + 1
  }
  return readRichText(scanner, s, d, at, to, column, row)
}

/** Goes on with a text that has escapes, other characters than ASCII, or no room left. */
function readRichText(
  scanner: JsonScanner,
  s: Uint8Array,
  d: DataView,
  at: number,
  to: number,
  column: BuilderColumn,
  row: number,
): number {
  const from = column.end
  for (;;) {
    // Room for a word and an escape's four bytes behind a part of it.
    column.reserve(to - from + 64)
    const word = d.getInt32(at, true)
    column.heapView.setInt32(to, word, true)
    const flags = special(word)
    const plain = flags === 0 ? 4 : lowest(flags)
    at += plain
    to += plain
    if (flags === 0) continue
    const c = s[at]
    if (c === quote) break
    const next = c === 0x5c ? scanner.escape(at) : scanner.character(at)
    if (next < 0) return failed
    if (c === 0x5c) to += scanner.writeEscape(at, column.heap, to)
    else for (; at < next; at++) column.heap[to++] = s[at]
    at = next
  }
  column.words[row * 2] = from
  column.words[row * 2 + 1] = to - from
  return at + 1
}
