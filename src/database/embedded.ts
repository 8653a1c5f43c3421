import type { App } from '../app/app.ts'
import type {
  AppendOptions,
  AppendReceipt,
  Change,
  DatabaseShape,
  ErrorsOptions,
  GetOptions,
  LiveOptions,
  LiveSqlStep,
  LiveStep,
  SqlAnswer,
  SqlHandle,
  SqlLiveOptions,
  SqlOptions,
  TableHandle,
  TopicLiveOptions,
  TopicPage,
  TopicReadOptions,
  TopicStep,
  ViewErrors,
  ViewHandle,
  ViewRows,
} from '../app/database-shape.ts'
import type { Definition, Table, Topic, View } from '../app/definitions.ts'
import type { AnyRow, Sql } from '../app/sql-text.ts'
import { decodeValue, encodeEvents, parameterText, type ReadColumn, readColumns, writtenReads } from '../app/values.ts'
import { cellState } from '../data/batch.ts'
import { blockColumn, openBlock } from '../data/block.ts'
import { cellNull } from '../data/cell.ts'
import type { Cells } from '../data/cell-access.ts'
import { compileDatum } from '../data/datum.ts'
import { MillraceError } from '../data/errors.ts'
import { ObjectDecoder } from '../data/js-rows.ts'
import type { MemoryViews } from '../data/memory.ts'
import { type ColumnSchema, resultTypeName } from '../data/sql-type.ts'
import { storedCells } from '../data/stored-column.ts'
import { cellText } from '../data/text-print.ts'
import { type Append, type AppendAnswer, offsetOf, type ReadBlock, rowFrom } from '../log/log.ts'
import type { Order } from '../plan/plan.ts'
import type { TopicDefinition, ViewDefinition } from '../plan/program.ts'
import type { LiveOptions as CursorOptions, LiveMessage } from '../views/live.ts'
import type { Rows } from '../views/rows.ts'
import type {
  LiveQueryAnswer,
  LiveQueryOptions,
  QueryAnswer,
  QueryOptions,
  ReadAnswer,
  ReadOptions,
} from './contract.ts'
import { digestOf } from './digest.ts'
import { badEvents } from './ingest.ts'
import type { TopicMessage } from './live/topic-cursor.ts'
import { parseMoment } from './past.ts'
import type { Explanations } from './why/explanations.ts'

/** A change of a view as its app's types show it. */
export function plainChanges(rows: Rows): readonly Change<Row>[] {
  return changesOf(rows, rowReader(rows.columns, readColumns(rows.columns)))
}

/** What the handles need of a database. */
export interface DatabaseCore {
  topic(name: string): TopicDefinition
  view(name: string): ViewDefinition
  append(append: Append): Promise<AppendAnswer>
  readTopic(name: string, fromOffset: number, limit: number): Promise<readonly ReadBlock[]>
  read(name: string, options?: ReadOptions): Promise<ReadAnswer>
  errors(name: string, options?: ErrorsOptions): Promise<ViewErrors>
  live(name: string, options?: CursorOptions): AsyncIterable<LiveMessage>
  liveTopic(name: string, options?: TopicLiveOptions): AsyncIterable<TopicMessage>
  query(sql: string, options?: QueryOptions): Promise<QueryAnswer>
  liveQuery(sql: string, options?: LiveQueryOptions): Promise<LiveQueryAnswer>
  readonly explanations: Pick<Explanations, 'why' | 'journey' | 'find'>
  close(): Promise<void>
}

type Row = Record<string, unknown>

/** A database as its app's types show it: a property per topic, table and view. */
export function embed<A extends App>(core: DatabaseCore, app: A): DatabaseShape<A> {
  const handles: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries<Definition>(app.definitions)) {
    if (definition.kind === 'topic' || definition.kind === 'table') handles[name] = topicHandle(core, definition)
    else if (definition.kind === 'view') handles[name] = viewHandle(core, definition)
  }
  const own = {
    sql: sqlHandle(core),
    close: () => core.close(),
    [Symbol.asyncDispose]: () => core.close(),
  }
  return Object.freeze({ ...handles, ...own }) as unknown as DatabaseShape<A>
}

