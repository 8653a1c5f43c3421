/** How explanations of rows and events are asked for elsewhere. */
import type { EventRef } from 'millrace/client'
import { topicNamed } from '../ask/catalog.ts'
import { sqlCondition, sqlName, sqlText, tsOptions, tsValue } from './quotes.ts'
import { apiPath, curl, inspecting, type Snippets } from './snippet.ts'

type RowKey = Readonly<Record<string, string | null>>

function keyPairs(key: RowKey): (readonly [string, string])[] {
  return Object.entries(key).map(([column, value]) => (value === null ? ['isnull', column] : [`eq.${column}`, value]))
}

export interface WhyAsked {
  readonly view: string
  readonly key: RowKey
  /** A tick, or a time. */
  readonly asOf: string | null
  /** Events that are listed. */
  readonly limit: number
}

/** Why a row is there, or not. @param taken what of the answer: `{ step }` */
export function whySnippets({ view, key, asOf, limit }: WhyAsked, taken: string): Snippets {
  const path = apiPath(
    ['views', view, 'why'],
    [...keyPairs(key), ['as_of', asOf], ['limit', taken.includes('events') ? String(limit) : null]],
  )
  const options = tsOptions({
    asOf: asOf !== null && /^\d+$/.test(asOf) ? Number(asOf) : asOf,
    limit: taken.includes('events') ? limit : null,
  })
  const given = [tsValue(view), tsValue(key), ...(options === '' ? [] : [options])].join(', ')
  return { curl: curl(path), typescript: inspecting(`const ${taken} = await server.why(${given})`) }
}

/** The row itself, whatever made it. @param errors of the view: while there are some, SQL over it is refused */
export function rowSql({ view, key, asOf }: WhyAsked, errors: number): Snippets {
  return asOf !== null || errors > 0 ? {} : { sql: `SELECT * FROM ${sqlName(view)} WHERE ${sqlCondition(key)};` }
}

/** Events by their places, where SQL sees all of them: it has no events of tables, and one topic's columns at a time. */
export function eventsSql(events: readonly EventRef[]): Snippets {
  const [first] = events
  if (first === undefined || topicNamed(first.topic)?.kind !== 'topic') return {}
  if (events.some(({ topic }) => topic !== first.topic)) return {}
  const offsets = events.map(({ offset }) => offset).join(', ')
  return {
    sql: `SELECT _offset, _tick, _appended_at, * FROM ${sqlName(first.topic)} WHERE _offset IN (${offsets}) ORDER BY _offset;`,
  }
}

/** What an event did. @param taken what of the answer: `{ steps }` */
export function journeySnippets(topic: string, offset: number, taken: string): Snippets {
  return {
    curl: curl(apiPath(['topics', topic, 'events', String(offset), 'journey'])),
    typescript: inspecting(`const ${taken} = await server.journey(${tsValue(topic)}, ${offset})`),
  }
}

/** The event itself; a table's events have no place in SQL. */
export function eventSql(topic: string, offset: number): Snippets {
  if (topicNamed(topic)?.kind !== 'topic') return {}
  return { sql: `SELECT _offset, _tick, _appended_at, * FROM ${sqlName(topic)} WHERE _offset = ${offset};` }
}

/** Events by what is in a column, the newest first. */
export function findSnippets(topic: string, column: string, value: string, limit: number): Snippets {
  const isOffset = column === '_offset'
  const path = apiPath(
    ['topics', topic, 'find'],
    [
      [isOffset ? '_offset' : `eq.${column}`, value],
      ['limit', String(limit)],
    ],
  )
  const where = isOffset ? '{}' : tsValue({ [column]: value })
  const options = tsValue({ ...(isOffset ? { offset: Number(value) } : {}), limit })
  const sql = `SELECT _offset, _tick, _appended_at, * FROM ${sqlName(topic)}\nWHERE ${sqlName(column)} = ${sqlText(value)} ORDER BY _offset DESC LIMIT ${limit};`
  return {
    ...(topicNamed(topic)?.kind === 'topic' ? { sql } : {}),
    curl: curl(path),
    typescript: inspecting(`const { events } = await server.find(${tsValue(topic)}, ${where}, ${options})`),
  }
}
