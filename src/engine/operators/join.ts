import type { Batch, Column } from '../../data/batch.ts'
import { nullColumn } from '../../data/block.ts'
import { Bug } from '../../data/errors.ts'
import { type ColumnSchema, type Lane, laneOf } from '../../data/sql-type.ts'
import { type CompiledMap, compileMap } from '../../expr/compile.ts'
import { columnsOf, type Scalar } from '../../expr/scalar.ts'
import type { Join as JoinPlan } from '../../plan/plan.ts'
import { Arrangement, type Contents } from '../../state/arrangement.ts'
import { Bag, rowWeightOffset } from '../../state/bag.ts'
import type { BucketWriter } from '../../state/bucket-writer.ts'
import { bagRows, payloadColumn, restorePayload, rowWeights } from '../../state/columns.ts'
import { Table } from '../../state/table.ts'
import { errorReason, gatherColumn, gatherWords, listRows, withoutErrors } from '../lanes.ts'
import { BaseOperator, type Step } from '../operator.ts'
import { Pairs } from './pairs.ts'

/** A side's part of a key's payload: u32 first row, i32 rows. */
const sideBytes = 8
/** If a side is outer, further f64 weight of the side's rows, u32 "was there", u32 0. */
const outerSideBytes = 24
const sideWeight = 8
const sideShown = 16

export interface JoinSide {
  readonly columns: readonly ColumnSchema[]
  readonly keys: readonly number[]
  readonly appendOnly: boolean
  /** Rows without a match come out too, with NULLs for the other side. */
  readonly outer: boolean
}

/** What an inner join asks of a pair beyond equal keys. */
export interface Residual {
  /** Reads the columns of both sides, then two i32 columns, which it hands on: those of the pairs that pass. */
  readonly filter: CompiledMap
  /** The columns of both sides that it looks at. */
  readonly reads: ReadonlySet<number>
}

/** Compiles what hands on the lanes of the pairs for which the join's residual holds. */
export function compileResidual(plan: JoinPlan, residual: Scalar): Residual {
  const lane: ColumnSchema = { name: '', type: { kind: 'integer' }, nullable: false }
  const inputs = [...plan.left.columns, ...plan.right.columns, lane, lane]
  const lanes = [inputs.length - 2, inputs.length - 1].map((index): Scalar => ({ op: 'column', index, ...lane }))
  return { filter: compileMap(inputs, residual, lanes), reads: columnsOf(residual) }
}

interface Side extends JoinSide {
  readonly bag: Bag
  /** Columns kept with each row: all but the keys, which are the same on both sides. */
  readonly rest: readonly number[]
  readonly lanes: readonly Lane[]
  readonly payload: number
}

/** Rows of a batch (u32 lane `list`) beside rows of the other side (u32 lane `found`). */
interface PairRows {
  readonly rows: number
  readonly list: number
  readonly found: number
  readonly weights: number
}

const nowhere: Column = { lane: 'i32', data: 0, state: 0, heap: 0 }

/**
 * Equi-join: Δ(A ⋈ B) = ΔA ⋈ B + A ⋈ ΔB + ΔA ⋈ ΔB, by meeting each batch with what the other side holds at that
 * moment and then keeping it. An outer side adds A ▷ B with NULLs: rows of keys under which the other side has
 * nothing.
 *
 * State: both sides' rows under their key, in one table of keys. Costs a probe per change and one row per match.
 * Right because each pair of changes meets exactly once, when the later of the two arrives, whatever the order; and
 * because "the other side is empty", as it was when rows were last put out, is kept with the key and settled once at
 * the end of the tick.
 */
export class Join extends BaseOperator {
  readonly #keys: Table
  readonly #sides: readonly [Side, Side]
  readonly #residual: Residual | null
  readonly #outer: boolean
  #touched: number[] = []