function topicHandle(core: DatabaseCore, definition: Topic | Table): TableHandle<unknown, Row, unknown> {
  const topic = core.topic(definition.name)
  const decoder = new ObjectDecoder(topic)
  const reader = rowReader(topic.columns, readColumns(topic.columns, definition.columns))
  const append = async (
    given: unknown,
    operation: 'upsert' | 'delete',
    options: AppendOptions = {},
  ): Promise<AppendReceipt> => {
    options.signal?.throwIfAborted()
    const list: readonly unknown[] = Array.isArray(given) ? given : [given]
    // A delete has the key alone, which the schema of a whole event would refuse.
    const checked = definition.schema !== null && operation === 'upsert'
    const events = checked ? await encodeEvents(definition, list) : list
    const decoded = decoder.decode(events, operation)
    if (decoded.badEvents > 0) throw badEvents(decoded)
    const blocks = decoded.blocks.map(({ rows, bytes }) => ({ topic: topic.id, rows, bytes }))
    const { idempotencyKey } = options
    const answer = await core.append({
      blocks,
      ...(idempotencyKey === undefined
        ? {}
        : { idempotency: keyOf(`${operation} ${topic.name}`, idempotencyKey, blocks) }),
    })
    const [range] = answer.offsets
    return { tick: answer.tick, firstOffset: range?.firstOffset ?? 0, lastOffset: range?.lastOffset ?? -1 }
  }
  return {
    append: (events, options) => append(events, 'upsert', options),
    delete: (keys, options) => append(keys, 'delete', options),
    read: (options) => readEvents(core, topic, reader, options),
    live: (options) => topicSteps(core, topic, reader, options),
    journey: async (offset, options) => core.explanations.journey(topic.name, offset, options),
    find: async (where, options = {}) =>
      core.explanations.find(topic.name, { where: textsOf(where as Row), ...options }),
  }
}

function keyOf(scope: string, key: string, blocks: Append['blocks']): NonNullable<Append['idempotency']> {
  const digests = blocks.map(({ bytes }) => digestOf(bytes))
  const all = new Uint8Array(digests.length * 16)
  digests.forEach((digest, i) => {
    all.set(digest, i * 16)
  })
  return { scope, key, digest: digestOf(all) }
}

async function readEvents(
  core: DatabaseCore,
  topic: TopicDefinition,
  reader: RowReader,
  { from = 0, limit = 1000, signal }: TopicReadOptions = {},
): Promise<TopicPage<Row>> {
  signal?.throwIfAborted()
  const events = eventsOf(topic, reader, await core.readTopic(topic.name, from, limit), from, limit)
  return { events, next: (events.at(-1)?.offset ?? from - 1) + 1 }
}

function eventsOf(
  topic: TopicDefinition,
  reader: RowReader,
  blocks: readonly ReadBlock[],
  from: number,
  limit = Number.POSITIVE_INFINITY,
): TopicPage<Row>['events'] {
  const events: TopicPage<Row>['events'][number][] = []
  for (const logged of blocks) {
    const block = openBlock(logged.bytes)
    const cells = storedCells(block, topic.columns)
    const operations = block.columns.get(blockColumn.operation)
    for (let row = rowFrom(logged, from); row < block.rows && events.length < limit; row++) {
      const deletes = operations !== undefined && block.memory.i32[(operations.data >>> 2) + row] === 1
      const op = topic.primaryKey.length === 0 ? 'append' : deletes ? 'delete' : 'upsert'
      // A field of old that does not fit its column is not the column's value, and an app's types know no other.
      const fitting = cells.map((cell) =>
        cell !== null && cellState(block.memory, cell, row) > cellNull ? null : cell,
      )
      const data = reader(block.memory, fitting, row)
      events.push({ offset: offsetOf(logged, row), tick: logged.tick, op, data: deletes ? keyOnly(topic, data) : data })
    }
  }
  return events
}

