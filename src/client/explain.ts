import type { AsOf, FindOptions, WhyOptions } from '../app/database-shape.ts'
import { parameterText } from '../app/values.ts'
import type { FindBody, JourneyBody, WhyBody } from '../protocol/why.ts'
import type { Connection } from './connection.ts'
import { pathOf, queryOf } from './request-path.ts'

/** Questions about rows and events. */
export interface ExplainCalls {
  /**
   * GET /v1/views/{view}/why: the events that a row is made of, and how; or why there is no such row.
   * @param key as many columns as tell the row from the others
   */
  why(view: string, key: Key, options?: WhyOptions): Promise<WhyBody>
  /** GET /v1/topics/{topic}/events/{offset}/journey: what an event did at each operator, and which rows it changed. */
  journey(topic: string, offset: number, options?: { readonly signal?: AbortSignal }): Promise<JourneyBody>
  /** GET /v1/topics/{topic}/find: events by what is in them, the newest first. */
  find(topic: string, where: Key, options?: FindOptions): Promise<FindBody>
}

/** Values by column: text as PostgreSQL reads it, or what a row has. */
export type Key = Readonly<Record<string, unknown>>

export function explainCalls(connection: Connection): ExplainCalls {
  return {
    why(view, key, { asOf, limit, signal } = {}) {
      const query = queryOf([
        ...equalities(key),
        ['as_of', asOf === undefined ? undefined : momentText(asOf)],
        ['limit', limit],
      ])
      return connection.get(`${pathOf('views', view)}/why${query}`, signal)
    },
    journey: (topic, offset, { signal } = {}) =>
      connection.get(`${pathOf('topics', topic)}/events/${offset}/journey`, signal),
    find(topic, where, { offset, before, limit, signal } = {}) {
      const query = queryOf([...equalities(where), ['_offset', offset], ['before', before], ['limit', limit]])
      return connection.get(`${pathOf('topics', topic)}/find${query}`, signal)
    },
  }
}

/** `eq.` keeps columns apart from parameters of the same name. */
export function equalities(key: Key): [string, string][] {
  return Object.entries(key).flatMap(([column, value]): [string, string][] => {
    if (value === undefined) return []
    const text = parameterText(value)
    return [text === null ? ['isnull', column] : [`eq.${column}`, text]]
  })
}

function momentText(asOf: AsOf): string {
  return asOf instanceof Date ? asOf.toISOString() : String(asOf)
}
