import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainChange } from '../../test/support/delta-block.ts'
import { batchRows } from '../data/batch.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { cellText } from '../data/text-print.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { VirtualClock } from '../io/twin/virtual-clock.ts'
import type { Order } from '../plan/plan.ts'
import { PageCache } from './page-cache.ts'
import { equalityOf, readVersion } from './read.ts'
import type { Rows } from './rows.ts'
import { StoredPage } from './stored-page.ts'
import type { View } from './view.ts'
import { filesOf, ViewFiles } from './view-files.ts'
import { ViewSet } from './view-set.ts'

const schema: readonly ColumnSchema[] = [
  { name: 'key', type: { kind: 'bigint' }, nullable: false },
  { name: 'name', type: { kind: 'text' }, nullable: false },
  { name: 'amount', type: { kind: 'numeric' }, nullable: true },
]

function viewSet(clock: VirtualClock): ViewSet {
  const plan = { op: 'values', columns: schema, rows: [] } as const
  return new ViewSet(clock, [{ id: 1, name: 'v', columns: schema, plan, order: [], emit: 'continuous', sql: '' }])
}

function linesOf(rows: Rows): string[] {
  const lines: string[] = []
  rows.forEach((page, row, weight) => {
    const texts = schema.map(({ type }, i) => cellText(page.memory, page.columns[i], row, type))
    for (let n = 0; n < weight; n++) lines.push(texts.join(' '))
  })
  return lines
}

/** A view of many pages whose rows are replaced over and over. */
async function build(clock: VirtualClock, retracts: boolean): Promise<{ set: ViewSet; model: Map<number, number> }> {
  const set = viewSet(clock)
  const model = new Map<number, number>()
  let seed = 12345
  const random = (most: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return seed % most
  }
  const row = (key: number): PlainChange['row'] => [key, `name ${key % 97}`, null]
  for (let tick = 1; tick <= 30; tick++) {
    const changes: PlainChange[] = []
    const touched = new Set<number>()
    for (let i = 0; i < 4000; i++) {
      const key = random(60_000)
      if (touched.has(key)) continue
      touched.add(key)
      const count = model.get(key) ?? 0
      const weight = retracts && count > 0 && random(2) === 0 ? -count : 1
      changes.push({ row: row(key), weight })
      if (count + weight === 0) model.delete(key)
      else model.set(key, count + weight)
    }
    const blocks = [changes.slice(0, 2500), changes.slice(2500)].map((part) => deltaBlock(schema, part, !retracts))
    set.apply({ tick, timeMicros: 0n, deltas: [{ view: 1, blocks, errors: [] }] })
    await clock.advance(1)
  }
  await clock.advance(1000)
  return { set, model }
}

/** The same views from files, of which no page has been opened yet. */
async function stored(clock: VirtualClock, made: ViewSet, cache?: PageCache): Promise<ViewSet> {
  const { disk } = simulatedIo(1, { idle: 'advance' })
  const slices = made.slices()
  const written = await (await ViewFiles.open(disk, 'state')).save([made.views[0].state()], slices)
  const set = viewSet(clock)
  const files = await ViewFiles.open(disk, 'state', cache)
  const [view] = set.views
  set.restore(made.tick, made.timeMicros, new Map([[view, await files.load(view, written[0])]]))
  expect(pagesOf(view).every((page) => page instanceof StoredPage && page.opened === null)).toBe(true)
  return set
}

const pagesOf = (view: View) => view.version.runs.flatMap((run) => run.pages)
const opened = (view: View): number =>
  pagesOf(view).filter((page) => !(page instanceof StoredPage) || page.opened !== null).length

