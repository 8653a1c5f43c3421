import type { LiveOptions, LiveSqlStep, LiveStep } from '../app/database-shape.ts'
import type { SqlBody, WireRow } from '../protocol/answers.ts'
import type { Connection } from './connection.ts'
import { LiveStream, type Told } from './live-stream.ts'
import type { ReadRow, Row } from './row-reader.ts'

/** How rows become what the reader sees. */
export interface Readers {
  /** Asks for what it needs, if anything: before a stream is opened, where a failure is tried again. */
  prepare(): Promise<unknown>
  of(kind: 'topics' | 'views', name: string, sample: WireRow | undefined): Promise<ReadRow>
}

/**
 * A view's rows and changes, over as many connections as it takes: after a break it goes on behind the last tick
 * that came whole. A snapshot that broke off is begun anew, after a `reset`.
 */
export function liveSteps(
  connection: Connection,
  readers: Readers,
  name: string,
  { fromTick, signal }: LiveOptions = {},
): AsyncGenerator<LiveStep<Row>> {
  const path = `/v1/views/${encodeURIComponent(name)}/live?numbers=string`
  const prepare = (): Promise<unknown> => readers.prepare()
  const stream = new LiveStream<WireRow>(connection, { path, fromTick: fromTick ?? null, prepare })
  return stepsOf(stream, signal, async (told) => {
    const step = wiredStep(told)
    const read = await readers.of('views', name, step.changes[0]?.row)
    return { ...step, changes: step.changes.map(({ row, weight }) => ({ row: read(row), weight })) }
  })
}

type Columns = SqlBody['columns']
export type SqlRow = readonly unknown[]

/**
 * A query's rows and changes. After a break it begins anew, with a `reset`.
 * @param params as text the way PostgreSQL reads them
 * @param readerOf how rows with such columns are read
 */
export function liveSqlSteps<R>(
  connection: Connection,
  sql: string,
  params: readonly (string | null)[],
  readerOf: (columns: Columns) => (row: SqlRow) => R,
  signal: AbortSignal | undefined,
): AsyncGenerator<LiveSqlStep<R>> {
  const body = JSON.stringify({ sql, params })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const stream = new LiveStream<SqlRow>(connection, { path: '/v1/sql/live?numbers=string', init, fromTick: null })
  let columns: Columns = []
  let order: readonly string[] = []
  let read = readerOf(columns)
  return stepsOf(stream, signal, async (told) => {
    const step = wiredStep(told)
    if (told.data.columns !== undefined) {
      columns = told.data.columns
      order = told.data.order ?? []
      read = readerOf(columns)
    }
    return { ...step, columns, order, changes: step.changes.map(({ row, weight }) => ({ row: read(row), weight })) }
  })
}

function wiredStep<W>({ kind, id, data }: Told<W>): LiveStep<W> {
  const changes = data.changes ?? (data.rows ?? []).map((row) => ({ row, weight: 1 }))
  // In the middle of a snapshot nothing is whole.
  return { kind, tick: data.tick, complete: kind === 'change' || id !== null, changes }
}

async function* stepsOf<W, S>(
  stream: LiveStream<W>,
  signal: AbortSignal | undefined,
  stepOf: (told: Told<W>) => Promise<S>,
): AsyncGenerator<S> {
  const abort = (): void => stream.end()
  if (signal?.aborted) return
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      const told = await stream.next()
      if (told === null) return
      const isReset = told.kind === 'reset'
      if (isReset) stream.forget()
      yield await stepOf(told)
      if (!isReset) stream.taken(told)
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    stream.end()
  }
}
