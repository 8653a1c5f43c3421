import type { PrintOptions } from '../data/json-print.ts'
import type { Clock } from '../io/io.ts'
import { eventEnd, eventHead } from '../protocol/event-stream.ts'
import type { Rows } from '../views/rows.ts'
import { rowsJson } from './rows-json.ts'

/** Changes of more rows are printed for each reader as he takes them: what slow ones lack is not kept printed. */
const mostShared = 2048

/** By the way of printing, what was printed of some rows; for as long as these are there. */
const printed = new WeakMap<Rows, Map<string, Promise<readonly Uint8Array[]>>>()

/**
 * A change of a view or a live query as an event of its stream. Readers that see the same and keep up are told the same
 * rows, and get the same bytes: they are printed once.
 *
 * @param rows of one tick, seen by one kind of readers
 */
export async function* changeEvent(
  clock: Clock,
  tick: number,
  rows: Rows,
  options: PrintOptions,
): AsyncGenerator<Uint8Array> {
  if (rows.length > mostShared) yield* print(clock, tick, rows, options)
  else yield* await shared(clock, tick, rows, options)
}

function shared(clock: Clock, tick: number, rows: Rows, options: PrintOptions): Promise<readonly Uint8Array[]> {
  const ways = printed.get(rows) ?? new Map<string, Promise<readonly Uint8Array[]>>()
  printed.set(rows, ways)
  const way = `${tick} ${options.numbers} ${options.shape}`
  const pieces = ways.get(way) ?? gathered(print(clock, tick, rows, options))
  ways.set(way, pieces)
  return pieces
}

function print(clock: Clock, tick: number, rows: Rows, options: PrintOptions): AsyncGenerator<Uint8Array> {
  const head = `${eventHead('change', String(tick))}{"tick":${tick},"changes":[`
  return rowsJson(clock, head, rows, 'changes', `]}${eventEnd}`, options)
}

async function gathered(pieces: AsyncGenerator<Uint8Array>): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return all
}
