import type { LiveOptions, LiveSqlStep, LiveStep, TopicLiveOptions, TopicStep } from '../app/database-shape.ts'
import type {
  AppendBody,
  AppendMixedBody,
  CatalogBody,
  DiffBody,
  ErrorsBody,
  ReadyBody,
  ReplayingBody,
  SqlBody,
  TopicEventsBody,
  ViewBody,
} from '../protocol/answers.ts'
import type { ExplainBody, ProjectBody, SavedViewBody } from '../protocol/query.ts'
import type { Connection } from './connection.ts'
import { liveSqlSteps, relationSteps, type SqlRow } from './live.ts'
import { pathOf, queryOf } from './request-path.ts'
import type { Row } from './row-reader.ts'

/** Past ticks and times; and what is told while a past tick is being made anew from the log. */
export interface PastOptions {
  readonly asOf?: number | string
  readonly replay?: boolean
  readonly onReplaying?: (body: ReplayingBody) => void
  readonly signal?: AbortSignal
}

export interface RowsOptions extends PastOptions {
  /** Columns that must equal a value, as text the way PostgreSQL reads it; null is NULL. */
  readonly where?: Readonly<Record<string, string | null>>
  readonly order?: readonly string[]
  readonly limit?: number
  readonly minTick?: number
}

export interface EventsOptions {
  readonly from?: number
  /** The first event appended at this time or later; not beside `from`. */
  readonly fromTime?: string
  readonly limit?: number
  readonly signal?: AbortSignal
}

/**
 * Topics, views and queries for those who look at any server, whatever its app is: relations are named by text, and
 * values come as the wire has them, bigint and numeric as text, so that every digit and microsecond can be shown.
 */
export class Relations {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** GET /v1/catalog: what is defined, as of now. */
  catalog({ signal }: { readonly signal?: AbortSignal } = {}): Promise<CatalogBody> {
    return this.#connection.get('/v1/catalog', signal)
  }

  /** A view's rows at one tick. */
  rows(view: string, options: RowsOptions = {}): Promise<ViewBody> {
    const { where = {}, order = [], limit, minTick, asOf, replay } = options
    const pairs: [string, string | number | undefined][] = [['numbers', 'string']]
    for (const [column, value] of Object.entries(where)) {
      pairs.push(value === null ? ['isnull', column] : [`eq.${column}`, value])
    }
    for (const column of order) pairs.push(['order', column])
    pairs.push(['limit', limit], ['min_tick', minTick], ['as_of', asOf], ['replay', replay ? 'true' : undefined])
    return this.#past(pathOf('views', view) + queryOf(pairs), {}, options)
  }

  errors(view: string, limit?: number, signal?: AbortSignal): Promise<ErrorsBody> {
    return this.#connection.get(`${pathOf('views', view)}/errors${queryOf([['limit', limit]])}`, signal)
  }

  /** A view's rows, then their changes, without gap or duplicate, until the signal aborts. */
  live(view: string, options: LiveOptions = {}): AsyncGenerator<LiveStep<Row>> {
    return relationSteps(this.#connection, asItCame, view, async () => 'views', options)
  }

  /** A topic's events from an offset on, then those that come, without gap or duplicate, until the signal aborts. */
  liveEvents(topic: string, options: TopicLiveOptions = {}): AsyncGenerator<TopicStep<Row>> {
    return relationSteps(this.#connection, asItCame, topic, async () => 'topics', options)
  }

  /** Events of a topic in the order of their offsets. */
  events(topic: string, { from, fromTime, limit, signal }: EventsOptions = {}): Promise<TopicEventsBody> {
    const query = queryOf([
      ['numbers', 'string'],
      ['from', from],
      ['from_time', fromTime],
      ['limit', limit],
    ])
    return this.#connection.get(`${pathOf('topics', topic)}/events${query}`, signal)
  }

  /** Appends events as JSON shows them, all or none. @throws MillraceError event/invalid with a pointer per field */
  append(topic: string, events: readonly unknown[]): Promise<AppendBody> {
    return this.#connection.post(`${pathOf('topics', topic)}/events`, events)
  }

  /** Deletes rows of a table by their keys. */
  delete(table: string, keys: readonly Readonly<Record<string, unknown>>[]): Promise<AppendMixedBody> {
    const events = keys.map((data) => ({ topic: table, op: 'delete', data }))
    return this.#connection.post('/v1/append', { events })
  }

  /** One SELECT over all relations, at one tick. */
  sql(sql: string, options: PastOptions = {}): Promise<SqlBody> {
    const { asOf, replay } = options
    const body = JSON.stringify({ sql, ...(asOf === undefined ? {} : { as_of: asOf }) })
    const path = `/v1/sql${queryOf([
      ['numbers', 'string'],
      ['replay', replay ? 'true' : undefined],
    ])}`
    return this.#past(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body }, options)
  }

  /** A SELECT's rows, then their changes, until the signal aborts: after a break anew, with a `reset`. */
  liveSql(sql: string, { signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<LiveSqlStep<SqlRow>> {
    return liveSqlSteps(this.#connection, sql, [], () => (row) => row, signal)
  }

  /** GET /readyz */
  ready({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ReadyBody> {
    return this.#connection.get('/readyz', signal)
  }

  /** How a SELECT would be computed. */
  explain(sql: string, signal?: AbortSignal): Promise<ExplainBody> {
    return this.#connection.post('/v1/explain', { sql }, signal === undefined ? {} : { signal })
  }

  /** GET /v1/project: the app that a server is developed with, and whether what was saved last runs. */
  project({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ProjectBody> {
    return this.#connection.get('/v1/project', signal)
  }

  /** A query as a view of the project that `millrace dev` runs. @param write false: only says what it would write */
  saveView(name: string, sql: string, write: boolean): Promise<SavedViewBody> {
    return this.#connection.post('/v1/project/views', { name, sql, write })
  }

  /** Which rows other definitions would change. */
  diff(definition: string, rows?: number, signal?: AbortSignal): Promise<DiffBody> {
    const body = { definition, ...(rows === undefined ? {} : { rows }) }
    return this.#connection.post('/v1/diff?numbers=string', body, signal === undefined ? {} : { signal })
  }

  async #past<Body>(path: string, init: RequestInit, { signal, onReplaying }: PastOptions): Promise<Body> {
    const asked = { ...init, ...(signal === undefined ? {} : { signal }) }
    return (await (await this.#connection.open(path, asked, onReplaying)).json()) as Body
  }
}

const asItCame = {
  of:
    async () =>
    (row: Readonly<Row>): Row =>
      row,
}
