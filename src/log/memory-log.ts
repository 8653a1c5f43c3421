import { MillraceError } from '../data/errors.ts'
import type { Io } from '../io/io.ts'
import type { BackupAnswer } from './backup.ts'
import type { Commit, CommitStore, Gathering } from './commit.ts'
import { GroupCommitLog } from './group-commit.ts'
import { IdempotencyTable } from './idempotency.ts'
import {
  isBeyond,
  type Log,
  type LoggedBlock,
  type LogOptions,
  type ReadBlock,
  type SealedTick,
  type TickMark,
  type TickWanted,
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

const nothing: Gathering = { add() {} }

class MemoryStore implements CommitStore {
  readonly identity = 'memory'
  /** Sealed blocks per topic, in offset order. */
  readonly #topics = new Map<number, ReadBlock[]>()
  /** By their numbers, from 1. */
  readonly #ticks: SealedTick[] = []
  #unsealed: LoggedBlock[] = []

  gather(): Gathering {
    return nothing
  }

  async commit(_gathering: Gathering, { blocks, seal }: Commit): Promise<void> {
    for (const block of blocks) this.#unsealed.push(block)
    if (seal === null) return
    this.#ticks.push({ tick: seal.tick, timeMicros: seal.timeMicros, blocks: this.#unsealed })
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
      if (blocks[middle].firstOffset + blocks[middle].rows <= fromOffset) low = middle + 1
      else high = middle
    }
    const found: ReadBlock[] = []
    for (let rows = 0; low < blocks.length && rows < limitRows; low++) {
      const block = blocks[low]
      found.push(block)
      rows += block.firstOffset + block.rows - Math.max(fromOffset, block.firstOffset)
    }
    return found
  }

  backup(): Promise<BackupAnswer> {
    const error = new MillraceError('backup/refused', 'the log is kept in memory: there is nothing to copy', {
      hint: 'open the database with a data folder',
    })
    return Promise.reject(error)
  }

  async close(): Promise<void> {}
}
