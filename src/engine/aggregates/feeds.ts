import type { Batch, Column } from '../../data/batch.ts'
import type { MemoryViews } from '../../data/memory.ts'
import type { Lane } from '../../data/sql-type.ts'
import { declareColumn, generate } from '../../state/row-code.ts'
import { gatherColumn, gatherWords } from '../lanes.ts'
import type { Step } from '../operator.ts'
import type { Accumulator } from './accumulator.ts'
import { Count, type Counter } from './count.ts'
import type { GroupIds } from './group-ids.ts'
import type { addWide } from './integer-sum.ts'

/**
 * The values that some calls of one GROUP BY have in common: an argument, FILTER, and whether DISTINCT. What is kept
 * of them is kept once: avg(x) and sum(x) share a sum, and all calls share the number of values.
 */
export class Feed {
  /** Which of the aggregate's feeds it is. */
  readonly index: number
  /** Columns of the input; no argument for count(*). */
  readonly argument: number | null
  readonly filter: number | null
  readonly distinct: boolean
  readonly lane: Lane | null
  readonly accumulators = new Map<string, Accumulator>()
  /** What says how many values there are. */
  readonly counter: Counter

  /**
   * @param all the counter of all rows of the group, where every one is a value of this feed
   */
  constructor(
    step: Step,
    index: number,
    call: { readonly argument: number | null; readonly filter: number | null; readonly distinct: boolean },
    lane: Lane | null,
    all: Counter | null,
  ) {
    this.index = index
    this.argument = call.argument
    this.filter = call.filter
    this.distinct = call.distinct
    this.lane = lane
    if (all === null) {
      const count = new Count(step)
      this.accumulators.set('count', count)
      this.counter = count
    } else this.counter = all
  }

  /** The accumulators that take values by the batch. */
  get inBatches(): readonly Accumulator[] {
    return [...this.accumulators.values()].filter(({ update }) => update !== undefined)
  }

  /** JavaScript that adds row `i` of the argument, whose data start at the word `d`, to the entry `e`. */
  code(d: string): string {
    const wide = this.lane === 'i64' ? `i64[(${d} >>> 1) + i]` : 'BigInt(v)'
    const codes = [...this.accumulators.values()].map((one) => one.code?.(wide) ?? '').join('\n')
    return codes === '' ? '' : `{ ${this.#value(d)} ${codes} }`
  }

  #value(d: string): string {
    if (this.lane === 'i32') return `const v = i32[${d} + i];`
    if (this.lane !== 'i64') return ''
    return `const lo = u32[${d} + 2 * i], hi = i32[${d} + 2 * i + 1], v = hi * 4294967296 + lo;`
  }

  /** Hands values to the accumulators that take them by the batch. */
  update(step: Step, groups: number, column: Column, weights: number, list: number, rows: number): void {
    if (rows === 0) return
    const { arena } = step
    const values = { ...gatherColumn(arena, column, list, rows), state: 0 }
    const entries = gatherWords(arena, groups, list, rows)
    const signs = weights === 0 ? 0 : gatherWords(arena, weights, list, rows)
    for (const one of this.inBatches) one.update?.(entries, rows, values, signs)
  }
}

/** Feeds whose values DISTINCT passes on: which rows are in which is a word of bits per row. */
export interface BitLane {
  readonly feeds: readonly Feed[]
}

/** Where a loop over rows lists some of them: `list` is room for a u32 per row, `rows` how many it listed. */
export interface RowList {
  readonly list: number
  /** For DISTINCT, room beside each listed row: u32, which of the feeds it is for; and its group's id, two u32. */
  readonly bits: number
  readonly ids: number
  rows: number
}

/** Counts an error cell of a feed's argument or FILTER. */
export type Fail = (feed: number, entry: number, code: number, weight: number) => void

export type FeedLoop = (
  memory: MemoryViews,
  batch: Batch,
  groups: number,
  epoch: number,
  touched: number[],
  lists: readonly RowList[],
  fail: Fail,
  wide: typeof addWide,
  ids: GroupIds | null,
) => void

const views = 'let u8 = memory.u8, i32 = memory.i32, u32 = memory.u32, f64 = memory.f64, i64 = memory.i64;'
const refresh = 'u8 = memory.u8; i32 = memory.i32; u32 = memory.u32; f64 = memory.f64; i64 = memory.i64;'

/**
 * One loop over a batch for all calls of a GROUP BY: the group's weight, the list of what the tick touched, FILTERs,
 * NULLs and errors, and every accumulator that is simple enough, while the group's entry is at hand.
 * @param weight offset in an entry of the f64 that counts its rows
 * @param lists per list that the loop makes: the feed, or the feeds, whose rows it is of
 * @param ids the groups', where there is DISTINCT
 */
