import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, LinearMemory } from '../data/memory.ts'
import { Watermark } from './watermark.ts'

interface Event {
  readonly time: bigint | null
  readonly deleted: boolean
}

/** What a batch is told, event by event, in exact arithmetic. */
function expected(events: readonly Event[], lateness: bigint) {
  let greatest: bigint | null = null
  return events.map(({ time, deleted }) => {
    const before: bigint | null = greatest === null ? null : greatest - lateness
    if (time === null || deleted) return { late: false, before: null, greatest }
    if (greatest === null || time > greatest) greatest = time
    return { late: before !== null && time < before, before, greatest }
  })
}

const edge = 2n ** 52n
const times = fc.oneof(
  fc.bigInt({ min: 1_700_000_000_000_000n, max: 1_700_000_000_000_900n }),
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.bigInt({ min: edge - 500n, max: edge + 500n }),
  fc.bigInt({ min: -edge - 500n, max: -edge + 500n }),
  fc.constant(2n ** 63n - 1n),
)
const events = fc.array(fc.record({ time: fc.option(times, { freq: 8 }), deleted: fc.boolean() }), { maxLength: 60 })

describe('a watermark', () => {
  it('tells each event’s lateness as exact arithmetic does, however events are cut into batches', () => {
    const memory = new LinearMemory(1 << 22)
    const arena = new Arena(memory)
    fc.assert(
      fc.property(
        fc.array(events, { maxLength: 4 }),
        fc.bigInt({ min: 0n, max: 700n }),
        fc.boolean(),
        fc.boolean(),
        (batches, lateness, withDeletes, asked) => {
          arena.reset()
          const all = batches.flat().map(({ time, deleted }) => ({ time, deleted: deleted && withDeletes }))
          const wanted = expected(all, lateness)
          const watermark = new Watermark(lateness)
          let at = 0
          for (const { length: rows } of batches) {
            const data = arena.allocateZeroed(rows * 8)
            const state = all.slice(at, at + rows).some(({ time }) => time === null) ? arena.allocateZeroed(rows) : 0
            const operations = withDeletes ? arena.allocateZeroed(rows * 4) : 0
            const flags = asked ? arena.allocateZeroed(rows) : 0
            const watermarks = asked ? arena.allocateZeroed(rows * 8) : 0
            for (let i = 0; i < rows; i++) {
              const { time, deleted } = all[at + i]
              if (time === null) memory.u8[state + i] = 1
              else memory.i64[data / 8 + i] = time
              if (operations !== 0 && deleted) memory.i32[(operations >>> 2) + i] = 1
            }
            const late = watermark.pass(
              { memory, time: { lane: 'i64', data, state, heap: 0 }, rows, operations },
              { memory, flags, watermarks },
            )
            expect(late).toBe(wanted.slice(at, at + rows).filter((event) => event.late).length)
            for (let i = 0; asked && i < rows; i++) {
              expect(memory.u8[flags + i] === 1).toBe(wanted[at + i].late)
              expect(memory.i64[watermarks / 8 + i]).toBe(wanted[at + i].before ?? 0n)
            }
            at += rows
            expect(watermark.greatest).toBe(at === 0 ? null : wanted[at - 1].greatest)
          }
        },
      ),
    )
  })
})
