import { request as ask } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { bidJson, bidSql, type Running, startRunning } from '../../test/support/running-server.ts'
import { nodeIo } from '../io/node.ts'
import type { DiffBody } from '../protocol/answers.ts'
import { Api } from './api.ts'
import { defaultLimits } from './limits.ts'
import type { ServerOptions } from './listen.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

async function start(options: ServerOptions = {}): Promise<Running> {
  running = await startRunning(options)
  await append(running, 20)
  return running
}

async function append({ database }: Running, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => bidJson(i % 5))
  const { tick } = await database.appendText('bid', new TextEncoder().encode(`[${events.join()}]`), 'json')
  await database.waitForTick(tick)
}

function post({ url }: Running, body: unknown, query = ''): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${url}/v1/diff${query}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** Other definitions: `by_auction` without auction 0, `shares` of other columns, `owners` as it is, one new. */
const other = bidSql
  .replace('FROM bid GROUP BY', 'FROM bid WHERE auction > 0 GROUP BY')
  .replace('100 / auction AS share', '100 / auction AS part')
  .replace('CREATE MATERIALIZED VIEW shares', 'CREATE MATERIALIZED VIEW all_bids AS SELECT price FROM bid;\n$&')

describe('POST /v1/diff', () => {
  it('says of each view what would become of it, and changes nothing', async () => {
    const server = await start()
    const answer = await post(server, { definition: other })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    const body = (await answer.json()) as DiffBody
    expect(answer.headers.get('millrace-tick')).toBe(String(body.tick))
    expect(body.views).toEqual([
      {
        view: 'by_auction',
        kind: 'changed',
        rows: { before: 5, after: 4 },
        errors: { before: 0, after: 0 },
        added: 0,
        removed: 1,
        changes: [{ row: { auction: 0, bids: 4, total: 6, channel: null }, weight: -1 }],
      },
      { view: 'owners', kind: 'same', rows: { before: 0, after: 0 }, errors: { before: 0, after: 0 } },
      { view: 'all_bids', kind: 'new', rows: { before: null, after: 20 }, errors: { before: null, after: 0 } },
      { view: 'shares', kind: 'reshaped', rows: { before: 16, after: 16 }, errors: { before: 4, after: 4 } },
    ])
    const catalog = (await (await fetch(`${server.url}/v1/catalog`)).json()) as { views: { name: string }[] }
    expect(catalog.views.map(({ name }) => name)).toEqual(['by_auction', 'owners', 'shares'])
    const strings = await post(server, { definition: other, rows: 0 }, '?numbers=string')
    expect(await strings.json()).toMatchObject({ views: [{ removed: 1, changes: [] }, {}, {}, {}] })
    const dropped = await post(server, {
      definition: bidSql.slice(0, bidSql.indexOf('CREATE MATERIALIZED VIEW shares')),
    })
    expect(((await dropped.json()) as DiffBody).views.at(-1)).toMatchObject({ view: 'shares', kind: 'dropped' })
  })

  it('refuses what is no such request, and definitions that cannot run', async () => {
    const server = await start()
    for (const body of [
      null,
      [],
      {},
      { definition: 3 },
      { definition: bidSql, rows: -1 },
      { definition: bidSql, x: 1 },
    ]) {
      const answer = await post(server, body)
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, 'request/malformed'])
    }
    const cases = [
      [{ definition: bidSql, rows: 1001 }, '', 400, 'request/parameter', '1000'],
      [{ definition: bidSql }, '?nope=1', 400, 'request/parameter', 'nope'],
      [
        { definition: `${bidSql} CREATE MATERIALIZED VIEW v AS SELECT nope FROM bid;` },
        '',
        400,
        'sql/unknown-column',
        '',
      ],
      [{ definition: bidSql.replace('owner text', 'owner bigint') }, '', 409, 'schema/incompatible', 'owner'],
    ] as const
    for (const [body, query, status, code, text] of cases) {
      const answer = await post(server, body, query)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      const problem = (await answer.json()) as { status: number; code: string; detail: string }
      expect(problem).toMatchObject({ status, code })
      expect(problem.detail).toContain(text)
    }
    expect((await fetch(`${server.url}/v1/diff`)).status).toBe(405)
  })

  it('is for callers on this machine', async () => {
    const { database } = await start()
    const names = { host: '127.0.0.1', allowedHosts: [], allowedOrigins: [] }
    const api = new Api(database, { io: nodeIo(), limits: defaultLimits, ...names, gateway: null, onMistake: () => {} })
    const answer = await api.answer({
      method: 'POST',
      local: false,
      address: '10.0.0.1',
      target: '/v1/diff',
      header: (name) => (name === 'host' ? '127.0.0.1' : null),
      headerNames: () => ['host'],
      readBody: async () => new TextEncoder().encode(JSON.stringify({ definition: other })),
      signal: new AbortController().signal,
    })
    expect(answer.status).toBe(403)
    expect(new TextDecoder().decode(answer.body as Uint8Array)).toContain('diff/refused')
    api.close()
  })

  it('takes no longer than it may, and ends when nobody waits', async () => {
    const server = await start({ limits: { diffMs: 0 } })
    const late = await post(server, { definition: other })
    expect(late.status).toBe(504)
    expect(await late.json()).toMatchObject({ code: 'request/timeout', detail: expect.stringContaining('0 ms') })
    await server.stop()
    running = await startRunning()
    const held = running
    await append(held, 5)
    // The comparison waits behind a change of definitions until the caller is gone.
    let go = (): void => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    const { database } = held
    const compare = database.diff.bind(database)
    const signals: AbortSignal[] = []
    database.diff = async (definition, options) => {
      signals.push(options!.signal!)
      await gone
      return compare(definition, options)
    }
    const asked = ask(`${held.url}/v1/diff`, { method: 'POST', headers: { 'content-type': 'application/json' } })
    asked.on('error', () => {})
    asked.end(JSON.stringify({ definition: other }))
    await until(() => signals.length === 1)
    const second = await post(held, { definition: other })
    expect(second.status).toBe(503)
    expect(await second.json()).toMatchObject({ code: 'request/busy' })
    asked.destroy()
    await until(() => signals[0].aborted)
    go()
    await until(async () => (await post(held, { definition: other })).status === 200)
  })
})

async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await met())) await new Promise((resolve) => setTimeout(resolve, 5))
}
