// A server with an app worth looking at: couriers and orders, views over both, a final one, one with error rows.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { NamedChart } from '../../src/app/chart.ts'
import type { View } from '../../src/app/definitions.ts'
import { Database } from '../../src/database.ts'
import { sqlDefinition } from '../../src/engine/definitions.ts'
import { nodeIo } from '../../src/io/node.ts'
import { type ServerOptions, startServer } from '../../src/server/listen.ts'

export const sceneSql = `
CREATE TABLE courier (
  id text PRIMARY KEY, name text NOT NULL, city text NOT NULL
);
CREATE TABLE city (
  name text PRIMARY KEY, country text NOT NULL,
  latitude double precision NOT NULL, longitude double precision NOT NULL
);
CREATE TABLE orders (
  id bigint NOT NULL, courier text NOT NULL, amount numeric(10,2) NOT NULL,
  items integer NOT NULL, status text NOT NULL, note text, placed_at timestamp NOT NULL
) WITH (event_time = 'placed_at', lateness = '10 seconds');

CREATE MATERIALIZED VIEW revenue_by_city AS
  SELECT c.city, count(*) AS orders, sum(o.amount) AS revenue, round(avg(o.amount), 2) AS average
  FROM orders o JOIN courier c ON c.id = o.courier
  WHERE o.status <> 'cancelled'
  GROUP BY c.city ORDER BY revenue DESC;

CREATE MATERIALIZED VIEW cities AS
  SELECT c.name AS city, c.country, c.latitude, c.longitude, r.orders, r.revenue
  FROM city c JOIN revenue_by_city r ON r.city = c.name ORDER BY revenue DESC;

CREATE MATERIALIZED VIEW orders_per_minute AS
  SELECT window_start AS minute, count(*) AS orders, sum(amount) AS revenue
  FROM tumble(orders, placed_at, interval '1 minute')
  GROUP BY window_start ORDER BY minute;

CREATE MATERIALIZED VIEW closed_minutes WITH (emit = 'final') AS
  SELECT window_start AS minute, window_end, count(*) AS orders, max(amount) AS largest
  FROM tumble(orders, placed_at, interval '1 minute')
  GROUP BY window_start, window_end;

CREATE MATERIALIZED VIEW busiest_couriers AS
  SELECT place, courier, orders, spent FROM (
    SELECT courier, orders, spent, row_number() OVER (ORDER BY orders DESC, courier) AS place FROM (
      SELECT courier, count(*) AS orders, sum(amount) AS spent FROM orders GROUP BY courier) AS counted) AS ranked
  WHERE place <= 10 ORDER BY place;

CREATE MATERIALIZED VIEW price_per_item AS
  SELECT id, courier, amount / items AS each FROM orders WHERE status = 'paid';
`

const drawn = (
  view: string,
  chart: Omit<NamedChart, 'view' | 'series' | 'name'> & { series?: string },
): NamedChart => ({
  name: `${view}_drawn`,
  series: null,
  ...chart,
  view: { name: view } as View,
})

/** As an app in TypeScript would declare them. */
export const sceneCharts: readonly NamedChart[] = [
  drawn('orders_per_minute', {
    x: 'minute',
    y: 'revenue',
    mark: 'line',
    title: 'Revenue per minute',
    dashboard: 'shop',
  }),
  drawn('revenue_by_city', { x: 'city', y: 'revenue', mark: 'bar', title: 'Revenue by city', dashboard: 'shop' }),
  drawn('cities', { x: 'city', y: 'orders', mark: 'map', title: 'Where orders go', dashboard: 'shop' }),
  drawn('closed_minutes', { x: 'minute', y: 'largest', mark: 'line', title: 'Largest order', dashboard: 'shop' }),
  drawn('busiest_couriers', { x: 'courier', y: 'orders', mark: 'bar', title: 'Busiest', dashboard: 'couriers' }),
  {
    ...drawn('busiest_couriers', { x: 'place', y: 'spent', mark: 'table', title: 'Spent most', dashboard: 'couriers' }),
    name: 'spent_most',
    series: 'courier',
  },
]

