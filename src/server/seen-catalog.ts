import { type ColumnSchema, resultTypeName, typeName } from '../data/sql-type.ts'
import { type Sight, topicRestriction, viewRestriction } from '../database/sight.ts'
import type { Database } from '../database.ts'
import type { CatalogBody, ColumnBody } from '../protocol/answers.ts'
import { catalogBody } from './status.ts'

/** Who looks at what is defined. */
export interface Viewer {
  /** Absent: he sees everything. */
  readonly sight: Sight | undefined
  mayAppend(topic: string): boolean
  mayTrace(view: string): boolean
}

/**
 * What is defined as far as a caller may use it, with the columns that he gets. Counts of relations of which he doesn't
 * see all are 0: they would tell of the others' rows.
 */
export async function seenCatalogBody(
  database: Database,
  { sight, mayAppend, mayTrace }: Viewer,
): Promise<CatalogBody> {
  const body = catalogBody(database)
  if (sight === undefined) return body
  const topics: CatalogBody['topics'][number][] = []
  for (const topic of body.topics) {
    const seen = sight.of(topic.name)
    if (seen === 'whole') topics.push(topic)
    else if (seen !== 'hidden' || mayAppend(topic.name)) {
      const restriction = seen === 'hidden' ? null : await topicRestriction(sight, database.topic(topic.name))
      // Who may append must know the columns as they are.
      const masked = restriction !== null && !mayAppend(topic.name)
      const columns = masked ? columnBodies(restriction.columns, typeName, topic.columns) : topic.columns
      topics.push({ ...topic, columns, events: 0, late: 0, watermark_micros: null })
    }
  }
  const views: CatalogBody['views'][number][] = []
  for (const view of body.views) {
    const seen = sight.of(view.name)
    if (seen === 'hidden') continue
    const sql = mayTrace(view.name) ? view.sql : ''
    const restriction = await viewRestriction(sight, database.view(view.name))
    if (restriction === null) views.push({ ...view, sql })
    else {
      const columns = columnBodies(restriction.columns, resultTypeName, view.columns)
      views.push({ ...view, sql, columns, rows: 0, errors: Math.min(1, view.errors) })
    }
  }
  return { ...body, topics, views }
}

function columnBodies(
  columns: readonly ColumnSchema[],
  nameOf: (type: ColumnSchema['type']) => string,
  whole: readonly ColumnBody[],
): readonly ColumnBody[] {
  return columns.map(({ name, type, nullable }) => {
    const column = { name, type: nameOf(type), nullable }
    const { reads } = whole.find((other) => other.name === name && other.type === column.type) ?? {}
    return reads === undefined ? column : { ...column, reads }
  })
}
