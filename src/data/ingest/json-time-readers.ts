import type { BuilderColumn } from '../block-builder.ts'
import { failed } from './json-scan.ts'

/** The hot readers of dates, times and uuids: see json-readers.ts. */

const quote = 0x22
const minus = 0x2d
const point = 0x2e

const monthDays = Int32Array.of(0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

/** Two digits as a number, or more than 99 where a byte is no digit. */
function twoDigits(s: Uint8Array, at: number): number {
  const tens = s[at] - 48
  const ones = s[at + 1] - 48
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? 65536 : tens * 10 + ones
}

/** @returns days since 1970-01-01 of the `YYYY-MM-DD` at `at`, from 1700 to 2199, else `noDay` */
function readDay(s: Uint8Array, at: number): number {
  const year = twoDigits(s, at) * 100 + twoDigits(s, at + 2)
  const month = twoDigits(s, at + 5)
  const day = twoDigits(s, at + 8)
  if (s[at + 4] !== minus || s[at + 7] !== minus || year < 1700 || year > 2199 || month > 12) return noDay
  const leap = month === 2 && (year & 3) === 0 && (year % 100 !== 0 || year % 400 === 0)
  if (day < 1 || day > monthDays[month] + (leap ? 1 : 0)) return noDay
  // Years that begin in March put the leap day last, which makes the months' lengths a linear function.
  const shifted = month <= 2 ? year - 1 : year
  const century = (shifted / 100) | 0
  const dayOfYear = ((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0
  return shifted * 365 + (shifted >> 2) - century + (century >> 2) + dayOfYear + day - 1 - 719468
}

const noDay = 1 << 30

/** Reads `HH:MM:SS[.ffffff]` into microseconds. @returns −1 for another form; `timeEnd` is where it ended */
function readClock(s: Uint8Array, at: number): number {
  const hour = twoDigits(s, at)
  const minute = twoDigits(s, at + 3)
  const second = twoDigits(s, at + 6)
  if (s[at + 2] !== 0x3a || s[at + 5] !== 0x3a || hour > 23 || minute > 59 || second > 59) return -1
  let fraction = 0
  at += 8
  if (s[at] === point) {
    let unit = 100000
    let digit = s[++at] - 48
    if (digit < 0 || digit > 9) return -1
    while (digit >= 0 && digit <= 9) {
      if (unit === 0) return -1
      fraction += digit * unit
      unit = (unit / 10) | 0
      digit = s[++at] - 48
    }
  }
  timeEnd = at
  return (hour * 3600 + minute * 60 + second) * 1e6 + fraction
}

let timeEnd = 0

export function readTimestamp(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  if (s[at] !== quote) return failed
  const day = readDay(s, at + 1)
  if (day === noDay) return failed
  let time = 0
  at += 11
  if (s[at] === 0x54 || s[at] === 0x20) {
    time = readClock(s, at + 1)
    if (time < 0) return failed
    at = timeEnd
    if (s[at] === 0x5a) at++
  }
  if (s[at] !== quote) return failed
  const micros = day * 86_400_000_000 + time
  column.words[row * 2] = micros
  column.words[row * 2 + 1] = Math.floor(micros / 4294967296)
  return at + 1
}

export function readDate(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  if (s[at] !== quote || s[at + 11] !== quote) return failed
  const day = readDay(s, at + 1)
  if (day === noDay) return failed
  column.words[row] = day
  return at + 12
}

export function readTime(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  if (s[at] !== quote) return failed
  const time = readClock(s, at + 1)
  if (time < 0 || s[timeEnd] !== quote) return failed
  column.setI64(row, time)
  return timeEnd + 1
}

const hexDigits = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) {
  hexDigits[i.toString(16).charCodeAt(0)] = i
  hexDigits[i.toString(16).toUpperCase().charCodeAt(0)] = i
}

export function readUuid(s: Uint8Array, at: number, column: BuilderColumn, row: number): number {
  if (s[at] !== quote || s[at + 37] !== quote) return failed
  if (s[at + 9] !== minus || s[at + 14] !== minus || s[at + 19] !== minus || s[at + 24] !== minus) return failed
  column.reserve(16)
  const { heap, end } = column
  at++
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) at++
    const pair = (hexDigits[s[at]] << 4) | hexDigits[s[at + 1]]
    if (pair < 0) return failed
    heap[end + i] = pair
    at += 2
  }
  column.setLength(row, 16)
  return at + 1
}
