import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainCell } from '../../test/support/delta-block.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Clock } from '../io/io.ts'
import type { Order } from '../plan/plan.ts'
import type { ViewDefinition } from '../plan/program.ts'
import { LiveCursor, type LiveMessage } from './live.ts'
import { openPage, type Page } from './page.ts'
import { readVersion } from './read.ts'
import type { Rows } from './rows.ts'
import { ViewSet } from './view-set.ts'

const schema: readonly ColumnSchema[] = [
  { name: 'a', type: { kind: 'integer' }, nullable: true },
  { name: 'b', type: { kind: 'text' }, nullable: true },
  { name: 'c', type: { kind: 'bigint' }, nullable: false },
  { name: 'd', type: { kind: 'double' }, nullable: true },
]

type Row = readonly [number | null, string | null, bigint, number | null]

/** Every task runs after what is queued, so that work in slices and ticks interleave. */
const clock: Clock = {
  nowMicros: () => 0n,
  // Each look at the clock is a slice's end: everything that can be interrupted is.
  monotonicMs: () => (now += 10),
  after(_, task) {
    const handle = setImmediate(task)
    return () => clearImmediate(handle)
  },
}
let now = 0

function definition(order: readonly Order[]): ViewDefinition {
  return {
    id: 7,
    name: 'v',
    columns: schema,
    plan: { op: 'values', columns: schema, rows: [] },
    order,
    emit: 'continuous',
    sql: '',
  }
}

/** Rows with their counts. */
class Multiset {
  readonly counts = new Map<string, { readonly row: Row; count: number }>()

  add(row: Row, weight: number): void {
    const key = keyOf(row)
    const entry = this.counts.get(key) ?? { row, count: 0 }
    entry.count += weight
    if (entry.count === 0) this.counts.delete(key)
    else this.counts.set(key, entry)
  }

  copy(): Multiset {
    const copy = new Multiset()
    for (const [key, entry] of this.counts) copy.counts.set(key, { ...entry })
    return copy
  }

  sorted(order: readonly Order[], wanted: (row: Row) => boolean = () => true): string[] {
    const keys = [...order, ...schema.map((_, column) => ({ column, descending: false, nullsFirst: false }))]
    return [...this.counts.values()]
      .filter(({ row }) => wanted(row))
      .sort((x, y) => compareRows(x.row, y.row, keys))
      .flatMap(({ row, count }) => Array.from({ length: count }, () => keyOf(row)))
  }
}

function keyOf(row: Row): string {
  return row.map((cell) => (cell === null ? 'NULL' : String(cell))).join('|')
}

function compareRows(x: Row, y: Row, keys: readonly Order[]): number {
  for (const { column, descending, nullsFirst } of keys) {
    const a = x[column]
    const b = y[column]
    if (a === null || b === null) {
      if (a !== b) return (a === null) === nullsFirst ? -1 : 1
      continue
    }
    if (Object.is(a, b)) continue
    const less = Number.isNaN(b) || (!Number.isNaN(a) && a < b)
    return less === descending ? 1 : -1
  }
  return 0
}

function cellOf(page: Page, ordinal: number, row: number): PlainCell {
  const { memory, columns } = page
  const { state, data, heap, lane } = columns[ordinal]
  if (state !== 0 && memory.u8[state + row] === 1) return null
  if (lane === 'i32') return memory.i32[data / 4 + row]
  if (lane === 'i64') return memory.i64[data / 8 + row]
  if (lane === 'f64') return memory.f64[data / 8 + row]
  const at = data / 4 + row * 2
  return new TextDecoder().decode(memory.u8.slice(heap + memory.u32[at], heap + memory.u32[at] + memory.u32[at + 1]))
}

function keysOf(rows: Rows): string[] {
  const keys: string[] = []
  rows.forEach((page, row, weight) => {
    const key = keyOf(schema.map((_, ordinal) => cellOf(page, ordinal, row)) as unknown as Row)
    for (let i = 0; i < weight; i++) keys.push(key)
  })
  return keys
}

/** What a subscriber believes: it must never lack, double or contradict anything. */
class Believer {
  rows = new Map<string, number>()
  tick = 0
  complete = false

