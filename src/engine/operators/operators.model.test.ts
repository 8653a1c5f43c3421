import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OperatorState } from '../../../test/support/operator-state.ts'
import { type Batch, type Column, cellState, rawCell, rowWeight } from '../../data/batch.ts'
import { Arena, LinearMemory } from '../../data/memory.ts'
import { type ColumnSchema, laneOf } from '../../data/sql-type.ts'
import type { AggregateCall } from '../../plan/plan.ts'
import { Heap } from '../../state/heap.ts'
import { MemoryColdStore } from '../../state/memory-cold.ts'
import { type BaseOperator, type Operator, Output, type Step } from '../operator.ts'
import { Aggregate } from './aggregate.ts'
import { Distinct } from './distinct.ts'
import { Join } from './join.ts'
import { Match } from './match.ts'
import { TopN } from './top-n.ts'

/** A row is integers or NULL; a change is a row and a weight. */
type Row = readonly (number | null)[]
type Change = readonly [Row, number]

const integer: ColumnSchema['type'] = { kind: 'integer' }
const columns = (n: number): ColumnSchema[] =>
  Array.from({ length: n }, (_, i) => ({ name: `c${i}`, type: integer, nullable: true }))

/**
 * How state is treated after each tick: left alone; captured and found again by a new operator; captured in slices
 * between later ticks and compared with what there was; captured and forgotten.
 */
type Treatment = 'none' | 'reopen' | 'incremental' | 'spill'

interface Mode {
  readonly treatment: Treatment
  readonly weakHash: boolean
}

const modes: fc.Arbitrary<Mode> = fc.record({
  treatment: fc.constantFrom<Treatment>('none', 'reopen', 'incremental', 'spill'),
  weakHash: fc.boolean(),
})

/** @param far puts everything above 2 GiB, where an address is no longer a positive 32-bit integer */
function newStep({ treatment, weakHash }: Mode = { treatment: 'none', weakHash: false }, far = false): Step {
  const memory = new LinearMemory(4 * 1024 ** 3)
  if (far) memory.allocatePages(2 ** 15 + 100)
  const heap = new Heap(memory, { tracked: treatment !== 'none', weakHash })
  return { memory, arena: new Arena(memory), heap, epoch: 2, tick: 0, nowMicros: 0n, meter: null, slot: 0 }
}

function toBatch(step: Step, changes: readonly Change[]): Batch {
  const width = changes[0][0].length
  const made: Column[] = []
  for (let k = 0; k < width; k++) {
    const data = step.arena.allocateZeroed(changes.length * 4)
    const state = step.arena.allocateZeroed(changes.length)
    changes.forEach(([row], i) => {
      const cell = row[k]
      if (cell === null) step.memory.u8[state + i] = 1
      else step.memory.i32[(data >>> 2) + i] = cell
    })
    made.push({ lane: 'i32', data, state, heap: 0 })
  }
  const weights = step.arena.allocate(changes.length * 4)
  changes.forEach(([, weight], i) => {
    step.memory.i32[(weights >>> 2) + i] = weight
  })
  return { rows: changes.length, columns: made, weights }
}

/** Sums what an operator puts out into a multiset of printed rows. */
class Probe implements Operator {
  readonly rows = new Map<string, number>()
  readonly #step: () => Step

  constructor(step: () => Step) {
    this.#step = step
  }

  push(batch: Batch): void {
    const { memory } = this.#step()
    for (let i = 0; i < batch.rows; i++) {
      const cells = batch.columns.map((column) =>
        cellState(memory, column, i) === 0 ? String(rawCell(memory, column, i)) : 'NULL',
      )
      const key = cells.join(' ')
      const weight = (this.rows.get(key) ?? 0) + rowWeight(memory, batch, i)
      if (weight === 0) this.rows.delete(key)
      else this.rows.set(key, weight)
    }
  }

  pushError(): void {
    throw new Error('no errors expected')
  }

  endTick(): void {}
}

/** Runs ticks of changes through an operator, treating its state as asked between them, and checks each. */
function check(
  make: (step: Step) => BaseOperator,
  ticks: readonly (readonly (readonly Change[])[])[],
  expected: (inputs: readonly Change[][]) => Map<string, number>,
  mode: Mode,
): void {
  let step = newStep(mode)
  let operator = make(step)
  const store = new MemoryColdStore()
  let state = new OperatorState(step, operator, store, false)
  const probe = new Probe(() => step)
  operator.output.to(probe, 0)
  const inputs: Change[][] = (ticks[0] ?? []).map(() => [])
  for (const [n, tick] of ticks.entries()) {
    step.tick = n
    tick.forEach((changes, port) => {
      inputs[port].push(...changes)
      if (changes.length > 0) operator.push(toBatch(step, changes), port)
    })
    operator.endTick()
    step.heap.endTick()
    step.arena.reset()
    step.epoch++
    expect(probe.rows).toEqual(expected(inputs))
    if (mode.treatment === 'incremental' && state.advance(1)) state.forget()
    if (mode.treatment !== 'reopen' && mode.treatment !== 'spill') continue
    while (!state.advance(100));
    if (mode.treatment === 'spill') state.forget()
    else {
      step = newStep(mode, ticks.length % 2 === 0)
      step.memory.allocatePages(3)
      operator = make(step)
      state = new OperatorState(step, operator, store, true)
      operator.output.to(probe, 0)
    }
  }
}

