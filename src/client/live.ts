import type { LiveOptions, LiveSqlStep, LiveStep, TopicLiveOptions, TopicStep } from '../app/database-shape.ts'
import type { SqlBody, WireRow } from '../protocol/answers.ts'
import type { Connection } from './connection.ts'
import { LiveStream, type Told } from './live-stream.ts'
import { pathOf, queryOf } from './request-path.ts'
import type { ReadRow, Row } from './row-reader.ts'

/** What a name stands for. */
export type RelationKind = 'topics' | 'views'

/** How rows become what the reader sees. */
export interface Readers {
  /** @param sample a row as it came, or undefined where there is none */
  of(kind: RelationKind, name: string, sample: WireRow | undefined): Promise<ReadRow>
}

type StepOf<K> = K extends 'topics' ? TopicStep<Row> : LiveStep<Row>

/**
 * A view's rows and changes, or a topic's events, over as many connections as it takes: after a break it goes on behind
 * what came whole. A snapshot that broke off is begun anew, after a `reset`.
 * @param kindOf asked before each connection, and again where that fails in a way that passes
 */
export function relationSteps<K extends RelationKind>(
  connection: Connection,
  readers: Readers,
  name: string,
  kindOf: () => Promise<K>,
  { fromTick, from, signal }: LiveOptions & TopicLiveOptions = {},
): AsyncGenerator<StepOf<K>> {
  let kind: RelationKind = 'views'
  const path = async (): Promise<string> => {
    kind = await kindOf()
    const query = queryOf([
      ['numbers', 'string'],
      ['from', kind === 'topics' ? from : undefined],
    ])
    return `${pathOf(kind, name)}/live${query}`
  }
  const stream = new LiveStream<WireRow>(connection, { path, fromTick: fromTick ?? null })
  const stepOf = (told: Told<WireRow>): Promise<LiveStep<Row> | TopicStep<Row>> =>
    kind === 'topics' ? topicStep(readers, name, told) : viewStep(readers, name, told)
  return stepsOf(stream, signal, stepOf) as AsyncGenerator<StepOf<K>>
}

async function viewStep(readers: Readers, name: string, told: Told<WireRow>): Promise<LiveStep<Row>> {
  const step = wiredStep(told)
  const read = await readers.of('views', name, step.changes[0]?.row)
  return { ...step, changes: step.changes.map(({ row, weight }) => ({ row: read(row), weight })) }
}

async function topicStep(readers: Readers, name: string, told: Told<WireRow>): Promise<TopicStep<Row>> {
  const { tick, events = [], complete = false } = told.data
  const read = await readers.of('topics', name, events[0]?.data)
  const kind = told.kind === 'reset' ? 'reset' : 'events'
  const shown = events.map((event) => ({ ...event, data: read(event.data) }))
  return { kind, tick, next: Number(told.id), complete, events: shown }
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
  const stream = new LiveStream<SqlRow>(connection, {
    path: async () => '/v1/sql/live?numbers=string',
    init,
    fromTick: null,
  })
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
  const step = kind === 'events' ? 'change' : kind
  return { kind: step, tick: data.tick, complete: kind === 'change' || id !== null, changes }
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
      // A topic's says where it goes on, a view's begins anew.
      if (!isReset || told.id !== null) stream.taken(told)
    }
  } finally {
    signal?.removeEventListener('abort', abort)
    stream.end()
  }
}