it.each([true, false])('a view from files opens the pages that a read needs (rows leave it: %s)', async (retracts) => {
  const clock = new VirtualClock({ idle: 'advance' })
  const { set: made } = await build(clock, retracts)
  const set = await stored(clock, made)
  const [view] = set.views
  const largest = view.version.runs.reduce((a, b) => (a.rows > b.rows ? a : b))
  const wanted = { where: equalityOf(schema, new Map([[0, '999999']])), order: [], limit: null }
  await readVersion(view, view.version, wanted, set.slices())
  // Of a run in order a few, of others all.
  if (retracts) {
    expect(largest).toMatchObject({ inOrder: true })
    expect(opened(view)).toBeLessThan(pagesOf(view).length)
  }
  await readVersion(view, view.version, { where: null, order: [], limit: null }, set.slices())
  expect(opened(view)).toBe(pagesOf(view).length)
})

/** A view of so many pages in order, `pages` times `batchRows` rows. */
async function buildInOrder(clock: VirtualClock, pages: number): Promise<ViewSet> {
  const made = viewSet(clock)
  const change = (key: number, weight: number): PlainChange => ({ row: [key, `name ${key}`, null], weight })
  const apply = (tick: number, changes: readonly PlainChange[]): void => {
    const blocks: Uint8Array[] = []
    for (let at = 0; at < changes.length; at += batchRows) {
      blocks.push(deltaBlock(schema, changes.slice(at, at + batchRows)))
    }
    made.apply({ tick, timeMicros: 0n, deltas: [{ view: 1, blocks, errors: [] }] })
  }
  const rows = pages * batchRows
  const half = (from: number): PlainChange[] => Array.from({ length: rows / 2 }, (_, i) => change(from + 2 * i, 1))
  // One row leaves, so that the runs are merged into one.
  apply(1, [...half(0), change(rows, 1)])
  await clock.advance(1)
  apply(2, [...half(1), change(rows, -1)])
  await clock.advance(10_000)
  expect(made.views[0].version.runs).toMatchObject([{ inOrder: true, rows }])
  return made
}

const byKey = (key: number) => ({ where: equalityOf(schema, new Map([[0, String(key)]])), order: [], limit: null })

it('a read by key opens one page of a run in order, however long that is', async () => {
  const clock = new VirtualClock({ idle: 'advance' })
  const made = await buildInOrder(clock, 10)
  for (const key of [0, 100_000, 10 * batchRows - 1, 10 * batchRows]) {
    const set = await stored(clock, made)
    const [view] = set.views
    const found = linesOf(await readVersion(view, view.version, byKey(key), set.slices()))
    expect(found).toEqual(key === 10 * batchRows ? [] : [`${key} name ${key} `])
    expect(opened(view)).toBe(found.length)
  }
})

it('pages that were read go when others take their place, and come back', async () => {
  const clock = new VirtualClock({ idle: 'advance' })
  const made = await buildInOrder(clock, 6)
  const [{ bytes }] = made.views[0].version.runs
  const cache = new PageCache(bytes / 2)
  const set = await stored(clock, made, cache)
  const [view] = set.views
  const all = { where: null, order: [], limit: null }
  for (let times = 0; times < 2; times++) {
    expect((await readVersion(view, view.version, all, set.slices())).count).toBe(6 * batchRows)
    expect(cache.bytes).toBeGreaterThan(bytes / 4)
    expect(cache.bytes).toBeLessThanOrEqual(bytes / 2)
    expect(opened(view)).toBeLessThan(4)
  }
})

it('what is about to be written is put in order, and files written anew stay so', async () => {
  const clock = new VirtualClock({ idle: 'advance' })
  const { disk } = simulatedIo(1, { idle: 'advance' })
  const made = viewSet(clock)
  const [view] = made.views
  const apply = (tick: number, from: number, weight: number): void => {
    const changes = Array.from({ length: 6000 }, (_, i) => ({
      row: [from + ((i * 7) % 6000), 'x', null],
      weight,
    }))
    made.apply({ tick, timeMicros: 0n, deltas: [{ view: 1, blocks: [deltaBlock(schema, changes)], errors: [] }] })
  }
  const files = await ViewFiles.open(disk, 'state')
  let names: readonly string[] = []
  for (let tick = 1; tick <= 12; tick++) {
    // Every third tick takes back what the one before it brought.
    apply(tick, (tick % 3 === 0 ? tick - 1 : tick) * 6000, tick % 3 === 0 ? -1 : 1)
    await made.settle()
    if (tick >= 3) expect(view.version.runs.every(({ inOrder }) => inOrder)).toBe(true)
    const written = await files.save([view.state()], made.slices())
    names = filesOf(written)
    files.named()
    await files.removeOthers(new Set(names))
    const again = viewSet(clock)
    const loaded = await (await ViewFiles.open(disk, 'state')).load(again.views[0], written[0])
    again.restore(made.tick, made.timeMicros, new Map([[again.views[0], loaded]]))
    for (const of of [1, 4, 7]) {
      const key = of * 6000 + 4321
      const rows = await readVersion(again.views[0], again.views[0].version, byKey(key), again.slices())
      expect(linesOf(rows)).toEqual(of <= tick ? [`${key} x `] : [])
    }
  }
})

