import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deltaBlock } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { openPage, type Page } from './page.ts'
import { RetainedChanges } from './retained.ts'

const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
]

/** A change as text: its rows in order, with their weights. */
function textOf(pages: readonly Page[]): string[] {
  return pages.flatMap(({ memory, columns: [a, b], rows, weights }) =>
    Array.from({ length: rows }, (_, row) => {
      const number = a.state !== 0 && memory.u8[a.state + row] === 1 ? 'NULL' : memory.i32[a.data / 4 + row]
      const at = b.data / 4 + row * 2
      const start = b.heap + memory.u32[at]
      const text = new TextDecoder().decode(memory.u8.slice(start, start + memory.u32[at + 1]))
      return `${number} ${text} ${weights === null ? 1 : weights[row]}`
    }),
  )
}

interface Change {
  readonly tick: number
  readonly rows: readonly string[]
  readonly errors: number
}

const numbered = (tick: number, count: number): { row: [number | null, string]; weight: number }[] =>
  Array.from({ length: count }, (_, i) => ({
    row: [(tick + i) % 7 === 0 ? null : tick, 'x'.repeat((tick * 3 + i) % 40)],
    weight: (tick + i) % 3 === 0 ? -2 : 1,
  }))

describe('retained changes', () => {
  it('tell what changed after any tick, packed or not, and no more than is kept', () => {
    // A tick's number of rows: mostly few, some none at all (errors only), some as large as a pack or larger.
    const rowsOf = fc.oneof(
      { arbitrary: fc.integer({ min: 0, max: 3 }), weight: 60 },
      { arbitrary: fc.integer({ min: 100, max: 3000 }), weight: 1 },
    )
    fc.assert(
      fc.property(
        fc.array(rowsOf, { minLength: 1, maxLength: 900, size: 'max' }),
        fc.constantFrom(null, 40n, 300n),
        fc.constantFrom(1e4, 2e5, 1e9),
        (counts, micros, bytes) => {
          const retained = new RetainedChanges(schema, { micros, bytes })
          const model: Change[] = []
          counts.forEach((count, i) => {
            const tick = 2 * i + 1
            const changes = numbered(tick, count)
            const pages = count === 0 ? [] : [openPage(deltaBlock(schema, changes), schema)]
            retained.add({ tick, timeMicros: BigInt(i), pages, rows: changes.length, errors: count === 0 ? 1 : 0 })
            model.push({ tick, rows: textOf(pages), errors: count === 0 ? 1 : 0 })
          })
          expect(retained.bytes).toBeLessThanOrEqual(bytes)
          const { expiredTick } = retained
          // By time alone nothing goes: so little is kept in any case.
          if (bytes === 1e9) expect(expiredTick).toBe(0)
          for (let tick = 0; tick <= 2 * counts.length; tick += 1 + (tick % 37)) {
            const since = retained.since(tick)
            const next = retained.next(tick)
            if (tick < expiredTick) {
              expect([since, next]).toEqual([null, null])
              continue
            }
            const later = model.filter((change) => change.tick > tick)
            expect(since).toMatchObject({
              ticks: later.length,
              rows: later.reduce((sum, { rows }) => sum + rows.length, 0),
              errors: later.reduce((sum, { errors }) => sum + errors, 0),
            })
            expect(textOf(since!.pages)).toEqual(later.flatMap(({ rows }) => rows))
            expect(next?.tick).toBe(later[0]?.tick)
            if (next) expect(textOf(next.pages)).toEqual(later[0].rows)
          }
        },
      ),
      // A smaller case of hundreds of ticks takes long to find and tells no more.
      { numRuns: 10, endOnFailure: true },
    )
  })

  it('go by time once they are more than is kept in any case', () => {
    const retained = new RetainedChanges(schema, { micros: 1000n, bytes: 1e9 })
    const page = openPage(deltaBlock(schema, numbered(1, 16_000)), schema)
    for (let tick = 1; tick <= 300; tick++) {
      retained.add({ tick, timeMicros: BigInt(tick * 10), pages: [page], rows: 1, errors: 0 })
    }
    // 100 ticks are 1000 µs: the tick that was current then is the oldest that is known.
    expect(retained.expiredTick).toBe(200)
    retained.expireThrough(250)
    expect([retained.expiredTick, retained.since(250)!.ticks, retained.since(249)]).toEqual([250, 50, null])
  })

  it('take far less room than pages of their own', () => {
    const retained = new RetainedChanges(schema, { micros: null, bytes: 1e9 })
    for (let tick = 1; tick <= 5_120; tick++) {
      const pages = [openPage(deltaBlock(schema, numbered(tick, 1)).slice(), schema)]
      retained.add({ tick, timeMicros: BigInt(tick), pages, rows: 1, errors: 0 })
    }
    expect(retained.bytes / 5_120).toBeLessThan(160)
  })
})