async function* topicSteps(
  core: DatabaseCore,
  topic: TopicDefinition,
  reader: RowReader,
  options: TopicLiveOptions = {},
): AsyncGenerator<TopicStep<Row>> {
  for await (const message of core.liveTopic(topic.name, options)) {
    const { kind, tick, next } = message
    if (kind === 'reset') yield { kind, tick, next, complete: false, events: [] }
    else {
      const events = eventsOf(topic, reader, message.blocks, message.from)
      yield { kind, tick, next, complete: message.complete, events }
    }
  }
}

function keyOnly({ columns, primaryKey }: TopicDefinition, data: Row): Row {
  return Object.fromEntries(primaryKey.map((ordinal) => [columns[ordinal].name, data[columns[ordinal].name]]))
}

function viewHandle(core: DatabaseCore, definition: View): ViewHandle<Row> {
  const { name } = definition
  const { columns } = core.view(name)
  const reader = rowReader(columns, readColumns(columns, writtenReads(definition)))
  return {
    async get(options: GetOptions<Row> = {}): Promise<ViewRows<Row>> {
      options.signal?.throwIfAborted()
      const { tick, errors, rows } = await core.read(name, readOptionsOf(columns, name, options))
      options.signal?.throwIfAborted()
      return { tick, errors, rows: [...expanded(rows, reader)] }
    },
    errors: (options) => core.errors(name, options),
    why: async (key, { limit, signal, ...moment } = {}) => {
      const asked = { where: textsOf(key), ...momentOf(moment) }
      return core.explanations.why(name, {
        ...asked,
        ...(limit === undefined ? {} : { limit }),
        ...(signal === undefined ? {} : { signal }),
      })
    },
    live: (options) => liveSteps(core, name, reader, options),
  }
}

function* expanded(rows: Rows, reader: RowReader): Iterable<Row> {
  for (const { row, weight } of changesOf(rows, reader)) for (let n = 0; n < weight; n++) yield row
}

function changesOf(rows: Rows, reader: RowReader): Change<Row>[] {
  const changes: Change<Row>[] = []
  rows.forEach((page, row, weight) => {
    changes.push({ row: reader(page.memory, page.columns, row), weight })
  })
  return changes
}

async function* liveSteps(
  core: DatabaseCore,
  name: string,
  reader: RowReader,
  options: LiveOptions = {},
): AsyncGenerator<LiveStep<Row>> {
  for await (const message of core.live(name, options)) {
    yield stepOf(message, reader)
  }
}

function stepOf(message: LiveMessage, reader: RowReader): LiveStep<Row> {
  const changes = message.kind === 'reset' ? [] : changesOf(message.rows, reader)
  const complete = message.kind === 'change' || (message.kind === 'snapshot' && message.last)
  return { kind: message.kind, tick: message.tick, complete, changes }
}

/** Values by column, as the texts that PostgreSQL reads for them. */
function textsOf(values: Row): Record<string, string | null> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([column, value]) => [column, parameterText(value)]))
}

function readOptionsOf(columns: readonly ColumnSchema[], view: string, options: GetOptions<Row>): ReadOptions {
  const orders = options.order === undefined ? [] : typeof options.order === 'string' ? [options.order] : options.order
  return {
    where: textsOf(options.where ?? {}),
    order: orders.map((order) => orderOf(columns, view, order)),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.minTick === undefined ? {} : { minTick: options.minTick }),
    ...momentOf(options),
  }
}

function momentOf({ asOf, replay, signal }: GetOptions<Row> | SqlOptions): Pick<ReadOptions, 'asOf'> {
  if (asOf === undefined) return {}
  const text = asOf instanceof Date ? asOf.toISOString() : String(asOf)
  const at = parseMoment(text)
  if (at === null) {
    const what = `asOf is a tick or a time, not ${JSON.stringify(text)}`
    throw new MillraceError('request/parameter', what, { hint: "give a tick's number or a Date" })
  }
  return { asOf: replay === true ? { at, replay: signal === undefined ? {} : { signal } } : { at } }
}

