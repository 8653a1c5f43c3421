import { cellState } from '../data/batch.ts'
import { blockColumn, openBlock } from '../data/block.ts'
import { ByteWriter } from '../data/byte-writer.ts'
import { cellNull } from '../data/cell.ts'
import { bytesLength, bytesStart, type Cells, isNull } from '../data/cell-access.ts'
import { parseTimestamptz } from '../data/datetime.ts'
import { MillraceError } from '../data/errors.ts'
import { compilePrinter, type PrintOptions, type RowWriter } from '../data/json-print.ts'
import type { MemoryViews } from '../data/memory.ts'
import { columnIds, storedCells } from '../data/stored-column.ts'
import { type Sight, topicRestriction } from '../database/sight.ts'
import type { Database } from '../database.ts'
import { endOf, offsetOf, type ReadBlock, rowFrom } from '../log/log.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { seenTopic } from '../views/ad-hoc.ts'
import type { Restriction } from '../views/restriction.ts'
import { type ApiAnswer, jsonType } from './exchange.ts'
import type { Limits } from './limits.ts'
import { Parameters, refused } from './parameters.ts'
import { numberForms } from './view-read.ts'

const defaultEvents = 1000

/** GET /v1/topics/{topic}/events: events in the order of their offsets, as many as one answer holds. */
export async function readEvents(
  database: Database,
  limits: Limits,
  name: string,
  query: string,
  sight?: Sight,
): Promise<ApiAnswer> {
  const topic = database.topic(name)
  const parameters = new Parameters(query)
  const fromOffset = parameters.integer('from')
  const fromTime = parameters.one('from_time')
  const limit = parameters.integer('limit') ?? defaultEvents
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  parameters.end()
  if (limit > limits.topicEvents) {
    throw refused('limit', `is at most ${limits.topicEvents}`, 'go on from "next" for more')
  }
  if (fromTime !== null && fromOffset !== null) throw refused('from_time', 'cannot be given beside from')
  const from = fromTime === null ? (fromOffset ?? 0) : await database.findOffset(topic.name, microsOf(fromTime))
  const blocks = limit === 0 ? [] : await database.readTopic(topic.name, from, limit)
  const restriction = await topicRestriction(sight, topic)
  const seen = restriction === null ? { topic, blocks } : seenEvents(topic, blocks, restriction)
  const printer = new EventPrinter(seen.topic, from, limit, limits.topicBytes, { numbers })
  const whole = seen.blocks.every((block) => printer.print(block))
  // Events that are hidden are behind the reader as well.
  if (whole && restriction !== null) for (const block of blocks) printer.pass(endOf(block))
  return {
    status: 200,
    headers: { 'content-type': jsonType, 'cache-control': 'no-store' },
    body: printer.finish(),
  }
}

/**
 * Events as a reader sees them, at their own offsets. Fields that no column has are not shown: no mask knows them.
 * @throws MillraceError auth/forbidden for a table, of which only all events say which rows there are
 */
function seenEvents(
  topic: TopicDefinition,
  blocks: readonly ReadBlock[],
  restriction: Restriction,
): { readonly topic: TopicDefinition; readonly blocks: readonly ReadBlock[] } {
  const { name, columns, primaryKey } = topic
  if (primaryKey.length > 0) {
    throw new MillraceError('auth/forbidden', `you see some rows of ${name} only: its events are not to be had`, {
      hint: 'ask for its rows by a query, or define a view of them',
    })
  }
  const seen = blocks.flatMap((block) => {
    const { bytes, from } = restriction.seen(block.bytes, columnIds(columns))
    if (bytes === null) return []
    const offsets = Float64Array.from(from, (row) => offsetOf(block, row))
    return [{ ...block, bytes, rows: from.length, firstOffset: offsets[0], offsets }]
  })
  return { topic: seenTopic(topic, restriction), blocks: seen }
}

/** @throws MillraceError request/parameter */
function microsOf(text: string): bigint {
  const micros = parseTimestamptz(text)
  if (micros !== null) return micros
  throw refused('from_time', `is a time, not ${JSON.stringify(text)}`, 'write it as 2026-11-21T10:00:00Z')
}

class EventPrinter {
  readonly #topic: TopicDefinition
  readonly #row: RowWriter
  readonly #key: RowWriter
  readonly #options: PrintOptions
  readonly #mayNotFit: boolean
  readonly #mostBytes: number
  readonly #out = new ByteWriter(16 * 1024)
  #next: number
  #left: number

  constructor(topic: TopicDefinition, from: number, limit: number, mostBytes: number, options: PrintOptions) {
    this.#topic = topic
    this.#options = options
    this.#mayNotFit = topic.columns.some(({ added }) => added === true)
    this.#row = compilePrinter(topic.columns, options)
    this.#key = compilePrinter(
      topic.primaryKey.map((i) => topic.columns[i]),
      options,
    )
    this.#mostBytes = mostBytes
    this.#next = from
    this.#left = limit
    this.#out.ascii('{"events":[')
  }

  /** @returns whether there is room for more */
  print(logged: ReadBlock): boolean {
    const out = this.#out
    const { columns, primaryKey } = this.#topic
    const block = openBlock(logged.bytes)
    const { memory } = block
    const cells = storedCells(block, columns)
    const keys = primaryKey.map((i) => cells[i])
    const operations = block.columns.get(blockColumn.operation)
    const rest = block.columns.get(blockColumn.rest) ?? null
    for (let row = rowFrom(logged, this.#next); row < logged.rows; row++) {
      if (this.#left === 0 || out.length >= this.#mostBytes) return false
      const deleted = operations !== undefined && memory.i32[(operations.data >>> 2) + row] === 1
      const op = deleted ? 'delete' : primaryKey.length > 0 ? 'upsert' : 'append'
      const offset = offsetOf(logged, row)
      if (out.bytes[out.length - 1] === 0x7d) out.byte(0x2c)
      out.ascii(`{"offset":${offset},"tick":${logged.tick},"op":"${op}","data":`)
      if (deleted) this.#key(memory, keys, row, out)
      else {
        this.#printRow(memory, cells, row)
        if (!isNull(memory, rest, row)) {
          // Fields that no column has, as the text of an object: its inside goes on where the row's ends.
          const start = bytesStart(memory, rest, row)
          out.length--
          if (out.bytes[out.length - 1] !== 0x7b) out.byte(0x2c)
          out.copy(memory.u8, start + 1, start + bytesLength(memory, rest, row))
        }
      }
      out.byte(0x7d)
      this.#next = offset + 1
      this.#left--
    }
    return true
  }

  /** A row without fields that don't fit their columns: they are among the unknown ones, as they were written. */
  #printRow(memory: MemoryViews, cells: readonly Cells[], row: number): void {
    const fits = (cell: Cells): boolean => cell === null || cellState(memory, cell, row) <= cellNull
    if (!this.#mayNotFit || cells.every(fits)) {
      this.#row(memory, cells, row, this.#out)
      return
    }
    const fitting = this.#topic.columns.filter((_, i) => fits(cells[i]))
    compilePrinter(fitting, this.#options)(memory, cells.filter(fits), row, this.#out)
  }

  /** Nothing before this offset is left to be read. */
  pass(offset: number): void {
    this.#next = Math.max(this.#next, offset)
  }

  finish(): Uint8Array {
    this.#out.ascii(`],"next":${this.#next}}\n`)
    return this.#out.take()
  }
}
