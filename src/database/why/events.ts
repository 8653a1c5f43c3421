import { cellState } from '../../data/batch.ts'
import { type Block, blockColumn, openBlock } from '../../data/block.ts'
import { cellNull } from '../../data/cell.ts'
import type { Cells } from '../../data/cell-access.ts'
import { formatTimestamp } from '../../data/datetime.ts'
import { olderBlocks } from '../../data/older-blocks.ts'
import { storedCells } from '../../data/stored-column.ts'
import { cellText } from '../../data/text-print.ts'
import { endOf, type LogReads, offsetOf, type ReadBlock, rowFrom } from '../../log/log.ts'
import type { TopicDefinition } from '../../plan/program.ts'
import { rowOf } from '../../plan/why-words.ts'
import type { EventRef } from '../../protocol/why.ts'

/** An event's place in its topic. */
export interface Position {
  readonly topic: TopicDefinition
  readonly partition: number
  readonly offset: number
}

export function timeText(micros: bigint): string {
  return formatTimestamp(micros, 'T', '+00:00')
}

/** Reads events by their positions, each block once. */
export class EventLookup {
  readonly #log: LogReads
  readonly #blocks = new Map<number, OpenedBlock[]>()
  readonly #found = new Map<string, EventRef | null>()

  constructor(log: LogReads) {
    this.#log = log
  }

  /** The event; null where it is no longer there. */
  async at({ topic, offset }: Position): Promise<EventRef | null> {
    const name = `${topic.id} ${offset}`
    const known = this.#found.get(name)
    if (known !== undefined) return known
    const block = await this.#block(topic, offset)
    const event = block?.eventAt(offset) ?? null
    this.#found.set(name, event)
    return event
  }

  /** One after the other, in the order of offsets: neighbours share blocks. */
  async all(positions: readonly Position[]): Promise<EventRef[]> {
    const sorted = [...positions].sort((a, b) => a.topic.id - b.topic.id || a.offset - b.offset)
    const events: EventRef[] = []
    for (const position of sorted) {
      const event = await this.at(position)
      if (event !== null) events.push(event)
    }
    return events
  }

  async #block(topic: TopicDefinition, offset: number): Promise<OpenedBlock | null> {
    const opened = this.#blocks.get(topic.id) ?? []
    const known = opened.find((block) => block.holds(offset))
    if (known !== undefined) return known
    for (const logged of await this.#log.readTopic(topic.id, offset, 1)) {
      const block = new OpenedBlock(topic, logged)
      if (!block.holds(offset)) continue
      // A few are enough: positions come in order.
      this.#blocks.set(topic.id, [block, ...opened.slice(0, 3)])
      return block
    }
    return null
  }
}

/** A topic's block, with the columns of today. */
export class OpenedBlock {
  readonly topic: TopicDefinition
  readonly logged: ReadBlock
  readonly #block: Block
  readonly #cells: readonly Cells[]

  constructor(topic: TopicDefinition, logged: ReadBlock) {
    this.topic = topic
    this.logged = logged
    const asNow = olderBlocks(topic.columns)
    this.#block = openBlock(asNow === null ? logged.bytes : asNow(logged.bytes))
    this.#cells = storedCells(this.#block, topic.columns)
  }

  holds(offset: number): boolean {
    return offset >= this.logged.firstOffset && offset < endOf(this.logged)
  }

  offset(row: number): number {
    return offsetOf(this.logged, row)
  }

  /** Null where that one was thrown away. */
  eventAt(offset: number): EventRef | null {
    const row = rowFrom(this.logged, offset)
    return row < this.logged.rows && this.offset(row) === offset ? this.event(row) : null
  }

  deletes(row: number): boolean {
    const operations = this.#block.columns.get(blockColumn.operation)
    return operations !== undefined && this.#block.memory.i32[(operations.data >>> 2) + row] === 1
  }

  /** A cell as PostgreSQL prints it; NULL also where a field of old does not fit its column. */
  text(column: number, row: number): string | null {
    const cell = this.#cells[column]
    const { memory } = this.#block
    if (cell !== null && cellState(memory, cell, row) > cellNull) return null
    return cellText(memory, cell, row, this.topic.columns[column].type)
  }

  event(row: number): EventRef {
    const { topic, logged } = this
    const deleted = this.deletes(row)
    const ordinals = deleted ? topic.primaryKey : topic.columns.map((_, i) => i)
    const { tick, micros } = commitOf(logged, row)
    return {
      topic: topic.name,
      partition: logged.partition,
      offset: this.offset(row),
      tick,
      op: deleted ? 'delete' : topic.primaryKey.length > 0 ? 'upsert' : 'append',
      appended_at: timeText(micros),
      data: rowOf(
        ordinals.map((i) => topic.columns[i]),
        ordinals.map((i) => this.text(i, row)),
      ),
    }
  }
}

function commitOf({ tick, appendedAtMicros, commits }: ReadBlock, row: number): { tick: number; micros: bigint } {
  if (commits === undefined) return { tick, micros: appendedAtMicros }
  const at = commits.ends.findIndex((end) => row < end)
  return { tick: commits.ticks[at], micros: BigInt(commits.micros[at]) }
}