const cities: readonly (readonly [string, string, number, number])[] = [
  ['Berlin', 'DE', 52.52, 13.41],
  ['Lisbon', 'PT', 38.72, -9.14],
  ['Oslo', 'NO', 59.91, 10.75],
  ['Nairobi', 'KE', -1.29, 36.82],
  ['Mumbai', 'IN', 19.08, 72.88],
  ['Tokyo', 'JP', 35.68, 139.69],
  ['Sydney', 'AU', -33.87, 151.21],
  ['São Paulo', 'BR', -23.55, -46.63],
  ['Mexico City', 'MX', 19.43, -99.13],
  ['New York', 'US', 40.71, -74.01],
  ['Seattle', 'US', 47.61, -122.33],
  ['Cape Town', 'ZA', -33.92, 18.42],
]
const names = ['Ada', 'Noor', 'Mei', 'Jonas', 'Ines', 'Tariq', 'Lena', 'Kofi', 'Sana', 'Otto', 'Rita', 'Juan']
const couriers = 48
const statuses = ['new', 'paid', 'paid', 'paid', 'cancelled']

/** Figures that are the same in every run. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

export interface Scene {
  readonly url: string
  readonly database: Database
  /** Appends so many orders, placed at the present. */
  orders(count: number): Promise<void>
  /** Nobody answers for as long as this takes; then somebody does, at the same address. */
  away(meanwhile: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

export interface SceneOptions extends ServerOptions {
  /** Orders of the last half hour, there from the start. */
  readonly orders?: number
}

export async function startScene({ orders: first = 4000, ...options }: SceneOptions = {}): Promise<Scene> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'millrace-console-'))
  const database = await Database.open({ io: nodeIo(), definition: sqlDefinition(sceneSql), data: folder })
  let server = await startServer(database, { port: 0, ...options })
  const { url } = server
  const post = async (topic: string, events: readonly object[]): Promise<void> => {
    const answer = await fetch(`${url}/v1/topics/${topic}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    if (answer.status !== 201) throw new Error(await answer.text())
    const { tick } = (await answer.json()) as { tick: number }
    // One tick each, however busy the machine is: pages look at some of them.
    await database.waitForTick(tick)
  }
  await post(
    'city',
    cities.map(([name, country, latitude, longitude]) => ({ name, country, latitude, longitude })),
  )
  const courier = (i: number): string => `c${String(i + 1).padStart(2, '0')}`
  await post(
    'courier',
    Array.from({ length: couriers }, (_, i) => ({
      id: courier(i),
      name: names[i % names.length],
      city: cities[i % cities.length][0],
    })),
  )
  const next = sequence(7)
  let id = 1000
  const order = (placedMs: number): object => {
    // Some cities are busier than others, and a few orders come late.
    const busy = Math.floor(next() ** 1.7 * couriers)
    const late = next() < 0.004 ? 25_000 : 0
    return {
      id: ++id,
      courier: courier(busy),
      amount: (4 + next() ** 2 * 90).toFixed(2),
      items: next() < 0.002 ? 0 : 1 + Math.floor(next() * 5),
      status: statuses[Math.floor(next() * statuses.length)],
      note: next() < 0.1 ? 'ring twice' : null,
      placed_at: new Date(placedMs - late).toISOString().slice(0, 23),
    }
  }
  const now = Date.now()
  const batch = 200
  for (let made = 0; made < first; made += batch) {
    const share = (at: number): number => now - 1_800_000 * (1 - at / first)
    await post(
      'orders',
      Array.from({ length: Math.min(batch, first - made) }, (_, i) => order(share(made + i))),
    )
  }
  return {
    url,
    database,
    orders: (count) =>
      post(
        'orders',
        Array.from({ length: count }, () => order(Date.now())),
      ),
    async away(meanwhile) {
      await server.close()
      await meanwhile()
      server = await startServer(database, { ...options, port: Number(new URL(url).port) })
    },
    async stop() {
      await server.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