/** A column's name, with a minus before it for descending. */
function orderOf(columns: readonly ColumnSchema[], view: string, order: string): Order {
  const descending = order.startsWith('-')
  const name = descending ? order.slice(1) : order
  const column = columns.findIndex((one) => one.name === name)
  if (column < 0) throw new MillraceError('request/parameter', `view ${view} has no column ${name}`)
  return { column, descending, nullsFirst: descending }
}

function sqlHandle(core: DatabaseCore): SqlHandle {
  const run = (query: string | Sql<unknown>, options?: SqlOptions) => runSql(core, query, options)
  const live = (query: string | Sql<unknown>, options?: SqlLiveOptions): AsyncIterable<LiveSqlStep<Row>> => ({
    [Symbol.asyncIterator]: () => sqlSteps(core, query, options),
  })
  return Object.freeze(Object.assign(run, { live })) as SqlHandle
}

async function* sqlSteps(
  core: DatabaseCore,
  query: string | Sql<unknown>,
  { params = [], signal }: SqlLiveOptions = {},
): AsyncGenerator<LiveSqlStep<Row>> {
  if (signal?.aborted) return
  const written = typeof query === 'string' ? [] : writtenReads(query)
  const asked = { parameters: params.map(parameterText), ...(signal === undefined ? {} : { signal }) }
  const opened = core.liveQuery(typeof query === 'string' ? query : query.text, asked)
  const answer = await opened.catch((error: unknown) => {
    if (signal?.aborted) return null
    throw error
  })
  if (answer === null) return
  let schema: readonly ColumnSchema[] = []
  let reader = rowReader([], [])
  for await (const message of answer.messages) {
    if (message.kind !== 'reset' && message.rows.columns !== schema) {
      schema = message.rows.columns
      reader = rowReader(schema, readColumns(schema, written))
    }
    const order = answer.about().order.map((key) => (key.descending ? '-' : '') + schema[key.column].name)
    yield { ...stepOf(message, reader), columns: schema.map(namedColumn), order }
  }
}

function namedColumn({ name, type }: ColumnSchema): SqlAnswer<Row>['columns'][number] {
  return { name, type: resultTypeName(type) }
}

async function runSql<R = AnyRow>(
  core: DatabaseCore,
  query: string | Sql<unknown>,
  options: SqlOptions = {},
): Promise<SqlAnswer<R>> {
  const written = typeof query === 'string' ? [] : writtenReads(query)
  const { tick, columns, rows } = await core.query(typeof query === 'string' ? query : query.text, {
    parameters: (options.params ?? []).map(parameterText),
    ...momentOf(options),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  return {
    tick,
    columns: columns.map(namedColumn),
    rows: [...expanded(rows, rowReader(columns, readColumns(columns, written)))] as R[],
  }
}

type RowReader = (memory: MemoryViews, columns: readonly Cells[], row: number) => Row

/** Makes rows of cells, exactly as the remote client makes them of JSON. */
function rowReader(schema: readonly ColumnSchema[], reads: readonly ReadColumn[]): RowReader {
  const readers = schema.map(({ type }, i) => {
    if (type.kind === 'bigint' || type.kind === 'numeric') {
      return (memory: MemoryViews, column: Cells, row: number): unknown =>
        decodeValue(cellText(memory, column, row, type), type, reads[i].reads)
    }
    const datum = compileDatum(type)
    return (memory: MemoryViews, column: Cells, row: number): unknown =>
      decodeValue(datum(memory, column, row), type, reads[i].reads)
  })
  return (memory, columns, row) => {
    const made: Row = {}
    for (let i = 0; i < readers.length; i++) {
      // A plain assignment to __proto__ would set the prototype instead.
      if (schema[i].name === '__proto__')
        Object.defineProperty(made, '__proto__', { value: readers[i](memory, columns[i], row), enumerable: true })
      else made[schema[i].name] = readers[i](memory, columns[i], row)
    }
    return made
  }
}
