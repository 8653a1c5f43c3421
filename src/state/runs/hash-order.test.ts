import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstNotBelow, firstNotBelowEven, orderOfHashes } from './hash-order.ts'

const even = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
/** Of 64 bits, with one word that hardly differs, or of a few bits. */
const hashes = fc.oneof(
  fc.array(even, { maxLength: 300 }),
  fc.array(
    fc.tuple(fc.nat(3), fc.nat(0xffffffff)).map(([high, low]) => (BigInt(high) << 62n) | BigInt(low)),
    { minLength: 40, maxLength: 3000 },
  ),
  fc.array(
    fc.tuple(fc.nat(0xffffffff), fc.nat(3)).map(([high, low]) => (BigInt(high) << 32n) | BigInt(low)),
    { maxLength: 3000 },
  ),
  fc.array(fc.bigInt({ min: 0n, max: 7n }), { maxLength: 200 }),
)

const cellsOf = (values: readonly bigint[]): Uint32Array => new Uint32Array(BigUint64Array.of(77n, ...values).buffer)

function expectOrder(values: readonly bigint[]): void {
  const rows = values.map((_, i) => i)
  rows.sort((a, b) => (values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : a - b))
  expect([...orderOfHashes(cellsOf(values), 2, values.length)]).toEqual(rows)
}

describe('the order of hashes', () => {
  it('is that of unsigned numbers, equal ones in the order of their rows', () => {
    fc.assert(fc.property(hashes, expectOrder))
  })

  it('is found for many, even or not', () => {
    for (const multiplier of [0x9e3779b97f4a7c15n, 3n, 1n << 40n]) {
      const many = Array.from({ length: 40_000 }, (_, i) => BigInt.asUintN(64, BigInt(i ^ 12_345) * multiplier))
      expectOrder(many)
    }
  })
})

it('the first that is not below a hash is found from the front', () => {
  fc.assert(
    fc.property(hashes, even, fc.nat(50), (values, hash, from) => {
      const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      for (const wanted of [hash, sorted[from] ?? 0n]) {
        const found = sorted.findIndex((value, i) => i >= from && value >= wanted)
        const high = Number(wanted >> 32n)
        const low = Number(wanted & 0xffffffffn)
        const start = Math.min(from, sorted.length)
        const expected = found < 0 ? sorted.length : found
        expect(firstNotBelow(cellsOf(sorted), 2, start, sorted.length, high, low)).toBe(expected)
        expect(firstNotBelowEven(cellsOf(sorted), 2, start, sorted.length, high, low)).toBe(expected)
      }
    }),
  )
})
