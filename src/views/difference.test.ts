import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainChange } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { cellText } from '../data/text-print.ts'
import { Prng } from '../io/twin/prng.ts'
import { VirtualClock } from '../io/twin/virtual-clock.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { compareRows, type PinnedView } from './difference.ts'
import type { Rows } from './rows.ts'
import { ViewSet } from './view-set.ts'

const columns: readonly ColumnSchema[] = [
  { name: 'key', type: { kind: 'bigint' }, nullable: false },
  { name: 'name', type: { kind: 'text' }, nullable: true },
]

const never = new AbortController().signal

/** A view that ticks have made, with the weights of its rows. */
class Made {
  readonly set: ViewSet
  readonly weights = new Map<number, number>()
  readonly #retracts: boolean

  constructor(clock: VirtualClock, order: readonly Order[], nullable: boolean, retracts: boolean) {
    const schema = [columns[0], { ...columns[1], nullable }]
    const plan = { op: 'values', columns: schema, rows: [] } as const
    const definition: ViewDefinition = { id: 1, name: 'v', columns: schema, plan, order, emit: 'continuous', sql: '' }
    this.set = new ViewSet(clock, [definition])
    this.#retracts = retracts
  }

  tick(prng: Prng, changes: number, keys: number): void {
    const [{ definition }] = this.set.views
    const batch = new Map<number, number>()
    for (let i = 0; i < changes; i++) {
      const key = prng.below(keys)
      const there = (this.weights.get(key) ?? 0) + (batch.get(key) ?? 0)
      batch.set(key, (batch.get(key) ?? 0) + (this.#retracts && there > 0 && prng.chance(0.5) ? -1 : 1))
    }
    const all: PlainChange[] = []
    for (const [key, weight] of batch) {
      this.weights.set(key, (this.weights.get(key) ?? 0) + weight)
      const name = definition.columns[1].nullable && key % 5 === 0 ? null : `name ${key % 97}`
      if (weight !== 0) all.push({ row: [key, name], weight })
    }
    const plain = all.every(({ weight }) => weight === 1)
    const blocks = all.length === 0 ? [] : [deltaBlock(definition.columns, all, plain)]
    this.set.apply({ tick: this.set.tick + 1, timeMicros: 0n, deltas: [{ view: 1, blocks, errors: [] }] })
  }

  pin(): PinnedView {
    const [view] = this.set.views
    return { definition: view.definition, version: view.version }
  }
}

function keysOf(rows: Rows): [key: number, weight: number][] {
  const keys: [number, number][] = []
  rows.forEach((page, row, weight) => {
    keys.push([Number(cellText(page.memory, page.columns[0], row, columns[0].type)), weight])
  })
  return keys
}

async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let over = false
  const done = promise.finally(() => {
    over = true
  })
  while (!over) await clock.advance(1)
  return done
}

const descending: readonly Order[] = [{ column: 0, descending: true, nullsFirst: false }]

describe('the difference of two views', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('is that of their rows, however they lie (seed %i)', async (seed) => {
    const prng = new Prng(seed)
    const clock = new VirtualClock()
    // Every pairing of orders comes, so that runs merged in one are read in the other.
    const order = (bit: number): readonly Order[] => ((seed & bit) === 0 ? [] : descending)
    const nullable = prng.chance(0.5)
    const before = new Made(clock, order(2), nullable, true)
    const after = new Made(clock, order(4), nullable, prng.chance(0.7))
    const keys = seed % 2 === 0 ? 40_000 : 300
    for (let tick = 0; tick < 25; tick++) {
      before.tick(prng, prng.below(keys / 10), keys)
      after.tick(prng, prng.below(keys / 10), keys)
      // Runs are merged in between.
      await clock.advance(prng.below(3))
    }
    const old = before.pin()
    const now = after.pin()
    const net = new Map<number, number>()
    for (let key = 0; key < keys; key++) {
      const weight = (after.weights.get(key) ?? 0) - (before.weights.get(key) ?? 0)
      if (weight !== 0) net.set(key, weight)
    }
    // Views that move on meanwhile change nothing.
    before.tick(prng, 50, keys)
    const all = await settled(clock, compareRows(old, now, keys, after.set.slices(), never))
    const sum = (sign: number): number =>
      [...net.values()].reduce((total, weight) => total + Math.max(0, sign * weight), 0)
    expect([all.added, all.removed]).toEqual([sum(1), sum(-1)])
    const sign = now.definition.order.length === 0 ? 1 : -1
    const expected = [...net].sort(([a], [b]) => sign * (a - b))
    expect(keysOf(all.rows)).toEqual(expected)
    const few = await settled(clock, compareRows(old, now, 10, after.set.slices(), never))
    expect(few).toMatchObject({ added: all.added, removed: all.removed })
    expect(keysOf(few.rows)).toEqual(expected.slice(0, 10))
    // Holding the few holds no more than their pages.
    expect(few.rows.pages.length).toBeLessThanOrEqual(10)
    expect(keysOf((await settled(clock, compareRows(now, now, 10, after.set.slices(), never))).rows)).toEqual([])
  })

  it('is given up when nobody waits', async () => {
    const clock = new VirtualClock()
    const made = new Made(clock, [], true, false)
    made.tick(new Prng(1), 100, 1000)
    const reason = new Error('enough')
    const compared = compareRows(made.pin(), made.pin(), 10, made.set.slices(), AbortSignal.abort(reason))
    await expect(compared).rejects.toBe(reason)
  })
})
