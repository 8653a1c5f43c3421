import { openBlock } from '../data/block.ts'
import { rowsOfBlock } from '../data/block-rows.ts'
import { invariant, MillraceError } from '../data/errors.ts'
import type { Io } from '../io/io.ts'
import type { BackupAnswer } from './backup.ts'
import type { Commit, CommitStore, Gathering, StoreReader } from './commit.ts'
import { GroupCommitLog } from './group-commit.ts'
import { IdempotencyTable } from './idempotency.ts'
import { BlockKeys, KeySet } from './keys.ts'
import {
  type ColumnsRead,
  type Cut,
  endOf,
  isBeyond,
  type Log,
  type LoggedBlock,
  type LogOptions,
  offsetOf,
  type ReadBlock,
  rowFrom,
  type SealedTick,
  type TickMark,
  type TickWanted,
  type TopicStart,
  type Trim,
} from './log.ts'

/** A log that lives as long as its process: the same order, ticks and answers, nothing on disk. */
export function openMemoryLog(io: Pick<Io, 'clock'>, options: LogOptions): Log {
  return new GroupCommitLog(io.clock, new MemoryStore(), options, {
    tick: 0,
    timeMicros: 0n,
    commitMicros: 0n,
    offsets: new Map(),
    remembered: new IdempotencyTable(),
  })
}

/** The log may be cut where so much more has come since the last place. */
const cutBytes = 64 << 10

const nothing: Gathering = { add() {} }

class MemoryStore implements CommitStore {
  readonly identity = 'memory'
  /** Sealed blocks per topic, in offset order. */
  #topics = new Map<number, ReadBlock[]>()
  /** By their numbers, from 1. */
  #ticks: SealedTick[] = []
  #unsealed: LoggedBlock[] = []
  #starts: ReadonlyMap<number, TopicStart> = new Map()
  /** Ticks at which the log may be cut. */
  readonly #cuts: number[] = []
  #sinceCut = 0

  gather(): Gathering {
    return nothing
  }

