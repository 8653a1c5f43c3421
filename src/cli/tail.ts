import type { Connection } from '../client/connection.ts'
import { MillraceError } from '../data/errors.ts'
import type { Clock } from '../io/io.ts'
import { EventStreamParser, eventStreamType } from '../protocol/event-stream.ts'
import { errorOf, unreachable } from '../protocol/problem.ts'
import { say, writeOut } from './output.ts'
import { elements, members } from './raw-json.ts'

/** How often a topic is asked for more. */
const pollMs = 500
const pageEvents = 1000

/**
 * Prints a relation's rows and then its changes as `{"tick", "row", "weight"}`, until interrupted.
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
  const named = <T extends { readonly name: string }>(all: readonly T[]): T | undefined =>
    all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === name.toLowerCase())
  const view = named(views)
  const topic = named(topics)
  try {
    if (view !== undefined) await tailView(connection, view.name, fromTick, signal)
    else if (topic !== undefined) await tailTopic(connection, clock, topic.name, topic.primary_key, fromTick, signal)
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

async function tailView(
  connection: Connection,
  name: string,
  fromTick: number | null,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/views/${encodeURIComponent(name)}/live${fromTick === null ? '' : `?from_tick=${fromTick}`}`
  const response = await connection.open(path, { headers: { accept: eventStreamType }, signal })
  const parser = new EventStreamParser()
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    for (const { event, data } of parser.feed(piece)) {
      if (event === 'problem') throw errorOf(JSON.parse(data)) ?? unreachable(path, new Error(data))
      const body = members(data)
      const tick = body.get('tick') ?? ''
      if (event === 'reset') say('some changes were missed: the rows follow anew')
      if (event === 'snapshot') {
        await writeOut(
          elements(body.get('rows') ?? '[]')
            .map((row) => line(tick, row, 1))
            .join(''),
        )
      } else if (event === 'change') {
        const changes = elements(body.get('changes') ?? '[]').map(members)
        await writeOut(changes.map((change) => line(tick, change.get('row')!, change.get('weight')!)).join(''))
      }
    }
  }
  throw unreachable(path, new Error('the stream ended'))
}

/** A topic's rows are its events; a table's are what its keys last were. */
async function tailTopic(
  connection: Connection,
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
    const body = members(await (await connection.open(path, { signal })).text())
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
    if (events.length === 0) await pause(clock, signal)
  }
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

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(pollMs, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
