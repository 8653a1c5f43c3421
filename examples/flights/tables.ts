import { styleText } from 'node:util'
import { textsOf } from '../../src/cli/print-views.ts'
import { textTable } from '../../src/data/text-print.ts'
import type { Database } from '../../src/database.ts'

interface Shown {
  readonly view: string
  readonly title: string
  readonly limit: number
  /** In the place of the view's own order: the column whose greatest values come first. */
  readonly by?: string
}

const shown: readonly Shown[] = [
  { view: 'late_share', title: 'Airports with the largest share of flights over 15 minutes late', limit: 10 },
  { view: 'delay_by_state', title: 'States by average delay, in minutes', limit: 10, by: 'delay' },
  { view: 'worst_routes', title: 'The ten worst routes of each day: the first day', limit: 10 },
  { view: 'origin_by_hour', title: 'Airports hour by hour: the busiest hours', limit: 5, by: 'flights' },
]

/** The first rows of each view. */
export async function printViews(database: Database): Promise<void> {
  for (const { view, title, limit, by } of shown) {
    const column = database.view(view).columns.findIndex(({ name }) => name === by)
    const order = column < 0 ? [] : [{ column, descending: true, nullsFirst: false }]
    const { rows } = await database.read(view, { limit, order })
    console.log(`\n${styleText('bold', title)} (${view})`)
    console.log(textTable(rows.columns, textsOf(rows)).trimEnd())
  }
}

/** What there is, and how much of it. */
export function printRelations(database: Database): void {
  const { topics, views } = database.status()
  const keyed = new Set(
    database.catalog().topics.flatMap(({ name, primaryKey }) => (primaryKey.length > 0 ? name : [])),
  )
  const lines = [
    ...topics.map(({ name, nextOffset }) => [keyed.has(name) ? 'table' : 'topic', name, nextOffset, 'events'] as const),
    ...views.map(({ name, rows }) => ['view', name, rows, 'rows'] as const),
  ]
  const names = Math.max(...lines.map(([, name]) => name.length))
  const counts = Math.max(...lines.map(([, , count]) => count.toLocaleString('en').length))
  console.log(`\n${styleText('bold', 'What there is')}`)
  for (const [kind, name, count, unit] of lines) {
    console.log(`${kind.padEnd(5)}  ${name.padEnd(names)}  ${count.toLocaleString('en').padStart(counts)} ${unit}`)
  }
  console.log()
}