export function compileFeeds(
  feeds: readonly Feed[],
  weight: number,
  lists: readonly (Feed | BitLane)[],
  ids: GroupIds | null,
): FeedLoop {
  const plain = feeds.filter((feed) => feed.accumulators.size > 0 || feed.distinct)
  const filters = [...new Set(plain.flatMap(({ filter }) => (filter === null ? [] : [filter])))]
  const columns = [...new Set([...filters, ...plain.flatMap(({ argument }) => (argument === null ? [] : [argument]))])]
  const bitsOf = (feed: Feed): string => {
    const l = lists.findIndex((one) => 'feeds' in one && one.feeds.includes(feed))
    return `b${l} |= ${1 << (lists[l] as BitLane).feeds.indexOf(feed)};`
  }
  const body = (feed: Feed): string => {
    if (feed.distinct) return bitsOf(feed)
    const l = lists.indexOf(feed)
    const listed = l < 0 ? '' : `u32[l${l} + n${l}++] = i;`
    return feed.code(feed.argument === null ? '' : `d${feed.argument}`) + listed
  }
  const source = `${views}
    const { columns, rows, weights } = batch;
    ${columns.map(declareColumn).join('\n')}
    ${lists.map((one, l) => `const l${l} = lists[${l}].list >>> 2${'feeds' in one ? `, x${l} = lists[${l}].bits >>> 2, y${l} = lists[${l}].ids >>> 2` : ''}; let n${l} = 0;`).join('\n')}
    for (let i = 0, g = groups >>> 2, m = weights >>> 2; i < rows; i++) {
      const e = u32[g + i], w = weights === 0 ? 1 : i32[m + i];
      f64[e + ${weight} >>> 3] += w;
      if (u32[(e >>> 2) + 1] !== epoch) { u32[(e >>> 2) + 1] = epoch; touched.push(e); }
      ${filters.map((f) => `const t${f} = u8OrZero(s${f}), f${f} = t${f} === 0 ? i32[d${f} + i] : t${f} === 1 ? 0 : -t${f};`).join('\n')}
      ${lists.map((one, l) => ('feeds' in one ? `let b${l} = 0;` : '')).join(' ')}
      ${plain.map((feed) => feedCode(feed, body(feed))).join('\n')}
      ${ids?.code() ?? ''}
      ${lists.map((one, l) => ('feeds' in one ? listDistinct(l) : '')).join('\n')}
    }
    ${lists.map((_, l) => `lists[${l}].rows = n${l};`).join(' ')}`
  return generate(
    'updateGroups',
    ['memory', 'batch', 'groups', 'epoch', 'touched', 'lists', 'fail', 'addWide', 'ids'],
    source.replace(/u8OrZero\((\w+)\)/g, '($1 === 0 ? 0 : u8[$1 + i])'),
  )
}

function listDistinct(l: number): string {
  return `if (b${l} !== 0) {
    u32[x${l} + n${l}] = b${l};
    u32[y${l} + 2 * n${l}] = low;
    u32[y${l} + 2 * n${l} + 1] = high;
    u32[l${l} + n${l}++] = i;
  }`
}

/** FILTER comes first: what it doesn't let through can't fail. */
function feedCode(feed: Feed, body: string): string {
  const { index, argument, filter } = feed
  const failed = (code: string): string => `{ fail(${index}, e, ${code}, w); ${refresh} }`
  const value =
    argument === null
      ? body
      : `{ const s = u8OrZero(s${argument}); if (s === 0) { ${body} } else if (s > 1) ${failed('s')} }`
  return filter === null ? value : `if (f${filter} > 0) { ${value} } else if (f${filter} < 0) ${failed(`-f${filter}`)}`
}

export type MergeLoop = (
  memory: MemoryViews,
  from: number,
  into: number,
  rows: number,
  epoch: number,
  touched: number[],
) => void

/** One loop that adds to each group, with its weight, what another one of the same shape holds. */
export function compileMerge(accumulators: readonly Accumulator[], weight: number): MergeLoop {
  return generate(
    'mergeGroups',
    ['memory', 'from', 'into', 'rows', 'epoch', 'touched'],
    `const { u32, f64 } = memory;
    for (let i = 0; i < rows; i++) {
      const e = u32[(into >>> 2) + i], p = u32[(from >>> 2) + i];
      f64[e + ${weight} >>> 3] += f64[p + ${weight} >>> 3];
      if (u32[(e >>> 2) + 1] !== epoch) { u32[(e >>> 2) + 1] = epoch; touched.push(e); }
      ${accumulators.map((one) => one.merge?.()).join('\n')}
    }`,
  )
}
