import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bearer, gatewayOf, makeSigner } from '../../test/support/gateway.ts'
import { type Running, startRunning } from '../../test/support/running-server.ts'
import { defineApp } from '../app/app.ts'
import { type ChartOptions, chart } from '../app/chart.ts'
import { t } from '../app/column-type.ts'
import { topic, view } from '../app/definitions.ts'
import { policy } from '../app/gateway.ts'
import { sql } from '../app/sql-text.ts'
import { appDefinition } from '../engine/definitions.ts'
import { checkCharts } from './charts.ts'

const orders = topic('orders', { schema: { city: t.text(), amount: t.bigint(), at: t.timestamptz() }, time: 'at' })
const byCity = view('byCity', sql`SELECT city, sum(amount) AS total, max(at) AS last FROM ${orders} GROUP BY city`)
const secret = view('secret', sql`SELECT at, amount FROM ${orders}`)
const cities = chart(byCity, { x: 'city', y: 'total', mark: 'bar', title: 'Cities' })
const secrets = chart(secret, { x: 'at', y: 'amount', mark: 'line', series: 'at', dashboard: 'inside' })
const app = defineApp({ orders, byCity, secret, cities, secrets })

let running: Running | null = null
afterEach(() => running?.stop())

describe('GET /v1/charts', () => {
  it('tells what the app declares, and what it declares now', async () => {
    let charts = app.charts
    running = await startRunning({ charts: () => charts }, appDefinition(app))
    const ask = async (): Promise<unknown> => (await fetch(`${running!.url}/v1/charts`)).json()
    const shown = [
      { name: 'cities', view: 'byCity', x: 'city', y: 'total', mark: 'bar', title: 'Cities', dashboard: 'main' },
      { name: 'secrets', view: 'secret', x: 'at', y: 'amount', series: 'at', mark: 'line' },
    ]
    expect(await ask()).toEqual({ charts: [shown[0], { ...shown[1], title: 'secrets', dashboard: 'inside' }] })
    charts = charts.slice(0, 1)
    expect(await ask()).toEqual({ charts: [shown[0]] })
    expect((await fetch(`${running.url}/v1/charts?x=1`)).status).toBe(400)
  })

  it('tells nothing of views that the caller may not read', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-charts-'))
    try {
      const signer = await makeSigner('one')
      const keys = path.join(folder, 'keys.json')
      await writeFile(keys, JSON.stringify(signer.jwks))
      const roles = { boss: { admin: true }, reader: { read: ['byCity'] }, writer: { append: ['orders'] } }
      const policies = [policy('byCity', { role: 'reader', mask: { last: 'null' } })]
      const gateway = gatewayOf(keys, { roles, policies })
      running = await startRunning({ gateway, charts: () => app.charts }, appDefinition(app))
      const seen: Record<string, readonly string[]> = {}
      for (const role of Object.keys(roles)) {
        const headers = bearer(await signer.sign({ sub: role, role }))
        const response = await fetch(`${running.url}/v1/charts`, { headers })
        const { charts } = (await response.json()) as { charts: { name: string }[] }
        seen[role] = charts.map(({ name }) => name)
      }
      expect(seen).toEqual({ boss: ['cities', 'secrets'], reader: ['cities'], writer: [] })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('checkCharts', () => {
  it('refuses what cannot be drawn', async () => {
    const { program } = await appDefinition(app).plan({ topics: [], views: [] })
    const check = (options: Partial<ChartOptions<string>>): void => {
      const wrong = chart(byCity, { x: 'city', y: 'total', mark: 'bar', ...options })
      checkCharts(defineApp({ orders, byCity, wrong }).charts, program)
    }
    expect(() => checkCharts(app.charts, program)).not.toThrow()
    expect(() => check({ x: 'town' })).toThrow('the chart wrong names town, which is no column of byCity')
    expect(() => check({ mark: 'line', x: 'last', series: 'town' })).toThrow('names town')
    expect(() => check({ y: 'city' })).toThrow('the chart wrong draws city, which is text')
    expect(() => check({ y: 'city', mark: 'table', series: 'last' })).not.toThrow()
    expect(() => check({ mark: 'line' })).toThrow('the chart wrong has lines over city, which is text')
    expect(() => check({ mark: 'map' })).toThrow('the chart wrong is a map, and byCity says no places')
    expect(() => check({ mark: 'line', x: 'last', series: 'city' })).not.toThrow()
  })
})
