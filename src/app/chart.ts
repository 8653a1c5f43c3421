import { MillraceError } from '../data/errors.ts'
import type { InferRow, View } from './definitions.ts'

const marks = ['line', 'bar', 'map', 'table'] as const

/** How rows are drawn: lines over `x`, a bar per row, points at a view's latitude and longitude, or as they are. */
export type ChartMark = (typeof marks)[number]

/** A view drawn on a dashboard of the console. */
export interface Chart {
  readonly kind: 'chart'
  readonly view: View
  readonly x: string
  readonly y: string
  readonly series: string | null
  readonly mark: ChartMark
  readonly title: string | null
  readonly dashboard: string
}

/** A chart under the name that the app gives it. */
export interface NamedChart extends Omit<Chart, 'kind'> {
  readonly name: string
}

export interface ChartOptions<Column extends string> {
  /** What lines go along (a time or a number); what names a bar, a point of a map or a row of a table. */
  readonly x: Column
  /** The figure that is drawn; in a table any value. */
  readonly y: Column
  readonly mark: ChartMark
  /** Of lines: one for each value of this column. Of a table: a column between the two. */
  readonly series?: Column
  /** Its name in the app if not given. */
  readonly title?: string
  /** The dashboard that it stands on: `main` if not given. */
  readonly dashboard?: string
}

/**
 * Declares a chart of a view for the console's dashboards. It stands in `defineApp` under a name of its own; a changed
 * chart changes nothing of what runs.
 *
 *     export const revenueChart = chart(revenue, { x: 'minute', y: 'revenue', mark: 'line' })
 *
 * @throws MillraceError app/load where it can't be drawn
 */
export function chart<V extends View>(view: V, options: ChartOptions<keyof InferRow<V> & string>): Chart {
  const { x, y, mark, series = null, title = null, dashboard = 'main' } = options
  if (!marks.includes(mark)) {
    throw new MillraceError('app/load', `a chart of ${view.name} has no mark: ${mark}`, {
      hint: `there are ${marks.join(', ')}`,
    })
  }
  if (series !== null && mark !== 'line' && mark !== 'table') {
    throw new MillraceError('app/load', `a chart of ${view.name} has a series, and its mark is ${mark}`, {
      hint: "leave out series, or say mark: 'line'",
    })
  }
  if (dashboard.trim() === '') {
    throw new MillraceError('app/load', `a chart of ${view.name} stands on a dashboard without a name`, {
      hint: 'leave out dashboard, or name it',
    })
  }
  return Object.freeze({ kind: 'chart', view, x, y, series, mark, title, dashboard })
}
