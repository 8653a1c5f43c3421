import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'
import { createInspector } from '../client/client.ts'
import { Database } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import { nodeIo } from '../io/node.ts'
import { startServer } from './listen.ts'

let running: Running | null = null

async function start(...options: Parameters<typeof startRunning>) {
  running = await startRunning(...options)
  const { url } = running
  return { url, inspector: createInspector({ url }) }
}

afterEach(async () => {
  await running?.stop()
  running = null
})

async function append(url: string, events: readonly string[], query = ''): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/v1/topics/bid/events${query}`, {
    method: 'POST',
    headers,
    body: `[${events.join(',')}]`,
  })
  const { tick } = (await response.json()) as { tick: number }
  if (response.ok) await running?.database.waitForTick(tick)
  return tick
}

describe('GET /v1/status', () => {
  it('counts what went in, what changed and how fresh it is', async () => {
    const { url, inspector } = await start()
    const before = await inspector.status()
    expect(before).toMatchObject({ state: 'ready', data: 'memory', verdict: { ok: true, problems: [] } })
    const tick = await append(url, [bidJson(1), bidJson(2), bidJson(1)])
    const status = await inspector.status()
    expect(status.tick).toBe(tick)
    expect(status.rates.events_per_second).toBeGreaterThan(0)
    const view = status.views.find(({ name }) => name === 'by_auction')
    expect(view).toMatchObject({ rows: 2, errors: 0, last_change_tick: tick, subscribers: 0 })
    expect(view?.freshness_ms.last).toBeGreaterThan(0)
    expect(view?.freshness_ms.p99).toBeGreaterThan(0)
    expect(view?.changes_per_second).toBeGreaterThan(0)
    expect(status.views.find(({ name }) => name === 'owners')?.freshness_ms.p50).toBeNull()
    expect(status.topics.find(({ name }) => name === 'bid')).toMatchObject({ next_offset: 3, late: 0, dropped: {} })
    expect(status.tick_ms.longest).toBeGreaterThan(0)
    expect(status.memory.process_bytes).toBeGreaterThan(0)
    expect(status.recent.map(({ kind }) => kind)).toContain('start')
  })

  it('says in one sentence what is wrong, and counts what was refused', async () => {
    const { url, inspector } = await start()
    await append(url, [bidJson(0), bidJson(1)])
    await append(url, ['{"auction":"x"}', bidJson(1), '{}'], '?on_invalid=skip')
    await append(url, ['{"auction":"x"}'])
    const { verdict, topics } = await inspector.status()
    expect(verdict).toMatchObject({ ok: false, problems: [{ code: 'error-rows', view: 'shares' }] })
    expect(verdict.message).toBe('1 row of shares could not be computed.')
    expect(topics.find(({ name }) => name === 'bid')?.dropped).toEqual({ 'event/invalid': 3 })
  })
})

describe('a database whose engine has stopped', () => {
  it('still tells how it is', async () => {
    const sql = 'CREATE TABLE a (x bigint); CREATE MATERIALIZED VIEW v AS SELECT x, count(*) AS n FROM a GROUP BY x;'
    const definition = sqlDefinition(sql)
    const options = { io: nodeIo(), definition, data: null, engine: 'inline', memoryBytes: 2 << 20 } as const
    const database = await Database.open(options)
    const server = await startServer(database, { port: 0 })
    running = {
      database,
      server,
      url: server.url,
      async stop() {
        await server.close()
        await database.close()
      },
    }
    const inspector = createInspector({ url: server.url })
    for (let i = 0; i < 20; i++) {
      const body = JSON.stringify(Array.from({ length: 5000 }, (_, k) => ({ x: i * 5000 + k })))
      const headers = { 'content-type': 'application/json' }
      await fetch(`${server.url}/v1/topics/a/events`, { method: 'POST', headers, body })
    }
    await expect.poll(async () => (await inspector.status()).state).toBe('failed')
    const { verdict, detail, recent } = await inspector.status()
    expect(verdict).toMatchObject({ ok: false, problems: [{ code: 'failed' }] })
    expect(verdict.message).toContain('Nothing moves any more')
    expect(detail).toContain('memory')
    expect(recent[0].kind).toBe('failure')
    expect((await inspector.topology()).nodes.length).toBeGreaterThan(2)
    expect((await inspector.time()).topics).toHaveLength(1)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('millrace_ready 0\n')
    expect(metrics).toContain('millrace_problem{code="failed"} 1\n')
  })
})

describe('GET /v1/topology', () => {
  it('shows equal parts of several views once, with words for what they do', async () => {
    const sql = `
