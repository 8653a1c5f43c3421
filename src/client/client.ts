import type { App } from '../app/app.ts'
import type {
  AppendOptions,
  AppendReceipt,
  AsOf,
  DatabaseShape,
  ErrorsOptions,
  GetOptions,
  LiveOptions,
  LiveSqlStep,
  SqlAnswer,
  SqlHandle,
  SqlLiveOptions,
  SqlOptions,
  TableHandle,
  TopicLiveOptions,
  TopicPage,
  TopicReadOptions,
  ViewErrors,
  ViewHandle,
  ViewRows,
} from '../app/database-shape.ts'
import type { Table, Topic } from '../app/definitions.ts'
import type { Sql } from '../app/sql-text.ts'
import { decodeValue, encodeEvents, parameterText, readColumns, writtenReads } from '../app/values.ts'
import type {
  AppendBody,
  AppendMixedBody,
  ErrorsBody,
  SqlBody,
  TopicEventsBody,
  ViewBody,
} from '../protocol/answers.ts'
import { typeOfName } from '../protocol/type-names.ts'
import { Connection, type Fetch } from './connection.ts'
import { explainCalls } from './explain.ts'
import { liveSqlSteps, relationSteps, type SqlRow } from './live.ts'
import { queryOf } from './request-path.ts'
import { type Row, RowReaders } from './row-reader.ts'

export type {
  CatalogBody,
  ChartBody,
  ChartsBody,
  DiffBody,
  SqlBody,
  TopicEventsBody,
  WireRow,
} from '../protocol/answers.ts'
export type { ExplainBody, ProjectBody, SavedViewBody } from '../protocol/query.ts'
export type { ChangesBody, SampleBody, StatusBody, TimeBody, TopologyBody, VolumeBody } from '../protocol/telemetry.ts'
export type { EventRef, FindBody, JourneyBody, StepBody, WhyBody } from '../protocol/why.ts'
export type { InspectOptions, Inspector, InspectorOptions } from './inspector.ts'
export { createInspector } from './inspector.ts'

export interface ClientOptions {
  /** Where the server is, such as `http://127.0.0.1:4280`. */
  readonly url: string
  /**
   * The app itself, where it is at hand: then its schemas check events before they are sent, and what they say about
   * dates and numbers holds for reads. Without it columns are read as their SQL types say.
   */
  readonly app?: App
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** In the place of the environment's own. */
  readonly fetch?: Fetch
}

/**
 * A client of a running server, in the shape of the database itself. Runs in browsers and in Node.
 *
 *     const db = createClient<typeof import('./app.ts')>({ url: 'http://127.0.0.1:4280' })
 *     const { tick } = await db.orders.append({ id: 'a', amount: 12 })
 *     const { rows } = await db.revenue.get({ minTick: tick })
 *     for await (const { changes } of db.revenue.live({ signal })) { … }
 *
 * Nothing is asked before it is used. Calls throw MillraceError with what the server refuses, or server/unreachable.
 */
export function createClient<Program = App>(options: ClientOptions): DatabaseShape<Program> {
  const { url, app, headers = {}, fetch: fetcher = (input, init) => fetch(input, init) } = options
  const connection = new Connection(url, fetcher, headers)
  const readers = new RowReaders(connection, app)
  const closing = new AbortController()
  const close = async (): Promise<void> => closing.abort()
  const own: Readonly<Record<PropertyKey, unknown>> = {
    sql: sqlHandle(connection, closing.signal),
    close,
    [Symbol.asyncDispose]: close,
  }
  const handles = new Map<string, unknown>()
  return new Proxy(Object.freeze({}), {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name]
      // A promise would take an object that has `then` for another one.
      if (typeof name === 'symbol' || name === 'then') return undefined
      let handle = handles.get(name)
      if (handle === undefined) {
        handle = Object.freeze({
          ...topicHandle(connection, readers, app, name),
          ...viewHandle(connection, readers, name),
          // Only the server knows what a name stands for.
          live: (options: LiveOptions & TopicLiveOptions = {}) => ({
            [Symbol.asyncIterator]: () =>
              relationSteps(
                connection,
                readers,
                name,
                () => readers.kindOf(name),
                withClosing(options, closing.signal),
              ),
          }),
        })
        handles.set(name, handle)
      }
      return handle
    },
  }) as DatabaseShape<Program>
}

function topicHandle(
  connection: Connection,
  readers: RowReaders,
  app: App | undefined,
  name: string,
): Omit<TableHandle<unknown, Row, unknown>, 'live'> {
  const path = `/v1/topics/${encodeURIComponent(name)}/events`
  return {
    async append(given: unknown, options: AppendOptions = {}): Promise<AppendReceipt> {
      const events = await encodeEvents(definitionOf(app, name), listOf(given))
      const body = await connection.post<AppendBody>(path, events, options)
      return { tick: body.tick, firstOffset: body.first_offset, lastOffset: body.last_offset }
    },
    async delete(keys: unknown, options: AppendOptions = {}): Promise<AppendReceipt> {
      const encoded = await encodeEvents(plainTopic(name), listOf(keys))
      const events = encoded.map((data) => ({ topic: name, op: 'delete', data }))
      const body = await connection.post<AppendMixedBody>('/v1/append', { events }, options)
      const [range] = Object.values(body.offsets)
      return { tick: body.tick, firstOffset: range?.first_offset ?? 0, lastOffset: range?.last_offset ?? -1 }
    },
    async read({ from, limit, signal }: TopicReadOptions = {}): Promise<TopicPage<Row>> {
      const query = queryOf([
        ['numbers', 'string'],
        ['from', from],
        ['limit', limit],
      ])
      const body = await connection.get<TopicEventsBody>(path + query, signal)
      // Events show fields that no column has, too: they say nothing about the catalog's age.
      const read = await readers.of('topics', name, undefined)
      return { events: body.events.map((event) => ({ ...event, data: read(event.data) })), next: body.next }
    },
    journey: (offset, options) => explainCalls(connection).journey(name, offset, options),
    find: (where, options) => explainCalls(connection).find(name, where as Row, options),
  }
}

function listOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? given : [given]
}

function definitionOf(app: App | undefined, name: string): Topic | Table {
  const definition = app?.definitions[name]
  return definition?.kind === 'topic' || definition?.kind === 'table' ? definition : plainTopic(name)
}

function plainTopic(name: string): Topic {
  return { kind: 'topic', name, columns: [], time: null, lateness: null, retention: null, schema: null }
}

function viewHandle(connection: Connection, readers: RowReaders, name: string): Omit<ViewHandle<Row>, 'live'> {
  return {
    async get(options: GetOptions<Row> = {}): Promise<ViewRows<Row>> {
      const path = `/v1/views/${encodeURIComponent(name)}${viewQuery(options)}`
      const { tick, errors, rows } = await connection.get<ViewBody>(path, options.signal)
      const read = await readers.of('views', name, rows[0])
      return { tick, errors, rows: rows.map(read) }
    },
    errors: ({ limit, signal }: ErrorsOptions = {}): Promise<ViewErrors> =>
      connection.get<ErrorsBody>(`/v1/views/${encodeURIComponent(name)}/errors${queryOf([['limit', limit]])}`, signal),
    why: (key, options) => explainCalls(connection).why(name, key, options),
  }
}

function withClosing<O extends { readonly signal?: AbortSignal }>(options: O, closing: AbortSignal): O {
  const { signal } = options
  if (signal === undefined) return { ...options, signal: closing }
  const either = new AbortController()
  for (const one of [signal, closing]) {
    if (one.aborted) either.abort()
    one.addEventListener('abort', () => either.abort(), { once: true, signal: either.signal })
  }
  return { ...options, signal: either.signal }
}

/** Parameters of a view's read: a column of one of these names is asked for as `eq.NAME`. */
const taken = new Set(['order', 'limit', 'min_tick', 'as_of', 'replay', 'numbers', 'isnull'])

function viewQuery({ where = {}, order = [], limit, minTick, asOf, replay }: GetOptions<Row>): string {
  const pairs: [string, string | number | undefined][] = [['numbers', 'string']]
  for (const [column, value] of Object.entries(where)) {
    if (value === undefined) continue
    const text = parameterText(value)
    const prefixed = taken.has(column.toLowerCase()) || column.startsWith('eq.')
    pairs.push(text === null ? ['isnull', column] : [prefixed ? `eq.${column}` : column, text])
  }
  for (const column of typeof order === 'string' ? [order] : order) pairs.push(['order', column])
  pairs.push(['limit', limit], ['min_tick', minTick], ['as_of', asOf === undefined ? undefined : momentText(asOf)])
  if (replay === true) pairs.push(['replay', 'true'])
  return queryOf(pairs)
}

function momentText(asOf: AsOf): string {
  return asOf instanceof Date ? asOf.toISOString() : String(asOf)
}

function sqlHandle(connection: Connection, closing: AbortSignal): SqlHandle {
  const run = (query: string | Sql<unknown>, options?: SqlOptions) => runSql(connection, query, options)
  const live = (query: string | Sql<unknown>, options: SqlLiveOptions = {}): AsyncIterable<LiveSqlStep<Row>> => ({
    [Symbol.asyncIterator]: () => {
      const { params = [], signal } = withClosing(options, closing)
      const readerOf = (columns: SqlBody['columns']) => sqlReader(query, columns)
      return liveSqlSteps(connection, textOf(query), params.map(parameterText), readerOf, signal)
    },
  })
  return Object.freeze(Object.assign(run, { live })) as SqlHandle
}

function textOf(query: string | Sql<unknown>): string {
  return typeof query === 'string' ? query : query.text
}

/** How rows of a query become what TypeScript sees. */
function sqlReader(query: string | Sql<unknown>, columns: SqlBody['columns']): (row: SqlRow) => Row {
  const written = typeof query === 'string' ? [] : writtenReads(query)
  const read = readColumns(
    columns.map(({ name, type }) => ({ name, type: typeOfName(type) })),
    written,
  )
  return (row) => {
    const made: Row = {}
    read.forEach(({ name, type, reads }, i) => {
      made[name] = decodeValue(row[i], type, reads)
    })
    return made
  }
}

async function runSql(
  connection: Connection,
  query: string | Sql<unknown>,
  { params = [], asOf, replay, signal }: SqlOptions = {},
): Promise<SqlAnswer<Row>> {
  const sql = textOf(query)
  const body = {
    sql,
    params: params.map(parameterText),
    ...(asOf === undefined ? {} : { as_of: momentText(asOf) }),
  }
  const options = signal === undefined ? {} : { signal }
  const path = `/v1/sql?numbers=string${replay === true ? '&replay=true' : ''}`
  const { tick, columns, rows } = await connection.post<SqlBody>(path, body, options)
  return { tick, columns, rows: rows.map(sqlReader(query, columns)) }
}