/** The multiset of an input, so far. */
function total(changes: readonly Change[]): Row[] {
  const sums = new Map<string, { row: Row; weight: number }>()
  for (const [row, weight] of changes) {
    const key = JSON.stringify(row)
    const known = sums.get(key)
    if (known === undefined) sums.set(key, { row, weight })
    else known.weight += weight
  }
  return [...sums.values()].flatMap(({ row, weight }) => new Array<Row>(weight).fill(row))
}

function multiset(rows: readonly Row[]): Map<string, number> {
  const out = new Map<string, number>()
  for (const row of rows) {
    const key = row.map((cell) => (cell === null ? 'NULL' : String(cell))).join(' ')
    out.set(key, (out.get(key) ?? 0) + 1)
  }
  return out
}

/** Per first column the rows from `offset` on, at most `limit`, by the second column descending, NULLs first. */
function topRows(rows: readonly Row[], limit: number | null, offset: number, rank: boolean): Map<string, number> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) groups.set(String(row[0]), [...(groups.get(String(row[0])) ?? []), row])
  const out = [...groups.values()].flatMap((group) =>
    group
      .sort((a, b) => -compareCells(a[1], b[1]) || compareRows(a, b))
      .map((row, i): Row => (rank ? [...row, i + 1] : row))
      .slice(offset, limit === null ? undefined : offset + limit),
  )
  return multiset(out)
}

/** Ticks of changes over few values, so that they meet; retractions take back only what is there at the tick's end. */
function history(ports: number, width: number): fc.Arbitrary<Change[][][]> {
  const cell = fc.option(fc.integer({ min: 0, max: 2 }), { nil: null, freq: 5 })
  const row = fc.array(cell, { minLength: width, maxLength: width })
  const intent = fc.tuple(
    fc.nat(ports - 1),
    row,
    fc.integer({ min: 1, max: 2 }),
    fc.boolean(),
    fc.integer({ min: 0, max: 50 }),
  )
  return fc.array(fc.array(intent, { maxLength: 8 }), { minLength: 1, maxLength: 8 }).map((ticks) => {
    const there: Change[][] = Array.from({ length: ports }, () => [])
    return ticks.map((intents) => {
      const changes: Change[][] = Array.from({ length: ports }, () => [])
      for (const [port, fresh, weight, retract, pick] of intents) {
        const rows = total([...there[port], ...changes[port]])
        if (retract && rows.length > 0) changes[port].push([rows[pick % rows.length], -1])
        else changes[port].push([fresh, weight])
      }
      changes.forEach((list, port) => {
        there[port].push(...list)
        // Order within a tick means nothing: a retraction may come before what it retracts.
        list.reverse()
      })
      return changes
    })
  })
}

const runs = { numRuns: 150 }
const compareCells = (a: number | null, b: number | null): number =>
  a === b ? 0 : a === null ? 1 : b === null ? -1 : a - b
const compareRows = (a: Row, b: Row): number => {
  for (let k = 0; k < a.length; k++) if (compareCells(a[k], b[k]) !== 0) return compareCells(a[k], b[k])
  return 0
}

