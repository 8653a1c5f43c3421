import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null

async function start(...options: Parameters<typeof startRunning>): Promise<string> {
  running = await startRunning(...options)
  return running.url
}

afterEach(async () => {
  await running?.stop()
  running = null
})

const json = { 'content-type': 'application/json' }
const ndjson = { 'content-type': 'application/x-ndjson' }

async function post(url: string, body: string | Uint8Array, headers: Record<string, string> = json) {
  const response = await fetch(url, { method: 'POST', body: body as string, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: text === '' ? null : JSON.parse(text) }
}

describe('POST /v1/topics/{topic}/events', () => {
  it('takes an object, an array and NDJSON', async () => {
    const url = await start()
    const bids = `${url}/v1/topics/bid/events`
    expect(await post(bids, bidJson(1))).toMatchObject({ status: 201, body: { first_offset: 0, last_offset: 0 } })
    expect(await post(bids, `[${bidJson(1)},${bidJson(2)}]`)).toMatchObject({
      body: { first_offset: 1, last_offset: 2 },
    })
    const lines = await post(bids, `${bidJson(3)}\n${bidJson(3)}\n`, ndjson)
    expect(lines).toMatchObject({ status: 201, body: { first_offset: 3, last_offset: 4 } })
    const read = await get(`${url}/v1/views/by_auction?min_tick=${lines.body.tick}`)
    expect(read.body.rows).toEqual([
      { auction: 1, bids: 2, total: 3, channel: null },
      { auction: 2, bids: 1, total: 1.5, channel: null },
      { auction: 3, bids: 2, total: 3, channel: null },
    ])
    expect(read.text).toContain('"total":3.00')
    expect(read.headers.get('millrace-tick')).toBe(String(read.body.tick))
  })

  it('appends all or nothing, and points at what is wrong', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    const lines = [bidJson(1), '{"auction":"x","at":"2026-11-21"}', bidJson(2), '{"auction":1.5,"price":"y"}'].join(
      '\n',
    )
    const refused = await post(url, lines, ndjson)
    expect(refused.status).toBe(422)
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(refused.body).toMatchObject({ code: 'event/invalid', status: 422 })
    const pointers = (refused.body.errors as { pointer: string }[]).map(({ pointer }) => pointer)
    expect(pointers).toEqual(expect.arrayContaining(['/1/auction', '/3/auction', '/3/price', '/3/at']))
    expect((await get(url)).body).toEqual({ events: [], next: 0 })
    const skipped = await post(`${url}?on_invalid=skip`, lines, ndjson)
    expect(skipped).toMatchObject({ status: 201, body: { first_offset: 0, last_offset: 1, skipped: 2 } })
    expect((skipped.body.errors as unknown[]).length).toBe(4)
  })

  it('answers a repeated key as before, and refuses it with another body', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    const keyed = { ...json, 'idempotency-key': 'a' }
    const first = await post(url, bidJson(1), keyed)
    await post(url, bidJson(2))
    const again = await post(url, bidJson(1), keyed)
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(await post(url, bidJson(2), keyed)).toMatchObject({
      status: 422,
      body: { code: 'append/idempotency-conflict' },
    })
    expect(await post(url, bidJson(1), { ...json, 'idempotency-key': 'é'.repeat(3) })).toMatchObject({ status: 400 })
    expect((await get(url)).body.next).toBe(2)
  })

  it.each([
    ['text/csv', {}, 'request/media-type'],
    ['application/x-www-form-urlencoded', {}, 'request/media-type'],
    ['application/cloudevents+avro', {}, 'request/media-type'],
    ['application/json', { 'content-encoding': 'gzip' }, 'request/media-type'],
    ['application/json; charset=latin1', {}, 'request/media-type'],
  ])('refuses %s %j', async (type, headers, code) => {
    const url = `${await start()}/v1/topics/bid/events`
    expect(await post(url, bidJson(1), { 'content-type': type, ...headers })).toMatchObject({
      status: 415,
      body: { code },
    })
  })

  it('refuses what it does not know', async () => {
    const url = await start()
    expect(await post(`${url}/v1/topics/nope/events`, bidJson(1))).toMatchObject({
      status: 404,
      body: { code: 'topic/unknown' },
    })
    expect(await post(`${url}/v1/topics/by_auction/events`, '{}')).toMatchObject({ status: 404 })
    expect(await post(`${url}/v1/topics/bid/events?on_invalid=maybe`, '{}')).toMatchObject({ status: 400 })
    expect(await post(`${url}/v1/topics/bid/events?wait=1`, '{}')).toMatchObject({ status: 400 })
    expect(await post(`${url}/v1/topics/bid/events`, '{"auction":')).toMatchObject({
      status: 400,
      body: { code: 'request/malformed' },
    })
    for (const unfit of ['\\u0000', '\\ud800', 'a\\udfffb', '\\ud800\\ud800', '\\ud83d\\ude00\\ud83d']) {
      const events = `[${bidJson(1)},${bidJson(1).slice(0, -1)},"channel":"${unfit}","other":["x"]}]`
      expect(await post(`${url}/v1/topics/bid/events`, events), unfit).toMatchObject({
        status: 422,
        body: { code: 'event/invalid', errors: [{ pointer: '/1/channel' }] },
      })
      const nested = `{"events":[{"topic":"bid","data":${bidJson(1).slice(0, -1)},"more":[{"a/b":"${unfit}"}]}}]}`
      expect(await post(`${url}/v1/append`, nested), unfit).toMatchObject({
        status: 422,
        body: { code: 'event/invalid', errors: [{ pointer: '/events/0/data/more/0/a~1b' }] },
      })
    }
    const bad = new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])
    expect(await post(`${url}/v1/topics/bid/events`, bad)).toMatchObject({ status: 400 })
  })
})

