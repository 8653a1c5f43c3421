/** How what is known of the server itself is asked for elsewhere. */
import type { TopicInfo, ViewInfo } from '../ask/catalog.ts'
import { sqlName, sqlText, tsValue } from './quotes.ts'
import { apiPath, curl, inspecting, type Snippets } from './snippet.ts'

/** @param taken what of the answer: `{ verdict }` */
export function statusSnippets(taken: string): Snippets {
  return { curl: curl('/v1/status'), typescript: inspecting(`const ${taken} = await server.status()`) }
}

/** How many rows each view has. Views with error rows refuse to be counted. */
export function viewsSnippets(views: readonly Pick<ViewInfo, 'name' | 'errors'>[]): Snippets {
  const counted = views
    .filter(({ errors }) => errors === 0)
    .map(({ name }) => `SELECT ${sqlText(name)} AS view, count(*) AS rows FROM ${sqlName(name)}`)
  return { ...unionOf(counted), ...statusSnippets('{ views }') }
}

/** How many events came, and when the last one did. SQL sees a table's rows, not its events. */
export function topicsSnippets(topics: readonly Pick<TopicInfo, 'name' | 'kind'>[]): Snippets {
  const counted = topics
    .filter(({ kind }) => kind === 'topic')
    .map(
      ({ name }) =>
        `SELECT ${sqlText(name)} AS topic, max(_offset) + 1 AS events, max(_appended_at) AS last_append FROM ${sqlName(name)}`,
    )
  return { ...unionOf(counted), ...statusSnippets('{ topics }') }
}

function unionOf(selects: readonly string[]): Snippets {
  return selects.length === 0 ? {} : { sql: `${selects.join('\nUNION ALL ')};` }
}

/** What runs. @param view only what this one is made of; null: all of it */
export function topologySnippets(view: string | null): Snippets {
  const call = 'const { nodes, edges } = await server.topology()'
  const part =
    view === null
      ? ''
      : `\nconst own = nodes.filter(({ name, views }) => name === ${tsValue(view)} || views.includes(${tsValue(view)}))`
  return { curl: curl('/v1/topology'), typescript: inspecting(call + part) }
}

/** The latest changes that left a part of what runs. */
export function sampleSnippets({ id, kind, name }: { id: string; kind: string; name: string }): Snippets {
  return {
    // What leaves a topic is its events; of the other parts, SQL sees what they make, not how it changed.
    ...(kind === 'topic'
      ? { sql: `SELECT _offset, _tick, * FROM ${sqlName(name)} ORDER BY _offset DESC LIMIT 20;` }
      : {}),
    curl: curl(apiPath(['topology', id, 'sample'])),
    typescript: inspecting(`const { changes } = await server.sample(${tsValue(id)})`),
  }
}

/** Watermarks, lateness and windows. @param taken what of the answer: `{ topics }` */
export function timeSnippets(taken: string): Snippets {
  return { curl: curl('/v1/time'), typescript: inspecting(`const ${taken} = await server.time()`) }
}

/** How one topic tells the time. @param column its event time */
export function topicTimeSnippets(topic: string, column: string): Snippets {
  const late = `(SELECT count(*) FROM _late WHERE topic = ${sqlText(topic)})`
  const { curl: asked } = timeSnippets('')
  return {
    sql: `SELECT max(${sqlName(column)}) AS newest, count(*) AS events, ${late} AS late FROM ${sqlName(topic)};`,
    ...(asked === undefined ? {} : { curl: asked }),
    typescript: inspecting(
      `const { topics } = await server.time()\nconst time = topics.find(({ name }) => name === ${tsValue(topic)})`,
    ),
  }
}

/** What the app wants drawn. */
export function chartsSnippets(): Snippets {
  return { curl: curl('/v1/charts'), typescript: inspecting('const { charts } = await server.charts()') }
}
