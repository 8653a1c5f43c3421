import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { bidJson, bidSql, type Running, startRunning } from '../../../test/support/running-server.ts'
import { nodeIo } from '../../io/node.ts'
import { EventStreamParser, type StreamEvent } from '../../protocol/event-stream.ts'
import { Api } from '../api.ts'
import { defaultLimits } from '../limits.ts'
import { isDescribed } from './document.ts'

/** Every type, and names that need care. */
const everything = `${bidSql}
CREATE TABLE "every thing/é" (
  a smallint NOT NULL, b integer, c bigint NOT NULL, d numeric, e numeric(10,2), f real, g double precision, h text,
  i varchar(3), j bytea, k date, l time, m timestamp, n timestamptz, o interval, p uuid, q jsonb, r boolean
);
CREATE MATERIALIZED VIEW all_of_it AS SELECT * FROM "every thing/é";
`

interface Described {
  readonly paths: Record<string, Record<string, { operationId: string; responses: Record<string, never> }>>
  readonly components: { readonly schemas: Record<string, object> }
}

let running: Running
let described: Described

beforeAll(async () => {
  running = await startRunning({}, everything)
  described = (await (await fetch(`${running.url}/openapi.json`)).json()) as Described
})

afterAll(() => running.stop())

/** Checks a value against the schema that the description has for an answer. */
function check(path: string, method: string, status: string, type: string, value: unknown): void {
  const operation = described.paths[path][method] as unknown as {
    responses: Record<string, { content: Record<string, { schema: object }> }>
  }
  const { schema } = operation.responses[status].content[type]
  const whole = JSON.parse(
    JSON.stringify({ ...schema, $defs: described.components.schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
  )
  z.fromJSONSchema(whole).parse(value)
}

/** What the linter says, in the rules that it recommends. */
async function lint(document: object): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'openapi-'))
  try {
    await writeFile(join(folder, 'openapi.json'), JSON.stringify(document))
    await writeFile(join(folder, 'redocly.yaml'), 'extends:\n  - recommended\ntelemetry: off\n')
    const linter = resolve('node_modules/.bin/redocly')
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' }
    const args = ['lint', 'openapi.json', '--format', 'json']
    const { stdout } = await promisify(execFile)(linter, args, { cwd: folder, env }).catch((error) => error)
    const { problems } = JSON.parse(stdout) as { problems: { ruleId: string; message: string; location: unknown[] }[] }
    return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${JSON.stringify(location)}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('GET /openapi.json', () => {
  it('passes a public linter', async () => {
    expect(await lint(described)).toEqual([])
    const { operationId: _, ...nameless } = described.paths['/livez'].get
    const worse = { ...described, paths: { ...described.paths, '/livez': { get: nameless } } }
    expect(await lint(worse)).toEqual([expect.stringContaining('operation-operationId')])
  })

  it('describes each topic and view with its columns', () => {
    expect(Object.keys(described.paths)).toEqual(
      expect.arrayContaining([
        '/v1/topics/bid/events',
        '/v1/topics/every%20thing%2F%C3%A9/events',
        '/v1/topics/bid/live',
        '/v1/views/by_auction',
        '/v1/views/by_auction/live',
        '/v1/sql',
        '/livez',
      ]),
    )
    expect(described.components.schemas['view.by_auction']).toEqual({
      type: 'object',
      properties: {
        auction: { type: 'integer', format: 'int64', description: 'bigint' },
        bids: { type: 'integer', format: 'int64', description: 'bigint' },
        total: { type: ['number', 'null'], format: 'decimal', description: expect.stringMatching(/^numeric/) },
        channel: { type: ['string', 'null'], description: 'text' },
      },
      required: ['auction', 'bids', 'total', 'channel'],
    })
  })

  it('says what answers look like', async () => {
    const { url } = running
    const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json()
    const post = async (path: string, body: unknown): Promise<Response> =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
    const appended = await post('/v1/topics/bid/events', `[${bidJson(1)},${bidJson(0)}]`)
    const { tick } = (await appended.clone().json()) as { tick: number }
    check('/v1/topics/bid/events', 'post', '201', 'application/json', await appended.json())
    const all = {
      ...{ a: 1, b: 2, c: '9007199254740991', d: '1.50', e: 2.5, f: 1.5, g: 'NaN', h: 'x', i: 'abc', j: '\\x00ff' },
      ...{ k: '2026-11-22', l: '10:00:00', m: '2026-11-22T10:00:00', n: '2026-11-22T10:00:00Z', o: '1 day' },
      ...{ p: '7d444840-9dc0-11d1-b245-5ffdce74fad2', q: { z: 1 }, r: true },
    }
    const mixed = await post('/v1/append', { events: [{ topic: 'every thing/é', data: all }] })
    expect(mixed.status).toBe(201)
    check('/v1/append', 'post', '201', 'application/json', await mixed.json())
    await post('/v1/topics/every%20thing%2F%C3%A9/events', { a: 1, c: 1 })
    const events = '/v1/topics/every%20thing%2F%C3%A9/events'
    check(events, 'get', '200', 'application/json', await get(events))
    check(
      '/v1/views/all_of_it',
      'get',
      '200',
      'application/json',
      await get(`/v1/views/all_of_it?min_tick=${tick + 2}`),
    )
    check('/v1/views/shares/live', 'get', '200', 'text/event-stream', { tick: 1, rows: [{ auction: 1, share: 100 }] })
    const stream = await fetch(`${url}/v1/topics/every%20thing%2F%C3%A9/live?from=0`)
    const reader = stream.body!.getReader()
    const parser = new EventStreamParser()
    const told: StreamEvent[] = []
    while (told.length === 0) told.push(...parser.feed((await reader.read()).value!))
    await reader.cancel()
    const message = JSON.parse(told[0].data) as { events: object[] }
    expect(message.events.length).toBeGreaterThan(0)
    check('/v1/topics/every%20thing%2F%C3%A9/live', 'get', '200', 'text/event-stream', message)
    const errors = await get('/v1/views/shares/errors')
    expect(errors).toMatchObject({ errors: 1 })
    check('/v1/views/{view}/errors', 'get', '200', 'application/json', errors)
    const answer = await post('/v1/sql', { sql: 'SELECT 1 AS a, NULL AS b' })
    check('/v1/sql', 'post', '200', 'application/json', await answer.json())
    check('/v1/catalog', 'get', '200', 'application/json', await get('/v1/catalog'))
    for (const path of ['/v1/charts', '/v1/status', '/v1/topology', '/v1/time']) {
      check(path, 'get', '200', 'application/json', await get(path))
    }
    const changes = await get('/v1/views/shares/changes?from_tick=0')
    check('/v1/views/{view}/changes', 'get', '200', 'application/json', changes)
    check('/v1/topics/{topic}/volume', 'get', '200', 'application/json', await get('/v1/topics/bid/volume'))
    for (const path of ['why?auction=77', 'why?auction=1', 'why?auction=78']) {
      check('/v1/views/{view}/why', 'get', '200', 'application/json', await get(`/v1/views/shares/${path}`))
    }
    const journey = await get('/v1/topics/bid/events/0/journey')
    check('/v1/topics/{topic}/events/{offset}/journey', 'get', '200', 'application/json', journey)
    check('/v1/topics/{topic}/find', 'get', '200', 'application/json', await get('/v1/topics/bid/find?channel=x'))
    check('/livez', 'get', '200', 'application/json', await get('/livez'))
    check('/readyz', 'get', '200', 'application/json', await get('/readyz'))
    const refused = await (await post('/v1/topics/bid/events', '{"auction":"x"}')).json()
    expect(refused).toMatchObject({ status: 422 })
    check('/v1/topics/bid/events', 'post', '422', 'application/problem+json', refused)
  })

  it('says what answers look like that tell how it is, and why', async () => {
    const { url } = running
    const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json()
    const headers = { 'content-type': 'application/json' }
    await fetch(`${url}/v1/topics/bid/events`, { method: 'POST', headers, body: bidJson(5) })
    const plain = ['status', 'topology', 'time', 'whoami'].map((name) => [`/v1/${name}`, `/v1/${name}`])
    const topology = (await get('/v1/topology')) as { nodes: { id: string }[] }
    const asked = [
      ...plain,
      ['/v1/topology/{node}/sample', `/v1/topology/${encodeURIComponent(topology.nodes[0].id)}/sample`],
      ['/v1/views/{view}/changes', '/v1/views/by_auction/changes?from_tick=1'],
      ['/v1/topics/{topic}/volume', '/v1/topics/bid/volume?buckets=3'],
      ['/v1/views/{view}/why', '/v1/views/by_auction/why?auction=5'],
      ['/v1/views/{view}/why', '/v1/views/by_auction/why?auction=77'],
      ['/v1/topics/{topic}/find', '/v1/topics/bid/find?auction=5'],
      ['/v1/topics/{topic}/events/{offset}/journey', '/v1/topics/bid/events/0/journey'],
    ]
    for (const [path, call] of asked) {
      const answered = await fetch(url + call)
      expect([call, answered.status]).toEqual([call, 200])
      check(path, 'get', '200', 'application/json', await answered.json())
    }
    const body = JSON.stringify({ sql: 'SELECT auction FROM bid WHERE auction > 1' })
    const explained = await fetch(`${url}/v1/explain`, { method: 'POST', headers, body })
    check('/v1/explain', 'post', '200', 'application/json', await explained.json())
  })

  it('describes every route', () => {
    const api = new Api(running.database, {
      io: nodeIo(),
      limits: defaultLimits,
      onMistake: () => {},
      host: '127.0.0.1',
      allowedHosts: [],
      allowedOrigins: [],
      gateway: null,
    })
    const calls = api.routes.flatMap(({ pattern, methods }) => Object.keys(methods).map((method) => [method, pattern]))
    const nameless = calls.filter(([method, pattern]) => pattern.startsWith('/v1/') && !isDescribed(method, pattern))
    expect(nameless).toEqual([])
    api.close()
  })

  it('checks answers in earnest', () => {
    expect(() => check('/livez', 'get', '200', 'application/json', { status: 'asleep' })).toThrow()
    const row = { auction: 'x', share: 1 }
    expect(() =>
      check('/v1/views/shares', 'get', '200', 'application/json', { tick: 1, errors: 0, rows: [row] }),
    ).toThrow()
  })
})