describe('POST /v1/append', () => {
  it('is atomic over topics', async () => {
    const url = await start()
    const events = (id: string) =>
      `{"events":[{"topic":"account","data":{"id":${id},"owner":"a"}},{"topic":"bid","data":${bidJson(7)}},
        {"topic":"account","op":"delete","data":{"id":1}}]}`
    expect(await post(`${url}/v1/append`, events('"x"'))).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/events/0/data/id' }] },
    })
    const done = await post(`${url}/v1/append`, events('1'))
    expect(done).toMatchObject({
      status: 201,
      body: { offsets: { account: { first_offset: 0, last_offset: 1 }, bid: { first_offset: 0, last_offset: 0 } } },
    })
    expect((await get(`${url}/v1/views/owners?min_tick=${done.body.tick}`)).body.rows).toEqual([])
    expect((await get(`${url}/v1/topics/account/events`)).body.events).toEqual([
      { offset: 0, tick: done.body.tick, op: 'upsert', data: { id: 1, owner: 'a', limit: null } },
      { offset: 1, tick: done.body.tick, op: 'delete', data: { id: 1 } },
    ])
    expect(await post(`${url}/v1/append`, '{"events":[{"topic":"nope","data":{}}]}')).toMatchObject({ status: 404 })
  })
})

describe('GET /v1/topics/{topic}/events', () => {
  it('reads the log page by page, unknown fields too', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    const body = [1, 2, 3].map((n) => `{"more":{"n":${n}},"auction":${n},"at":"2026-11-21T10:00:00"}`).join('\n')
    await post(url, body, ndjson)
    const { body: page } = await get(`${url}?from=1&limit=1`)
    expect(page).toMatchObject({
      events: [{ offset: 1, op: 'append', data: { auction: 2, price: null, more: { n: 2 } } }],
      next: 2,
    })
    expect((await get(`${url}?from=3`)).body).toEqual({ events: [], next: 3 })
    expect((await get(`${url}?from=900`)).body).toEqual({ events: [], next: 900 })
    expect((await get(`${url}?limit=0`)).body).toEqual({ events: [], next: 0 })
    for (const query of ['from=-1', 'from=x', 'limit=1e3', 'limit=10001', 'from=1&from=2', 'x=1', 'from=%ff']) {
      expect(await get(`${url}?${query}`)).toMatchObject({ status: 400, body: { code: 'request/parameter' } })
    }
  })

  it('reads the log from a time on', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    await post(url, '{"auction":1,"at":"2026-11-21T10:00:00"}')
    const all = (await get(url)).body
    expect(all).toMatchObject({ events: [{ offset: 0 }], next: 1 })
    expect((await get(`${url}?from_time=2000-01-01T00:00:00Z`)).body).toEqual(all)
    expect((await get(`${url}?from_time=2999-01-01`)).body).toEqual({ events: [], next: 1 })
    expect(await get(`${url}?from_time=soon`)).toMatchObject({ status: 400, body: { code: 'request/parameter' } })
    expect(await get(`${url}?from_time=2000-01-01&from=1`)).toMatchObject({ status: 400 })
  })

  it('keeps numbers exact', async () => {
    const url = `${await start()}/v1/topics/bid/events`
    await post(url, bidJson('9007199254740993', '12345678901234567.89'))
    expect((await get(url)).text).toContain('"auction":9007199254740993,"price":12345678901234567.89')
    expect((await get(`${url}?numbers=string`)).body.events[0].data).toMatchObject({
      auction: '9007199254740993',
      price: '12345678901234567.89',
    })
  })
})

