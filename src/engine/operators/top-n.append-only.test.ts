import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OperatorState } from '../../../test/support/operator-state.ts'
import type { Column } from '../../data/batch.ts'
import { Arena, LinearMemory } from '../../data/memory.ts'
import type { ColumnSchema } from '../../data/sql-type.ts'
import { Heap } from '../../state/heap.ts'
import { MemoryColdStore } from '../../state/memory-cold.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { FirstFew } from './first-few.ts'
import { FirstRow } from './first-row.ts'
import { TopN } from './top-n.ts'

type Row = readonly [key: number, order: number | null, text: string]

const input: readonly ColumnSchema[] = [
  { name: 'key', type: { kind: 'integer' }, nullable: false },
  { name: 'at', type: { kind: 'integer' }, nullable: true },
  { name: 'said', type: { kind: 'text' }, nullable: false },
]
const options = {
  partition: [0],
  order: [{ column: 1, descending: true, nullsFirst: false }],
  limit: 1,
  offset: 0,
  rank: true,
  appendOnly: true,
}

function newStep(): Step {
  const memory = new LinearMemory()
  return {
    memory,
    arena: new Arena(memory),
    heap: new Heap(memory, { tracked: true }),
    epoch: 2,
    tick: 0,
    nowMicros: 0n,
    meter: null,
    slot: 0,
  }
}

/** Adds up what an operator puts out. */
class Sum extends BaseOperator {
  readonly weights = new Map<string, number>()

  push({ rows, columns, weights }: Parameters<BaseOperator['push']>[0]): void {
    const { memory } = this.step
    const [key, at, said, rank] = columns
    for (let i = 0; i < rows; i++) {
      const cell = (said.data >>> 2) + 2 * i
      const start = said.heap + memory.u32[cell]
      const text = Buffer.from(memory.u8.slice(start, start + memory.u32[cell + 1])).toString()
      const when = at.state !== 0 && memory.u8[at.state + i] !== 0 ? null : memory.i32[(at.data >>> 2) + i]
      const place = rank === undefined ? null : Number(memory.i64[rank.data / 8 + i])
      const row = JSON.stringify([memory.i32[(key.data >>> 2) + i], when, text, place])
      const weight = (this.weights.get(row) ?? 0) + (weights === 0 ? 1 : memory.i32[(weights >>> 2) + i])
      if (weight === 0) this.weights.delete(row)
      else this.weights.set(row, weight)
    }
  }
}

/** @param weigh whether each row comes as often as its text is long, and once more */
function pushRows(step: Step, operator: BaseOperator, rows: readonly Row[], weigh: boolean): void {
  const { arena, memory } = step
  const key = arena.allocate(rows.length * 4)
  const at = arena.allocate(rows.length * 4)
  const state = arena.allocate(rows.length)
  const said = arena.allocate(rows.length * 8)
  const weights = arena.allocate(rows.length * 4)
  const heap = arena.allocate(1000)
  let end = 0
  rows.forEach(([k, when, text], i) => {
    memory.i32[(key >>> 2) + i] = k
    memory.i32[(at >>> 2) + i] = when ?? 0
    memory.i32[(weights >>> 2) + i] = text.length + 1
    memory.u8[state + i] = when === null ? 1 : 0
    memory.u32[(said >>> 2) + 2 * i] = end
    memory.u32[(said >>> 2) + 2 * i + 1] = text.length
    memory.u8.set(Buffer.from(text), heap + end)
    end += text.length
  })
  const columns: Column[] = [
    { lane: 'i32', data: key, state: 0, heap: 0 },
    { lane: 'i32', data: at, state, heap: 0 },
    { lane: 'bytes', data: said, state: 0, heap },
  ]
  operator.push({ rows: rows.length, columns, weights: weigh ? weights : 0 }, 0)
}

/** What the operator's output adds up to after each tick of batches. */
function run(
  make: (step: Step) => BaseOperator,
  ticks: readonly (readonly Row[][])[],
  reopen: boolean,
  weigh = false,
): string[][] {
  let step = newStep()
  let sum = new Sum(step)
  let operator = make(step)
  operator.output.to(sum, 0)
  const store = new MemoryColdStore()
  let state = new OperatorState(step, operator, store, false)
  return ticks.map((batches) => {
    for (const rows of batches) pushRows(step, operator, rows, weigh)
    operator.endTick()
    step.heap.endTick()
    step.arena.reset()
    step.epoch++
    if (reopen) {
      while (!state.advance(50));
      step = newStep()
      const next = new Sum(step)
      for (const [row, weight] of sum.weights) next.weights.set(row, weight)
      sum = next
      operator = make(step)
      operator.output.to(sum, 0)
      state = new OperatorState(step, operator, store, true)
    }
    return [...sum.weights].map(([row, weight]) => `${weight} × ${row}`).sort()
  })
}

const row: fc.Arbitrary<Row> = fc.tuple(
  fc.integer({ min: 0, max: 3 }),
  fc.option(fc.integer({ min: -2, max: 2 }), { nil: null }),
  fc.constantFrom('', 'a', 'ab', 'a text that is longer than a word or two'),
)
const ticks = fc.array(fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { maxLength: 3 }), { maxLength: 5 })

describe('the first row of a partition', () => {
  it('is what a top-N of one gives, at every tick', () => {
    fc.assert(
      fc.property(ticks, fc.boolean(), (all, reopen) => {
        const expected = run((step) => new TopN(step, input, options), all, false)
        expect(run((step) => new FirstRow(step, input, options), all, reopen)).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the first few rows of a partition', () => {
  it('are what a top-N gives, at every tick', () => {
    const shape = fc.record({
      limit: fc.integer({ min: 1, max: 4 }),
      offset: fc.integer({ min: 0, max: 2 }),
      rank: fc.boolean(),
      weigh: fc.boolean(),
    })
    fc.assert(
      fc.property(ticks, fc.boolean(), shape, (all, reopen, { weigh, ...changed }) => {
        const asked = { ...options, ...changed }
        const expected = run((step) => new TopN(step, input, asked), all, false, weigh)
        expect(run((step) => new FirstFew(step, input, asked), all, reopen, weigh)).toEqual(expected)
      }),
      { numRuns: 400 },
    )
  })
})