  async commit(_gathering: Gathering, { blocks, seal }: Commit): Promise<void> {
    for (const block of blocks) this.#unsealed.push(block)
    if (seal === null) return
    this.#ticks.push({ tick: seal.tick, timeMicros: seal.timeMicros, blocks: this.#unsealed })
    for (const { bytes } of this.#unsealed) this.#sinceCut += bytes.byteLength
    if (this.#sinceCut >= cutBytes) {
      this.#cuts.push(seal.tick)
      this.#sinceCut = 0
    }
    for (const block of this.#unsealed) {
      const read = { ...block, tick: seal.tick }
      const topic = this.#topics.get(block.topic)
      if (topic === undefined) this.#topics.set(block.topic, [read])
      else topic.push(read)
    }
    this.#unsealed = []
  }

  /** Each tick as it was: nothing is won by merging what is in memory. */
  async replay(
    each: (tick: SealedTick) => Promise<void> | void,
    _: number,
    afterTick: number,
    throughTick: number,
    __?: ColumnsRead,
  ): Promise<void> {
    const end = Math.min(this.#ticks.length, throughTick)
    for (let i = afterTick; i < end; i++) await each(this.#ticks[i])
  }

  async findTick(wanted: TickWanted): Promise<TickMark | null> {
    let low = 0
    for (let high = this.#ticks.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (isBeyond(this.#ticks[middle], wanted)) high = middle
      else low = middle + 1
    }
    const found = this.#ticks[low - 1]
    return found === undefined ? null : { tick: found.tick, timeMicros: found.timeMicros }
  }

  async findOffset(topic: number, timeMicros: bigint): Promise<number | null> {
    const found = this.#topics.get(topic)?.find(({ appendedAtMicros }) => appendedAtMicros >= timeMicros)
    return found?.firstOffset ?? null
  }

  async readTopic(topic: number, fromOffset: number, limitRows: number): Promise<readonly ReadBlock[]> {
    const blocks = this.#topics.get(topic) ?? []
    let low = 0
    for (let high = blocks.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (endOf(blocks[middle]) <= fromOffset) low = middle + 1
      else high = middle
    }
    const found: ReadBlock[] = []
    for (let rows = 0; low < blocks.length && rows < limitRows; low++) {
      const block = blocks[low]
      found.push(block)
      rows += block.rows - rowFrom(block, fromOffset)
    }
    return found
  }

  reader(): StoreReader {
    const kept = new MemoryStore()
    // Lists grow behind what a reader asks for.
    kept.#topics = new Map(this.#topics)
    kept.#ticks = this.#ticks
    kept.#starts = this.#starts
    return {
      replay: (...asked) => kept.replay(...asked),
      findTick: (wanted) => kept.findTick(wanted),
      readTopic: (...asked) => kept.readTopic(...asked),
      starts: () => kept.#starts,
      close: async () => {},
    }
  }

  starts(): ReadonlyMap<number, TopicStart> {
    return this.#starts
  }

  cuts(): readonly Cut[] {
    const cuts: Cut[] = []
    const bytes = new Map<number, number>()
    let at = 0
    for (const tick of this.#cuts) {
      for (; at < tick; at++) {
        for (const block of this.#ticks[at].blocks) {
          bytes.set(block.topic, (bytes.get(block.topic) ?? 0) + block.bytes.byteLength)
        }
      }
      cuts.push({ tick, timeMicros: this.#ticks[tick - 1].timeMicros, bytes: new Map(bytes) })
    }
    return cuts
  }

  async trim(plan: readonly Trim[]): Promise<void> {
    const starts = new Map(this.#starts)
    const trimmed = new Map<number, readonly ReadBlock[]>()
    for (const { topic, throughTick, keep } of plan) {
      invariant(throughTick <= this.#ticks.length, 'only what is sealed is trimmed')
      if (throughTick <= (starts.get(topic)?.throughTick ?? 0)) continue
      const blocks = this.#topics.get(topic) ?? []
      const past = blocks.filter(({ tick }) => tick <= throughTick)
      const last = past.at(-1)
      const firstOffset = last === undefined ? (starts.get(topic)?.firstOffset ?? 0) : endOf(last)
      const kept = keep === 'nothing' ? [] : latestOf(past, keep.key)
      trimmed.set(topic, [...kept, ...blocks.slice(past.length)])
      starts.set(topic, { firstOffset, throughTick, keeps: keep === 'nothing' ? 'nothing' : 'latest' })
    }
    // Readers keep what they have; it grows no more.
    this.#topics = new Map(this.#topics)
    this.#ticks = [...this.#ticks]
    for (const [topic, blocks] of trimmed) this.#replace(topic, blocks, starts.get(topic)!.throughTick)
    this.#starts = starts
  }

  /** Puts other blocks in the place of a topic's, up to a tick. */
  #replace(topic: number, blocks: readonly ReadBlock[], throughTick: number): void {
    this.#topics.set(topic, [...blocks])
    let next = 0
    for (let i = 0; i < throughTick; i++) {
      const { blocks: before } = this.#ticks[i]
      if (!before.some((block) => block.topic === topic)) continue
      const own: LoggedBlock[] = []
      for (; next < blocks.length && blocks[next].tick === i + 1; next++) own.push(blocks[next])
      const others = before.filter((block) => block.topic !== topic)
      this.#ticks[i] = { ...this.#ticks[i], blocks: [...others, ...own] }
    }
  }

  backup(): Promise<BackupAnswer> {
    const error = new MillraceError('backup/refused', 'the log is kept in memory: there is nothing to copy', {
      hint: 'open the database with a data folder',
    })
    return Promise.reject(error)
  }

  async close(): Promise<void> {}
}

/** The last event of each key, unless it is a delete, in blocks as they were. */
function latestOf(blocks: readonly ReadBlock[], key: readonly number[]): ReadBlock[] {
  const seen = new KeySet()
  const kept: ReadBlock[] = []
  for (let i = blocks.length - 1; i >= 0; i--) {
    const logged = blocks[i]
    const block = openBlock(logged.bytes)
    const keys = new BlockKeys(block, key)
    const rows: number[] = []
    for (let row = logged.rows - 1; row >= 0; row--)
      if (seen.add(keys.at(row)) && !keys.isDelete(row)) rows.unshift(row)
    if (rows.length === 0) continue
    const offsets = Float64Array.from(rows, (row) => offsetOf(logged, row))
    const gone = { rows: rows.length, firstOffset: offsets[0], offsets, bytes: rowsOfBlock(block, rows) }
    kept.unshift(rows.length === logged.rows ? logged : { ...logged, ...gone })
  }
  return kept
}