describe('GET /v1/views/{view}', () => {
  async function filled(limits = {}): Promise<string> {
    const url = await start({ limits })
    const rows = [1, 2, 3, 4].map((id) => ({ id, owner: id === 3 ? null : `o${id % 2}`, limit: id * 10 }))
    const { body } = await post(`${url}/v1/topics/account/events`, JSON.stringify(rows))
    await running!.database.waitForTick(body.tick as number)
    return `${url}/v1/views/owners`
  }
  const ids = async (url: string) => (await get(url)).body.rows.map((row: { id: number }) => row.id)

  it('filters, orders and limits', async () => {
    const url = await filled()
    expect(await ids(url)).toEqual([4, 3, 2, 1])
    expect(await ids(`${url}?owner=o0`)).toEqual([4, 2])
    expect(await ids(`${url}?OWNER=o0&order=id`)).toEqual([2, 4])
    expect(await ids(`${url}?order=-owner,id`)).toEqual([3, 1, 2, 4])
    expect(await ids(`${url}?order=owner&order=-id`)).toEqual([4, 2, 1, 3])
    expect(await ids(`${url}?limit=2`)).toEqual([4, 3])
    expect(await ids(`${url}?limit=0`)).toEqual([])
    expect(await ids(`${url}?eq.limit=20`)).toEqual([2])
    expect(await ids(`${url}?isnull=owner`)).toEqual([3])
    expect(await ids(`${url}?owner=`)).toEqual([])
    expect(await ids(`${url}?owner=${encodeURIComponent("'; DROP TABLE account; --")}`)).toEqual([])
  })

  it('refuses bad parameters by name', async () => {
    const url = await filled()
    for (const query of [
      'nope=1',
      'id=x',
      'id=1&id=2',
      'limit=-1',
      'limit=1.5',
      'min_tick=x',
      'numbers=roman',
      'as_of=yesterdayish',
      'replay=true',
      'as_of=1&replay=maybe',
      'id=%E0%A4',
    ]) {
      const answer = await get(`${url}?${query}`)
      expect([query, answer.status, answer.body.code]).toEqual([query, 400, 'request/parameter'])
    }
    for (const query of ['order=nope', 'order=', 'isnull=nope', 'eq.nope=1']) {
      const answer = await get(`${url}?${query}`)
      expect([query, answer.status, answer.body.code]).toEqual([query, 400, 'column/unknown'])
    }
    expect(await get(`${running!.url}/v1/views/nope`)).toMatchObject({ status: 404, body: { code: 'view/unknown' } })
  })

  it('never cuts rows in silence', async () => {
    const url = await filled({ viewRows: 3 })
    expect(await get(url)).toMatchObject({ status: 400, body: { code: 'request/too-many-rows' } })
    expect(await get(`${url}?limit=1000`)).toMatchObject({ status: 400 })
    expect(await ids(`${url}?limit=3`)).toEqual([4, 3, 2])
    expect(await ids(`${url}?owner=o1&limit=1000000`)).toEqual([1])
  })

  it('waits for a tick, and not for ever', async () => {
    const url = await filled({ minTickMs: 50 })
    const { tick } = (await get(url)).body
    expect(await get(`${url}?min_tick=${tick + 1}`)).toMatchObject({ status: 504, body: { code: 'tick/not-reached' } })
    const waiting = get(`${url}?min_tick=${tick + 1}`)
    await post(`${running!.url}/v1/topics/account/events`, '{"id":9}')
    expect((await waiting).body.rows.length).toBe(5)
  })

  it('answers 304 while nothing has changed', async () => {
    const url = await filled()
    const first = await get(url)
    const etag = first.headers.get('etag')!
    expect(await get(url, { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' })
    expect(await get(url, { 'if-none-match': `"x", ${etag.slice(2)}` })).toMatchObject({ status: 304 })
    const { body } = await post(`${running!.url}/v1/topics/account/events`, '{"id":9}')
    expect((await get(`${url}?min_tick=${body.tick}`, { 'if-none-match': etag })).status).toBe(200)
  })

  it('counts error rows beside the rows', async () => {
    const url = await start()
    const { body } = await post(`${url}/v1/topics/bid/events`, `[${bidJson(0)},${bidJson(50)}]`)
    expect((await get(`${url}/v1/views/shares?min_tick=${body.tick}`)).body).toMatchObject({
      errors: 1,
      rows: [{ auction: 50, share: 2 }],
    })
  })

  it('lists error rows with the events that they come from', async () => {
    const url = await start()
    const { body } = await post(`${url}/v1/topics/bid/events`, `[${bidJson(50)},${bidJson(0)},${bidJson(0)}]`)
    await get(`${url}/v1/views/shares?min_tick=${body.tick}`)
    const from = (offset: number): object => ({
      reason: 'division by zero (in SELECT)',
      sqlstate: '22012',
      count: 1,
      positions: [{ topic: 'bid', partition: 0, offset }],
      key: null,
    })
    const listed = await get(`${url}/v1/views/shares/errors`)
    expect(listed.body).toEqual({ tick: body.tick, errors: 2, rows: [from(1), from(2)] })
    expect((await get(`${url}/v1/views/shares/errors?limit=1`)).body).toMatchObject({ errors: 2, rows: [from(1)] })
    expect((await get(`${url}/v1/views/shares/errors?limit=x`)).status).toBe(400)
    expect((await get(`${url}/v1/views/nothing/errors`)).status).toBe(404)
  })

  it('answers HEAD without a body', async () => {
    const url = await filled()
    const response = await fetch(url, { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect((await fetch(`${url}/live`, { method: 'HEAD' })).headers.get('content-type')).toBe('text/event-stream')
  })

  it('sends more than fits one piece', async () => {
    const url = await start()
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"id":${i},"owner":"${'x'.repeat(40)}"}`).join('\n')
    const { body } = await post(`${url}/v1/topics/account/events`, lines, ndjson)
    const read = await get(`${url}/v1/views/owners?min_tick=${body.tick}&order=id`)
    expect(read.body.rows.length).toBe(20_000)
    expect(read.body.rows.every((row: { id: number }, i: number) => row.id === i)).toBe(true)
  })
})

describe('POST /v1/sql', () => {
  it('runs one SELECT, with exact numbers', async () => {
    const url = await start()
    const { body } = await post(`${url}/v1/topics/bid/events`, bidJson('9007199254740993', '0.10'))
    await running!.database.waitForTick(body.tick as number)
    const sql = 'SELECT auction, price, channel AS c, at FROM bid WHERE auction = $1'
    const response = await fetch(`${url}/v1/sql`, {
      method: 'POST',
      headers: json,
      body: `{"sql":${JSON.stringify(sql)},"params":[9007199254740993]}`,
    })
    expect(await response.text()).toBe(
      `{"tick":${body.tick},"columns":[{"name":"auction","type":"bigint"},{"name":"price","type":"numeric"},` +
        `{"name":"c","type":"text"},{"name":"at","type":"timestamp without time zone"}],` +
        `"rows":[[9007199254740993,0.10,null,"2026-11-21T10:00:00"]]}\n`,
    )
    expect(
      await post(`${url}/v1/sql`, `{"sql":"SELECT auction FROM bid WHERE auction = 9007199254740992"}`),
    ).toMatchObject({ status: 200, body: { rows: [] } })
  })

  it('refuses all else', async () => {
    const url = `${await start({ limits: { sqlRows: 1 } })}/v1/sql`
    const cases: [string, number, string][] = [
      ['{"sql":"SELEC 1"}', 400, 'sql/syntax'],
      ['{"sql":"DELETE FROM bid"}', 400, 'sql/not-select'],
      ['{"sql":"SELECT nope FROM bid"}', 400, 'sql/unknown-column'],
      ['{"sql":"SELECT 1 FROM nope"}', 404, 'sql/unknown-relation'],
      ['{"sql":1}', 400, 'request/malformed'],
      ['{"params":[]}', 400, 'request/malformed'],
      ['{"sql":"SELECT 1","params":{}}', 400, 'request/malformed'],
      ['{"sql":"SELECT 1","sql":"SELECT 2"}', 400, 'request/malformed'],
      ['{"sql":"SELECT 1","more":1}', 400, 'request/malformed'],
      ['[]', 400, 'request/malformed'],
      ['', 400, 'request/malformed'],
      ['{"sql":"SELECT 1"} x', 400, 'request/malformed'],
      ['{"sql":"SELECT 1 UNION ALL SELECT 2"}', 400, 'sql/too-many-rows'],
    ]
    for (const [body, status, code] of cases) {
      const answer = await post(url, body)
      expect([body, answer.status, answer.body.code]).toEqual([body, status, code])
    }
    expect(await post(url, '{"sql":"SELECT 1"}', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 })
  })
})

describe('the rest', () => {
  it('says how it is', async () => {
    const url = await start()
    expect(await get(`${url}/livez`)).toMatchObject({ status: 200 })
    expect(await get(`${url}/readyz`)).toMatchObject({ status: 200, body: { status: 'ready' } })
    const catalog = (await get(`${url}/v1/catalog`)).body
    expect(catalog.topics[1]).toMatchObject({ name: 'account', kind: 'table', primary_key: ['id'] })
    expect(catalog.views[1]).toMatchObject({ name: 'owners', order: ['-id'], rows: 0, emit: 'continuous' })
    expect(catalog.views[0].columns[1]).toEqual({ name: 'bids', type: 'bigint', nullable: false })
    await get(`${url}/v1/views/owners`)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toContain('millrace_view_rows{view="owners"} 0')
    expect(metrics).toMatch(/millrace_http_request_seconds_count\{route="\/v1\/views\/\{view\}".*} 1/)
    expect(await get(`${url}/openapi.json`)).toMatchObject({ body: { openapi: '3.1.0' } })
  })

  it('shows a page that may load nothing from elsewhere', async () => {
    const url = await start()
    const page = await fetch(url)
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await page.text()).toContain('<title>Millrace</title>')
  })

  it('refuses wrong methods and says which are right', async () => {
    const url = await start()
    for (const [method, path, allow] of [
      ['DELETE', '/v1/topics/bid/events', 'POST, GET, HEAD, OPTIONS'],
      ['PUT', '/v1/sql', 'POST, OPTIONS'],
      ['GET', '/v1/append', 'POST, OPTIONS'],
      ['PROPFIND', '/v1/views/owners', 'GET, HEAD, OPTIONS'],
      ['POST', '/', 'GET, HEAD, OPTIONS'],
    ]) {
      const response = await fetch(url + path, { method })
      expect([method, path, response.status, response.headers.get('allow')]).toEqual([method, path, 405, allow])
      expect(await response.json()).toMatchObject({ code: 'request/method' })
    }
    expect((await fetch(`${url}/v1/sql`, { method: 'OPTIONS' })).status).toBe(204)
  })

  it('says it is busy instead of taking more than it can', async () => {
    const url = await start({ limits: { liveStreams: 1 } })
    const abort = new AbortController()
    await fetch(`${url}/v1/views/owners/live`, { signal: abort.signal })
    const second = await get(`${url}/v1/views/owners/live`)
    expect(second).toMatchObject({ status: 503, body: { code: 'request/busy' } })
    expect(second.headers.get('retry-after')).toBe('1')
    abort.abort()
    await expect.poll(async () => (await fetch(`${url}/v1/views/owners/live`, { method: 'GET' })).status).toBe(200)
  })
})
