import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareInterval,
  decodeInterval,
  encodeInterval,
  formatInterval,
  type Interval,
  intervalKeyBytes,
  parseInterval,
} from './interval.ts'

const int32 = fc.integer({ min: -2147483648, max: 2147483647 })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const wide = fc.record<Interval>({ months: int32, days: int32, micros: int64 })
const near = fc.record<Interval>({
  months: fc.integer({ min: -3, max: 3 }),
  days: fc.integer({ min: -90, max: 90 }),
  micros: fc.integer({ min: -3, max: 3 }).map((days) => BigInt(days) * 86_400_000_000n),
})
const anyInterval = fc.oneof(wide, near)

describe('reading', () => {
  it.each([
    ['1 hour', '01:00:00'],
    ['4 seconds', '00:00:04'],
    ['5', '00:00:05'],
    ['1 day 02:03:04', '1 day 02:03:04'],
    ['1 02:03:04', '1 day 02:03:04'],
    ['-1 02:03:04', '-1 days +02:03:04'],
    ['1 day -02:03', '1 day -02:03:00'],
    ['P1DT2H', '1 day 02:00:00'],
    ['P1Y2M3W4DT5H6M7.5S', '1 year 2 mons 25 days 05:06:07.5'],
    ['PT-1.5H', '-01:30:00'],
    ['1 year 2 mons', '1 year 2 mons'],
    ['1-2', '1 year 2 mons'],
    ['-1-2', '-1 years -2 mons'],
    ['-1 day', '-1 days'],
    ['1.5 hours', '01:30:00'],
    ['1.5 days', '1 day 12:00:00'],
    ['1.5 months', '1 mon 15 days'],
    ['1.5 years', '1 year 6 mons'],
    ['0.5 weeks', '3 days 12:00:00'],
    ['-0.5 days', '-12:00:00'],
    ['@ 3 weeks 2 days ago', '-23 days'],
    ['1y 2mon 3d 4h 5m 6s', '1 year 2 mons 3 days 04:05:06'],
    ['500 ms', '00:00:00.5'],
    ['1.0000005 s', '00:00:01'],
    ['100:00:00', '100:00:00'],
    ['02:03.5', '00:02:03.5'],
    ['1 century', '100 years'],
    ['-1 mon +1 day', '-1 mons +1 day'],
    ['0', '00:00:00'],
  ])('%s is %s', (text, printed) => {
    expect(formatInterval(parseInterval(text)!)).toBe(printed)
  })

  it.each([
    '',
    'hour',
    '1 parsec',
    '1 day 2 days',
    '1 hour 02:03',
    '1:60',
    'P',
    'PT',
    'P1H',
    '3000000000 days',
    '1 2',
    'infinity',
    '1 day,',
    '1year2mons',
    '9.hours',
    '5 ms 01:02',
    '1.5 s 3 ms',
    'ago',
  ])('refuses %j', (text) => {
    expect(parseInterval(text)).toBeNull()
  })

  it('reads what it prints', () => {
    fc.assert(
      fc.property(anyInterval, (i) => {
        expect(parseInterval(formatInterval(i))).toEqual(i)
      }),
    )
  })
})

describe('bytes', () => {
  it('come back', () => {
    fc.assert(
      fc.property(anyInterval, (i) => {
        const bytes = encodeInterval(i)
        expect(decodeInterval(Uint8Array.of(9, 9, ...bytes, 9), 2)).toEqual(i)
        expect(compareInterval(decodeInterval(intervalKeyBytes(i), 0), i)).toBe(0)
      }),
    )
  })

  it('compare as the intervals do, and equal ones share one key', () => {
    fc.assert(
      fc.property(anyInterval, anyInterval, (a, b) => {
        const order = compareInterval(a, b)
        if (order !== 0) expect(Math.sign(Buffer.compare(encodeInterval(a), encodeInterval(b)))).toBe(order)
        expect(Math.sign(Buffer.compare(intervalKeyBytes(a), intervalKeyBytes(b)))).toBe(order)
      }),
      { numRuns: 1000 },
    )
  })

  it('of a month and of thirty days are one key', () => {
    const [month, days] = ['1 month', '30 days'].map((text) => parseInterval(text)!)
    expect(intervalKeyBytes(month)).toEqual(intervalKeyBytes(days))
    expect(encodeInterval(month)).not.toEqual(encodeInterval(days))
  })
})
