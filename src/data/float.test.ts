import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDouble, formatReal, parseDouble, parseReal } from './float.ts'

describe('double precision', () => {
  it.each([
    [0, '0'],
    [0.1, '0.1'],
    [-1.5, '-1.5'],
    [1e14, '100000000000000'],
    [1e15, '1e+15'],
    [1e20, '1e+20'],
    [1.5e-7, '1.5e-07'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [123456789012345680, '1.2345678901234568e+17'],
    [1e23, '9.999999999999999e+22'],
    [63951114722082816, '6.3951114722082816e+16'],
    [9007199254740992, '9.007199254740992e+15'],
    [2 ** 80, '1.2089258196146292e+24'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('%s prints as %s', (value, text) => {
    expect(formatDouble(value)).toBe(text)
  })

  it('reads what it prints', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(parseDouble(formatDouble(value))).toBe(value === 0 ? 0 : value)
      }),
    )
  })

  it.each(['', '1e400', '1e-400', '1,5', 'one', '0x10', '1 2', '-'])('refuses %j', (text) => {
    expect(parseDouble(text)).toBeNull()
  })

  it('reads the words', () => {
    expect(parseDouble(' inf ')).toBe(Number.POSITIVE_INFINITY)
    expect(parseDouble('NaN')).toBeNaN()
    expect(Object.is(parseDouble('-0'), 0)).toBe(true)
    expect(parseDouble('.5')).toBe(0.5)
  })
})

describe('real', () => {
  it.each([
    [0.1, '0.1'],
    [16777216, '1.6777216e+07'],
    [123456, '123456'],
    [1e6, '1e+06'],
    [3.4028235e38, '3.4028235e+38'],
    [1e-45, '1e-45'],
    [5.684342e-14, '5.684342e-14'],
    [249270.125, '249270.12'],
    [-249270.375, '-249270.38'],
  ])('%s prints as %s', (value, text) => {
    expect(formatReal(Math.fround(value))).toBe(text)
  })

  it('reads what it prints, in at most nine digits', () => {
    fc.assert(
      fc.property(fc.float(), (value) => {
        const text = formatReal(value)
        expect(parseReal(text)).toBe(value === 0 ? 0 : value)
        expect(text.replace(/e.*/, '').replace(/^-?0\.0*|[-.]/g, '').length).toBeLessThanOrEqual(9)
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses what no float can hold', () => {
    expect(parseReal('1e39')).toBeNull()
    expect(parseReal('1e-50')).toBeNull()
  })
})