  take(message: LiveMessage): void {
    expect(message.tick).toBeGreaterThanOrEqual(this.tick)
    if (message.kind === 'reset') {
      this.rows = new Map()
      this.complete = false
      return
    }
    this.tick = message.tick
    if (message.kind === 'change') expect(this.complete).toBe(true)
    message.rows.forEach((page, row, weight) => {
      const key = keyOf(schema.map((_, ordinal) => cellOf(page, ordinal, row)) as unknown as Row)
      const count = (this.rows.get(key) ?? 0) + weight
      expect(count).toBeGreaterThanOrEqual(0)
      if (count === 0) this.rows.delete(key)
      else this.rows.set(key, count)
    })
    if (message.kind === 'snapshot' && message.last) this.complete = true
  }

  list(): string[] {
    return [...this.rows].flatMap(([key, count]) => Array.from({ length: count }, () => key)).sort()
  }
}

const cell = {
  a: fc.option(fc.integer({ min: -2, max: 2 }), { nil: null }),
  b: fc.option(fc.constantFrom('', 'a', 'ab', 'longer than eight', 'longer than eighty', 'é'), { nil: null }),
  c: fc.constantFrom(0n, 1n, -1n, 2n ** 40n, -(2n ** 40n), 2n ** 63n - 1n, -(2n ** 63n)),
  d: fc.option(fc.constantFrom(0, 1.5, -1.5, Number.NaN, Number.POSITIVE_INFINITY, -1e300), { nil: null }),
}
const rowOf = fc.tuple(cell.a, cell.b, cell.c, cell.d)
const orderOf = fc.constantFrom<readonly Order[]>(
  [],
  [{ column: 2, descending: true, nullsFirst: true }],
  [
    { column: 1, descending: false, nullsFirst: true },
    { column: 3, descending: true, nullsFirst: false },
  ],
)

type Step =
  | {
      readonly do: 'tick'
      readonly adds: readonly Row[]
      readonly removals: readonly number[]
      readonly blocks: number
    }
  | { readonly do: 'read'; readonly order: readonly Order[]; readonly limit: number | null }
  | { readonly do: 'find'; readonly columns: readonly number[]; readonly like: number }
  | { readonly do: 'past'; readonly tick: number; readonly order: readonly Order[]; readonly limit: number | null }
  | { readonly do: 'pull'; readonly times: number }
  | { readonly do: 'rest' }

const tickStep = fc.record({
  do: fc.constant('tick' as const),
  adds: fc.array(rowOf, { maxLength: 30 }),
  removals: fc.array(fc.nat(), { maxLength: 20 }),
  blocks: fc.integer({ min: 1, max: 3 }),
})
const stepOf: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: tickStep, weight: 6 },
  {
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      order: orderOf,
      limit: fc.option(fc.nat({ max: 20 }), { nil: null }),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('find' as const),
      columns: fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1, maxLength: 2 }),
      like: fc.nat(),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      do: fc.constant('past' as const),
      tick: fc.nat(),
      order: orderOf,
      limit: fc.option(fc.nat({ max: 20 }), { nil: null }),
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ do: fc.constant('pull' as const), times: fc.integer({ min: 1, max: 3 }) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant('rest' as const) }), weight: 1 },
)

describe('views', () => {
  it('read and stream what a multiset of the same changes holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        orderOf,
        fc.constantFrom(0, 20_000, 1e6),
        fc.boolean(),
        fc.array(stepOf, { maxLength: 90 }),
        async (order, retainedBytes, retracts, steps) => {
          await runSteps(order, retainedBytes, retracts, steps)
        },
      ),
      { numRuns: 200 },
    )
  })
})

