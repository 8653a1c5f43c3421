import type { Batch, Column } from '../../data/batch.ts'
import { Bug, MillraceError } from '../../data/errors.ts'
import { type ColumnSchema, type Lane, laneOf, type SqlType, typeName } from '../../data/sql-type.ts'
import type { AggregateCall } from '../../plan/plan.ts'
import type { Arrangement } from '../../state/arrangement.ts'
import type { Step } from '../operator.ts'
import type { Accumulator, AccumulatorRows, Finish } from './accumulator.ts'
import { BooleanFold } from './bool.ts'
import { type Counter, finishCount } from './count.ts'
import { DecimalSum } from './decimal-sum.ts'
import { DistinctValues, feedsMax } from './distinct-values.ts'
import { DoubleSum } from './double-sum.ts'
import { ErrorCounts } from './error-counts.ts'
import { AppendOnlyExtreme, RetractableExtreme } from './extreme.ts'
import { compileFeeds, compileMerge, Feed, type FeedLoop, type MergeLoop, type RowList } from './feeds.ts'
import { GroupIds } from './group-ids.ts'
import { IntegerExtreme } from './integer-extreme.ts'
import { addWide, IntegerSum } from './integer-sum.ts'

/**
 * All calls of one GROUP BY. Calls over the same values share a feed, calls of one feed share accumulators, and one
 * generated loop takes a batch through all of them.
 */
export class Calls {
  /** Bytes of payload per group. */
  readonly bytes: number
  /** Lanes of the columns that `save` makes. */
  readonly saved: readonly Lane[]
  readonly #step: Step
  readonly #input: readonly ColumnSchema[]
  readonly #appendOnly: boolean
  readonly #all: Counter
  readonly #feeds: Feed[] = []
  readonly #results: readonly { readonly feed: Feed; readonly finish: Finish }[]
  readonly #parts: readonly (Accumulator | ErrorCounts | GroupIds)[]
  /** What keeps rows for each group. */
  readonly rows: readonly AccumulatorRows[]
  readonly #accumulators: readonly Accumulator[]
  readonly #errors: ErrorCounts
  readonly #distinct: readonly DistinctValues[]
  readonly #ids: GroupIds | null
  readonly #lists: readonly (Feed | DistinctValues)[]
  #loop: FeedLoop | null = null
  #merge: MergeLoop | null = null

