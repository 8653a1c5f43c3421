import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from './measure.ts'
import { milliseconds, table } from './print.ts'
import { Server } from './server.ts'

const app = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL, date_time timestamp NOT NULL)
  WITH (event_time = 'date_time');
CREATE MATERIALIZED VIEW per_auction AS
  SELECT auction, count(*) AS bids, max(price) AS best FROM bid GROUP BY auction;
`

interface Latencies {
  readonly acknowledged: number[]
  readonly read: number[]
  readonly live: number[]
}

/**
 * A server in a process of its own, one event every 10 ms: how long from the start of the append until it is
 * acknowledged as durable, until a read sees it, and until a live subscriber is told.
 */
export async function reportLatency(folder: string, smoke: boolean): Promise<void> {
  const own = path.join(folder, 'latency')
  mkdirSync(own, { recursive: true })
  const server = await Server.start(own, app)
  try {
    const found = await measure(server, smoke ? 20 : 1500, smoke ? 0 : 200)
    const row = (name: string, ms: readonly number[], goal: string): string[] => [
      name,
      milliseconds(quantile(ms, 0.5)),
      milliseconds(quantile(ms, 0.99)),
      goal,
    ]
    table(
      ['over HTTP, one event every 10 ms', 'p50', 'p99', 'floor / goal'],
      [
        row('append → acknowledged (durable)', found.acknowledged, ''),
        row('append → visible to a read', found.read, '2 and 10 / 1 and 3 ms'),
        row('append → told to a live subscriber', found.live, '2 and 10 / 1 and 3 ms'),
      ],
    )
  } finally {
    await server.stop()
  }
}

async function measure(server: Server, count: number, warmUp: number): Promise<Latencies> {
  const found: Latencies = { acknowledged: [], read: [], live: [] }
  const toldAt = new Map<number, number>()
  const stop = await server.client.live('per_auction', (event) => {
    const id = /^id: ?(\d+)$/m.exec(event)
    if (id !== null) toldAt.set(Number(id[1]), performance.now())
  })
  for (let i = 0; i < count + warmUp; i++) {
    const auction = i % 100
    const body = JSON.stringify({ auction, price: i, date_time: new Date(1_700_000_000_000 + i * 1000).toISOString() })
    const start = performance.now()
    const { tick } = JSON.parse(await server.client.expect('POST', '/v1/topics/bid/events', body)) as { tick: number }
    const acknowledged = performance.now() - start
    const answer = await server.client.expect('GET', `/v1/views/per_auction?auction=${auction}&min_tick=${tick}`)
    const read = performance.now() - start
    const { rows } = JSON.parse(answer) as { rows: readonly { best: number }[] }
    if (rows[0]?.best !== i) throw new Error(`the read does not show event ${i}: ${answer}`)
    for (let waits = 0; !toldAt.has(tick); waits++) {
      if (waits > 5000) throw new Error(`no live change for tick ${tick}`)
      await sleep(1)
    }
    if (i >= warmUp) {
      found.acknowledged.push(acknowledged)
      found.read.push(read)
      found.live.push(toldAt.get(tick)! - start)
    }
    await sleep(10)
  }
  stop()
  return found
}
