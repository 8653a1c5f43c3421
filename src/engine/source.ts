import type { Batch, Column } from '../data/batch.ts'
import { blockColumn } from '../data/block.ts'
import { GatheredBlocks, sectionOf } from '../data/gathered-blocks.ts'
import { encodeInterval } from '../data/interval.ts'
import { logBuckets } from '../data/log-buckets.ts'
import type { MemoryViews } from '../data/memory.ts'
import { olderBlocks } from '../data/older-blocks.ts'
import { type Lane, laneOf } from '../data/sql-type.ts'
import { columnId } from '../data/stored-column.ts'
import { systemColumn } from '../plan/plan.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { Single, type SingleWriter } from '../state/single.ts'
import { ByteColumn } from './aggregates/byte-column.ts'
import { intColumn } from './aggregates/extreme.ts'
import { gatherBatch, gatherWords, listRows } from './lanes.ts'
import { BaseOperator, type Step } from './operator.ts'
import { Upsert } from './operators/upsert.ts'
import type { TopicBlock } from './port.ts'
import { Watermark } from './watermark.ts'

export type Events = 'all' | 'onTime' | 'late'

/** So many rows go on as they are; blocks with fewer wait for the next. */
const enoughRows = 4096
const microsPerDay = 86_400_000_000n
const readsWatermark: readonly number[] = [systemColumn.watermark, systemColumn.distance]

/** What was found out about a block's events: addresses of a flag and of the watermark before each; 0: not asked for. */
interface Lateness {
  readonly flags: number
  readonly watermarks: number
}

const nothingLate: Lateness = { flags: 0, watermarks: 0 }

/**
 * One topic's entry into the dataflow: copies blocks of the log in, decides per event whether it was late, and hands
 * the columns that somebody reads to what follows. A topic with a primary key goes through an Upsert.
 *
 * State: per partition the greatest event time (watermark.ts).
 */
export class TopicSource {
  readonly topic: TopicDefinition
  /** What it keeps beside its tables. */
  readonly watermarks: Single
  readonly #step: Step
  readonly #wanted = new Map<Events, number[]>()
  readonly #outlets = new Map<Events, Outlet>()
  readonly #partitions = new Map<number, Watermark>()
  readonly #lateness: bigint
  /** Since the engine's start, by microseconds (log-buckets.ts): how much older events were than the newest before. */
  readonly disorder = new Float64Array(logBuckets)
  readonly #asNow: ((bytes: Uint8Array) => Uint8Array) | null
  /** What waits to be sent on: the blocks, and where they stood in the log. */
  readonly #gathered = new GatheredBlocks()
  #parts: TopicBlock[] = []
  /** Whether anybody asks which events were late, and what the watermark before each was. */
  #needsFlags = false
  #needsWatermarks = false
  lateEvents = 0
  /** The meter's. */
  readonly slot: number
  /** Events that came in. */
  rows = 0

  constructor(step: Step, topic: TopicDefinition) {
    this.#step = step
    this.slot = step.slot
    this.topic = topic
    this.#lateness = BigInt(topic.latenessMicros)
    this.#asNow = olderBlocks(topic.columns)
    this.watermarks = this.#single()
  }

  /** Says that somebody reads these columns (ordinals or systemColumn) of these events; before `outlet`. */
  want(events: Events, reads: readonly number[]): void {
    const wanted = this.#wanted.get(events) ?? this.#firstWanted(events)
    for (const column of reads) if (!wanted.includes(column)) wanted.push(column)
    this.#wanted.set(events, wanted)
  }

  /** What a table whose state outlives its readers keeps of its rows must be the same whoever reads it: all of them. */
  #firstWanted(events: Events): number[] {
    const { primaryKey, columns } = this.topic
    if (events === 'late') return []
    if (primaryKey.length === 0 || !this.#step.heap.tracked) return [...primaryKey]
    return [...primaryKey, ...columns.map((_, column) => column).filter((column) => !primaryKey.includes(column))]
  }