CREATE TABLE orders (id bigint NOT NULL, customer bigint NOT NULL, amount bigint NOT NULL, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE TABLE customers (id bigint PRIMARY KEY, name text);
CREATE MATERIALIZED VIEW large AS SELECT customer, amount FROM orders WHERE amount > 1000;
CREATE MATERIALIZED VIEW large_too AS SELECT customer, amount FROM orders WHERE amount > 1000;
CREATE MATERIALIZED VIEW named AS SELECT c.name, o.amount FROM orders o JOIN customers c ON o.customer = c.id;
CREATE MATERIALIZED VIEW minutes AS SELECT window_start, customer, count(*) AS n
  FROM tumble(orders, at, interval '1 minute') GROUP BY window_start, customer;`
    const { inspector } = await start({}, sql)
    const { nodes, edges } = await inspector.topology()
    const operators = nodes.filter(({ kind }) => kind === 'operator')
    expect(operators.filter(({ detail }) => detail === 'where amount > 1000')).toMatchObject([
      { label: 'filter', views: ['large', 'large_too'] },
    ])
    expect(operators.map(({ label, detail }) => `${label}: ${detail}`)).toEqual(
      expect.arrayContaining([
        'join: orders.customer = customers.id',
        'group by: customer, 1-minute windows: count(*)',
      ]),
    )
    const ids = new Set(nodes.map(({ id }) => id))
    for (const { from, to } of edges) expect(ids.has(from) && ids.has(to)).toBe(true)
    for (const { id, kind } of nodes) {
      if (kind === 'view' || kind === 'operator') expect(edges.some(({ to }) => to === id)).toBe(true)
    }
  })
})

describe('what went through the operators', () => {
  it('is counted where it came out, with the state that is kept', async () => {
    const { url, inspector } = await start()
    await append(url, [bidJson(1), bidJson(2), bidJson(1)])
    await append(url, [bidJson(1)])
    const { nodes, edges } = await inspector.topology()
    const named = (label: string) => nodes.find((node) => node.label === label)
    expect(named('bid')).toMatchObject({ kind: 'topic', rows_in: 4, rows_out: 4, watermark_micros: '1795255200000000' })
    // Two groups, then one of them taken back and put out anew.
    expect(named('group by')).toMatchObject({ rows_in: 4, rows_out: 4, state_rows: 2, views: ['by_auction'] })
    expect(named('group by')?.state_bytes).toBeGreaterThan(0)
    expect(named('by_auction')).toMatchObject({ kind: 'view', rows_in: 4, rows_out: 4, state_bytes: null })
    expect(named('account')).toMatchObject({ kind: 'table', detail: 'by id', rows_out: 0 })
    const shares = nodes.reduce((sum, node) => sum + node.busy_share, 0)
    expect(shares).toBeGreaterThanOrEqual(0)
    expect(shares).toBeLessThanOrEqual(1.001)
    expect(edges.find(({ to }) => to === named('group by')?.id)).toMatchObject({ from: named('bid')?.id, rows: 4 })
  })

  it('is one operator where windows are put together from panes', async () => {
    const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price bigint, at timestamp NOT NULL) WITH (event_time = 'at');
CREATE MATERIALIZED VIEW hot AS SELECT window_start, auction, count(*) AS n
  FROM hop(bid, at, interval '2 seconds', interval '10 seconds') GROUP BY window_start, auction;`
    const { url, inspector } = await start({}, sql)
    await append(url, [bidJson(1, '2'), bidJson(2, '2')])
    const { nodes, edges } = await inspector.topology()
    const group = nodes.find(({ label }) => label === 'group by')
    expect(group).toMatchObject({ detail: 'auction, 10-second windows every 2 seconds: count(*)', rows_in: 2 })
    expect(nodes.map(({ label }) => label)).not.toContain('window')
    expect(edges.map(({ from }) => from)).toContain(nodes.find(({ name }) => name === 'bid')?.id)
    expect(edges.find(({ to }) => to === group?.id)?.from).toBe(nodes.find(({ name }) => name === 'bid')?.id)
  })

  it('knows who follows a view', async () => {
    const { url, inspector } = await start()
    const stop = new AbortController()
    const response = await fetch(`${url}/v1/views/by_auction/live`, { signal: stop.signal })
    await response.body?.getReader().read()
    const { nodes, edges } = await inspector.topology()
    const followers = nodes.find(({ kind }) => kind === 'subscribers')
    expect(followers).toMatchObject({ name: 'by_auction', detail: '1' })
    expect(edges.some(({ to }) => to === followers?.id)).toBe(true)
    expect((await inspector.status()).views.find(({ name }) => name === 'by_auction')?.subscribers).toBe(1)
    stop.abort()
  })
})