  /**
   * @param outputs the calls' result types
   * @param all where an entry counts its group's rows
   */
  constructor(
    step: Step,
    input: readonly ColumnSchema[],
    calls: readonly AggregateCall[],
    outputs: readonly SqlType[],
    appendOnly: boolean,
    all: Counter,
  ) {
    this.#step = step
    this.#input = input
    this.#appendOnly = appendOnly
    this.#all = all
    this.#results = calls.map((call, i) => this.#result(call, outputs[i]))
    this.#errors = new ErrorCounts(step, this.#feeds.length)
    this.#accumulators = this.#feeds.flatMap(({ accumulators }) => [...accumulators.values()])
    this.rows = this.#accumulators.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))
    const canFail = this.#feeds.some(({ argument, filter }) => argument !== null || filter !== null)
    this.#ids = this.#feeds.some(({ distinct }) => distinct) ? new GroupIds(step) : null
    this.#parts = [
      ...(this.#ids === null ? [] : [this.#ids]),
      ...(canFail ? [this.#errors] : []),
      ...this.#accumulators,
    ]
    this.bytes = this.#parts.reduce((sum, { bytes }) => sum + bytes, 0)
    this.saved = this.#parts.flatMap(({ saved }) => saved)
    this.#distinct = this.#makeDistinct()
    const batched = this.#feeds.filter(({ distinct, inBatches }) => !distinct && inBatches.length > 0)
    this.#lists = [...batched, ...this.#distinct]
  }

  /** @param offset of the payload within an entry */
  place(offset: number): void {
    let at = offset
    for (const part of this.#parts) {
      part.offset = at
      at += part.bytes
    }
  }

  /**
   * Takes a batch to its groups, and counts their rows.
   * @param groups address of the rows' entries
   * @param touched receives the entries that this tick touches for the first time
   */
  update(batch: Batch, groups: number, touched: number[]): void {
    const { arena, memory, epoch } = this.#step
    this.#loop ??= compileFeeds(this.#feeds, this.#all.offset, this.#lists, this.#ids)
    const lists: RowList[] = this.#lists.map((one) => ({
      list: arena.allocate(batch.rows * 4),
      bits: one instanceof DistinctValues ? arena.allocate(batch.rows * 4) : 0,
      ids: one instanceof DistinctValues ? arena.allocate(batch.rows * 8) : 0,
      rows: 0,
    }))
    this.#loop(memory, batch, groups, epoch, touched, lists, this.#fail, addWide, this.#ids)
    this.#lists.forEach((one, l) => {
      if (one instanceof DistinctValues) one.update(batch, groups, lists[l])
      else if (one.argument !== null)
        one.update(this.#step, groups, batch.columns[one.argument], batch.weights, lists[l].list, lists[l].rows)
    })
  }

  /**
   * Adds groups of the same calls, kept in another table, to others; without DISTINCT, and where `mergeable` holds.
   * @param from address of `rows` u32 entries
   * @param into the entries that each is added to
   * @param touched receives those of them that this tick touches for the first time
   */
  merge(from: number, into: number, rows: number, touched: number[]): void {
    const { memory, epoch } = this.#step
    this.#merge ??= compileMerge(this.#accumulators, this.#all.offset)
    this.#merge(memory, from, into, rows, epoch, touched)
    this.#errors.merge(from, into, rows)
  }

  readonly #fail = (feed: number, entry: number, code: number, weight: number): void => {
    this.#errors.add(feed, entry, code, weight)
  }

  /** The calls' results for each entry. */
  finish(entries: number, rows: number): Column[] {
    return this.#results.map(({ feed, finish }) => this.#errors.apply(feed.index, entries, rows, finish(entries, rows)))
  }

  release(entry: number): void {
    this.#errors.release(entry)
    for (const one of this.#accumulators) one.release?.(entry)
  }

  /** State that is not kept by group. */
  get arrangements(): readonly Arrangement[] {
    return this.#distinct.map(({ arrangement }) => arrangement)
  }

  /** Forgets what DISTINCT knows of groups that are let go although they have rows. */
  forgetValues(entries: readonly number[]): void {
    const ids = this.#ids
    if (ids === null || entries.length === 0) return
    const gone = new Set(entries.map((entry) => ids.of(entry)))
    for (const values of this.#distinct) values.forget(gone)
  }

  endTick(): void {
    for (const values of this.#distinct) values.endTick()
  }

  save(entries: number, rows: number): Column[] {
    return this.#parts.flatMap((part) => part.save(entries, rows))
  }

  restore(entries: number, rows: number, columns: readonly Column[]): void {
    let at = 0
    for (const part of this.#parts) {
      part.restore(entries, rows, columns.slice(at, at + part.saved.length))
      at += part.saved.length
    }
  }

  #makeDistinct(): DistinctValues[] {
    const lane = (column: number): Lane => laneOf(this.#input[column].type)
    const distinct = this.#feeds.filter((feed) => feed.distinct)
    const columns = new Set(distinct.flatMap(({ argument }) => (argument === null ? [] : [argument])))
    return [...columns].flatMap((column) => {
      const over = distinct.filter(({ argument }) => argument === column)
      const parts = Array.from({ length: Math.ceil(over.length / feedsMax) }, (_, k) =>
        over.slice(k * feedsMax, (k + 1) * feedsMax),
      )
      return parts.map(
        (feeds) => new DistinctValues(this.#step, feeds, { column, lane: lane(column) }, this.#appendOnly),
      )
    })
  }

  #feed(call: AggregateCall): Feed {
    const { argument, filter } = call
    // The rest gives the same over distinct values as over all.
    const distinct =
      argument !== null && call.distinct && (call.fn === 'count' || call.fn === 'sum' || call.fn === 'avg')
    const known = this.#feeds.find(
      (feed) => feed.argument === argument && feed.filter === filter && feed.distinct === distinct,
    )
    if (known !== undefined) return known
    const every = !distinct && filter === null && (argument === null || !this.#input[argument].nullable)
    const lane = argument === null ? null : laneOf(this.#input[argument].type)
    const feed = new Feed(
      this.#step,
      this.#feeds.length,
      { argument, filter, distinct },
      lane,
      every ? this.#all : null,
    )
    this.#feeds.push(feed)
    return feed
  }

  #result(call: AggregateCall, result: SqlType): { feed: Feed; finish: Finish } {
    const feed = this.#feed(call)
    return { feed, finish: this.#finish(feed, call, result) }
  }

  #finish(feed: Feed, { fn }: AggregateCall, result: SqlType): Finish {
    const step = this.#step
    if (fn === 'count') return (entries, rows) => finishCount(step, feed.counter, entries, rows)
    if (feed.argument === null || feed.lane === null) throw new Bug(`${fn} without an argument`)
    const { lane, counter } = feed
    switch (fn) {
      case 'boolAnd':
      case 'boolOr': {
        const fold = shared(feed, 'bool', () => new BooleanFold(step))
        return (entries, rows) => fold.finish(fn === 'boolAnd', entries, rows)
      }
      case 'min':
      case 'max': {
        const extreme = shared(feed, fn, () => extremeFor(step, lane, fn === 'max', this.#appendOnly, counter))
        return (entries, rows) => extreme.finish(entries, rows)
      }
      case 'sum':
      case 'avg':
        return this.#sum(feed, this.#input[feed.argument].type, lane, result, fn === 'avg')
    }
  }

  #sum(feed: Feed, argument: SqlType, lane: Lane, result: SqlType, mean: boolean): Finish {
    const step = this.#step
    const { counter } = feed
    if (lane === 'f64') {
      const sum = shared(feed, 'sum', () => new DoubleSum(step, counter))
      return (entries, rows) => sum.finish(result, mean, entries, rows)
    }
    if (argument.kind === 'numeric' && lane === 'bytes') {
      const sum = shared(feed, 'sum', () => new DecimalSum(step, counter))
      return (entries, rows) => sum.finish(mean, entries, rows)
    }
    const { kind } = argument
    if (kind !== 'numeric' && kind !== 'smallint' && kind !== 'integer' && kind !== 'bigint') {
      throw new MillraceError(
        'sql/unsupported',
        `${mean ? 'avg' : 'sum'}(${typeName(argument)}) is not supported yet`,
        {
          hint: 'extract a number from it first, for instance with extract(epoch from …)',
        },
      )
    }
    const scale = kind === 'numeric' ? (argument.scale ?? 0) : 0
    const sum = shared(feed, 'sum', () => new IntegerSum(step, lane === 'i64', scale, counter))
    if (result.kind === 'bigint') return (entries, rows) => sum.finishBigint(entries, rows)
    return (entries, rows) => sum.finishDecimal(mean, entries, rows)
  }
}

/** The feed's accumulator of that name: each is made once. */
function shared<T extends Accumulator>(feed: Feed, name: string, make: () => T): T {
  const known = feed.accumulators.get(name)
  if (known !== undefined) return known as T
  const made = make()
  feed.accumulators.set(name, made)
  return made
}

type Extreme = Accumulator & { finish: Finish }

function extremeFor(step: Step, lane: Lane, max: boolean, appendOnly: boolean, counter: Counter): Extreme {
  if (!appendOnly) return new RetractableExtreme(step, lane, max)
  if (lane === 'i32' || lane === 'i64') return new IntegerExtreme(step, lane, max, counter)
  return new AppendOnlyExtreme(step, lane, max)
}

/** Can what one part of a group's rows gave be added to what the others did, in a few words? */
export function mergeable(call: AggregateCall, input: readonly ColumnSchema[], appendOnly: boolean): boolean {
  if (call.argument === null) return true
  const lane = laneOf(input[call.argument].type)
  const narrow = lane === 'i32' || lane === 'i64'
  switch (call.fn) {
    case 'count':
      return !call.distinct
    case 'sum':
    case 'avg':
      return !call.distinct && narrow
    case 'min':
    case 'max':
      return appendOnly && narrow
    case 'boolAnd':
    case 'boolOr':
      return true
  }
}
