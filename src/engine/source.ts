import type { Batch, Column } from '../data/batch.ts'
import { blockColumn, openBlock, readBlock } from '../data/block.ts'
import { encodeInterval } from '../data/interval.ts'
import { type Lane, laneOf } from '../data/sql-type.ts'
import { systemColumn } from '../plan/plan.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { Single, type SingleWriter } from '../state/single.ts'
import { ByteColumn } from './aggregates/byte-column.ts'
import { intColumn } from './aggregates/extreme.ts'
import { gatherBatch, gatherWords, listRows } from './lanes.ts'
import { BaseOperator, type Step } from './operator.ts'
import { Upsert } from './operators/upsert.ts'
import type { TopicBlock } from './port.ts'

export type Events = 'all' | 'onTime' | 'late'

const none = Number.NEGATIVE_INFINITY
const microsPerDay = 86_400_000_000n

/**
 * One topic's entry into the dataflow: copies blocks of the log in, decides per event whether it was late, and hands
 * the columns that somebody reads to what follows. A topic with a primary key goes through an Upsert.
 *
 * State: per partition the greatest event time, in microseconds (exact to 2^53: until the year 2255; beyond it, in
 * 64 bits). An event is late if it is older than the watermark just before it, so batches can't change that.
 */
export class TopicSource {
  readonly topic: TopicDefinition
  /** What it keeps beside its tables. */
  readonly watermarks: Single
  readonly #step: Step
  readonly #wanted = new Map<Events, number[]>()
  readonly #outlets = new Map<Events, Outlet>()
  readonly #partitions = new Map<number, { greatest: bigint | null }>()
  readonly #lateness: bigint
  lateEvents = 0

  constructor(step: Step, topic: TopicDefinition) {
    this.#step = step
    this.topic = topic
    this.#lateness = BigInt(topic.latenessMicros)
    this.watermarks = this.#single()
  }

  /** Says that somebody reads these columns (ordinals or systemColumn) of these events; before `outlet`. */
  want(events: Events, reads: readonly number[]): void {
    const wanted = this.#wanted.get(events) ?? (events === 'late' ? [] : [...this.topic.primaryKey])
    for (const column of reads) if (!wanted.includes(column)) wanted.push(column)
    this.#wanted.set(events, wanted)
  }