async function runSteps(
  order: readonly Order[],
  retainedBytes: number,
  retracts: boolean,
  steps: readonly Step[],
): Promise<void> {
  const model = new Multiset()
  const set = new ViewSet(clock, [definition(order)], { micros: null, bytes: retainedBytes })
  const view = set.views[0]
  const cursor = new LiveCursor(set, view, { pieceRows: 7 })
  const believer = new Believer()
  const ever: Row[] = []
  let tick = 0
  /** What the rows were at each tick. */
  const past = new Map([[0, model.copy()]])
  const readPast = async (at: number, asked: readonly Order[], limit: number | null): Promise<void> => {
    const then = past.get(at)!
    const moment = set.pinPast({ tick: at, timeMicros: BigInt(at) }, [view])
    const version = moment.version(view)
    expect([moment.tick, version.rows]).toEqual([at, then.sorted([]).length])
    const expected = then.sorted(asked.length === 0 ? order : asked)
    const rows = await readVersion(view, version, { where: null, order: asked, limit }, set.slices())
    expect(keysOf(rows)).toEqual(limit === null ? expected : expected.slice(0, limit))
    const like = ever[at % Math.max(1, ever.length)]
    if (like === undefined) return
    const where = { ordinals: [0], page: openPage(deltaBlock(schema, [{ row: like, weight: 1 }]), schema) }
    const found = await readVersion(view, version, { where, order: [], limit: null }, set.slices())
    expect(keysOf(found)).toEqual(then.sorted(order, (row) => Object.is(row[0], like[0])))
  }
  const read = (plan: Parameters<typeof readVersion>[2]): Promise<Rows> =>
    readVersion(view, set.pin().version(view), plan, set.slices())
  let pending = null as Promise<IteratorResult<LiveMessage>> | null
  /** @returns whether a message came */
  const pull = async (): Promise<boolean> => {
    pending ??= cursor.next()
    const pulled = await Promise.race([pending, afterAWhile()])
    if (pulled === null) return false
    pending = null
    believer.take(pulled.value)
    return true
  }
  for (const step of steps) {
    if (step.do === 'tick') {
      const net = new Multiset()
      for (const row of step.adds) net.add(row, 1)
      const there = [...model.counts.values()].flatMap(({ row, count }) => Array.from({ length: count }, () => row))
      if (retracts && there.length > 0) {
        for (const index of new Set(step.removals.map((n) => n % there.length))) net.add(there[index], -1)
      }
      const changes = [...net.counts.values()].map(({ row, count }) => ({ row, weight: count }))
      for (const { row, weight } of changes) model.add(row, weight)
      ever.push(...step.adds)
      const size = Math.max(1, Math.ceil(changes.length / step.blocks))
      const blocks: Uint8Array[] = []
      for (let i = 0; i < changes.length; i += size) {
        const part = changes.slice(i, i + size)
        blocks.push(deltaBlock(schema, part, part.every(({ weight }) => weight === 1) && i % 2 === 0))
      }
      tick += 1 + (step.blocks % 2)
      set.apply({
        tick,
        timeMicros: BigInt(tick),
        deltas: blocks.length === 0 ? [] : [{ view: 7, blocks, errors: [] }],
      })
      expect(view.version.rows).toBe(model.sorted([]).length)
      past.set(tick, model.copy())
    } else if (step.do === 'read') {
      const wanted = model.sorted([...step.order, ...order])
      const rows = await read({ where: null, order: step.order, limit: step.limit })
      // An order asked for replaces the view's own.
      const expected = step.order.length === 0 ? wanted : model.sorted(step.order)
      expect(keysOf(rows)).toEqual(step.limit === null ? expected : expected.slice(0, step.limit))
    } else if (step.do === 'find' && ever.length > 0) {
      const like = ever[step.like % ever.length]
      const page = openPage(deltaBlock(schema, [{ row: like, weight: 1 }]), schema)
      for (let again = 0; again < 2; again++) {
        const rows = await read({ where: { ordinals: step.columns, page }, order: [], limit: null })
        const equal = (row: Row): boolean => step.columns.every((column) => Object.is(row[column], like[column]))
        expect(keysOf(rows)).toEqual(model.sorted(order, equal))
      }
    } else if (step.do === 'past') {
      const at = [...past.keys()][step.tick % past.size]
      if (set.knowsPast(at, [view])) await readPast(at, step.order, step.limit)
      else expect(() => set.pinPast({ tick: at, timeMicros: 0n }, [view])).toThrow(/the oldest tick held is \d/)
    } else if (step.do === 'pull') {
      for (let i = 0; i < step.times && (await pull()); i++);
    } else if (step.do === 'rest') {
      await afterAWhile()
    }
  }
  if (retainedBytes === 1e6) for (const at of past.keys()) await readPast(at, [], null)
  // Whatever was pulled before, a subscriber that catches up believes what is there.
  while (await pull());
  await cursor.return()
  expect((await pending)?.done).toBe(true)
  expect(believer.list()).toEqual(model.sorted([]).sort())
}

async function afterAWhile(): Promise<null> {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
  return null
}
