import { describe, expect, it } from 'vitest'
import { appToSql, defineApp } from './app.ts'
import { type ChartOptions, chart } from './chart.ts'
import { t } from './column-type.ts'
import { topic, view } from './definitions.ts'
import { sql } from './sql-text.ts'

const orders = topic('orders', { schema: { id: t.text(), amount: t.integer() } })
const totals = view(
  'totals',
  sql<{ id: string; total: number }>`SELECT id, sum(amount) AS total FROM ${orders} GROUP BY id`,
)

const drawing = (options: object): (() => unknown) => {
  return () => chart(totals, { x: 'id', y: 'total', mark: 'bar', ...options } as ChartOptions<'id' | 'total'>)
}

describe('a chart', () => {
  it('stands beside the definitions, under the name that the app gives it', () => {
    const byId = chart(totals, { x: 'id', y: 'total', mark: 'bar' })
    const app = defineApp({ orders, totals, byId })
    expect(Object.keys(app.definitions)).toEqual(['orders', 'totals'])
    const rest = { series: null, title: null, dashboard: 'main' }
    expect(app.charts).toEqual([{ name: 'byId', view: totals, x: 'id', y: 'total', mark: 'bar', ...rest }])
    expect(defineApp({ orders, totals }).charts).toEqual([])
  })

  it('is no part of what runs', () => {
    const byId = chart(totals, { x: 'id', y: 'total', mark: 'bar', title: 'Totals' })
    expect(appToSql(defineApp({ byId, totals, orders }))).toBe(appToSql(defineApp({ totals, orders })))
  })

  it('draws a view of the app', () => {
    const byId = chart(totals, { x: 'id', y: 'total', mark: 'bar' })
    expect(() => defineApp({ orders, byId })).toThrow('byId draws totals, which the app lacks')
    const other = view('totals', sql`SELECT id, amount AS total FROM ${orders}`)
    expect(() => defineApp({ orders, totals: other, byId })).toThrow('byId draws totals, which the app lacks')
  })

  it('is refused where it cannot be drawn', () => {
    expect(drawing({ mark: 'pie' })).toThrow('a chart of totals has no mark: pie')
    expect(drawing({ series: 'id', mark: 'table' })).not.toThrow()
    expect(drawing({ series: 'id' })).toThrow('a chart of totals has a series, and its mark is bar')
    expect(drawing({ dashboard: ' ' })).toThrow('a chart of totals stands on a dashboard without a name')
  })
})
