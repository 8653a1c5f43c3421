import type { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import { known } from '../database/names.ts'
import type { Clock } from '../io/io.ts'
import { EventStreamParser, eventStreamType, type StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { say, writeOut } from './output.ts'
import { Patience } from './patience.ts'
import { elements, members, objectText } from './raw-json.ts'
import { line, TopicPrinter } from './tail-topic.ts'

export interface TailFrom {
  readonly fromTick?: number
  readonly fromOffset?: number
}

/**
 * Prints a relation's rows and then its changes as `{"tick", "row", "weight"}`, until interrupted; goes on where it
 * was when the server restarts.
 * @param from leaves the rows out: the changes after a tick, or a topic's events from an offset on
 */
export async function tail(
  connection: Connection,
  clock: Clock,
  name: string,
  { fromTick, fromOffset }: TailFrom,
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
      if (fromOffset !== undefined) throw noOffsets(view.name, 'is a view')
      const path = `/v1/views/${encodeURIComponent(view.name)}/live`
      const first = fromTick === undefined ? '' : `?from_tick=${fromTick}`
      await followStream(connection, patience, { path, first }, new Printer(path), signal)
    } else if (topic !== undefined) {
      if (fromOffset !== undefined && topic.primary_key.length > 0) throw noOffsets(topic.name, 'is a table')
      const path = `/v1/topics/${encodeURIComponent(topic.name)}/live`
      const printer = new TopicPrinter(path, topic.primary_key, fromTick ?? null)
      await followStream(connection, patience, { path, first: `?from=${fromOffset ?? 0}` }, printer, signal)
    } else {
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
    const asked = { path: `/v1/sql/live?numbers=${numbers}`, init, first: '' }
    await followStream(connection, new Patience(clock, signal), asked, new Printer(asked.path), signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return 0
}

/** A live answer, and how it is asked for. */
interface Asked {
  readonly path: string
  readonly init?: RequestInit
  /** Where it begins, as a query: until it has told where it goes on. */
  readonly first: string
}

function noOffsets(name: string, why: string): MillraceError {
  return new MillraceError('usage', `--from-offset is for topics, and ${name} ${why}`, {
    hint: 'begin with --from-tick, or with its rows',
  })
}

/** Prints what a live stream tells, over as many connections as it takes. */
async function followStream(
  connection: Connection,
  patience: Patience,
  asked: Asked,
  printer: { print(event: StreamEvent): Promise<void> },
  signal: AbortSignal,
): Promise<void> {
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
  { path, init, first }: Asked,
  lastId: string | null,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const headers = {
    ...(init?.headers as Readonly<Record<string, string>> | undefined),
    accept: eventStreamType,
    ...(lastId === null ? {} : { 'last-event-id': lastId }),
  }
  const response = await connection.open(lastId === null ? path + first : path, { ...init, headers, signal })
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
