import type { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import { EventStreamParser, eventStreamType, type StreamEvent } from '../protocol/event-stream.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { say, writeOut } from './output.ts'
import { Patience, pause } from './patience.ts'
import { elements, members } from './raw-json.ts'

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
    if (view !== undefined) await tailView(connection, patience, view.name, fromTick, signal)
    else if (topic !== undefined)
      await tailTopic(connection, patience, clock, topic.name, topic.primary_key, fromTick, signal)
    else {
      const known = [...topics, ...views].map((one) => one.name).join(', ')
      throw new MillraceError('not-found', `the server has no relation ${name}`, { hint: `there are ${known}` })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return 0
}

function line(tick: string | number, row: string, weight: string | number): string {
  return `{"tick":${tick},"row":${row},"weight":${weight}}\n`
}

/** Prints what a view's live stream tells, over as many connections as it takes. */
async function tailView(
  connection: Connection,
  patience: Patience,
  name: string,
  fromTick: number | null,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/views/${encodeURIComponent(name)}/live`
  let lastId: string | null = null
  // Some rows of a snapshot are printed, and not yet all.
  let partial = false
  for (;;) {
    try {
      for await (const event of eventsOf(connection, path, lastId, fromTick, signal)) {
        patience.answered()
        await printEvent(path, event)
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
  path: string,
  lastId: string | null,
  fromTick: number | null,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  const headers = { accept: eventStreamType, ...(lastId === null ? {} : { 'last-event-id': lastId }) }
  const first = lastId === null && fromTick !== null ? `?from_tick=${fromTick}` : ''
  const response = await connection.open(path + first, { headers, signal })
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

async function printEvent(path: string, { event, data }: StreamEvent): Promise<void> {
  if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable(path, new Error(data))
  const body = members(data)
  const tick = body.get('tick') ?? ''
  if (event === 'reset') say('some changes were missed: the rows follow anew')
  if (event === 'snapshot') {
    const rows = elements(body.get('rows') ?? '[]')
    await writeOut(rows.map((row) => line(tick, row, 1)).join(''))
  } else if (event === 'change') {
    const changes = elements(body.get('changes') ?? '[]').map(members)
    await writeOut(changes.map((change) => line(tick, change.get('row')!, change.get('weight')!)).join(''))
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
