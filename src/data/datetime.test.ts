import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  civilFromDays,
  daysFromCivil,
  formatDate,
  formatTime,
  formatTimestamp,
  maxDate,
  maxTimestamp,
  minDate,
  minTimestamp,
  parseDate,
  parseTime,
  parseTimestamp,
  parseTimestampBytes,
  parseTimestamptz,
} from './datetime.ts'

const micros = fc.bigInt({ min: minTimestamp, max: maxTimestamp })
const nearMicros = fc.bigInt({ min: -9007199254740991n, max: 9007199254740991n })

describe('the calendar', () => {
  it('agrees with JavaScript and with itself', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
        const { year, month, day } = civilFromDays(days)
        const date = new Date(days * 86_400_000)
        expect([year, month, day]).toEqual([date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()])
        expect(daysFromCivil(year, month, day)).toBe(days)
      }),
    )
  })

  it('has the limits of PostgreSQL', () => {
    expect(formatDate(minDate)).toBe('4714-11-24 BC')
    expect(formatDate(maxDate)).toBe('5874897-12-31')
    expect(parseDate('4714-11-23 BC')).toBeNull()
    expect(parseDate('5874898-01-01')).toBeNull()
    expect(formatTimestamp(minTimestamp, ' ')).toBe('4714-11-24 00:00:00 BC')
    expect(formatTimestamp(maxTimestamp, ' ')).toBe('294247-01-10 04:00:54.775807')
    expect(parseTimestamp('294247-01-10 04:00:54.775808')).toBeNull()
  })
})

describe('reading', () => {
  it.each([
    ['2026-11-21 10:00:00.123456', '2026-11-21 10:00:00.123456'],
    ['2026-11-21T10:00:00Z', '2026-11-21 10:00:00'],
    ['2026-11-21t10:00:00 utc', '2026-11-21 10:00:00'],
    ['2026-1-2 3:4', '2026-01-02 03:04:00'],
    ['  2026-11-21  ', '2026-11-21 00:00:00'],
    ['20261121', '2026-11-21 00:00:00'],
    ['2026-11-21 24:00:00', '2026-11-22 00:00:00'],
    ['2026-11-21 23:59:60', '2026-11-22 00:00:00'],
    ['2026-11-21 10:00:00.1234565', '2026-11-21 10:00:00.123456'],
    ['2026-11-21 10:00:00.9999999', '2026-11-21 10:00:01'],
    ['0044-03-15 12:00 BC', '0044-03-15 12:00:00 BC'],
    ['epoch', '1970-01-01 00:00:00'],
    ['1600-02-29', '1600-02-29 00:00:00'],
  ])('%s is the timestamp %s', (text, printed) => {
    expect(formatTimestamp(parseTimestamp(text)!, ' ')).toBe(printed)
  })

  it.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-01',
    '0000-01-01',
    '2026-11-21 25:00',
    '2026-11-21 24:00:01',
    '2026-11-21 10:60',
    '2026-11-21 10:00:61',
    '2026-11-21 10:00+02',
    'infinity',
    '-infinity',
    'now',
    '',
    '26-11-21',
    '2026-11-21 10:00 PST',
  ])('%j is no timestamp', (text) => {
    expect(parseTimestamp(text)).toBeNull()
  })

  it.each([
    ['2026-11-21 10:00:00+02', '2026-11-21 08:00:00'],
    ['2026-11-21T10:00:00-05:30', '2026-11-21 15:30:00'],
    ['2026-11-21 10:00:00 +0230', '2026-11-21 07:30:00'],
    ['2026-11-21 10:00:00', '2026-11-21 10:00:00'],
    ['2026-11-21 10:00:00Z', '2026-11-21 10:00:00'],
  ])('%s is the instant %s', (text, printed) => {
    expect(formatTimestamp(parseTimestamptz(text)!, ' ')).toBe(printed)
  })

  it('refuses offsets that no place has', () => {
    expect(parseTimestamptz('2026-11-21 10:00:00+16')).toBeNull()
    expect(parseTimestamptz('2026-11-21 10:00:00+01:60')).toBeNull()
  })

  it('takes times and dates', () => {
    expect(parseTime('10:00')).toBe(36_000_000_000n)
    expect(parseTime('24:00:00')).toBe(86_400_000_000n)
    expect(parseTime('24:00:00.1')).toBeNull()
    expect(parseTime('10')).toBeNull()
    expect(parseDate('1970-01-02')).toBe(1)
    expect(parseDate('1970-01-02 23:00:00')).toBe(1)
    expect(parseDate('epoch')).toBe(0)
  })
})

describe('printing', () => {
  it('leaves out zeros behind the second', () => {
    expect(formatTime(0)).toBe('00:00:00')
    expect(formatTime(86_400_000_000n)).toBe('24:00:00')
    expect(formatTime(1_500_000n)).toBe('00:00:01.5')
    expect(formatTimestamp(-1n, 'T', '+00:00')).toBe('1969-12-31T23:59:59.999999+00:00')
  })

  it('is read back', () => {
    fc.assert(
      fc.property(fc.oneof(micros, nearMicros), (value) => {
        expect(parseTimestamp(formatTimestamp(value, ' '))).toBe(value)
        expect(parseTimestamptz(formatTimestamp(value, 'T', '+00:00'))).toBe(value)
      }),
    )
  })
})

describe('reading from bytes', () => {
  const read = (text: string): number => {
    const bytes = new TextEncoder().encode(`"${text}"`)
    return parseTimestampBytes(bytes, 1, bytes.length - 1)
  }

  it('agrees with reading from text, or declines', () => {
    fc.assert(
      fc.property(nearMicros, fc.constantFrom<' ' | 'T'>(' ', 'T'), fc.constantFrom('', 'Z'), (value, sep, zone) => {
        const fast = read(formatTimestamp(value, sep, zone))
        if (value > -8_500_000_000_000_000n) expect(fast).toBe(Number(value))
        else expect(Number.isNaN(fast) || fast === Number(value)).toBe(true)
      }),
    )
  })

  it.each([
    '2026-02-29 10:00:00',
    '2026-11-21 24:00:00',
    '2026-11-21 10:00:00.',
    '2026-11-21 1x:00:00',
    '2026-11-21',
    '2026-11-21 10:00:00+02',
  ])('declines %j', (text) => {
    expect(read(text)).toBeNaN()
  })
})
