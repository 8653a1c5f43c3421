import { describe, expect, it } from 'vitest'
import { deltaBlock, type PlainChange } from '../../test/support/delta-block.ts'
import { batchRows } from '../data/batch.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { cellText } from '../data/text-print.ts'
import { simulatedIo } from '../io/twin/simulated-io.ts'
import { VirtualClock } from '../io/twin/virtual-clock.ts'
import type { Order } from '../plan/plan.ts'
import { equalityOf, readVersion } from './read.ts'
import type { Rows } from './rows.ts'
import { StoredPage } from './stored-page.ts'
import type { View } from './view.ts'
import { ViewFiles } from './view-files.ts'
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
async function stored(clock: VirtualClock, made: ViewSet): Promise<ViewSet> {
  const { disk } = simulatedIo(1, { idle: 'advance' })
  const slices = made.slices()
  const written = await (await ViewFiles.open(disk, 'state')).save([made.views[0].state()], slices)
  const set = viewSet(clock)
  const files = await ViewFiles.open(disk, 'state')
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

it('a read by key opens hardly more than one page of a run in order, however long that is', async () => {
  const clock = new VirtualClock({ idle: 'advance' })
  const made = viewSet(clock)
  const pages = 10
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
  for (const key of [0, 100_000, rows - 1]) {
    const set = await stored(clock, made)
    const [view] = set.views
    const wanted = { where: equalityOf(schema, new Map([[0, String(key)]])), order: [], limit: null }
    expect(linesOf(await readVersion(view, view.version, wanted, set.slices()))).toEqual([`${key} name ${key} `])
    expect(opened(view)).toBeLessThanOrEqual(5)
  }
})

describe.each([
  [true, false],
  [false, false],
  [true, true],
  [false, true],
])('a view of many pages (rows leave it: %s, from files: %s)', (retracts, fromFiles) => {
  it('is read whole, in part, by key and in other orders', async () => {
    const clock = new VirtualClock({ idle: 'advance' })
    const { set: made, model } = await build(clock, retracts)
    const set = fromFiles ? await stored(clock, made) : made
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