  constructor(step: Step, left: JoinSide, right: JoinSide, residual: Residual | null) {
    super(step)
    const keyLanes = left.keys.map((key) => laneOf(left.columns[key].type))
    this.#outer = left.outer || right.outer
    this.#keys = new Table(step.heap, keyLanes, this.#sideBytes * 2, true)
    this.#residual = residual
    this.#sides = [this.#side(left, 0), this.#side(right, 1)]
    this.arrangements.set('keys', new Arrangement(step.arena, this.#keys, this.#contents()))
    if (residual !== null && this.#outer) throw new Bug('an outer join with a residual is composed of others')
  }

  get #sideBytes(): number {
    return this.#outer ? outerSideBytes : sideBytes
  }

  #side(side: JoinSide, port: number): Side {
    const rest = side.columns.map((_, i) => i).filter((i) => !side.keys.includes(i))
    const lanes = side.columns.map(({ type }) => laneOf(type))
    const payload = this.#keys.payload + port * this.#sideBytes
    const bag = new Bag(
      this.#keys,
      payload,
      rest.map((i) => lanes[i]),
      !side.appendOnly,
    )
    return { ...side, bag, rest, lanes, payload }
  }

  push(batch: Batch, port: number): void {
    const { arena } = this.step
    const own = this.#sides[port]
    const clean = withoutErrors(arena, batch, own.keys, (code, weight) =>
      this.output.error(code, errorReason(code, 'JOIN … ON'), weight),
    )
    if (clean.rows === 0) return
    const keys = arena.allocate(clean.rows * 4)
    this.#keys.locate(
      own.keys.map((key) => clean.columns[key]),
      clean.rows,
      keys,
      true,
    )
    this.#meet(clean, port, keys)
    this.#note(clean, port, keys)
    own.bag.add(
      own.rest.map((i) => clean.columns[i]),
      clean.rows,
      keys,
      clean.weights,
    )
  }

