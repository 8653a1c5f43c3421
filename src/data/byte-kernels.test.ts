import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LinearMemory } from './memory.ts'

const memory = new LinearMemory(1 << 20)
const { kernels, u8, u32 } = memory
const start = memory.allocatePages(4)
const bytes = fc.uint8Array({ maxLength: 70 })
/** Few different bytes, so that strings are equal for a while. */
const similar = fc.array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 40 }).map((all) => Uint8Array.from(all))

describe('byte kernels', () => {
  it('copy what they are told, and nothing beside it', () => {
    fc.assert(
      fc.property(bytes, fc.nat(7), fc.nat(7), (content, from, to) => {
        u8.fill(0xee, start, start + 1000)
        u8.set(content, start + from)
        const target = start + 500 + to
        kernels.copyBytes(start + from, target, content.length)
        expect(u8.slice(target, target + content.length)).toEqual(content)
        expect([u8[target - 1], u8[target + content.length]]).toEqual([0xee, 0xee])
      }),
    )
  })

  it('compare as Buffer.compare does', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, similar), fc.oneof(bytes, similar), fc.nat(7), (a, b, shift) => {
        u8.set(a, start + shift)
        u8.set(b, start + 500)
        const found = kernels.compareBytes(start + shift, a.length, start + 500, b.length)
        expect(Math.sign(found)).toBe(Buffer.compare(a, b))
        const length = Math.min(a.length, b.length)
        const equal = kernels.equalBytes(start + shift, start + 500, length)
        expect(equal).toBe(Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0 ? 1 : 0)
      }),
      { numRuns: 2000 },
    )
  })

  it('compare long strings that differ in one byte', () => {
    for (let at = 0; at < 64; at++) {
      u8.fill(0x80, start, start + 64)
      u8.fill(0x80, start + 504, start + 568)
      u8[start + at] = 0xff
      expect(kernels.compareBytes(start, 64, start + 504, 64)).toBeGreaterThan(0)
      expect(kernels.compareBytes(start + 504, 64, start, 64)).toBeLessThan(0)
      expect(kernels.equalBytes(start, start + 504, 64)).toBe(0)
    }
  })

  it('pack strings in the order of their cells', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 20 }), (strings) => {
        const cells = start
        const heap = start + 1024
        let at = 5
        // The last lies first in the heap: nothing depends on how the source lies.
        for (let i = strings.length - 1; i >= 0; i--) {
          u8.set(strings[i], heap + at)
          u32[(cells >>> 2) + 2 * i] = at
          u32[(cells >>> 2) + 2 * i + 1] = strings[i].length
          at += strings[i].length
        }
        const out = start + 65536
        const end = kernels.packStrings(cells, heap, strings.length, out)
        let next = strings.length * 8
        strings.forEach((content, i) => {
          expect(u32[(out >>> 2) + 2 * i]).toBe(next)
          expect(u8.slice(out + next, out + next + content.length)).toEqual(content)
          next += content.length
        })
        expect(end).toBe(out + next)
      }),
    )
  })
})
