import {
  formatFraction,
  microsPerDay,
  microsPerHour,
  microsPerMinute,
  microsPerSecond,
  roundHalfEven,
} from './datetime.ts'

/** PostgreSQL's interval: three parts that are added to a date one after the other, each with a sign of its own. */
export interface Interval {
  readonly months: number
  readonly days: number
  readonly micros: bigint
}

const dayMicros = BigInt(microsPerDay)
const maxMicros = 9_223_372_036_854_775_807n

function isInt32(n: number): boolean {
  return n >= -2_147_483_648 && n <= 2_147_483_647
}

/** @returns null where a part has outgrown what PostgreSQL holds */
export function makeInterval(months: number, days: number, micros: bigint): Interval | null {
  if (!isInt32(months) || !isInt32(days) || micros > maxMicros || micros < -maxMicros - 1n) return null
  // -0 would be another value than 0 to a reader that compares bits.
  return { months: months + 0, days: days + 0, micros }
}

/** The opposite, parts beyond their range and all: for sums that are checked themselves. */
export function negateInterval({ months, days, micros }: Interval): Interval {
  return { months: 0 - months, days: 0 - days, micros: -micros }
}

/** The length that comparison goes by: months of 30 days, days of 24 hours. In microseconds. */
export function intervalLength(i: Interval): bigint {
  return (BigInt(i.months) * 30n + BigInt(i.days)) * dayMicros + i.micros
}

export function compareInterval(a: Interval, b: Interval): -1 | 0 | 1 {
  const left = intervalLength(a)
  const right = intervalLength(b)
  return left < right ? -1 : left > right ? 1 : 0
}

/** `1 year 2 mons -3 days +04:05:06.5`: PostgreSQL's own style. */
export function formatInterval({ months, days, micros }: Interval): string {
  const parts: string[] = []
  let negative = false
  const part = (value: number, unit: string): void => {
    if (value === 0) return
    parts.push(`${negative && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`)
    negative = value < 0
  }
  part(Math.trunc(months / 12), 'year')
  part(months % 12, 'mon')
  part(days, 'day')
  if (micros !== 0n || parts.length === 0) {
    const sign = micros < 0n ? '-' : negative ? '+' : ''
    parts.push(sign + formatDuration(micros < 0n ? -micros : micros))
  }
  return parts.join(' ')
}