  /** Where the wanted columns come out, and which they are. */
  outlet(events: Events): Outlet {
    let outlet = this.#outlets.get(events)
    if (outlet === undefined) {
      const columns = this.#wanted.get(events) ?? []
      const keyed = this.topic.primaryKey.length > 0 && events !== 'late'
      const lanes = columns.map((column) => this.#laneOf(column))
      const keys = this.topic.primaryKey.map((key) => columns.indexOf(key))
      outlet = { events, columns, operator: keyed ? new Upsert(this.#step, lanes, keys) : new Passage(this.#step) }
      this.#outlets.set(events, outlet)
      this.#needsFlags ||= events !== 'all'
      this.#needsWatermarks ||= columns.some((column) => readsWatermark.includes(column))
    }
    return outlet
  }

  /** Changes that went on: of a table net ones, of a topic all that somebody reads. */
  get rowsOut(): number {
    let most = 0
    for (const { operator } of this.#outlets.values()) most = Math.max(most, operator.output.rows)
    return most
  }

  get outlets(): readonly Outlet[] {
    return [...this.#outlets.values()]
  }

  /** The least watermark over the partitions, null while there is none. */
  get watermark(): bigint | null {
    let least: bigint | null = null
    for (const { greatest } of this.#partitions.values()) {
      if (greatest !== null && (least === null || greatest < least)) least = greatest
    }
    return least === null ? null : least - this.#lateness
  }

  /** Goes on behind events that nobody will see: the greatest time of them, and how many were late. */
  goOn(greatest: bigint | null, late: number): void {
    this.watermarks.touch()
    this.#partitions.set(0, new Watermark(this.#lateness, greatest))
    this.lateEvents = late
  }

  /** Takes events; they go on at the latest with `flush`. Their bytes must stay as they are until then. */
  push(logged: TopicBlock): void {
    const gathered = this.#gathered
    const block = gathered.open(this.#asNow === null ? logged.bytes : this.#asNow(logged.bytes))
    if (block.rows === 0) return
    this.rows += block.rows
    if (!gathered.fits(block) || (gathered.rows > 0 && this.#parts[0].partition !== logged.partition)) this.flush()
    gathered.add(block)
    this.#parts.push(logged)
    if (gathered.rows >= enoughRows) this.flush()
  }

  /** Sends on what was gathered, as one batch; before `endTick`. */
  flush(): void {
    const { arena } = this.#step
    const gathered = this.#gathered
    if (gathered.rows === 0) return
    const mark = arena.mark()
    const operations = gathered.has(blockColumn.operation)
      ? gathered.column(arena, blockColumn.operation, 'i32').data
      : 0
    const late = this.topic.eventTime === null ? nothingLate : this.#classify(operations)
    const weights = gathered.has(blockColumn.weight) ? this.#weights() : 0
    // Outlets that want the same column share one copy: batches are immutable.
    const copied = new Map<number, Column>()
    for (const { events, columns, operator } of this.#outlets.values()) {
      const all = columns.map((column) => {
        const found = copied.get(column) ?? this.#column(column, late.watermarks)
        copied.set(column, found)
        return found
      })
      this.#hand(operator, { rows: gathered.rows, columns: all, weights }, operations, late.flags, events)
    }
    gathered.clear()
    this.#parts = []
    // A table keeps its events until the end of the tick; whoever takes an append-only topic's copies what it keeps.
    if (this.topic.primaryKey.length === 0) arena.release(mark)
  }

  #hand(operator: Upsert | Passage, whole: Batch, operations: number, flags: number, events: Events): void {
    const { arena, memory } = this.#step
    if (this.topic.eventTime === null || events === 'all') {
      hand(operator, whole, operations)
      return
    }
    const chosen = (row: number): boolean => (memory.u8[flags + row] === 1) === (events === 'late')
    const { list, rows } = listRows(arena, whole.rows, chosen)
    if (rows === 0) return
    if (rows === whole.rows) hand(operator, whole, operations)
    else {
      const keptOperations = operations === 0 ? 0 : gatherWords(arena, operations, list, rows)
      hand(operator, gatherBatch(arena, whole, list, rows), keptOperations)
    }
  }

  /** Of changes, in a program that says so of this topic: a block without weights has insertions only. */
  #weights(): number {
    const { arena, memory } = this.#step
    const { rows, blocks } = this.#gathered
    const weights = arena.allocate(rows * 4)
    memory.i32.fill(1, weights >>> 2, (weights >>> 2) + rows)
    for (const block of blocks) {
      const section = sectionOf(block, blockColumn.weight, 'i32')
      if (section === null) continue
      const from = section.data >>> 2
      memory.i32.set(block.memory.i32.subarray(from, from + block.rows), (weights >>> 2) + block.row)
    }
    return weights
  }

  #column(column: number, watermarks: number): Column {
    return column >= 0
      ? this.#gathered.column(this.#step.arena, columnId(this.topic.columns, column), this.#laneOf(column))
      : this.#system(column, watermarks)
  }

  #laneOf(column: number): Lane {
    if (column >= 0) return laneOf(this.topic.columns[column].type)
    if (column === systemColumn.partition) return 'i32'
    return column === systemColumn.distance ? 'bytes' : 'i64'
  }

  /** The event time's number in blocks. */
  get #timeId(): number {
    return columnId(this.topic.columns, this.topic.eventTime as number)
  }

  /** Decides in offset order which events are late, and notes what somebody reads of it. */
  #classify(operations: number): Lateness {
    const { arena, memory } = this.#step
    const { rows } = this.#gathered
    this.watermarks.touch()
    const flags = this.#needsFlags ? arena.allocateZeroed(rows) : 0
    const watermarks = this.#needsWatermarks ? arena.allocateZeroed(rows * 8) : 0
    const [{ partition }] = this.#parts
    let known = this.#partitions.get(partition)
    if (known === undefined) {
      known = new Watermark(this.#lateness, null, this.disorder)
      this.#partitions.set(partition, known)
    }
    for (const block of this.#gathered.blocks) {
      const time = sectionOf(block, this.#timeId, 'i64')
      if (time === null) continue
      const { rows, row } = block
      this.lateEvents += known.pass(
        { memory: block.memory, time, rows, operations: operations === 0 ? 0 : operations + row * 4 },
        { memory, flags: flags === 0 ? 0 : flags + row, watermarks: watermarks === 0 ? 0 : watermarks + row * 8 },
      )
    }
    return { flags, watermarks }
  }

  #system(column: number, watermarks: number): Column {
    const { arena, memory, tick } = this.#step
    const { rows } = this.#gathered
    if (column === systemColumn.watermark) return { lane: 'i64', data: watermarks, state: 0, heap: 0 }
    if (column === systemColumn.distance) return this.#distance(watermarks)
    if (column === systemColumn.partition) {
      const data = arena.allocate(rows * 4)
      memory.i32.fill(this.#parts[0].partition, data >>> 2, (data >>> 2) + rows)
      return { lane: 'i32', data, state: 0, heap: 0 }
    }
    const data = arena.allocate(rows * 8)
    this.#gathered.blocks.forEach((block, i) => {
      const { firstOffset, appendedAtMicros, commits, offsets } = this.#parts[i]
      const at = data + block.row * 8
      if (column === systemColumn.offset) writeOffsets(memory, at, firstOffset, block.rows, offsets)
      else if (commits !== undefined) {
        writeRuns(memory, at, commits.ends, column === systemColumn.tick ? commits.ticks : commits.micros)
      } else {
        const value = column === systemColumn.tick ? BigInt(tick) : appendedAtMicros
        memory.i64.fill(value, at / 8, at / 8 + block.rows)
      }
    })
    return { lane: 'i64', data, state: 0, heap: 0 }
  }

  /** How far behind the watermark each event was, as the interval that PostgreSQL's subtraction gives. */
  #distance(watermarks: number): Column {
    const { arena, memory } = this.#step
    const { rows } = this.#gathered
    const time = this.#gathered.column(arena, this.#timeId, 'i64')
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
        this.#partitions.set(memory.i32[(id.data >>> 2) + i], new Watermark(this.#lateness, greatest, this.disorder))
      }
    })
  }
}

export interface Outlet {
  readonly events: Events
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

/** One number for all rows up to each end. */
function writeRuns({ i64 }: MemoryViews, at: number, ends: Uint32Array, values: Float64Array): void {
  for (let run = 0, from = 0; run < ends.length; from = ends[run++]) {
    i64.fill(BigInt(values[run]), at / 8 + from, at / 8 + ends[run])
  }
}

/** Numbers below 2^53, which go up by one where they aren't given. */
function writeOffsets(
  memory: MemoryViews,
  data: number,
  first: number,
  rows: number,
  offsets: Float64Array | undefined,
): void {
  const { u32 } = memory
  const to = data >>> 2
  for (let i = 0; i < rows; i++) {
    const offset = offsets === undefined ? first + i : offsets[i]
    u32[to + 2 * i] = offset >>> 0
    u32[to + 2 * i + 1] = Math.floor(offset / 4294967296)
  }
}