  /** Where the wanted columns come out, and which they are. */
  outlet(events: Events): Outlet {
    let outlet = this.#outlets.get(events)
    if (outlet === undefined) {
      const columns = this.#wanted.get(events) ?? []
      const keyed = this.topic.primaryKey.length > 0 && events !== 'late'
      const lanes = columns.map((column) => this.#laneOf(column))
      const keys = this.topic.primaryKey.map((key) => columns.indexOf(key))
      outlet = { columns, operator: keyed ? new Upsert(this.#step, lanes, keys) : new Passage(this.#step) }
      this.#outlets.set(events, outlet)
    }
    return outlet
  }

  get outlets(): ReadonlyMap<Events, Outlet> {
    return this.#outlets
  }

  /** The least watermark over the partitions, null while there is none. */
  get watermark(): bigint | null {
    let least: bigint | null = null
    for (const { greatest } of this.#partitions.values()) {
      if (greatest !== null && (least === null || greatest < least)) least = greatest
    }
    return least === null ? null : least - this.#lateness
  }

  push(logged: TopicBlock): void {
    const { arena } = this.#step
    const mark = arena.mark()
    this.#push(logged)
    // A table keeps its events until the end of the tick; whoever takes an append-only topic's copies what it keeps.
    if (![...this.#outlets.values()].some(({ operator }) => operator instanceof Upsert)) arena.release(mark)
  }

  #push(logged: TopicBlock): void {
    const { arena, memory } = this.#step
    const block = openBlock(logged.bytes)
    const operationColumn = block.columns.get(blockColumn.operation)
    const operations =
      operationColumn === undefined
        ? 0
        : readBlock(arena, block, [{ id: blockColumn.operation, lane: 'i32' }]).columns[0].data
    const late = this.topic.eventTime === null ? null : this.#classify(logged, operations)
    for (const [events, { columns, operator }] of this.#outlets) {
      const stored = columns.filter((column) => column >= 0)
      const batch = readBlock(
        arena,
        block,
        stored.map((id) => ({ id, lane: this.#laneOf(id) })),
      )
      let at = 0
      const all = columns.map((column) =>
        column >= 0 ? batch.columns[at++] : this.#system(column, logged, block.rows, late?.watermarks ?? 0),
      )
      const whole: Batch = { rows: block.rows, columns: all, weights: 0 }
      const chosen =
        late === null || events === 'all'
          ? null
          : (row: number) => (memory.u8[late.flags + row] === 1) === (events === 'late')
      if (chosen === null) hand(operator, whole, operations)
      else {
        const { list, rows } = listRows(arena, block.rows, chosen)
        const kept = rows === block.rows ? whole : gatherBatch(arena, whole, list, rows)
        const keptOperations =
          operations === 0 || rows === block.rows ? operations : gatherWords(arena, operations, list, rows)
        if (rows > 0) hand(operator, kept, keptOperations)
      }
    }
  }

  #laneOf(column: number): Lane {
    if (column >= 0) return laneOf(this.topic.columns[column].type)
    if (column === systemColumn.partition) return 'i32'
    return column === systemColumn.distance ? 'bytes' : 'i64'
  }

  /** Decides in offset order which events are late. @returns a flag byte and the watermark before each event */
  #classify(logged: TopicBlock, operations: number): { flags: number; watermarks: number } {
    const { arena, memory } = this.#step
    const block = openBlock(logged.bytes)
    this.watermarks.touch()
    const [time] = readBlock(arena, block, [{ id: this.topic.eventTime as number, lane: 'i64' }]).columns
    const flags = arena.allocateZeroed(block.rows)
    const watermarks = arena.allocateZeroed(block.rows * 8)
    const partition = this.#partitions.get(logged.partition) ?? { greatest: null }
    this.#partitions.set(logged.partition, partition)
    const { u8, u32, i32, i64 } = memory
    // Microseconds until 2112 are exact as doubles with room for the subtraction; BigInt only beyond.
    const limit = 2 ** 52
    const lateness = Number(this.#lateness)
    let greatest = partition.greatest === null ? none : Number(partition.greatest)
    const plain = lateness < limit && (greatest === none || Math.abs(greatest) < limit)
    let exact = partition.greatest
    let useExact = !plain
    for (let i = 0; i < block.rows; i++) {
      const deleted = operations !== 0 && i32[(operations >>> 2) + i] === 1
      const known = time.state === 0 || u8[time.state + i] === 0
      if (deleted || !known) continue
      const t = i32[(time.data >>> 2) + 2 * i + 1] * 4294967296 + u32[(time.data >>> 2) + 2 * i]
      if (!useExact && Math.abs(t) >= limit) {
        useExact = true
        exact = greatest === none ? null : BigInt(greatest)
      }
      if (!useExact) {
        if (greatest !== none) {
          const watermark = greatest - lateness
          const high = Math.floor(watermark / 4294967296)
          i32[(watermarks >>> 2) + 2 * i] = watermark - high * 4294967296
          i32[(watermarks >>> 2) + 2 * i + 1] = high
          if (t < watermark) {
            u8[flags + i] = 1
            this.lateEvents++
          }
        }
        if (t > greatest) greatest = t
        continue
      }
      const micros = i64[time.data / 8 + i]
      if (exact !== null) {
        i64[watermarks / 8 + i] = exact - this.#lateness
        if (micros < exact - this.#lateness) {
          u8[flags + i] = 1
          this.lateEvents++
        }
      }
      if (exact === null || micros > exact) exact = micros
    }
    partition.greatest = useExact ? exact : greatest === none ? null : BigInt(greatest)
    return { flags, watermarks }
  }

  #system(column: number, logged: TopicBlock, rows: number, watermarks: number): Column {
    const { arena, memory } = this.#step
    if (column === systemColumn.watermark) return { lane: 'i64', data: watermarks, state: 0, heap: 0 }
    if (column === systemColumn.distance) return this.#distance(logged, rows, watermarks)
    if (column === systemColumn.partition) {
      const data = arena.allocate(rows * 4)
      memory.i32.fill(logged.partition, data >>> 2, (data >>> 2) + rows)
      return { lane: 'i32', data, state: 0, heap: 0 }
    }
    const data = arena.allocate(rows * 8)
    const value = column === systemColumn.tick ? BigInt(this.#step.tick) : logged.appendedAtMicros
    const first = BigInt(logged.firstOffset)
    for (let i = 0; i < rows; i++) memory.i64[data / 8 + i] = column === systemColumn.offset ? first + BigInt(i) : value
    return { lane: 'i64', data, state: 0, heap: 0 }
  }

  /** How far behind the watermark each event was, as the interval that PostgreSQL's subtraction gives. */
  #distance(logged: TopicBlock, rows: number, watermarks: number): Column {
    const { arena, memory } = this.#step
    const [time] = readBlock(arena, openBlock(logged.bytes), [
      { id: this.topic.eventTime as number, lane: 'i64' },
    ]).columns
    const out = new ByteColumn(arena, rows)
    for (let i = 0; i < rows; i++) {
      const micros = memory.i64[watermarks / 8 + i] - memory.i64[time.data / 8 + i]
      if (micros > 0n)
        out.set(i, encodeInterval({ months: 0, days: Number(micros / microsPerDay), micros: micros % microsPerDay }))
    }
    return out.column()
  }

  endTick(): void {
    for (const { operator } of this.#outlets.values()) operator.endTick()
  }

  #single(): Single {
    const { arena, memory } = this.#step
    const save = (out: SingleWriter): void => {
      const partitions = [...this.#partitions]
      const ids = partitions.map(([id]) => id)
      out.rows(0, ids, (_things, rows, from) => {
        const data = arena.allocateZeroed(rows * 8)
        const state = arena.allocateZeroed(rows)
        partitions.slice(from, from + rows).forEach(([, { greatest }], i) => {
          if (greatest === null) memory.u8[state + i] = 1
          else memory.i64[data / 8 + i] = greatest
        })
        return [intColumn(this.#step, ids, from, rows), { lane: 'i64', data, state, heap: 0 }]
      })
      out.rows(1, [0], () => {
        const data = arena.allocate(8)
        memory.f64[data / 8] = this.lateEvents
        return [{ lane: 'f64', data, state: 0, heap: 0 }]
      })
    }
    return new Single(arena, save, (section, { columns, rows }) => {
      if (section === 1) this.lateEvents = memory.f64[columns[0].data / 8]
      for (let i = 0; section === 0 && i < rows; i++) {
        const [id, time] = columns
        const missing = time.state !== 0 && memory.u8[time.state + i] === 1
        const greatest = missing ? null : memory.i64[time.data / 8 + i]
        this.#partitions.set(memory.i32[(id.data >>> 2) + i], { greatest })
      }
    })
  }
}

export interface Outlet {
  readonly columns: readonly number[]
  readonly operator: Upsert | Passage
}

/** An append-only topic's events are its changes. */
class Passage extends BaseOperator {
  push(batch: Batch, _port: number): void {
    this.output.emit(batch)
  }
}

function hand(operator: Upsert | Passage, batch: Batch, operations: number): void {
  if (operator instanceof Upsert) operator.events(batch, operations)
  else operator.push(batch, 0)
}
