import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32, tableCrc32 } from './crc32.ts'

const text = new TextEncoder()

it('is the well-known CRC-32', () => {
  for (const sum of [crc32, tableCrc32]) {
    expect(sum(text.encode('123456789'))).toBe(0xcbf43926)
    expect(sum(new Uint8Array(0))).toBe(0)
  }
})

it('is the same from tables, and when it is continued', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
      const whole = crc32(bytes)
      expect(tableCrc32(bytes)).toBe(whole)
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(whole)
      expect(tableCrc32(bytes.subarray(cut), tableCrc32(bytes.subarray(0, cut)))).toBe(whole)
    }),
  )
})
