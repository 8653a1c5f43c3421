import { MillraceError } from '../data/errors.ts'
import type { PrintOptions } from '../data/json-print.ts'
import { type ColumnSchema, resultTypeName } from '../data/sql-type.ts'
import type { LiveQueryAbout, LiveQueryAnswer } from '../database/contract.ts'
import type { LiveMessage } from '../database.ts'
import type { Clock } from '../io/io.ts'
import type { LiveBody } from '../protocol/answers.ts'
import { eventEnd, eventHead, heartbeat, retryLine } from '../protocol/event-stream.ts'
import { problemOf } from '../protocol/problem.ts'
import { changeEvent } from './change-event.ts'
import type { ApiAnswer, ApiRequest } from './exchange.ts'
import { type LiveServer, openStream, retryMs, settlesWithin, streamHeaders } from './live.ts'
import { requireJson } from './media-type.ts'
import { Parameters, refused } from './parameters.ts'
import { bounded, type QueryServer } from './query-server.ts'
import { rowsJson } from './rows-json.ts'
import type { TakeShare } from './shares.ts'
import { readSqlBody } from './sql.ts'
import { numberForms } from './view-read.ts'

const encoder = new TextEncoder()

/**
 * POST /v1/sql/live: a query's rows, then what changes in them, as a view's live answer tells it; rows are arrays, as
 * in POST /v1/sql. Who comes back with a Last-Event-ID begins anew: nothing is kept of a query that nobody reads.
 */
export async function streamSql(
  server: LiveServer & QueryServer & { readonly share: TakeShare },
  request: ApiRequest,
  query: string,
): Promise<ApiAnswer> {
  const { database, clock, limits, session, share } = server
  const { sight } = session
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  parameters.end()
  requireJson(request)
  const { sql, params, asOf } = readSqlBody(await request.readBody())
  if (asOf !== null) throw refused('as_of', 'has no meaning here: the past does not change', 'ask POST /v1/sql')
  const last = request.header('last-event-id')
  const { signal, end } = openStream(server, request)
  try {
    const options = {
      parameters: params,
      maxRows: limits.sqlRows,
      mostMs: limits.queryMs,
      mostQueries: limits.liveQueries,
      ...(sight === undefined ? {} : { sight }),
    }
    // What computes the first rows is a query like others, and counts as one.
    const leave = share('query')
    const answer = await bounded(server, signal, () => database.liveQuery(sql, { ...options, signal })).finally(leave)
    const form = { numbers, shape: 'array' } as const
    const body = streamOf({ clock, limits, session }, answer, form, last !== null && last !== '', end)
    return { status: 200, headers: streamHeaders, body }
  } catch (error) {
    end()
    throw error
  }
}

async function* streamOf(
  { clock, limits, session }: Pick<LiveServer, 'clock' | 'limits' | 'session'>,
  { messages, about }: LiveQueryAnswer,
  options: PrintOptions,
  returns: boolean,
  end: () => void,
): AsyncGenerator<Uint8Array> {
  // Whether the next piece of a snapshot is its first.
  let first = true
  let resets = returns
  try {
    yield encoder.encode(retryLine(retryMs))
    for (;;) {
      const pulled = messages.next()
      pulled.catch(() => {})
      while (!(await settlesWithin(clock, pulled, limits.heartbeatMs))) yield encoder.encode(heartbeat)
      const { done, value } = await pulled
      // Who sees something else from now on has to ask anew: the query is another one then.
      session.signal.throwIfAborted()
      if (done) return
      if (resets) yield encoder.encode(resetEvent(value.tick))
      resets = false
      yield* eventOf(clock, value, first ? about() : null, options)
      first = value.kind === 'reset' || (value.kind === 'snapshot' && value.last)
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    yield encoder.encode(`${eventHead('problem', null)}${JSON.stringify(problemOf(error))}${eventEnd}`)
  } finally {
    end()
    await messages.return(undefined)
  }
}

function resetEvent(tick: number): string {
  return `${eventHead('reset', null)}{"tick":${tick}}${eventEnd}`
}

/** @param about null: not the first piece of a snapshot */
async function* eventOf(
  clock: Clock,
  message: LiveMessage,
  about: LiveQueryAbout | null,
  options: PrintOptions,
): AsyncGenerator<Uint8Array> {
  const { tick } = message
  switch (message.kind) {
    case 'reset':
      yield encoder.encode(resetEvent(tick))
      return
    case 'snapshot': {
      const { columns } = message.rows
      const told: Partial<LiveBody> = about === null ? {} : describedBy(columns, about)
      // Only who has all of the snapshot has this tick.
      const head = `${eventHead('snapshot', message.last ? String(tick) : null)}${JSON.stringify({ tick, ...told }).slice(0, -1)},"rows":[`
      yield* rowsJson(clock, head, message.rows, 'rows', `]}${eventEnd}`, options)
      return
    }
    case 'change':
      yield* changeEvent(clock, tick, message.rows, options)
  }
}

function describedBy(columns: readonly ColumnSchema[], { order, startsAtTick }: LiveQueryAbout): Partial<LiveBody> {
  return {
    columns: columns.map(({ name, type }) => ({ name, type: resultTypeName(type) })),
    ...(order.length === 0
      ? {}
      : { order: order.map(({ column, descending }) => (descending ? '-' : '') + columns[column].name) }),
    ...(startsAtTick === null ? {} : { starts_at_tick: startsAtTick }),
  }
}
