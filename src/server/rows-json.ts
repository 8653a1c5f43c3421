import { ByteWriter } from '../data/byte-writer.ts'
import { compilePrinter, type PrintOptions, type RowWriter } from '../data/json-print.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { Clock } from '../io/io.ts'
import type { Rows } from '../views/rows.ts'
import { Slices } from '../views/slices.ts'

/** Bytes gathered before they are handed on. */
export const pieceBytes = 64 * 1024

/** Rows printed between two looks at the clock. */
const stepRows = 64

const comma = 0x2c

/**
 * `rows` lists them, a row of weight n n times; `changes` lists `{"row", "weight"}`.
 */
export type RowsForm = 'rows' | 'changes'

const printers = new WeakMap<readonly ColumnSchema[], Map<string, RowWriter>>()

/** Compiled once for each way of printing some columns: most answers are a row or two. */
function printerOf(columns: readonly ColumnSchema[], options: PrintOptions): RowWriter {
  const made = printers.get(columns) ?? new Map<string, RowWriter>()
  printers.set(columns, made)
  const way = `${options.numbers} ${options.shape}`
  const print = made.get(way) ?? compilePrinter(columns, options)
  made.set(way, print)
  return print
}

/**
 * Prints rows between `head` and `tail` straight from their lanes. Others get their turn between two pieces, and
 * within one that takes long.
 */
export async function* rowsJson(
  clock: Clock,
  head: string,
  rows: Rows,
  form: RowsForm,
  tail: string,
  options: PrintOptions = {},
): AsyncGenerator<Uint8Array> {
  const print = printerOf(rows.columns, options)
  const out = new ByteWriter(rows.length > 8 ? 4096 : 512)
  const slices = new Slices(clock)
  let first = true
  out.text(head)
  for (let from = 0; from < rows.length; from += stepRows) {
    rows.forEach(
      (page, row, weight) => {
        for (let times = form === 'rows' ? weight : 1; times > 0; times--) {
          if (!first) out.byte(comma)
          first = false
          if (form === 'changes') out.ascii('{"row":')
          print(page.memory, page.columns, row, out)
          if (form === 'changes') out.ascii(`,"weight":${weight}}`)
        }
      },
      from,
      Math.min(from + stepRows, rows.length),
    )
    if (out.length >= pieceBytes) yield out.take()
    if (slices.due) await slices.pause()
  }
  out.text(tail)
  yield out.take()
}
