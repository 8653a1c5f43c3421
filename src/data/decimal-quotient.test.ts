import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { divideDecimal, encodeDecimal, makeDecimal } from './decimal.ts'
import { quotientBytesMax, writeQuotient } from './decimal-quotient.ts'

function quotient(sum: number, scale: number, count: number): Uint8Array | null {
  const out = new Uint8Array(quotientBytesMax + 1)
  const end = writeQuotient(out, 1, sum, scale, count)
  return end < 0 ? null : out.slice(1, end)
}

function expected(sum: number, scale: number, count: number): Uint8Array {
  const value = divideDecimal(makeDecimal(BigInt(sum), scale), makeDecimal(BigInt(count), 0))
  return value === null ? new Uint8Array() : encodeDecimal(value)
}

/** Values of every length, and those beside powers of ten. */
const integers = fc.oneof(
  fc.integer({ min: -100000, max: 100000 }),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: -3, max: 3 })).map(([power, d]) => 10 ** power + d),
  fc.tuple(fc.integer({ min: 0, max: 53 }), fc.integer({ min: -1, max: 1 })).map(([power, d]) => 2 ** power - 2 + d),
)

describe('the quotient of safe integers', () => {
  it('has the bytes of the wide division', () => {
    fc.assert(
      fc.property(integers, fc.integer({ min: 0, max: 18 }), integers, (sum, scale, by) => {
        const count = Math.max(1, Math.abs(by))
        const bytes = quotient(sum, scale, count)
        if (bytes === null) expect(count > 9e11 || scale > 6).toBe(true)
        else expect([...bytes]).toEqual([...expected(sum, scale, count)])
      }),
      { numRuns: 20000 },
    )
  })

  it('rounds half away from zero, and carries into a new digit', () => {
    for (const [sum, scale, count] of [
      [1, 0, 3],
      [-2, 0, 3],
      [99999, 0, 100000],
      [2 ** 53 - 1, 0, 1],
      [2 ** 53 - 1, 0, 2],
      [-(2 ** 53) + 2, 18, 7],
      [0, 4, 9],
      [9006999999999999, 0, 9007],
    ]) {
      expect([...(quotient(sum, scale, count) ?? [])]).toEqual([...expected(sum, scale, count)])
    }
  })

  it('leaves divisors that doubles are too narrow for', () => {
    expect(quotient(1, 0, 2 ** 52)).toBeNull()
  })
})
