import type { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import { known } from '../database/names.ts'
import type { Clock } from '../io/io.ts'
import { EventStreamParser, eventStreamType, type StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { say, writeOut } from './output.ts'
import { Patience, pause } from './patience.ts'
import { elements, members, objectText } from './raw-json.ts'

/** How often a topic is asked for more. */
const pollMs = 500
const pageEvents = 1000

/**
 * Prints a relation's rows and then its changes as `{"tick", "row", "weight"}`, until interrupted; goes on where it
 * was when the server restarts.
 * @param fromTick leaves the rows out: the changes after this tick
 */
export async function tail(
  connection: Connection,
  clock: Clock,
  name: string,
  fromTick: number | null,
  signal: AbortSignal,
): Promise<number> {
  const { topics, views } = await connection.catalog()
  const patience = new Patience(clock, signal)
  patience.answered()
  const named = <T extends { readonly name: string }>(all: readonly T[]): T | undefined =>
    all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === name.toLowerCase())
  const view = named(views)
  const topic = named(topics)
  try {
    if (view !== undefined) {
      const path = `/v1/views/${encodeURIComponent(view.name)}/live`
      await followStream(connection, patience, { path, ...(fromTick === null ? {} : { fromTick }) }, signal)
    } else if (topic !== undefined)
      await tailTopic(connection, patience, clock, topic.name, topic.primary_key, fromTick, signal)
    else {
      const hint = known([...views, ...topics], name)
      throw new MillraceError('view/unknown', `there is no view or topic ${name}`, { hint })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return 0
}

/**
 * Prints a query's rows and then their changes, as `tail` does; begins anew where the server restarts.
 * @param parameters the values of $1, $2, …
 */
export async function followQuery(
  connection: Connection,
  clock: Clock,
  sql: string,
  { parameters, numbers }: { readonly parameters: readonly string[]; readonly numbers: string },
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify({ sql, params: parameters })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  try {
    const asked = { path: `/v1/sql/live?numbers=${numbers}`, init }
    await followStream(connection, new Patience(clock, signal), asked, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return 0
}

/** A live answer, and how it is asked for. */
interface Asked {
  readonly path: string
  readonly init?: RequestInit
  readonly fromTick?: number
}

function line(tick: string | number, row: string, weight: string | number): string {
  return `{"tick":${tick},"row":${row},"weight":${weight}}\n`
}

/** Prints what a live stream tells, over as many connections as it takes. */
async function followStream(
  connection: Connection,
  patience: Patience,
  asked: Asked,
  signal: AbortSignal,
): Promise<void> {
  const printer = new Printer(asked.path)
  let lastId: string | null = null
  // Some rows of a snapshot are printed, and not yet all.
  let partial = false
  for (;;) {
    try {
      for await (const event of eventsOf(connection, asked, lastId, signal)) {
        patience.answered()
        await printer.print(event)
        partial = event.event === 'snapshot' && event.id === null
        lastId = event.id ?? lastId
      }
    } catch (error) {
      await patience.after(error)
      if (partial) {
        say('the rows follow anew')
        lastId = null
        partial = false
      }
    }
  }
}

/** One connection's events. @throws MillraceError server/unreachable when it ends */
async function* eventsOf(
  connection: Connection,
  { path, init, fromTick }: Asked,
  lastId: string | null,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const headers = {
    ...(init?.headers as Readonly<Record<string, string>> | undefined),
    accept: eventStreamType,
    ...(lastId === null ? {} : { 'last-event-id': lastId }),
  }
  const first = lastId === null && fromTick !== undefined ? `?from_tick=${fromTick}` : ''
  const response = await connection.open(path + first, { ...init, headers, signal })
  const parser = new EventStreamParser()
  const reader = response.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        throw unreachable(path, error)
      })
      if (done) throw unreachable(path, new Error('the stream ended'))
      yield* parser.feed(value)
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

class Printer {
  readonly #path: string
  /** Of a query, as JSON: its rows are arrays. */
  #names: readonly string[] | null = null

  constructor(path: string) {
    this.#path = path
  }

  async print({ event, data }: StreamEvent): Promise<void> {
    if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable(this.#path, new Error(data))
    const body = members(data)
    const tick = body.get('tick') ?? ''
    const columns = body.get('columns')
    if (columns !== undefined) this.#names = elements(columns).map((column) => members(column).get('name')!)
    if (event === 'reset') say('some changes were missed: the rows follow anew')
    if (event === 'snapshot') {
      const rows = elements(body.get('rows') ?? '[]')
      await writeOut(rows.map((row) => line(tick, this.#row(row), 1)).join(''))
    } else if (event === 'change') {
      const changes = elements(body.get('changes') ?? '[]').map(members)
      const lines = changes.map((change) => line(tick, this.#row(change.get('row')!), change.get('weight')!))
      await writeOut(lines.join(''))
    }
  }

  #row(text: string): string {
    const names = this.#names
    return names === null ? text : objectText(names, elements(text))
  }
}

/** A topic's rows are its events; a table's are what its keys last were. */
async function tailTopic(
  connection: Connection,
  patience: Patience,
  clock: Clock,
  name: string,
  key: readonly string[],
  fromTick: number | null,
  signal: AbortSignal,
): Promise<void> {
  const rows = new Map<string, { tick: string; row: string }>()
  let current = key.length === 0 || fromTick !== null
  for (let from = 0; !signal.aborted; ) {
    const path = `/v1/topics/${encodeURIComponent(name)}/events?from=${from}&limit=${pageEvents}`
    const text = await textOf(connection, path, signal).catch((error) => patience.after(error))
    if (text === undefined) continue
    patience.answered()
    const body = members(text)
    const events = elements(body.get('events') ?? '[]').map(members)
    from = Number(body.get('next'))
    let out = ''
    for (const event of events) {
      const tick = event.get('tick')!
      const row = event.get('data')!
      const printed =
        key.length === 0 ? line(tick, row, 1) : upsert(rows, key, tick, row, event.get('op') === '"delete"')
      if (current && Number(tick) > (fromTick ?? 0)) out += printed
    }
    if (!current && events.length === 0) {
      current = true
      for (const { tick, row } of rows.values()) out += line(tick, row, 1)
    }
    if (out !== '') await writeOut(out)
    if (events.length === 0) await pause(clock, signal, pollMs)
  }
}

async function textOf(connection: Connection, path: string, signal: AbortSignal): Promise<string> {
  const response = await connection.open(path, { signal })
  return response.text().catch((error) => {
    throw unreachable(path, error)
  })
}

/** Takes an event of a table over. @returns what it changed */
function upsert(
  rows: Map<string, { tick: string; row: string }>,
  key: readonly string[],
  tick: string,
  row: string,
  deletes: boolean,
): string {
  const cells = members(row)
  const name = key.map((column) => cells.get(column)).join()
  const before = rows.get(name)
  const gone = before === undefined ? '' : line(tick, before.row, -1)
  if (deletes) {
    rows.delete(name)
    return gone
  }
  rows.set(name, { tick, row })
  return before?.row === row ? '' : gone + line(tick, row, 1)
}
