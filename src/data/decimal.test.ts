import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  absoluteDecimal,
  addDecimal,
  ceilingDecimal,
  compareDecimal,
  type Decimal,
  decimalFromDouble,
  decimalFromReal,
  decimalToDouble,
  divideDecimal,
  fitDecimal,
  floorDecimal,
  formatDecimal,
  makeDecimal,
  moduloDecimal,
  multiplyDecimal,
  negateDecimal,
  parseDecimal,
  roundDecimal,
  subtractDecimal,
  truncateDecimal,
} from './decimal.ts'
import { decimalKeyBytes, decodeDecimal, encodeDecimal, readSmallDecimal, writeSmallDecimal } from './decimal-bytes.ts'

const d = (text: string): Decimal => parseDecimal(text)!
const show = (value: Decimal | null): string | null => (value === null ? null : formatDecimal(value))

const anyDecimal = fc
  .oneof(
    { weight: 4, arbitrary: fc.tuple(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), fc.nat(12)) },
    { weight: 2, arbitrary: fc.tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.nat(60)) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(0n, 1n, -1n, 10n ** 50n, 9007199254740991n), fc.nat(400)) },
  )
  .map(([coefficient, scale]) => makeDecimal(coefficient, scale))

describe('reading and printing', () => {
  it.each([
    ['1', '1'],
    [' -1.50 ', '-1.50'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e3', '1000'],
    ['1.5e3', '1500'],
    ['1.2345e2', '123.45'],
    ['12e-3', '0.012'],
    ['-0', '0'],
    ['-0.00', '0.00'],
    ['0e-5', '0.00000'],
    ['1_000.5', '1000.5'],
    ['0xff', '255'],
    ['nan', 'NaN'],
    ['-inf', '-Infinity'],
    ['+Infinity', 'Infinity'],
  ])('%s reads as %s', (text, printed) => {
    expect(show(parseDecimal(text))).toBe(printed)
  })

  it.each(['', '.', 'e5', '1e', '1 2', '1__0', '_1', '--1', '1e200000', '1e-20000', 'infin', '0x'])(
    'refuses %j',
    (text) => {
      expect(parseDecimal(text)).toBeNull()
    },
  )

  it('prints what it reads', () => {
    fc.assert(
      fc.property(anyDecimal, (value) => {
        expect(d(formatDecimal(value))).toEqual(value)
      }),
    )
  })
})

describe('arithmetic has the scales of PostgreSQL', () => {
  it.each([
    ['1', '3', '0.33333333333333333333'],
    ['10', '3', '3.3333333333333333'],
    ['2', '3', '0.66666666666666666667'],
    ['1', '7000', '0.00014285714285714286'],
    ['123456', '0.007', '17636571.428571428571'],
    ['-1', '3', '-0.33333333333333333333'],
    ['0', '5', '0.00000000000000000000'],
    ['1.50', '1.5', '1.00000000000000000000'],
    ['Infinity', '2', 'Infinity'],
    ['1', 'Infinity', '0'],
    ['NaN', '0', 'NaN'],
  ])('%s / %s = %s', (a, b, quotient) => {
    expect(show(divideDecimal(d(a), d(b)))).toBe(quotient)
  })

  it('adds, multiplies and takes remainders', () => {
    expect(show(addDecimal(d('1.50'), d('2')))).toBe('3.50')
    expect(show(subtractDecimal(d('1.5'), d('2.25')))).toBe('-0.75')
    expect(show(multiplyDecimal(d('1.50'), d('0.1')))).toBe('0.150')
    expect(show(moduloDecimal(d('-7.5'), d('2')))).toBe('-1.5')
    expect(show(moduloDecimal(d('7'), d('0.30')))).toBe('0.10')
    expect(show(subtractDecimal(d('inf'), d('inf')))).toBe('NaN')
    expect(divideDecimal(d('1'), d('0.0'))).toBeNull()
    expect(moduloDecimal(d('1'), d('0'))).toBeNull()
  })

  it('rounds half away from zero', () => {
    expect(show(roundDecimal(d('2.5'), 0))).toBe('3')
    expect(show(roundDecimal(d('-2.5'), 0))).toBe('-3')
    expect(show(roundDecimal(d('1.005'), 2))).toBe('1.01')
    expect(show(roundDecimal(d('1234.5'), -2))).toBe('1200')
    expect(show(roundDecimal(d('50'), -2))).toBe('100')
    expect(show(roundDecimal(d('5'), -3))).toBe('0')
    expect(show(roundDecimal(d('1.5'), 4))).toBe('1.5000')
    expect(show(truncateDecimal(d('-2.59'), 1))).toBe('-2.5')
    expect(show(floorDecimal(d('-2.1')))).toBe('-3')
    expect(show(ceilingDecimal(d('2.1')))).toBe('3')
    expect(show(ceilingDecimal(d('-0.5')))).toBe('0')
  })

  it('fits into a precision and scale', () => {
    expect(show(fitDecimal(d('999.994'), 5, 2))).toBe('999.99')
    expect(fitDecimal(d('999.995'), 5, 2)).toBeNull()
    expect(show(fitDecimal(d('1'), 5, 2))).toBe('1.00')
    expect(fitDecimal(d('NaN'), 5, 2)).toBeNull()
  })

  it('orders NaN last', () => {
    expect(compareDecimal(d('NaN'), d('Infinity'))).toBe(1)
    expect(compareDecimal(d('NaN'), d('NaN'))).toBe(0)
    expect(compareDecimal(d('-inf'), d('-1e100'))).toBe(-1)
    expect(show(absoluteDecimal(d('-inf')))).toBe('Infinity')
    expect(show(negateDecimal(d('NaN')))).toBe('NaN')
  })

  it('comes from doubles as PostgreSQL prints them', () => {
    expect(show(decimalFromDouble(0.1))).toBe('0.1')
    expect(show(decimalFromDouble(100))).toBe('100')
    expect(show(decimalFromDouble(1e20))).toBe('100000000000000000000')
    expect(show(decimalFromDouble(123456789.12345679))).toBe('123456789.123457')
    expect(show(decimalFromReal(Math.fround(3.14159274)))).toBe('3.14159')
    expect(decimalToDouble(d('0.1'))).toBe(0.1)
  })

  it('keeps quotient × divisor + remainder', () => {
    fc.assert(
      fc.property(anyDecimal, anyDecimal, (a, b) => {
        if (b.coefficient === 0n) return
        const remainder = moduloDecimal(a, b)!
        const quotient = divideDecimal(subtractDecimal(a, remainder), b)!
        expect(compareDecimal(absoluteDecimal(remainder), absoluteDecimal(b))).toBe(-1)
        if (quotient.scale < 1000) expect(compareDecimal(roundDecimal(quotient, 0), quotient)).toBe(0)
      }),
    )
  })
})

describe('bytes', () => {
  const specials = ['NaN', 'Infinity', '-Infinity'].map(d)
  const mixed = fc.oneof({ weight: 9, arbitrary: anyDecimal }, { weight: 1, arbitrary: fc.constantFrom(...specials) })

  it('come back as the same value and scale, inside other bytes', () => {
    fc.assert(
      fc.property(mixed, (value) => {
        const bytes = encodeDecimal(value)
        expect(decodeDecimal(Uint8Array.of(1, 2, ...bytes, 0, 9), 2, bytes.length)).toEqual(value)
      }),
    )
  })

  it('compare as the values do', () => {
    fc.assert(
      fc.property(mixed, mixed, (a, b) => {
        const order = compareDecimal(a, b)
        if (order !== 0) expect(Math.sign(Buffer.compare(encodeDecimal(a), encodeDecimal(b)))).toBe(order)
        else expect(Buffer.compare(decimalKeyBytes(a), decimalKeyBytes(b))).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })

  it('compare as the values do where the values are close', () => {
    const close = fc.tuple(fc.integer({ min: -120, max: 120 }), fc.nat(3)).map(([c, s]) => makeDecimal(BigInt(c), s))
    fc.assert(
      fc.property(close, close, (a, b) => {
        const order = compareDecimal(a, b) || Math.sign(a.scale - b.scale)
        expect(Math.sign(Buffer.compare(encodeDecimal(a), encodeDecimal(b)))).toBe(order)
      }),
      { numRuns: 2000 },
    )
  })

  it('have one form for equal values', () => {
    expect(decimalKeyBytes(d('1.50'))).toEqual(decimalKeyBytes(d('1.5')))
    expect(decimalKeyBytes(d('100'))).toEqual(decimalKeyBytes(d('100.000')))
    expect(encodeDecimal(d('1.50'))).not.toEqual(encodeDecimal(d('1.5')))
  })

  it('are written and read from safe integers alike', () => {
    const safe = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(0, 999999999999999, 9007199254740991))
    fc.assert(
      fc.property(safe, fc.nat(300), (n, scale) => {
        const out = new Uint8Array(32)
        const length = writeSmallDecimal(out, 3, n, scale) - 3
        expect(decodeDecimal(out, 3, length)).toEqual(makeDecimal(BigInt(n), scale))
        const read = readSmallDecimal(out, 3, length, scale)
        if (scale <= 30) expect(read).toBe(n)
        expect(readSmallDecimal(out, 3, length, scale + 1)).toBeNaN()
      }),
      { numRuns: 2000 },
    )
  })

  it('of a wide value are no small one', () => {
    const bytes = encodeDecimal(d('9007199254740992.00'))
    expect(readSmallDecimal(bytes, 0, bytes.length, 2)).toBeNaN()
  })
})
