/** How topics, views and queries are asked for elsewhere. */
import type { TopicInfo } from '../ask/catalog.ts'
import { sqlName, sqlOrder, tsOptions, tsProperty, tsValue } from './quotes.ts'
import { apiPath, curl, inspecting, type Snippets, typed } from './snippet.ts'

export interface ViewAsked {
  readonly name: string
  /** Error rows: while there are some, SQL over the view is refused. */
  readonly errors: number
}

export interface RowsAsked {
  /** Columns, with a minus before those that descend. */
  readonly order?: readonly string[]
  /** A tick, or a time. */
  readonly asOf?: string | null
  readonly replay?: boolean
  readonly limit?: number | null
  /** Null: all of them. */
  readonly columns?: readonly string[] | null
}

/** A view's rows, now or as of a tick. */
export function viewSnippets({ name, errors }: ViewAsked, asked: RowsAsked = {}): Snippets {
  const { order = [], asOf = null, replay = false, limit = null, columns = null } = asked
  const selected = columns === null ? '*' : columns.map(sqlName).join(', ')
  const most = limit === null ? '' : ` LIMIT ${limit}`
  const path = apiPath(
    ['views', name],
    [
      ...order.map((key) => ['order', key] as const),
      ['limit', limit === null ? null : String(limit)],
      ['as_of', asOf],
      ['replay', replay ? 'true' : null],
    ],
  )
  const options = tsOptions({
    order: order.length > 1 ? order : order[0],
    limit,
    asOf: asOf !== null && /^\d+$/.test(asOf) ? Number(asOf) : asOf,
    replay: replay ? true : null,
  })
  return {
    // Which tick is asked about is no part of SQL's text.
    ...(asOf !== null || errors > 0
      ? {}
      : { sql: `SELECT ${selected} FROM ${sqlName(name)}${sqlOrder(order)}${most};` }),
    curl: curl(path),
    typescript: typed(`const { rows } = await db${tsProperty(name)}.get(${options})`),
  }
}

/** A view's live stream. */
export function liveSnippets(view: string): Snippets {
  return {
    curl: curl(apiPath(['views', view, 'live']), { follow: true }),
    typescript: typed(`for await (const { tick, changes } of db${tsProperty(view)}.live()) {\n${printed}}`),
  }
}

/** A view's error rows. */
export function errorsSnippets(view: string): Snippets {
  return {
    curl: curl(apiPath(['views', view, 'errors'])),
    typescript: typed(`const { rows } = await db${tsProperty(view)}.errors()`),
  }
}

/** What is known of a view's columns. */
export function columnsSnippets(view: string): Snippets {
  const found = `const columns = views.find(({ name }) => name === ${tsValue(view)})?.columns`
  return {
    curl: curl('/v1/catalog'),
    typescript: inspecting(`const { views } = await server.relations.catalog()\n${found}`),
  }
}

/** Reading and appending events. */
export function topicSnippets(
  { name: topic, kind }: Pick<TopicInfo, 'name' | 'kind'>,
  from: number,
  example: Readonly<Record<string, unknown>>,
): Snippets {
  const read = apiPath(
    ['topics', topic, 'events'],
    [
      ['from', String(from)],
      ['limit', '100'],
    ],
  )
  return {
    // SQL sees a table's rows, not its events.
    sql:
      kind === 'table'
        ? `SELECT * FROM ${sqlName(topic)} LIMIT 100;`
        : `SELECT _offset, _tick, * FROM ${sqlName(topic)} WHERE _offset >= ${from} ORDER BY _offset LIMIT 100;`,
    curl: `${curl(read)}\n${curl(apiPath(['topics', topic, 'events']), { body: example })}`,
    typescript: typed(`const { tick } = await db${tsProperty(topic)}.append(${tsValue(example)})`),
  }
}

/** Events from an offset on, as they come. */
export function topicLiveSnippets(topic: string, from: number): Snippets {
  const step = "  if (step.kind === 'events') for (const { offset, data } of step.events) console.log(offset, data)\n"
  return {
    curl: curl(apiPath(['topics', topic, 'live'], [['from', String(from)]]), { follow: true }),
    typescript: typed(`for await (const step of db${tsProperty(topic)}.live({ from: ${from} })) {\n${step}}`),
  }
}

/** How many events came when. SQL sees a table's rows, not its events. */
export function volumeSnippets({ name, kind }: Pick<TopicInfo, 'name' | 'kind'>, buckets: number): Snippets {
  const minutes = `SELECT date_trunc('minute', _appended_at) AS minute, count(*) AS events, min(_offset) AS first_offset
FROM ${sqlName(name)} GROUP BY 1 ORDER BY 1;`
  return {
    ...(kind === 'table' ? {} : { sql: minutes }),
    curl: curl(apiPath(['topics', name, 'volume'], [['buckets', String(buckets)]])),
    typescript: inspecting(`const { buckets } = await server.volume(${tsValue(name)}, { buckets: ${buckets} })`),
  }
}

/** What is known of a topic's columns and of its time. */
export function schemaSnippets(topic: string): Snippets {
  const found = `const topic = topics.find(({ name }) => name === ${tsValue(topic)})`
  return {
    curl: curl('/v1/catalog'),
    typescript: inspecting(`const { topics } = await server.relations.catalog()\n${found}`),
  }
}

export function sqlSnippets(sql: string): Snippets {
  return {
    sql,
    curl: curl('/v1/sql', { body: { sql } }),
    typescript: typed(`const { rows } = await db.sql(${tsValue(sql)})`),
  }
}

/** A query that is followed. */
export function liveSqlSnippets(sql: string): Snippets {
  return {
    sql,
    curl: curl('/v1/sql/live', { body: { sql }, follow: true }),
    typescript: typed(`for await (const { tick, changes } of db.sql.live(${tsValue(sql)})) {\n${printed}}`),
  }
}

/** How a query would be computed. */
export function planSnippets(sql: string): Snippets {
  return {
    sql,
    curl: curl('/v1/explain', { body: { sql } }),
    typescript: inspecting(`const { nodes } = await server.relations.explain(${tsValue(sql)})`),
  }
}

const printed = '  for (const { row, weight } of changes) console.log(tick, weight, row)\n'
