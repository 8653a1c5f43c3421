import type { Batch, Column } from '../../data/batch.ts'
import type { MemoryViews } from '../../data/memory.ts'
import type { Lane } from '../../data/sql-type.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { payloadColumn, restorePayload } from '../../state/columns.ts'
import { generate } from '../../state/row-code.ts'
import { Table } from '../../state/table.ts'
import { gatherBatch, gatherWords } from '../lanes.ts'
import type { Step } from '../operator.ts'
import type { Feed, RowList } from './feeds.ts'
import { addWide } from './integer-sum.ts'

/** Feeds that one word of bits has room for. */
export const feedsMax = 31

/** Values that came or went: their rows, and by row, where some can go, an i32: +1 or −1. */
interface ChangeList {
  readonly list: number
  readonly signs: number
  rows: number
}

type Loop = (
  memory: MemoryViews,
  values: number,
  groups: number,
  bits: number,
  data: number,
  weights: number,
  rows: number,
  lists: readonly ChangeList[],
  idle: number[],
  wide: typeof addWide,
) => void

/**
 * The values of one argument in each group, for all DISTINCT calls over it, whatever their FILTER: a feed hears of a
 * value only when it comes (+1) or goes (−1).
 *
 * State: per group, known by its id, and value, and per feed, the weight of the rows that have it; over an append-only input just a bit.
 */
export class DistinctValues {
  readonly feeds: readonly Feed[]
  readonly argument: number
  readonly arrangement: Arrangement
  readonly #step: Step
  readonly #table: Table
  readonly #words: number
  readonly #appendOnly: boolean
  #loop: Loop | null = null
  #idle: number[] = []

  /**
   * @param feeds at most `feedsMax`, of one argument
   */
  constructor(
    step: Step,
    feeds: readonly Feed[],
    argument: { readonly column: number; readonly lane: Lane },
    appendOnly: boolean,
  ) {
    this.#step = step
    this.feeds = feeds
    this.argument = argument.column
    this.#appendOnly = appendOnly
    this.#words = appendOnly ? 1 : feeds.length
    this.#table = new Table(step.heap, ['i64', argument.lane], 8 * this.#words)
    this.arrangement = new Arrangement(step.arena, this.#table, this.#contents())
  }

  /**
   * @param from which rows of the batch count, and for which feeds
   * @param groups the entries of all rows of the batch
   */
  update(batch: Batch, groups: number, from: RowList): void {
    if (from.rows === 0) return
    const { arena, memory } = this.#step
    const { rows } = from
    const all = rows === batch.rows
    const some: Batch = { rows, columns: [batch.columns[this.argument]], weights: batch.weights }
    const kept = all ? some : gatherBatch(arena, some, from.list, rows)
    const owners = all ? groups : gatherWords(arena, groups, from.list, rows)
    const ids: Column = { lane: 'i64', data: from.ids, state: 0, heap: 0 }
    const value = { ...kept.columns[0], state: 0 }
    const entries = arena.allocate(rows * 4)
    this.#table.locate([ids, value], rows, entries, true)
    const lists = this.feeds.map(({ inBatches }) => ({
      list: inBatches.length === 0 ? 0 : arena.allocate(rows * 4),
      signs: inBatches.length === 0 || this.#appendOnly ? 0 : arena.allocate(rows * 4),
      rows: 0,
    }))
    this.#loop ??= compileLoop(this.feeds, this.#table.payload, this.#appendOnly)
    const { data } = value
    this.#loop(memory, entries, owners, from.bits, data, kept.weights, rows, lists, this.#idle, addWide)
    this.feeds.forEach((feed, k) => {
      const { list, signs, rows: changed } = lists[k]
      if (list !== 0) feed.update(this.#step, owners, value, signs, list, changed)
    })
  }

  endTick(): void {
    if (this.#idle.length === 0) return
    const idle = new Set(this.#idle)
    this.#idle = []
    const { f64 } = this.#step.memory
    for (const entry of idle) {
      const at = (entry + this.#table.payload) / 8
      if (this.feeds.every((_, k) => f64[at + k] === 0)) this.#table.remove(entry)
    }
  }

  /** Forgets all values of these groups. */
  forget(ids: ReadonlySet<bigint>): void {
    const { i64 } = this.#step.memory
    const { offset } = this.#table.layout.fields[0]
    for (const entry of this.#table.entries()) {
      if (!ids.has(i64[(entry + offset) / 8])) continue
      this.#table.touch(entry)
      this.#table.remove(entry)
    }
  }

  #contents(): Contents {
    const { arena } = this.#step
    const table = this.#table
    const lanes = table.keys
    const offsets = this.#offsets()
    return {
      sections: [[...lanes, ...offsets.map(() => 'f64' as const)]],
      bytesOf: () => table.layout.bytes,
      save: (out) =>
        out.each(0, (entries, rows) => [
          ...table.load(arena, entries, rows),
          ...offsets.map((offset) => payloadColumn(arena, entries, rows, offset)),
        ]),
      restore: (_section, { columns, rows }) => {
        const entries = arena.allocate(rows * 4)
        table.restore(columns.slice(0, lanes.length), rows, entries)
        offsets.forEach((offset, k) => {
          restorePayload(arena, entries, rows, offset, columns[lanes.length + k])
        })
      },
      release: () => {},
    }
  }

  #offsets(): number[] {
    return Array.from({ length: this.#words }, (_, k) => this.#table.payload + 8 * k)
  }
}

/** Notes each row's value, and adds those that come or go to the groups. */
function compileLoop(feeds: readonly Feed[], payload: number, appendOnly: boolean): Loop {
  const change = (feed: Feed, k: number): string => {
    const sign = appendOnly ? '' : `i32[(lists[${k}].signs >>> 2) + i] = w;`
    const listed = feed.inBatches.length === 0 ? '' : `u32[l${k} + n${k}++] = i; ${sign}`
    return feed.code('d') + listed
  }
  const came = (feed: Feed, k: number): string => `if ((fresh & ${1 << k}) !== 0) { ${change(feed, k)} }`
  const moved = (feed: Feed, k: number): string => `if ((b & ${1 << k}) !== 0) {
      const was = f64[q + ${k}], is = was + m;
      f64[q + ${k}] = is;
      if (is === 0) idle.push(x);
      if (was > 0 !== is > 0) { const w = is > 0 ? 1 : -1; ${change(feed, k)} }
    }`
  const body = appendOnly
    ? `const q = x + ${payload} >>> 2, fresh = b & ~u32[q];
      if (fresh === 0) continue;
      u32[q] |= fresh;
      const w = 1;
      ${feeds.map(came).join('\n')}`
    : `const q = x + ${payload} >>> 3, m = weights === 0 ? 1 : i32[(weights >>> 2) + i];
      ${feeds.map(moved).join('\n')}`
  return generate(
    'updateDistinct',
    ['memory', 'values', 'groups', 'bits', 'data', 'weights', 'rows', 'lists', 'idle', 'addWide'],
    `const { u8, i32, u32, f64, i64 } = memory, d = data >>> 2;
    ${feeds.map((_, k) => `const l${k} = lists[${k}].list >>> 2; let n${k} = 0;`).join('\n')}
    for (let i = 0; i < rows; i++) {
      const x = u32[(values >>> 2) + i], e = u32[(groups >>> 2) + i], b = u32[(bits >>> 2) + i];
      ${body}
    }
    ${feeds.map((_, k) => `lists[${k}].rows = n${k};`).join(' ')}`,
  )
}