describe('operators are functions of their input', () => {
  it('GROUP BY', () => {
    const call = (fn: AggregateCall['fn'], argument: number | null, distinct = false): AggregateCall => ({
      fn,
      argument,
      distinct,
      filter: null,
    })
    const calls = [call('count', null), call('count', 1), call('count', 1, true), call('min', 1), call('max', 1)]
    const bigint: ColumnSchema = { name: 'n', type: { kind: 'bigint' }, nullable: true }
    const sum: AggregateCall[] = [call('sum', 1), call('sum', 1, true)]
    const out = [columns(1)[0], bigint, bigint, bigint, ...columns(2), bigint, bigint]
    const expected = (rows: Row[]): Row[] => {
      const groups = new Map<string, Row[]>()
      for (const row of rows) groups.set(String(row[0]), [...(groups.get(String(row[0])) ?? []), row])
      return [...groups.values()].map((group) => {
        const values = group.map((row) => row[1]).filter((v) => v !== null)
        const unique = [...new Set(values)]
        const add = (list: readonly number[]): number | null =>
          list.length === 0 ? null : list.reduce((a, b) => a + b, 0)
        const best = (pick: (...v: number[]) => number): number | null => (values.length === 0 ? null : pick(...values))
        return [
          group[0][0],
          group.length,
          values.length,
          unique.length,
          best(Math.min),
          best(Math.max),
          add(values),
          add(unique),
        ]
      })
    }
    fc.assert(
      fc.property(history(1, 2), modes, (ticks, mode) => {
        const make = (step: Step): BaseOperator => new Aggregate(step, columns(2), [0], [...calls, ...sum], out, false)
        check(make, ticks, ([input]) => multiset(expected(total(input))), mode)
      }),
      runs,
    )
  })

  it('DISTINCT', () => {
    fc.assert(
      fc.property(history(1, 2), modes, (ticks, mode) => {
        const unique = (rows: Row[]): Row[] => [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()]
        check(
          (step) => new Distinct(step, ['i32', 'i32']),
          ticks,
          ([input]) => multiset(unique(total(input))),
          mode,
        )
      }),
      runs,
    )
  })

  it('JOIN: inner, left, full', () => {
    fc.assert(
      fc.property(history(2, 2), modes, fc.constantFrom(0, 1, 2), (ticks, mode, outer) => {
        const side = (isOuter: boolean) => ({ columns: columns(2), keys: [0], appendOnly: false, outer: isOuter })
        const meets = (a: Row, b: Row): boolean => a[0] !== null && a[0] === b[0]
        const expected = ([left, right]: readonly Change[][]): Map<string, number> => {
          const [a, b] = [total(left), total(right)]
          const out: Row[] = a.flatMap((l) => b.filter((r) => meets(l, r)).map((r) => [...l, ...r]))
          if (outer > 0) out.push(...a.filter((l) => !b.some((r) => meets(l, r))).map((l) => [...l, null, null]))
          if (outer > 1) out.push(...b.filter((r) => !a.some((l) => meets(l, r))).map((r) => [null, null, ...r]))
          return multiset(out)
        }
        check((step) => new Join(step, side(outer > 0), side(outer > 1), null), ticks, expected, mode)
      }),
      runs,
    )
  })

  it('semi- and anti-join', () => {
    fc.assert(
      fc.property(history(2, 2), modes, fc.boolean(), fc.boolean(), (ticks, mode, semi, nullsEqual) => {
        const left = { columns: columns(2), keys: [0], appendOnly: false }
        const meets = (a: Row, b: Row): boolean => (nullsEqual || a[0] !== null) && a[0] === b[0]
        const expected = ([l, r]: readonly Change[][]): Map<string, number> => {
          const right = total(r)
          return multiset(total(l).filter((a) => right.some((b) => meets(a, b)) === semi))
        }
        check((step) => new Match(step, semi, left, [0], nullsEqual), ticks, expected, mode)
      }),
      runs,
    )
  })

  it('top-N of what only grows: the same, with no more state than the window', () => {
    fc.assert(
      fc.property(
        history(1, 2),
        modes,
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 2 }),
        (ticks, mode, rank, limit, offset) => {
          const growing = ticks.map(([changes]) => [changes.filter(([, weight]) => weight > 0)])
          const order = [{ column: 1, descending: true, nullsFirst: true }]
          const make = (step: Step): BaseOperator =>
            new TopN(step, columns(2), { partition: [0], order, limit, offset, rank, appendOnly: true })
          check(make, growing, ([input]) => topRows(total(input), limit, offset, rank), mode)
        },
      ),
      runs,
    )
  })

  it('top-N, with and without row numbers', () => {
    fc.assert(
      fc.property(
        history(1, 2),
        modes,
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
        fc.integer({ min: 0, max: 2 }),
        (ticks, mode, rank, limit, offset) => {
          const order = [{ column: 1, descending: true, nullsFirst: true }]
          const make = (step: Step): BaseOperator =>
            new TopN(step, columns(2), { partition: [0], order, limit, offset, rank, appendOnly: false })
          check(make, ticks, ([input]) => topRows(total(input), limit, offset, rank), mode)
        },
      ),
      runs,
    )
  })

  it('have outputs that reach every target', () => {
    const step = newStep()
    const probes = [new Probe(() => step), new Probe(() => step)]
    const output = new Output()
    for (const probe of probes) output.to(probe, 0)
    output.emit(toBatch(step, [[[1, 2], 3]]))
    expect(probes.map(({ rows }) => rows.get('1 2'))).toEqual([3, 3])
    expect(laneOf(integer)).toBe('i32')
  })
})
