import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, LinearMemory } from '../data/memory.ts'
import { Heap } from '../state/heap.ts'
import type { Step } from './operator.ts'
import { Windows } from './windows.ts'

const edge = 2n ** 52n
const times = fc.array(
  fc.option(
    fc.oneof(
      fc.bigInt({ min: -100n, max: 100n }),
      fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }),
      fc.bigInt({ min: edge - 30n, max: edge + 30n }),
      fc.bigInt({ min: -edge - 30n, max: -edge + 30n }),
    ),
    { nil: null, freq: 12 },
  ),
  { minLength: 1, maxLength: 60 },
)

function stepOf(arena: Arena): Step {
  const { memory } = arena
  return { memory, arena, heap: new Heap(memory), epoch: 2, tick: 1, nowMicros: 0n, meter: null, slot: 0 }
}

describe('windows', () => {
  it('are all that hold a time, latest first, and panes name what lies in the same ones', () => {
    const arena = new Arena(new LinearMemory(16 * 1024 * 1024))
    const step = stepOf(arena)
    const { memory } = step
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 }), (all, slide, count) => {
        const mark = arena.mark()
        const [slideMicros, size] = [BigInt(slide), BigInt(slide * count)]
        const data = arena.allocateZeroed(all.length * 8)
        const state = arena.allocateZeroed(all.length)
        all.forEach((t, i) => {
          memory.u8[state + i] = t === null ? 1 : 0
          memory.i64[data / 8 + i] = t ?? 0n
        })
        const column = { lane: 'i64' as const, data, state: all.includes(null) ? state : 0, heap: 0 }
        const windows = new Windows(slideMicros, size)
        const from = Math.min(1, all.length - 1)
        const found = windows.of(step, column, from, all.length - from)
        const listed = Array.from({ length: found.rows }, (_, n) => [
          memory.u32[(found.list >>> 2) + n],
          memory.i64[found.start / 8 + n],
          memory.i64[found.end / 8 + n],
        ])
        const expected = all.flatMap((t, i) => {
          if (t === null || i < from) return []
          const latest = t - (((t % slideMicros) + slideMicros) % slideMicros)
          return Array.from({ length: count }, (_, k) => latest - BigInt(k) * slideMicros).map((start) => [
            i,
            start,
            start + size,
          ])
        })
        expect(listed).toEqual(expected)
        const panes = windows.panes(step, column, all.length)
        all.forEach((t, i) => {
          if (t === null) return
          const pane = memory.i64[panes.data / 8 + i]
          const far = t > edge || t < -edge
          expect(pane).toBe(far ? t : t - (((t % slideMicros) + slideMicros) % slideMicros))
        })
        arena.release(mark)
      }),
    )
  })
})