  /** Puts out the pairs of the batch's rows with the rows of the other side. */
  #meet(batch: Batch, port: number, keys: number): void {
    const { memory } = this.step
    const other = this.#sides[1 - port]
    const pairs = new Pairs(this.step, (rows, left, right, weights) =>
      this.#emitPairs(batch, port, rows, left, right, weights),
    )
    const first = other.payload >>> 2
    for (let i = 0, k = keys >>> 2; i < batch.rows; i++) {
      const key = memory.u32[k + i]
      if (key === 0) continue
      const weight = batch.weights === 0 ? 1 : memory.i32[(batch.weights >>> 2) + i]
      for (let row = memory.u32[(key >>> 2) + first]; row !== 0; row = memory.u32[row >>> 2]) {
        const product = weight * memory.i32[(row + rowWeightOffset) >>> 2]
        if (product !== 0) pairs.add(i, row, product)
      }
    }
    pairs.end()
  }

  #emitPairs(batch: Batch, port: number, rows: number, list: number, found: number, weights: number): void {
    const all = { rows, list, found, weights }
    const kept = this.#residual === null ? all : this.#passing(this.#residual, batch, port, all)
    if (kept !== null)
      this.output.emit({ rows: kept.rows, columns: this.#gather(batch, port, kept), weights: kept.weights })
  }

  /** The pairs' columns, or those of them that are wanted: a column that is not has no address to read from. */
  #gather(batch: Batch, port: number, { rows, list, found }: PairRows, wanted?: ReadonlySet<number>): Column[] {
    const { arena } = this.step
    const own = this.#sides[port]
    const other = this.#sides[1 - port]
    const width = this.#sides[0].columns.length
    const isWanted = (side: number, column: number) => wanted?.has(side === 0 ? column : width + column) ?? true
    const mine = batch.columns.map((column, i) => {
      // Equal keys have equal bytes: the other side's are this side's.
      const asOther = other.keys.some((key, k) => own.keys[k] === i && isWanted(1 - port, key))
      return asOther || isWanted(port, i) ? gatherColumn(arena, column, list, rows) : nowhere
    })
    const theirs = new Array<Column>(other.columns.length).fill(nowhere)
    const fields = other.rest.flatMap((column, k) => (isWanted(1 - port, column) ? [k] : []))
    const loaded = other.bag.load(arena, found, rows, fields)
    fields.forEach((field, k) => {
      theirs[other.rest[field]] = loaded[k]
    })
    other.keys.forEach((column, k) => {
      theirs[column] = mine[own.keys[k]]
    })
    return port === 0 ? [...mine, ...theirs] : [...theirs, ...mine]
  }

  /** Looks at no more columns than the residual reads: the others are copied for the pairs that pass. */
  #passing({ filter, reads }: Residual, batch: Batch, port: number, pairs: PairRows): PairRows | null {
    const { arena, memory, nowMicros } = this.step
    const columns = this.#gather(batch, port, pairs, reads)
    for (const data of [pairs.list, pairs.found]) columns.push({ lane: 'i32', data, state: 0, heap: 0 })
    const { batch: kept, errors } = filter.run(arena, { rows: pairs.rows, columns, weights: pairs.weights }, nowMicros)
    for (const { row, code } of errors) {
      const weight = pairs.weights === 0 ? 1 : memory.i32[(pairs.weights >>> 2) + row]
      this.output.error(code, errorReason(code, 'JOIN … ON'), weight)
    }
    if (kept === null) return null
    return { rows: kept.rows, list: kept.columns[0].data, found: kept.columns[1].data, weights: kept.weights }
  }

  /** Outer joins: counts the side's rows per key, and puts out new rows of keys that have no match so far. */
  #note(batch: Batch, port: number, keys: number): void {
    const own = this.#sides[port]
    const other = this.#sides[1 - port]
    const { memory, arena, epoch } = this.step
    if (other.outer) {
      const { u32, i32, f64 } = memory
      for (let i = 0; i < batch.rows; i++) {
        const key = u32[(keys >>> 2) + i]
        if (key === 0) continue
        f64[(key + own.payload + sideWeight) / 8] += batch.weights === 0 ? 1 : i32[(batch.weights >>> 2) + i]
        if (u32[(key >>> 2) + 1] === epoch) continue
        u32[(key >>> 2) + 1] = epoch
        this.#touched.push(key)
      }
    }
    if (!own.outer) return
    // A key with a NULL has no entry: nothing can ever match it.
    const { list, rows } = listRows(arena, batch.rows, (i) => {
      const key = memory.u32[(keys >>> 2) + i]
      return key === 0 || memory.u32[(key + other.payload + sideShown) >>> 2] === 0
    })
    if (rows === 0) return
    const mine = batch.columns.map((column) => gatherColumn(arena, column, list, rows))
    this.#emitUnmatched(port, mine, rows, batch.weights === 0 ? 0 : gatherWords(arena, batch.weights, list, rows))
  }

  #emitUnmatched(port: number, mine: readonly Column[], rows: number, weights: number): void {
    const { arena } = this.step
    const nulls = this.#sides[1 - port].lanes.map((lane) => nullColumn(arena, lane, rows))
    this.output.emit({ rows, columns: port === 0 ? [...mine, ...nulls] : [...nulls, ...mine], weights })
  }

  override endTick(): void {
    const touched = this.#touched
    this.#touched = []
    for (const port of [0, 1]) if (this.#sides[port].outer) this.#settle(touched, port)
    const { u32 } = this.step.memory
    const [left, right] = this.#sides
    const idle = (key: number): void => {
      // Both bags report a key that both leave; the second report finds it free of rows, and gone.
      if (u32[(key + left.payload) >>> 2] === 0 && u32[(key + right.payload) >>> 2] === 0) this.#idle.add(key)
    }
    left.bag.endTick(idle)
    right.bag.endTick(idle)
    for (const key of this.#idle) this.#keys.remove(key)
    this.#idle.clear()
  }

  readonly #idle = new Set<number>()

  /** Takes back, or puts out, the unmatched rows of keys for which the other side came or went. */
  #settle(touched: readonly number[], port: number): void {
    const { memory } = this.step
    const own = this.#sides[port]
    const other = this.#sides[1 - port]
    const pairs = new Pairs(this.step, (rows, keys, found, weights) => {
      this.#emitUnmatched(port, this.#loadSide(own, keys, found, rows), rows, weights)
    })
    for (const key of touched) {
      const weight = memory.f64[(key + other.payload + sideWeight) / 8]
      if (weight < 0) throw new Bug('a joined row was retracted more often than inserted')
      const was = memory.u32[(key + other.payload + sideShown) >>> 2] === 1
      const is = weight > 0
      if (was === is) continue
      memory.u32[(key + other.payload + sideShown) >>> 2] = is ? 1 : 0
      for (let row = own.bag.first(key); row !== 0; row = own.bag.following(row)) {
        const rowWeight = memory.i32[(row + rowWeightOffset) >>> 2]
        if (rowWeight !== 0) pairs.add(key, row, is ? -rowWeight : rowWeight)
      }
    }
    pairs.end()
  }

  #loadSide(side: Side, keys: number, found: number, rows: number): Column[] {
    const { arena } = this.step
    const columns = new Array<Column>(side.columns.length)
    const rest = side.bag.load(arena, found, rows)
    const key = this.#keys.load(arena, keys, rows)
    side.rest.forEach((column, k) => {
      columns[column] = rest[k]
    })
    side.keys.forEach((column, k) => {
      columns[column] = key[k]
    })
    return columns
  }

  /** Where in a key's entry an outer join keeps what it knows of the sides. */
  #outerWords(): number[] {
    if (!this.#outer) return []
    return this.#sides.flatMap(({ payload }) => [payload + sideWeight, payload + sideShown])
  }

  #contents(): Contents {
    const [left, right] = this.#sides
    return {
      sections: [
        [...this.#keys.keys, ...this.#outerWords().map((): Lane => 'f64')],
        [...left.lanes, 'i32'],
        [...right.lanes, 'i32'],
      ],
      bytesOf: (key) =>
        this.#keys.layout.bytes +
        left.bag.rowsOf(key) * left.bag.layout.bytes +
        right.bag.rowsOf(key) * right.bag.layout.bytes,
      save: (out) => this.#save(out),
      restore: (section, batch) => {
        if (section === 0) this.#restoreKeys(batch)
        else this.#restoreRows(this.#sides[section - 1], batch)
      },
      release: (key) => {
        for (const { bag } of this.#sides) bag.removeRows(key)
      },
    }
  }

  #save(out: BucketWriter): void {
    const { arena } = this.step
    out.each(0, (keys, rows) => [
      ...this.#keys.load(arena, keys, rows),
      ...this.#outerWords().map((offset) => payloadColumn(arena, keys, rows, offset)),
    ])
    this.#sides.forEach((side, port) => {
      const { owners, things } = bagRows(side.bag, out.entries)
      out.rows(port + 1, owners, things, (found, keys, rows) => [
        ...this.#loadSide(side, keys, found, rows),
        rowWeights(arena, found, rows),
      ])
    })
  }

  #restoreKeys({ columns, rows }: Batch): void {
    const { arena } = this.step
    const width = this.#keys.keys.length
    const keys = arena.allocate(rows * 4)
    this.#keys.restore(columns.slice(0, width), rows, keys)
    this.#outerWords().forEach((offset, k) => {
      restorePayload(arena, keys, rows, offset, columns[width + k])
    })
  }

  #restoreRows(side: Side, { columns, rows }: Batch): void {
    const keys = this.step.arena.allocate(rows * 4)
    const keyColumns = side.keys.map((key) => columns[key])
    this.#keys.restore(keyColumns, rows, keys)
    const rest = side.rest.map((i) => columns[i])
    side.bag.add(rest, rows, keys, columns[side.lanes.length].data)
  }
}
