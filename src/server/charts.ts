import type { NamedChart } from '../app/chart.ts'
import { MillraceError } from '../data/errors.ts'
import { type ColumnSchema, typeName } from '../data/sql-type.ts'
import type { Program } from '../plan/program.ts'
import type { CatalogBody, ChartBody, ChartsBody } from '../protocol/answers.ts'
import type { Caller } from './caller.ts'
import { jsonAnswer } from './exchange.ts'
import { Parameters } from './parameters.ts'
import { on, type Route, route } from './routes.ts'

/** GET /v1/charts: those whose columns the caller may see. */
export function chartsRoute(
  charts: () => readonly NamedChart[] = () => [],
  seen: (caller: Caller) => Promise<CatalogBody>,
): Route {
  return route(
    '/v1/charts',
    on('GET', 'known', 'read', async ({ caller, query }) => {
      new Parameters(query).end()
      const { views } = await seen(caller)
      const columns = new Map(views.map((view) => [view.name, new Set(view.columns.map(({ name }) => name))]))
      const isSeen = ({ view, x, y, series }: ChartBody): boolean =>
        [x, y, ...(series === undefined ? [] : [series])].every((name) => columns.get(view)?.has(name))
      const body: ChartsBody = { charts: chartBodies(charts()).filter(isSeen) }
      return jsonAnswer(200, body, { 'cache-control': 'no-store' })
    }),
  )
}

/** Charts as JSON shows them. */
export function chartBodies(charts: readonly NamedChart[]): readonly ChartBody[] {
  return charts.map(({ name, view, x, y, series, mark, title, dashboard }) => ({
    name,
    view: view.name,
    x,
    y,
    ...(series === null ? {} : { series }),
    mark,
    title: title ?? name,
    dashboard,
  }))
}

/**
 * What the compiler can't see: columns of views whose SQL is text, and what can be drawn along and up an axis.
 * @throws MillraceError app/load
 */
export function checkCharts(charts: readonly NamedChart[], { views }: Pick<Program, 'views'>): void {
  for (const { name, view, x, y, series, mark } of charts) {
    const columns = views.find((each) => each.name === view.name)?.columns ?? []
    const named = [x, y, ...(series === null ? [] : [series])].map((column) =>
      columnOf(name, view.name, columns, column),
    )
    const [along, figure] = named
    if (mark !== 'table' && !numbers.has(figure.type.kind)) {
      throw new MillraceError('app/load', `the chart ${name} draws ${y}, which is ${typeName(figure.type)}`, {
        hint: "choose a column of numbers as y, or say mark: 'table'",
      })
    }
    if (mark === 'line' && !numbers.has(along.type.kind) && !times.has(along.type.kind)) {
      throw new MillraceError('app/load', `the chart ${name} has lines over ${x}, which is ${typeName(along.type)}`, {
        hint: "choose a time or a number as x, or say mark: 'bar'",
      })
    }
    if (mark === 'map' && !isPlaced(columns)) {
      throw new MillraceError('app/load', `the chart ${name} is a map, and ${view.name} says no places`, {
        hint: 'select columns named latitude and longitude, as numbers',
      })
    }
  }
}

const numbers: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'real', 'double', 'numeric'])
const times: ReadonlySet<string> = new Set(['date', 'timestamp', 'timestamptz'])
/** As the console finds them. */
const latitudes = /^(lat|latitude)$|_(lat|latitude)$/i
const longitudes = /^(lng|lon|long|longitude)$|_(lng|lon|longitude)$/i

function isPlaced(columns: readonly ColumnSchema[]): boolean {
  const has = (pattern: RegExp): boolean =>
    columns.some(({ name, type }) => pattern.test(name) && numbers.has(type.kind))
  return has(latitudes) && has(longitudes)
}

function columnOf(chart: string, view: string, columns: readonly ColumnSchema[], name: string): ColumnSchema {
  const found = columns.find((column) => column.name === name)
  if (found !== undefined) return found
  throw new MillraceError('app/load', `the chart ${chart} names ${name}, which is no column of ${view}`, {
    hint: `there are ${columns.map((column) => column.name).join(', ')}`,
  })
}
