import { describe, expect, it } from 'vitest'
import { SlicePace } from './slice-pace.ts'

/** Steps of a slice of 1 ms on a machine that makes so many bytes a millisecond. @returns how long it took */
function slice(pace: SlicePace, bytesPerMs: number, waitMs = 0): { ms: number; steps: number } {
  let ms = 0
  let steps = 0
  while (ms < 1) {
    const bytes = pace.stepBytes(1 - ms)
    const took = bytes / bytesPerMs + (steps === 0 ? waitMs : 0)
    pace.took(bytes, bytes, took)
    ms += took
    steps++
  }
  return { ms, steps }
}

describe('the pace of a capture', () => {
  it('ends slices about when they should, whatever the machine makes', () => {
    for (const bytesPerMs of [20_000, 60_000, 150_000, 400_000]) {
      const pace = new SlicePace()
      for (let i = 0; i < 20; i++) {
        const { ms, steps } = slice(pace, bytesPerMs)
        expect(ms).toBeLessThan(1.3)
        expect(steps).toBeLessThan(40)
      }
    }
  })

  it('slows down soon where what comes next takes longer', () => {
    const pace = new SlicePace()
    for (let i = 0; i < 5; i++) slice(pace, 500_000)
    const slower = Array.from({ length: 12 }, () => slice(pace, 25_000).ms)
    expect(slower[0]).toBeLessThan(11)
    expect(slower.at(-1)).toBeLessThan(1.3)
  })

  it('does not take waiting for slowness', () => {
    const pace = new SlicePace()
    for (let i = 0; i < 5; i++) slice(pace, 200_000)
    const before = pace.stepBytes(1)
    slice(pace, 200_000, 50)
    expect(pace.stepBytes(1)).toBeGreaterThan(before / 2)
  })

  it('learns nothing from what was hardly anything', () => {
    const pace = new SlicePace()
    const before = pace.stepBytes(1)
    pace.took(60_000, 100, 0.01)
    expect(pace.stepBytes(1)).toBe(before)
  })
})