function formatDuration(micros: bigint): string {
  const seconds = micros / BigInt(microsPerSecond)
  const two = (n: bigint): string => String(n).padStart(2, '0')
  const fraction = formatFraction(Number(micros % BigInt(microsPerSecond)))
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction}`
}

type Unit =
  | 'micro'
  | 'milli'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'week'
  | 'month'
  | 'year'
  | 'decade'
  | 'century'
  | 'millennium'

const unitNames: Readonly<Record<Unit, string>> = {
  micro: 'microsecond microseconds us usec usecs usecond useconds microsecon',
  milli: 'millisecond milliseconds ms msec msecs msecond mseconds millisecon',
  second: 'second seconds sec secs s',
  minute: 'minute minutes min mins m',
  hour: 'hour hours hr hrs h',
  day: 'day days d',
  week: 'week weeks w',
  month: 'month months mon mons',
  year: 'year years yr yrs y',
  decade: 'decade decades dec decs',
  century: 'century centuries cent c',
  millennium: 'millennium millennia mil mils',
}

const unitByName = new Map<string, Unit>(
  (Object.keys(unitNames) as Unit[]).flatMap((unit) => unitNames[unit].split(' ').map((name) => [name, unit] as const)),
)

const monthsPer: Partial<Record<Unit, number>> = { year: 12, decade: 120, century: 1200, millennium: 12000 }
const microsPer: Partial<Record<Unit, number>> = {
  micro: 1,
  milli: 1000,
  second: microsPerSecond,
  minute: microsPerMinute,
  hour: microsPerHour,
}

const secondUnits = ['second', 'milli', 'micro']

/** Adds up fields, each given once, with their fractions handed down as PostgreSQL does it. */
class Sum {
  months = 0
  days = 0
  micros = 0n
  readonly #seen = new Set<string>()

  /** @param number signed decimal text @returns whether the unit was new */
  add(number: string, unit: Unit): boolean {
    // Seconds with a fraction take the places of the smaller units too.
    const taken = unit === 'second' && number.includes('.') ? secondUnits : [unit]
    if (taken.some((each) => this.#seen.has(each))) return false
    for (const each of taken) this.#seen.add(each)
    const whole = BigInt(number.replace(/\..*$/, '').replace(/^([+-]?)$/, '$10'))
    const fraction = number.includes('.') ? Number(number.replace(/^([+-]?)\d*\./, '$10.') || 0) : 0
    const micros = microsPer[unit]
    const months = monthsPer[unit]
    if (micros !== undefined) {
      this.micros += whole * BigInt(micros)
      this.#fractionOfMicros(fraction, micros)
    } else if (months !== undefined) {
      this.months += Number(whole) * months + roundHalfEven(fraction * months)
    } else if (unit === 'month') {
      this.months += Number(whole)
      this.#fractionOfDays(fraction, 30)
    } else if (unit === 'week') {
      this.days += Number(whole) * 7
      this.#fractionOfDays(fraction, 7)
    } else {
      this.days += Number(whole)
      this.#fractionOfMicros(fraction, microsPerDay)
    }
    return true
  }

  /** A time of day takes the places of hours and all that is smaller. */
  addTime(sign: number, hour: string, minute: string, seconds: string): boolean {
    for (const unit of ['hour', 'minute', ...secondUnits]) {
      if (this.#seen.has(unit)) return false
      this.#seen.add(unit)
    }
    if (Number(minute) > 59 || Number(seconds) >= 61) return false
    const [whole, digits = ''] = seconds.split('.')
    const total = (BigInt(hour || 0) * 60n + BigInt(minute)) * 60n + BigInt(whole)
    const fraction = roundHalfEven(Number(`0.${digits}0`) * 1e6)
    this.micros += BigInt(sign) * (total * BigInt(microsPerSecond) + BigInt(fraction))
    return true
  }

  #fractionOfDays(fraction: number, scale: number): void {
    const scaled = fraction * scale
    const whole = Math.trunc(scaled)
    this.days += whole
    this.#fractionOfMicros(scaled - whole, microsPerDay)
  }

  #fractionOfMicros(fraction: number, scale: number): void {
    const scaled = fraction * scale
    const whole = Math.trunc(scaled)
    const rest = scaled - whole
    this.micros += BigInt(whole + (rest > 0.5 ? 1 : rest < -0.5 ? -1 : 0))
  }
}

const number = String.raw`[+-]?(?:\d+(?:\.\d+)?|\.\d+)`
const token = new RegExp(
  [
    String.raw`\s*(?:(?<shortSign>[+-]?)(?<shortMinute>\d+):(?<shortSecond>\d{1,2}\.\d*)`,
    String.raw`(?<sign>[+-]?)(?<hour>\d+):(?<minute>\d{1,2})(?::(?<second>\d{1,2}(?:\.\d*)?))?`,
    String.raw`(?<year>[+-]?\d+)-(?<month>\d+)(?![\d.])`,
    `(?<number>${number})(?:\\s*(?<unit>[a-z]+)(?![a-z\\d.+-]))?)`,
  ].join('|'),
  'iy',
)

/**
 * Reads `1 day 02:03:04`, `1 year 2 mons`, `-1.5 hours`, `@ 3 weeks ago`, `1-2`, `P1DT2H` and the like.
 * @returns null for other text and for values out of range
 */
export function parseInterval(text: string): Interval | null {
  const trimmed = text.trim()
  if (/^[+-]?P/.test(trimmed)) return parseIso(trimmed)
  const ago = /\sago$/i.test(trimmed)
  const body = trimmed.replace(/^@\s*/, '').replace(/\s+ago$/i, '')
  const sum = new Sum()
  let fields = 0
  token.lastIndex = 0
  while (token.lastIndex < body.length) {
    const at = token.lastIndex
    const match = token.exec(body)
    if (match === null || match[0] === '') return null
    if (at > 0 && !/^\s/.test(match[0])) return null
    if (!addField(sum, match, token.lastIndex === body.length, body.slice(token.lastIndex))) return null
    fields++
  }
  if (fields === 0) return null
  const sign = ago ? -1 : 1
  return makeInterval(sum.months * sign, sum.days * sign, ago ? -sum.micros : sum.micros)
}

function addField(sum: Sum, match: RegExpExecArray, last: boolean, rest: string): boolean {
  const { shortSign, shortMinute, shortSecond, sign, hour, minute, second, year, month, number, unit } = match.groups!
  if (shortMinute !== undefined) return sum.addTime(shortSign === '-' ? -1 : 1, '0', shortMinute, shortSecond)
  if (hour !== undefined) return sum.addTime(sign === '-' ? -1 : 1, hour, minute, second ?? '0')
  if (year !== undefined) {
    if (Number(month) > 11) return false
    return sum.add(year, 'year') && sum.add((year.startsWith('-') ? '-' : '') + month, 'month')
  }
  if (unit === undefined) {
    // A number alone counts days before a time of day, and seconds at the end.
    if (last) return sum.add(number, 'second')
    return /^\s+[+-]?\d+:\d+(?::[\d.]+)?$/.test(rest) && sum.add(number, 'day')
  }
  const known = unitByName.get(unit.toLowerCase())
  return known !== undefined && sum.add(number, known)
}

const isoText = new RegExp(
  `^P(?=.)(?:(N)Y)?(?:(N)M)?(?:(N)W)?(?:(N)D)?(?:T(?=.)(?:(N)H)?(?:(N)M)?(?:(N)S)?)?$`.replaceAll('N', number),
)
const isoUnits: readonly Unit[] = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second']

function parseIso(text: string): Interval | null {
  const match = isoText.exec(text)
  if (match === null) return null
  const sum = new Sum()
  isoUnits.forEach((unit, i) => {
    if (match[i + 1] !== undefined) sum.add(match[i + 1], unit)
  })
  return makeInterval(sum.months, sum.days, sum.micros)
}

/** Bytes of an encoded interval. */
export const intervalBytes = 20

const bias = 1n << 95n

/**
 * Bytes that compare like the interval: its length in microseconds (12 bytes), then months and days (4 each), all
 * big-endian and biased. Part of disk formats.
 */
export function encodeInterval(i: Interval): Uint8Array {
  const out = new Uint8Array(intervalBytes)
  const view = new DataView(out.buffer)
  const length = intervalLength(i) + bias
  view.setUint32(0, Number(length >> 64n))
  view.setBigUint64(4, BigInt.asUintN(64, length))
  view.setUint32(12, (i.months ^ 0x80000000) >>> 0)
  view.setUint32(16, (i.days ^ 0x80000000) >>> 0)
  return out
}

export function decodeInterval(u8: Uint8Array, start: number): Interval {
  const view = new DataView(u8.buffer, u8.byteOffset + start, intervalBytes)
  const length = ((BigInt(view.getUint32(0)) << 64n) | view.getBigUint64(4)) - bias
  const months = view.getUint32(12) ^ 0x80000000
  const days = view.getUint32(16) ^ 0x80000000
  return { months, days, micros: length - (BigInt(months) * 30n + BigInt(days)) * dayMicros }
}

/** The form that equal intervals share, such as 1 month and 30 days: as key of groups, joins and DISTINCT. */
export function intervalKeyBytes(i: Interval): Uint8Array {
  const length = intervalLength(i)
  const clamp = (n: bigint): bigint => (n > 2147483647n ? 2147483647n : n < -2147483648n ? -2147483648n : n)
  const months = clamp(length / (dayMicros * 30n))
  const days = clamp(length / dayMicros - months * 30n)
  const micros = length - (months * 30n + days) * dayMicros
  return encodeInterval({ months: Number(months), days: Number(days), micros })
}
