import { cellState } from '../data/batch.ts'
import { blockColumn, openBlock } from '../data/block.ts'
import type { ByteWriter } from '../data/byte-writer.ts'
import { cellNull } from '../data/cell.ts'
import { bytesLength, bytesStart, type Cells, isNull } from '../data/cell-access.ts'
import { MillraceError } from '../data/errors.ts'
import { compilePrinter, type PrintOptions, type RowWriter } from '../data/json-print.ts'
import type { MemoryViews } from '../data/memory.ts'
import { columnIds, storedCells } from '../data/stored-column.ts'
import { offsetOf, type ReadBlock, rowFrom } from '../log/log.ts'
import type { TopicDefinition } from '../plan/program.ts'
import { seenTopic } from '../views/ad-hoc.ts'
import type { Restriction } from '../views/restriction.ts'

/**
 * Events as a reader sees them, at their own offsets. Fields that no column has are not shown: no mask knows them.
 * @throws MillraceError auth/forbidden for a table, of which only all events say which rows there are
 */
export function seenEvents(
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

/** Where printing came to. */
export interface Printed {
  /** The offset behind the last event printed. */
  readonly next: number
  readonly events: number
  /** Of the last event printed; 0: none. */
  readonly tick: number
  /** Whether all of the blocks are printed. */
  readonly whole: boolean
}

/** Events of one topic in JSON. */
export class EventPrinter {
  readonly #topic: TopicDefinition
  readonly #row: RowWriter
  readonly #key: RowWriter
  readonly #options: PrintOptions
  readonly #mayNotFit: boolean

  constructor(topic: TopicDefinition, options: PrintOptions) {
    this.#topic = topic
    this.#options = options
    this.#mayNotFit = topic.columns.some(({ added }) => added === true)
    this.#row = compilePrinter(topic.columns, options)
    this.#key = compilePrinter(
      topic.primaryKey.map((i) => topic.columns[i]),
      options,
    )
  }

  /**
   * Prints events from an offset on, with commas between them.
   * @param mostBytes no event is begun beyond this length of `out`
   */
  print(out: ByteWriter, blocks: readonly ReadBlock[], from: number, mostEvents: number, mostBytes: number): Printed {
    let next = from
    let events = 0
    let tick = 0
    for (const logged of blocks) {
      const print = this.#blockPrinter(logged, out)
      for (let row = rowFrom(logged, next); row < logged.rows; row++) {
        if (events === mostEvents || out.length >= mostBytes) return { next, events, tick, whole: false }
        if (events > 0) out.byte(0x2c)
        next = print(row) + 1
        tick = logged.tick
        events++
      }
    }
    return { next, events, tick, whole: true }
  }

  /** @returns prints one event of a block, and says its offset */
  #blockPrinter(logged: ReadBlock, out: ByteWriter): (row: number) => number {
    const { columns, primaryKey } = this.#topic
    const block = openBlock(logged.bytes)
    const { memory } = block
    const cells = storedCells(block, columns)
    const keys = primaryKey.map((i) => cells[i])
    const operations = block.columns.get(blockColumn.operation)
    const rest = block.columns.get(blockColumn.rest) ?? null
    return (row) => {
      const deleted = operations !== undefined && memory.i32[(operations.data >>> 2) + row] === 1
      const op = deleted ? 'delete' : primaryKey.length > 0 ? 'upsert' : 'append'
      const offset = offsetOf(logged, row)
      out.ascii(`{"offset":${offset},"tick":${logged.tick},"op":"${op}","data":`)
      if (deleted) this.#key(memory, keys, row, out)
      else {
        this.#printRow(memory, cells, row, out)
        if (!isNull(memory, rest, row)) {
          // Fields that no column has, as the text of an object: its inside goes on where the row's ends.
          const start = bytesStart(memory, rest, row)
          out.length--
          if (out.bytes[out.length - 1] !== 0x7b) out.byte(0x2c)
          out.copy(memory.u8, start + 1, start + bytesLength(memory, rest, row))
        }
      }
      out.byte(0x7d)
      return offset
    }
  }

  /** A row without fields that don't fit their columns: they are among the unknown ones, as they were written. */
  #printRow(memory: MemoryViews, cells: readonly Cells[], row: number, out: ByteWriter): void {
    const fits = (cell: Cells): boolean => cell === null || cellState(memory, cell, row) <= cellNull
    if (!this.#mayNotFit || cells.every(fits)) {
      this.#row(memory, cells, row, out)
      return
    }
    const fitting = this.#topic.columns.filter((_, i) => fits(cells[i]))
    compilePrinter(fitting, this.#options)(memory, cells.filter(fits), row, out)
  }
}
