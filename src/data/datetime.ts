/**
 * Dates and times as PostgreSQL reads and prints them in its ISO style: microseconds since 1970-01-01 for
 * timestamps, microseconds since midnight for times, days since 1970-01-01 for dates. The zone is UTC, years count
 * as the proleptic Gregorian calendar does, infinite values are refused.
 */

export const microsPerSecond = 1_000_000
export const microsPerMinute = 60_000_000
export const microsPerHour = 3_600_000_000
export const microsPerDay = 86_400_000_000

/** 4714-11-24 BC, PostgreSQL's first day, and the last microsecond that fits in 64 bits, in the year 294247. */
export const minTimestamp = -210_866_803_200_000_000n
export const maxTimestamp = 9_223_372_036_854_775_807n

/** PostgreSQL's first and last date: 4714-11-24 BC and 5874897-12-31. */
export const minDate = -2_440_588
export const maxDate = 2_145_042_905

export interface CivilDate {
  /** Astronomical: 0 is 1 BC, −1 is 2 BC. */
  readonly year: number
  /** 1–12 */
  readonly month: number
  /** 1–31 */
  readonly day: number
}

/** Days since 1970-01-01 of a date that exists. */
export function daysFromCivil(year: number, month: number, day: number): number {
  // Years that begin in March put the leap day last, which makes the months' lengths a linear function.
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146097 + dayOfEra - 719468
}

export function civilFromDays(days: number): CivilDate {
  const shifted = days + 719468
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : monthLengths[month - 1]
}

/** @param micros any count of microseconds; the day it falls in and the rest, which is not negative */
export function splitMicros(micros: bigint): { readonly days: number; readonly time: number } {
  if (micros >= -9007199254740991n && micros <= 9007199254740991n) {
    const value = Number(micros)
    const days = Math.floor(value / microsPerDay)
    return { days, time: value - days * microsPerDay }
  }
  const day = BigInt(microsPerDay)
  let days = micros / day
  if (micros % day < 0n) days -= 1n
  return { days: Number(days), time: Number(micros - days * day) }
}

