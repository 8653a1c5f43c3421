import { expect, it } from 'vitest'
import { SliceSize } from './slice-size.ts'

it('comes to about a millisecond a slice, whatever the engine makes of its bytes', () => {
  for (const bytesPerMs of [50_000, 200_000, 700_000]) {
    const size = new SliceSize()
    for (let i = 0; i < 20; i++) size.took(size.bytes / bytesPerMs)
    expect(size.bytes / bytesPerMs).toBeCloseTo(1, 3)
    // Somebody else had the processor: the next is small, and soon they are as large as before.
    size.took(40)
    expect(size.bytes).toBeLessThan(bytesPerMs / 4 + 32 * 1024)
    for (let i = 0; i < 20; i++) size.took(size.bytes / bytesPerMs)
    expect(size.bytes / bytesPerMs).toBeCloseTo(1, 3)
  }
})

it('is never too small to come to an end, nor larger than what may be on its way', () => {
  const size = new SliceSize()
  for (let i = 0; i < 20; i++) size.took(1000)
  expect(size.bytes).toBe(32 * 1024)
  for (let i = 0; i < 20; i++) size.took(0)
  expect(size.bytes).toBe(1024 * 1024)
})