describe('GET /v1/topology/{node}/sample', () => {
  it('shows the latest changes that left a node', async () => {
    const { url, inspector } = await start()
    const first = await append(url, [bidJson(1), bidJson(0)])
    const second = await append(url, [bidJson(1)])
    const { nodes } = await inspector.topology()
    const of = (label: string) => inspector.sample(nodes.find((node) => node.label === label)?.id ?? '')
    const group = await of('group by')
    expect(group.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'auction bigint',
      'bids bigint',
      'total numeric',
      'channel text',
    ])
    const plain = (tick: number, auction: string, bids: string, weight: number) =>
      expect.objectContaining({ tick, weight, row: expect.objectContaining({ auction, bids }) })
    expect(group.changes).toEqual([
      plain(first, '1', '1', 1),
      plain(first, '0', '1', 1),
      plain(second, '1', '1', -1),
      plain(second, '1', '2', 1),
    ])
    expect((await of('by_auction')).changes).toEqual(group.changes)
    const events = await of('bid')
    expect(events.changes.map(({ tick, row, weight }) => [tick, row.auction, row.price, weight])).toEqual([
      [first, '1', '1.50', 1],
      [first, '0', '1.50', 1],
      [second, '1', '1.50', 1],
    ])
    const shares = await of('select')
    expect(shares.changes.map(({ row }) => row.share)).toEqual(['100', '100'])
  })

  it('runs the part of a plan that no view shows over the log', async () => {
    const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price numeric(20,2), at timestamp NOT NULL) WITH (event_time = 'at');
CREATE MATERIALIZED VIEW counted AS SELECT auction, count(*) AS n FROM bid WHERE price > 1 GROUP BY auction;
CREATE MATERIALIZED VIEW often AS
  SELECT c.auction FROM counted c JOIN (SELECT auction, max(price) AS top FROM bid GROUP BY auction) t
    ON c.auction = t.auction WHERE t.top > 2;`
    const { url, inspector } = await start({}, sql)
    const first = await append(url, [bidJson(1, '1.00'), bidJson(1, '2.00'), bidJson(2, '3.00')])
    const second = await append(url, [bidJson(1, '5.00')])
    const { nodes } = await inspector.topology()
    const of = async (detail: string) => {
      const { changes } = await inspector.sample(nodes.find((node) => node.detail === detail)?.id ?? '')
      return changes.map(({ tick, row, weight }) => [tick, ...Object.values(row), weight])
    }
    expect(await of('where price > 1')).toEqual([
      [first, '1', 1],
      [first, '2', 1],
      [second, '1', 1],
    ])
    expect(await of('auction: max(price)')).toEqual([
      [first, '1', '2.00', 1],
      [first, '2', '3.00', 1],
      [second, '1', '2.00', -1],
      [second, '1', '5.00', 1],
    ])
  })

  it('shows twenty of many, and deletes by their keys', async () => {
    const { url, inspector } = await start()
    for (let i = 0; i < 3; i++)
      await append(
        url,
        Array.from({ length: 30 }, (_, k) => bidJson(100 * i + k)),
      )
    const body = JSON.stringify({
      events: [
        { topic: 'account', data: { id: 1, owner: 'a' } },
        { topic: 'account', op: 'delete', data: { id: 1 } },
      ],
    })
    await fetch(`${url}/v1/append`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    const { nodes } = await inspector.topology()
    for (const label of ['bid', 'group by', 'by_auction']) {
      const { changes } = await inspector.sample(nodes.find((node) => node.label === label)?.id ?? '')
      expect(changes.map(({ row }) => Number(row.auction))).toEqual(Array.from({ length: 20 }, (_, i) => 210 + i))
    }
    const { changes } = await inspector.sample(nodes.find(({ name }) => name === 'account')?.id ?? '')
    expect(changes.map(({ row, weight }) => [row, weight])).toEqual([
      [{ id: '1', owner: 'a', limit: null }, 1],
      [{ id: '1' }, -1],
    ])
  })

  it.each(['topic-99', 'op-', '../../etc/passwd', '__proto__', '%00', 'x'.repeat(500)])(
    'finds no node %s',
    async (node) => {
      const { inspector } = await start()
      await expect(inspector.sample(node)).rejects.toMatchObject({ code: 'not-found' })
    },
  )
})

describe('GET /v1/time', () => {
  it('shows how events are out of order, and who waits for whom', async () => {
    const sql = `
CREATE TABLE bid (auction bigint NOT NULL, price numeric(20,2), at timestamp NOT NULL)
  WITH (event_time = 'at', lateness = '1 second');
CREATE TABLE plain (a bigint);
CREATE MATERIALIZED VIEW closed WITH (emit = 'final') AS SELECT window_start, auction, count(*) AS n
  FROM tumble(bid, at, interval '1 minute') GROUP BY window_start, auction;`
    const { url, inspector } = await start({}, sql)
    const at = (second: number, minute = 0) =>
      bidJson(1, '1', `2026-11-21T10:0${minute}:${String(second).padStart(2, '0')}`)
    const many = Array.from({ length: 1000 }, () => at(30))
    await append(url, [at(10), at(30), at(27), at(27), at(40), at(30), ...many])
    const { topics, windows } = await inspector.time()
    const [bid, plain] = topics
    expect(bid).toMatchObject({
      name: 'bid',
      event_time: 'at',
      lateness_micros: '1000000',
      late: 1003,
      holds: ['closed'],
    })
    expect(bid.watermark_micros).toBe('1795255239000000')
    expect(bid.newest_micros).toBe('1795255240000000')
    expect(bid.histogram).toEqual([
      { up_to_ms: 0, events: 3 },
      { up_to_ms: 4096, events: 2 },
      { up_to_ms: 16384, events: 1001 },
    ])
    expect(bid.suggested_lateness_micros).toBe('11000000')
    expect(plain).toMatchObject({ event_time: null, histogram: [], behind_ms: null, holds: [] })
    expect(windows).toEqual([
      { view: 'closed', window_start: '1795255200000000', window_end: '1795255260000000', waits_for: 'bid', rows: 1 },
    ])
    await append(url, [at(5, 1)])
    const later = await inspector.time()
    expect(later.windows.map(({ window_end }) => window_end)).toEqual(['1795255320000000'])
  })
})

describe('GET /v1/views/{view}/changes', () => {
  it('tells each tick by itself, whole ticks only', async () => {
    const { url, inspector } = await start()
    const first = await append(url, [bidJson(1)])
    const second = await append(url, [bidJson(1), bidJson(2)])
    const all = await inspector.changes('by_auction', 0)
    expect(all.tick).toBe(second)
    expect(all.changes.map(({ tick, weight, row }) => [tick, weight, row.auction, row.bids])).toEqual([
      [first, 1, '1', '1'],
      [second, -1, '1', '1'],
      [second, 1, '1', '2'],
      [second, 1, '2', '1'],
    ])
    const some = await inspector.changes('by_auction', 0, { limit: 2 })
    expect(some).toMatchObject({ tick: first, changes: [{ tick: first }] })
    expect((await inspector.changes('by_auction', some.tick)).changes).toEqual(all.changes.slice(1))
    await expect(inspector.changes('by_auction', first, { limit: 2 })).rejects.toMatchObject({
      code: 'request/too-many-rows',
    })
    await expect(inspector.changes('by_auction', second + 5)).rejects.toMatchObject({ code: 'tick/future' })
  })
})

describe('GET /v1/topics/{topic}/volume', () => {
  it('counts every event in one bucket', async () => {
    const { url, inspector } = await start()
    expect(await inspector.volume('bid')).toEqual({ buckets: [] })
    for (let i = 1; i <= 5; i++) await append(url, [bidJson(i), bidJson(i)])
    const { buckets } = await inspector.volume('bid', { buckets: 7 })
    expect(buckets).toHaveLength(7)
    expect(buckets.reduce((sum, { events }) => sum + events, 0)).toBe(10)
    let offset = 0
    for (const { first_offset, events } of buckets) {
      expect(first_offset).toBe(offset)
      offset += events
    }
  })

  it('gives buckets a width where all came at once', async () => {
    const { url, inspector } = await start()
    await append(url, [bidJson(1), bidJson(2), bidJson(3)])
    const { buckets } = await inspector.volume('bid', { buckets: 10 })
    const width = ({ from_micros, to_micros }: (typeof buckets)[number]): number =>
      Number(to_micros) - Number(from_micros)
    expect(buckets.every((bucket) => width(bucket) >= 1000)).toBe(true)
    expect(buckets.map(({ events }) => events).filter((events) => events > 0)).toEqual([3])
    expect(buckets.every(({ first_offset }) => first_offset === 0 || first_offset === 3)).toBe(true)
  })
})

describe('what is asked for', () => {
  it.each([
    '/v1/status?x=1',
    '/v1/topology?depth=1',
    '/v1/time?now=1',
    '/v1/topics/bid/volume?buckets=0',
    '/v1/topics/bid/volume?buckets=501',
    '/v1/topics/bid/volume?buckets=-1',
    '/v1/topics/bid/volume?buckets=1e9',
    '/v1/views/by_auction/changes',
    '/v1/views/by_auction/changes?from_tick=a',
    '/v1/views/by_auction/changes?from_tick=0&limit=0',
    '/v1/views/by_auction/changes?from_tick=0&limit=99999999999',
    '/v1/views/by_auction/changes?from_tick=0&from_tick=1',
  ])('refuses %s', async (path) => {
    const { url } = await start()
    const response = await fetch(url + path)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'request/parameter' })
  })

  it.each(['/v1/views/nothing/changes?from_tick=0', '/v1/topics/nothing/volume', '/v1/topology/x/y'])(
    'finds nothing at %s',
    async (path) => {
      const { url } = await start()
      expect((await fetch(url + path)).status).toBe(404)
    },
  )
})