export function timestampInRange(micros: bigint): boolean {
  return micros >= minTimestamp && micros <= maxTimestamp
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

function formatCivil({ year, month, day }: CivilDate): string {
  return `${pad(year > 0 ? year : 1 - year, 4)}-${pad(month, 2)}-${pad(day, 2)}`
}

/** `2026-11-21`, `0044-03-15 BC` */
export function formatDate(days: number): string {
  const civil = civilFromDays(days)
  return civil.year > 0 ? formatCivil(civil) : `${formatCivil(civil)} BC`
}

/** `10:00:00.5`: microseconds since midnight, without trailing zeros. */
export function formatTime(micros: bigint | number): string {
  const value = Number(micros)
  const fraction = value % microsPerSecond
  const seconds = (value - fraction) / microsPerSecond
  const hour = Math.floor(seconds / 3600)
  const minute = Math.floor(seconds / 60) % 60
  return `${pad(hour, 2)}:${pad(minute, 2)}:${pad(seconds % 60, 2)}${formatFraction(fraction)}`
}

/** `.5` for 500000 µs, nothing for 0. */
export function formatFraction(micros: number): string {
  return micros === 0 ? '' : `.${pad(micros, 6).replace(/0+$/, '')}`
}

/**
 * `2026-11-21 10:00:00.123456`, or with the separator that `to_json` writes.
 * @param zone what a timestamptz has behind its time: `+00`, or `+00:00` in JSON
 */
export function formatTimestamp(micros: bigint, separator: ' ' | 'T', zone = ''): string {
  const { days, time } = splitMicros(micros)
  const civil = civilFromDays(days)
  return `${formatCivil(civil)}${separator}${formatTime(time)}${zone}${civil.year > 0 ? '' : ' BC'}`
}

const datePattern = String.raw`(\d{4,7})-(\d{1,2})-(\d{1,2})|(\d{4})(\d{2})(\d{2})`
const timePattern = String.raw`(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?`
const zonePattern = String.raw`z|utc|gmt|[+-]\d{1,2}(?::\d{2}(?::\d{2})?|\d{2})?`
const dateText = new RegExp(String.raw`^\s*(?:${datePattern})(?:\s+(bc|ad))?\s*$`, 'i')
const timeText = new RegExp(String.raw`^\s*${timePattern}\s*$`)
// A sign right behind a date's day would be one more hyphen of it.
const bareZone = String.raw`\s*(?:z|utc|gmt|\+\d{1,2}(?::\d{2}(?::\d{2})?|\d{2})?)|\s+-\d{1,2}(?::\d{2}(?::\d{2})?|\d{2})?`
const timestampText = new RegExp(
  String.raw`^\s*(?:${datePattern})(?:(?:\s*t|\s+)${timePattern}(?:\s*(${zonePattern}))?|(${bareZone}))?(?:\s+(bc|ad))?\s*$`,
  'i',
)
const epochText = /^\s*epoch\s*$/i

/** @returns days since 1970-01-01, or null for text that isn't a date in ISO form or is out of range */
export function parseDate(text: string): number | null {
  const match = dateText.exec(text)
  if (match !== null) return dayOf(match, match[7])
  if (epochText.test(text)) return 0
  // A timestamp is a date too: PostgreSQL leaves the time out.
  const micros = parseTimestamp(text)
  return micros === null ? null : splitMicros(micros).days
}

function dayOf(match: RegExpExecArray, era: string | undefined): number | null {
  const stated = Number(match[1] ?? match[4])
  const month = Number(match[2] ?? match[5])
  const day = Number(match[3] ?? match[6])
  if (stated === 0) return null
  const year = era !== undefined && era.toLowerCase() === 'bc' ? 1 - stated : stated
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null
  const days = daysFromCivil(year, month, day)
  return days < minDate || days > maxDate ? null : days
}

/** Fractions beyond a microsecond are rounded as PostgreSQL does it: as a double, half to even. */
function fractionMicros(digits: string | undefined): number {
  if (digits === undefined || digits === '') return 0
  if (digits.length <= 6) return Number(digits.padEnd(6, '0'))
  return roundHalfEven(Number(`0.${digits}`) * 1e6)
}

export function roundHalfEven(value: number): number {
  const rounded = Math.round(value)
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** 24:00:00 and a second of 60 are read, as PostgreSQL does. */
function timeOf(hour: string, minute: string, second: string | undefined, fraction: string | undefined): number | null {
  const h = Number(hour)
  const m = Number(minute)
  const s = Number(second ?? 0)
  const f = fractionMicros(fraction)
  if (m > 59 || s > 60) return null
  const micros = ((h * 60 + m) * 60 + s) * microsPerSecond + f
  return h > 24 || micros > microsPerDay ? null : micros
}

/** @returns microseconds since midnight, up to and with 24:00:00 */
export function parseTime(text: string): bigint | null {
  const match = timeText.exec(text)
  const micros = match === null ? null : timeOf(match[1], match[2], match[3], match[4])
  return micros === null ? null : BigInt(micros)
}

/** An offset from UTC such as `+05:30` in microseconds; null beyond PostgreSQL's 15:59:59. */
function zoneOf(text: string): number | null {
  if (text[0] !== '+' && text[0] !== '-') return 0
  const digits = text.slice(1)
  const [hour, minute = '0', second = '0'] = digits.includes(':')
    ? digits.split(':')
    : digits.length > 2
      ? [digits.slice(0, -2), digits.slice(-2)]
      : [digits]
  if (Number(hour) > 15 || Number(minute) > 59 || Number(second) > 59) return null
  const micros = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * microsPerSecond
  return text[0] === '-' ? -micros : micros
}

function readTimestamp(text: string, zoned: boolean): bigint | null {
  const match = timestampText.exec(text)
  if (match === null) return epochText.test(text) ? 0n : null
  const days = dayOf(match, match[13])
  const time = match[7] === undefined ? 0 : timeOf(match[7], match[8], match[9], match[10])
  if (days === null || time === null) return null
  let zone = 0
  const stated = match[11] ?? match[12]
  if (stated !== undefined) {
    const offset = zoneOf(stated.trim())
    // Without a zone of its own a timestamp cannot honour one; PostgreSQL ignores it, which loses the instant.
    if (offset === null || (offset !== 0 && !zoned)) return null
    zone = offset
  }
  const micros = BigInt(days) * BigInt(microsPerDay) + BigInt(time - zone)
  return timestampInRange(micros) ? micros : null
}

/** Microseconds since 1970 in the text's own clock. @returns null for other text, and for an offset other than UTC */
export function parseTimestamp(text: string): bigint | null {
  return readTimestamp(text, false)
}

/** Microseconds since 1970 UTC; text without an offset is taken as UTC. */
export function parseTimestamptz(text: string): bigint | null {
  return readTimestamp(text, true)
}

/**
 * The hot path: reads `2026-11-21T10:00:00.123456Z`, with a space or a `T`, with or without seconds' fraction and `Z`,
 * straight from bytes.
 * @returns microseconds since 1970 as a safe integer, or NaN for any other form, which says nothing about its validity
 */
export function parseTimestampBytes(u8: Uint8Array, start: number, end: number): number {
  const length = u8[end - 1] === 0x5a ? end - 1 - start : end - start
  if (length < 19 || length > 26 || length === 20) return Number.NaN
  const separator = u8[start + 10]
  if (
    u8[start + 4] !== 0x2d ||
    u8[start + 7] !== 0x2d ||
    (separator !== 0x54 && separator !== 0x20) ||
    u8[start + 13] !== 0x3a ||
    u8[start + 16] !== 0x3a
  ) {
    return Number.NaN
  }
  const year = twoDigits(u8, start) * 100 + twoDigits(u8, start + 2)
  const month = twoDigits(u8, start + 5)
  const day = twoDigits(u8, start + 8)
  const hour = twoDigits(u8, start + 11)
  const minute = twoDigits(u8, start + 14)
  const second = twoDigits(u8, start + 17)
  // Written so that a NaN, from a byte that is no digit, fails too.
  if (!(year >= 1700 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59)) {
    return Number.NaN
  }
  if (day > daysInMonth(year, month)) return Number.NaN
  let fraction = 0
  if (length > 19) {
    if (u8[start + 19] !== 0x2e) return Number.NaN
    for (let i = 20; i < 26; i++) {
      const digit = i < length ? u8[start + i] - 0x30 : 0
      if (digit < 0 || digit > 9) return Number.NaN
      fraction = fraction * 10 + digit
    }
  }
  const micros =
    daysFromCivil(year, month, day) * microsPerDay + ((hour * 60 + minute) * 60 + second) * microsPerSecond + fraction
  return Number.isSafeInteger(micros) ? micros : Number.NaN
}

function twoDigits(u8: Uint8Array, at: number): number {
  const tens = u8[at] - 0x30
  const ones = u8[at + 1] - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}
