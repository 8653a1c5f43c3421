import type { StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { say, writeOut } from './output.ts'
import { elements, members } from './raw-json.ts'

/** One row as `tail` prints it. */
export function line(tick: string | number, row: string, weight: string | number): string {
  return `{"tick":${tick},"row":${row},"weight":${weight}}\n`
}

interface HeldRow {
  readonly tick: string
  readonly row: string
}

/** Prints what a topic's stream tells: a topic's rows are its events, a table's what its keys last were. */
export class TopicPrinter {
  readonly #path: string
  readonly #key: readonly string[]
  readonly #afterTick: number
  /** Of a table, as they were printed. */
  #rows = new Map<string, HeldRow>()
  /** What takes their place once it is whole; null: it is. */
  #coming: Map<string, HeldRow> | null

  /**
   * @param key of a table; none: a topic
   * @param fromTick prints only what came after it
   */
  constructor(path: string, key: readonly string[], fromTick: number | null) {
    this.#path = path
    this.#key = key
    this.#afterTick = fromTick ?? 0
    this.#coming = key.length === 0 || fromTick !== null ? null : new Map()
  }

  /** @throws MillraceError what the server says in the stream */
  async print({ event, data }: StreamEvent): Promise<void> {
    if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable(this.#path, new Error(data))
    if (event === 'reset') {
      const isTable = this.#key.length > 0
      say(`some events are gone: ${isTable ? 'what is left of the table follows' : 'those that are left follow'}`)
      if (isTable) this.#coming = new Map()
    }
    if (event !== 'events') return
    const body = members(data)
    let out = ''
    for (const told of elements(body.get('events') ?? '[]')) {
      const { tick, row, deletes } = eventOf(told)
      const printed = this.#key.length === 0 ? line(tick, row, 1) : this.#upsert(tick, row, deletes)
      if (Number(tick) > this.#afterTick) out += printed
    }
    if (this.#coming !== null && body.get('complete') === 'true') out += this.#takeOver(body.get('tick') ?? '')
    if (out !== '') await writeOut(out)
  }

  /** Takes an event of a table over. @returns what it changed, if that is to be told by itself */
  #upsert(tick: string, row: string, deletes: boolean): string {
    const rows = this.#coming ?? this.#rows
    const cells = members(row)
    const name = this.#key.map((column) => cells.get(column)).join()
    const before = rows.get(name)
    if (deletes) rows.delete(name)
    else rows.set(name, { tick, row })
    if (this.#coming !== null) return ''
    const gone = before === undefined ? '' : line(tick, before.row, -1)
    if (deletes) return gone
    return before?.row === row ? '' : gone + line(tick, row, 1)
  }

  /** The table is whole again. @returns what it is now, less what was printed of it */
  #takeOver(tick: string): string {
    const rows = this.#coming!
    let out = ''
    for (const [name, { row }] of this.#rows) if (rows.get(name)?.row !== row) out += line(tick, row, -1)
    for (const [name, held] of rows) if (this.#rows.get(name)?.row !== held.row) out += line(held.tick, held.row, 1)
    this.#rows = rows
    this.#coming = null
    return out
  }
}

function eventOf(text: string): HeldRow & { readonly deletes: boolean } {
  const event = members(text)
  return { tick: event.get('tick')!, row: event.get('data')!, deletes: event.get('op') === '"delete"' }
}