it('what no durable snapshot came to name is written anew', async () => {
  const clock = new VirtualClock({ idle: 'advance' })
  const { disk } = simulatedIo(1, { idle: 'advance' })
  const made = viewSet(clock)
  const blocks = [deltaBlock(schema, [{ row: [1, 'x', null], weight: 1 }])]
  made.apply({ tick: 1, timeMicros: 0n, deltas: [{ view: 1, blocks, errors: [] }] })
  const files = await ViewFiles.open(disk, 'state')
  const save = async (): Promise<readonly string[]> => filesOf(await files.save([made.views[0].state()], made.slices()))
  expect(await save()).toEqual(['views-1.pages'])
  expect(await save()).toEqual(['views-2.pages'])
  files.named()
  expect(await save()).toEqual(['views-2.pages'])
})

describe.each([
  [true, 'no'],
  [false, 'no'],
  [true, 'yes'],
  [false, 'yes'],
  [true, 'and forgotten at once'],
  [false, 'and forgotten at once'],
])('a view of many pages (rows leave it: %s, from files: %s)', (retracts, fromFiles) => {
  it('is read whole, in part, by key and in other orders', async () => {
    const clock = new VirtualClock({ idle: 'advance' })
    const { set: made, model } = await build(clock, retracts)
    const set =
      fromFiles === 'no' ? made : await stored(clock, made, fromFiles === 'yes' ? undefined : new PageCache(1))
    const [view] = set.views
    const read = (where: Record<number, string>, order: readonly Order[] = [], limit: number | null = null) => {
      const wanted = new Map(Object.entries(where).map(([ordinal, text]) => [Number(ordinal), text]))
      const equality = wanted.size === 0 ? null : equalityOf(schema, wanted)
      return readVersion(view, set.pin().version(view), { where: equality, order, limit }, set.slices())
    }
    const line = (key: number): string[] =>
      Array.from({ length: model.get(key) ?? 0 }, () => `${key} name ${key % 97} `)
    const keys = [...model.keys()].sort((a, b) => a - b)
    const whole = linesOf(await read({}))
    expect(whole).toEqual(keys.flatMap(line))
    expect(view.version.rows).toBe(whole.length)
    expect(view.version.runs.length).toBeLessThan(20)
    if (retracts) expect(Math.max(...view.version.runs.map((run) => run.rows))).toBeGreaterThan(batchRows)
    expect(linesOf(await read({}, [], 10))).toEqual(whole.slice(0, 10))
    for (const key of [keys[0], keys[1], keys[keys.length >> 1], keys[keys.length - 1], 123_456]) {
      expect(linesOf(await read({ 0: String(key) }))).toEqual(line(key))
    }
    const named = keys.filter((key) => key % 97 === 13).flatMap(line)
    for (let times = 0; times < 4; times++) expect(linesOf(await read({ 1: 'name 13' }))).toEqual(named)
    const descending = [{ column: 0, descending: true, nullsFirst: true }]
    expect(linesOf(await read({}, descending, 5))).toEqual([...keys].reverse().flatMap(line).slice(0, 5))
    expect(linesOf(await read({ 1: 'name 13' }, descending))).toEqual(
      [...keys]
        .reverse()
        .filter((key) => key % 97 === 13)
        .flatMap(line),
    )
  })
})
